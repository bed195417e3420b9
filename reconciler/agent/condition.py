"""A site's state in a word, from the health of its objects: the worst wins."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import assert_never

from reconciler.adapters.sqlite_state import Condition
from reconciler.model.outcome import Outcome
from reconciler.model.plan import Health, HealthStatus, Observed, Plan
from reconciler.ports.target import Target

__all__ = ["SiteHealth", "site_health"]

_BADNESS = {
    HealthStatus.CURRENT: 0,
    HealthStatus.UNKNOWN: 1,
    HealthStatus.IN_PROGRESS: 2,
    HealthStatus.TERMINATING: 2,
    HealthStatus.NOT_FOUND: 3,
    HealthStatus.FAILED: 4,
}


@dataclass(frozen=True, slots=True)
class SiteHealth:
    """How a site is that is as its revision says.

    Attributes:
        condition: The state of the site.
        unhealthy: Name to health of every object that is not Current, nor one that nobody can judge.
    """

    condition: Condition
    unhealthy: Mapping[str, Health] = field(default_factory=dict)


def site_health(target: Target, plan: Plan, observed: Observed, outcome: Outcome | None) -> SiteHealth:
    """Return how a site is that is as its revision says.

    Args:
        target: Judges the health of objects.
        plan: Whose objects count.
        observed: The objects as they were before the plan was carried out.
        outcome: What carrying it out told, or None where nothing was to be done.
    """
    results = () if outcome is None else outcome.results
    after = {result.id: result.health for result in results if result.health is not None}
    worst, message = HealthStatus.CURRENT, ""
    unhealthy: dict[str, Health] = {}
    ids = [change.id for wave in plan.waves for change in wave.changes]
    for id_ in ids:
        health = after.get(id_)
        if health is None:
            health = target.assess(observed.objects.get(id_))
        if _BADNESS[health.status] > _BADNESS[HealthStatus.UNKNOWN]:
            unhealthy[str(id_)] = health
        if _BADNESS[health.status] > _BADNESS[worst]:
            worst, message = health.status, f"{id_}: {health.message}"
    return SiteHealth(_condition(worst, message, len(ids)), unhealthy)


def _condition(worst: HealthStatus, message: str, count: int) -> Condition:
    match worst:
        case HealthStatus.CURRENT:
            return Condition("Ready", "Applied", f"{count} objects are as they should be")
        case HealthStatus.UNKNOWN:
            return Condition("Unknown", "HealthUnknown", "applied; this kind of target does not tell health")
        case HealthStatus.FAILED:
            return Condition("Degraded", "Unhealthy", message)
        case HealthStatus.NOT_FOUND | HealthStatus.IN_PROGRESS | HealthStatus.TERMINATING:
            return Condition("Progressing", worst.value, message)
        case _:
            assert_never(worst)
