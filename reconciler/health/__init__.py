"""Health of objects, by kstatus semantics."""
