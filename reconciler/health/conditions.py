"""Reading `status.conditions`, and saying what was read."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from reconciler.model.plan import Health, HealthStatus
from reconciler.model.resource import Manifest

__all__ = ["condition", "current", "failed", "in_progress", "number", "section", "text"]


def section(live: Manifest, name: str) -> Mapping[str, Any]:
    """Return `spec` or `status` of an object, empty where there is none."""
    value = live.get(name)
    return value if isinstance(value, Mapping) else {}


def number(values: Mapping[str, Any], name: str, default: int = 0) -> int:
    """Return a whole number, or the default where there is none."""
    value = values.get(name)
    return value if isinstance(value, int) else default


def condition(live: Manifest, kind: str) -> Mapping[str, Any] | None:
    """Return the condition of a type, or None."""
    conditions = section(live, "status").get("conditions")
    for entry in conditions if isinstance(conditions, list) else ():
        if isinstance(entry, Mapping) and entry.get("type") == kind:
            return entry
    return None


def text(entry: Mapping[str, Any]) -> str:
    """Return a condition's reason and message in one line."""
    reason, message = str(entry.get("reason") or ""), str(entry.get("message") or "")
    return f"{reason}: {message}" if reason and message else reason or message


def current(message: str = "") -> Health:
    """Return the health of what has settled."""
    return Health(HealthStatus.CURRENT, message)


def in_progress(message: str) -> Health:
    """Return the health of what has not settled yet."""
    return Health(HealthStatus.IN_PROGRESS, message)


def failed(message: str) -> Health:
    """Return the health of what will not settle by waiting."""
    return Health(HealthStatus.FAILED, message)
