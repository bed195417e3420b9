"""What a sync will do, computed from values alone."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from reconciler.planning.applyset import AGENT_NAMESPACE, FIELD_MANAGER, applyset_id

if TYPE_CHECKING:
    from reconciler.planning.planner import plan

__all__ = ["AGENT_NAMESPACE", "FIELD_MANAGER", "applyset_id", "plan"]


def __getattr__(name: str) -> Any:
    """Load the planner when it is asked for: a check needs the ownership label alone."""
    if name == "plan":
        from reconciler.planning.planner import plan

        return plan
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
