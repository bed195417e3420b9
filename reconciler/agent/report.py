"""What events say: the data of each type, as JSON values."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from reconciler.adapters.sqlite_state import Condition
from reconciler.agent.assessment import Refused
from reconciler.agent.revision import SiteRevision
from reconciler.model.outcome import Outcome
from reconciler.model.plan import Action, Change, Health, Hold, Plan

__all__ = [
    "applied",
    "changes_of",
    "condition",
    "counts",
    "digests",
    "failures",
    "held",
    "planned",
    "refused",
    "sentences",
]

#: More than this is cut; the count says how many there were.
_LONGEST_LIST = 50
_LONGEST_TEXT = 600
_MOST_FIELDS = 20
_DOING = (Action.CREATE, Action.UPDATE, Action.DELETE)


def changes_of(plan: Plan) -> tuple[Change, ...]:
    """Return the changes that do something."""
    return tuple(change for change in plan.changes if change.action in _DOING)


def counts(actions: Iterable[Action]) -> dict[str, int]:
    """Return how many objects are created, updated and deleted."""
    found = list(actions)
    return {action.value: found.count(action) for action in _DOING}


def planned(revision: SiteRevision, changes: Sequence[Change]) -> dict[str, Any]:
    """Return what a sync is about to do."""
    return {
        "commit": revision.commit,
        "subject": _cut(revision.subject),
        "digests": digests(revision),
        "counts": counts(change.action for change in changes),
        "changes": [
            {"resource": str(change.id), "action": change.action.value} for change in changes[:_LONGEST_LIST]
        ],
    }


def applied(revision: SiteRevision, outcome: Outcome, *, resources: int) -> dict[str, Any]:
    """Return what a sync did."""
    return {
        "commit": revision.commit,
        "subject": _cut(revision.subject),
        "digests": digests(revision),
        "counts": counts(result.action for result in outcome.results),
        "changes": _changes(outcome),
        "resources": resources,
    }


def _changes(outcome: Outcome) -> list[dict[str, Any]]:
    """Return what changed, object by object and field by field."""
    found = [result for result in outcome.results if result.action in _DOING]
    return [
        {
            "resource": str(result.id),
            "action": result.action.value,
            "fields": [
                {"path": field.path, "before": field.before, "after": field.after}
                for field in result.fields[:_MOST_FIELDS]
            ],
            **({"moreFields": more} if (more := len(result.fields) - _MOST_FIELDS) > 0 else {}),
        }
        for result in found[:_LONGEST_LIST]
    ]


def refused(assessment: Refused) -> dict[str, Any]:
    """Return why a revision was refused."""
    return {
        "commit": assessment.commit,
        "code": assessment.code,
        "count": assessment.count,
        "reasons": [
            {
                "rule": reason.rule,
                "message": _cut(reason.message),
                "location": reason.location,
                "resource": reason.resource,
                "hint": _cut(reason.hint),
            }
            for reason in assessment.reasons[:_LONGEST_LIST]
        ],
    }


def held(commit: str, holds: Sequence[Hold]) -> dict[str, Any]:
    """Return why nothing of a plan is done."""
    return {
        "commit": commit,
        "code": holds[0].code,
        "holds": [
            {
                "code": hold.code,
                "message": _cut(hold.message),
                "hint": _cut(hold.hint),
                "subjects": [str(id_) for id_ in hold.subjects[:_LONGEST_LIST]],
            }
            for hold in holds[:_LONGEST_LIST]
        ],
    }


def failures(outcome: Outcome) -> list[dict[str, str]]:
    """Return what failed in a sync: refusals, and objects that did not become healthy."""
    found = [
        {"resource": str(refusal.id), "reason": refusal.reason, "message": _cut(refusal.message)}
        for refusal in outcome.refusals
    ]
    found += [
        {
            "resource": str(result.id),
            "reason": result.health.status.value if result.health else "",
            "message": _cut(result.health.message if result.health else result.reason),
        }
        for result in outcome.unhealthy
    ]
    return found[:_LONGEST_LIST]


def condition(found: Condition) -> dict[str, str]:
    """Return the site's state, as any event may tell it."""
    return {
        "state": found.state,
        "reason": found.reason,
        "message": _cut(found.message),
        "since": found.since,
    }


def sentences(found: Mapping[str, Health]) -> dict[str, str]:
    """Return objects that are not healthy: name to one sentence."""
    return {
        name: _cut(f"{health.status.value}: {health.message}" if health.message else health.status.value)
        for name, health in sorted(found.items())[:_LONGEST_LIST]
    }


def digests(revision: SiteRevision) -> dict[str, str]:
    """Return what proves that the verdict here is the one of the pull request."""
    return {
        "inputs": revision.digests.inputs,
        "rules": revision.digests.rules,
        "verdict": revision.digests.verdict,
    }


def _cut(text: str) -> str:
    return text if len(text) <= _LONGEST_TEXT else text[: _LONGEST_TEXT - 1] + "…"
