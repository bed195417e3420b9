"""A site's state in a word, from the health of its objects: the worst wins."""

from __future__ import annotations

from typing import assert_never

from reconciler.adapters.sqlite_state import Condition
from reconciler.model.outcome import Outcome
from reconciler.model.plan import HealthStatus, Observed, Plan
from reconciler.ports.target import Target

__all__ = ["health_condition"]

_BADNESS = {
    HealthStatus.CURRENT: 0,
    HealthStatus.UNKNOWN: 1,
    HealthStatus.IN_PROGRESS: 2,
    HealthStatus.TERMINATING: 2,
    HealthStatus.NOT_FOUND: 3,
    HealthStatus.FAILED: 4,
}


def health_condition(target: Target, plan: Plan, observed: Observed, outcome: Outcome | None) -> Condition:
    """Return the state of a site that is as its revision says.

    Args:
        target: Judges the health of objects.
        plan: Whose objects count.
        observed: The objects as they were before the plan was carried out.
        outcome: What carrying it out told, or None where nothing was to be done.
    """
    results = () if outcome is None else outcome.results
    after = {result.id: result.health for result in results if result.health is not None}
    worst, message = HealthStatus.CURRENT, ""
    ids = [change.id for wave in plan.waves for change in wave.changes]
    for id_ in ids:
        health = after.get(id_)
        if health is None:
            health = target.assess(observed.objects.get(id_))
        if _BADNESS[health.status] > _BADNESS[worst]:
            worst, message = health.status, f"{id_}: {health.message}"
    match worst:
        case HealthStatus.CURRENT:
            return Condition("Ready", "Applied", f"{len(ids)} objects are as they should be")
        case HealthStatus.UNKNOWN:
            return Condition("Unknown", "HealthUnknown", "applied; this kind of target does not tell health")
        case HealthStatus.FAILED:
            return Condition("Degraded", "Unhealthy", message)
        case HealthStatus.NOT_FOUND | HealthStatus.IN_PROGRESS | HealthStatus.TERMINATING:
            return Condition("Progressing", worst.value, message)
        case _:
            assert_never(worst)
