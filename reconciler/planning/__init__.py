"""What a sync will do, computed from values alone."""

from reconciler.planning.applyset import AGENT_NAMESPACE, FIELD_MANAGER, applyset_id
from reconciler.planning.planner import plan

__all__ = ["AGENT_NAMESPACE", "FIELD_MANAGER", "applyset_id", "plan"]
