"""Health of kinds that kstatus knows nothing of, as CEL expressions of the fleet's own."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["HealthCheck"]


@dataclass(frozen=True, slots=True)
class HealthCheck:
    """When an object of one kind is what; expressions see its fields: `status`, `spec`, `metadata`, `object`.

    They are asked in this order, and the first that is true decides. Where none is, it is in progress.

    Attributes:
        group: The kind's API group, "" for the core group.
        kind: The kind.
        in_progress: True while it is on its way, or "".
        failed: True when it will not get there, or "".
        current: True when it is there.
    """

    group: str
    kind: str
    current: str
    in_progress: str = ""
    failed: str = ""
