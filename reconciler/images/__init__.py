"""Image references, the lock and its evidence."""
