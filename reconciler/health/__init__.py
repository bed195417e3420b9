"""Health of objects, by the documented semantics of kstatus."""

from reconciler.health.assess import assess

__all__ = ["assess"]
