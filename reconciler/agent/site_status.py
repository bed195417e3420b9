"""The status of the `Site` object, from the agent's own state: kstatus conditions, revisions, syncs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from reconciler import __version__
from reconciler.adapters.sqlite_state import Condition, StateStore

__all__ = ["site_status"]

#: State to the status of `Ready`, and whether it is worked on or waits for a person.
_READY = {
    "Ready": ("True", "", ""),
    "Progressing": ("Unknown", "Reconciling", ""),
    "Degraded": ("False", "Reconciling", ""),
    "RolledBack": ("False", "", "Stalled"),
    "Held": ("False", "", "Stalled"),
    "OutOfSync": ("False", "", "Stalled"),
    "Suspended": ("Unknown", "", ""),
    "Unknown": ("Unknown", "", ""),
}
_LONGEST_MESSAGE = 2000


def site_status(
    store: StateStore,
    *,
    objects: int,
    suspended: bool = False,
    handled: str = "",
    differences: Sequence[str] | None = None,
    facts_since: str = "",
    unread: Sequence[str] = (),
) -> dict[str, Any]:
    """Return the status, without the generation that it is about.

    Args:
        store: The agent's state.
        objects: How many objects the inventory holds.
        suspended: Whether somebody at the cluster asked that the site be left alone.
        handled: The newest `requestedAt` that was acted on.
        differences: What of the site's facts the cluster contradicts, or None where that is not known.
        facts_since: RFC 3339 time since which that is so.
        unread: What of the facts the agent may not read.
    """
    condition = store.condition() or Condition("Unknown", "NothingSynced", "no sync yet")
    if suspended:
        condition = Condition(
            "Suspended", "SuspendedHere", "the annotation wayside.dev/suspend is set", condition.since
        )
    attempt = store.attempt()
    status: dict[str, Any] = {
        "conditions": [*_conditions(condition), *_facts(differences, facts_since, unread)],
        "state": condition.state,
        "inventory": {"count": objects},
        "agent": {"version": __version__, "epoch": store.epoch},
        "syncs": [
            {
                "revision": sync.commit,
                "result": sync.phase,
                **({"reason": sync.reason} if sync.reason else {}),
                "time": sync.at,
                **({"digests": dict(sync.digests)} if sync.digests else {}),
            }
            for sync in store.syncs()
        ],
        "faults": {
            name: {"code": fault.code, "message": _cut(fault.message), "since": fault.since}
            for name, fault in store.faults().items()
        },
    }
    if applied := store.good_commit():
        status["lastAppliedRevision"] = applied
        status["lastAppliedTime"] = store.good_applied_at()
    if attempt is not None:
        status["lastAttemptedRevision"] = attempt.commit
    if handled:
        status["lastHandledReconcileAt"] = handled
    if differences:
        status["factDifferences"] = list(differences[:50])
    return status


def _conditions(condition: Condition) -> list[dict[str, Any]]:
    """Return Ready, and Reconciling or Stalled only where they hold, as kstatus wants it."""
    ready, *more = _READY.get(condition.state, ("Unknown", "", ""))
    rows = [_row("Ready", ready, condition)]
    rows += [_row(type_, "True", condition) for type_ in more if type_]
    return rows


def _row(type_: str, status: str, condition: Condition) -> dict[str, Any]:
    return {
        "type": type_,
        "status": status,
        "reason": condition.reason or condition.state,
        "message": _cut(condition.message),
        "lastTransitionTime": condition.since or "1970-01-01T00:00:00Z",
    }


def _facts(differences: Sequence[str] | None, since: str, unread: Sequence[str]) -> list[dict[str, Any]]:
    if differences is None:
        return []
    if unread and not differences:
        told = f"not compared, for want of rights: {', '.join(unread)}"
        return [_row("FactsMatch", "Unknown", Condition("", "NotCompared", told, since))]
    found = Condition("", "AsDeclared", "the cluster is what site.yaml says", since)
    if differences:
        more = f"; and {len(differences) - 3} more" if len(differences) > 3 else ""
        found = Condition("", "NotAsDeclared", "; ".join(differences[:3]) + more, since)
    return [_row("FactsMatch", "False" if differences else "True", found)]


def _cut(text: str) -> str:
    return text if len(text) <= _LONGEST_MESSAGE else text[: _LONGEST_MESSAGE - 1] + "…"
