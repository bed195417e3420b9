"""What an agent's state file tells, for `wayside status` on the spot."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from reconciler.adapters import sqlite_state
from reconciler.agent.clock import SystemClock

__all__ = ["SiteStatus", "read_status", "status_of_object"]


@dataclass(frozen=True, slots=True)
class SiteStatus:
    """How a site is, by its own agent.

    Attributes:
        site: The site's name.
        state: Ready, Progressing, Degraded, RolledBack, Held, Suspended, OutOfSync or Unknown.
        reason: A stable code.
        message: One sentence.
        since: RFC 3339 time since when, or "".
        applied: The commit that is applied, or "".
        applied_at: RFC 3339 time, or "".
        attempted: The commit that was looked at last, or "".
        attempt: What became of it: `applying`, `applied`, `denied`, `held`, `suspended`, `failed` or
            `rolledback`.
        faults: Name (`source`, `target`, `drift`) to "code since T: message".
        pending: Events that wait to be delivered.
        epoch: Id of the outbox's life.
        differences: What of the site's facts its cluster contradicts.
    """

    site: str
    state: str
    reason: str
    message: str
    since: str
    applied: str
    applied_at: str
    attempted: str
    attempt: str
    faults: dict[str, str]
    pending: int
    epoch: str
    differences: tuple[str, ...] = ()


def read_status(state: Path) -> SiteStatus:
    """Read the status from a state folder (or file), beside a running agent or without one.

    Raises:
        StateError: There is no state, or it cannot be read.
    """
    store = sqlite_state.read_only(state, clock=SystemClock())
    try:
        condition = store.condition() or sqlite_state.Condition("Unknown", "NothingSynced", "no sync yet")
        attempt = store.attempt()
        return SiteStatus(
            site=store.site,
            state=condition.state,
            reason=condition.reason,
            message=condition.message,
            since=condition.since,
            applied=store.good_commit(),
            applied_at=store.good_applied_at(),
            attempted="" if attempt is None else attempt.commit,
            attempt="" if attempt is None else attempt.phase,
            faults={
                name: f"{fault.code} since {fault.since}: {fault.message}"
                for name, fault in store.faults().items()
            },
            pending=store.pending(),
            epoch=store.epoch,
        )
    finally:
        store.close()


def status_of_object(live: Mapping[str, Any]) -> SiteStatus:
    """Return what a `Site` object in a cluster tells; what it does not tell is "" or "Unknown"."""
    status = live.get("status") or {}
    rows = {str(row.get("type")): row for row in status.get("conditions") or ()}
    ready = rows.get("Ready") or {}
    syncs = status.get("syncs") or [{}]
    return SiteStatus(
        site=str(live["metadata"]["name"]),
        state=str(status.get("state") or "Unknown"),
        reason=str(ready.get("reason") or "NoStatus"),
        message=str(ready.get("message") or "its agent has not written a status yet"),
        since=str(ready.get("lastTransitionTime") or ""),
        applied=str(status.get("lastAppliedRevision") or ""),
        applied_at=str(status.get("lastAppliedTime") or ""),
        attempted=str(status.get("lastAttemptedRevision") or ""),
        attempt=str(syncs[0].get("result") or ""),
        faults={
            str(name): f"{fault.get('code')} since {fault.get('since')}: {fault.get('message')}"
            for name, fault in (status.get("faults") or {}).items()
        },
        pending=0,
        epoch=str((status.get("agent") or {}).get("epoch") or ""),
        differences=tuple(str(text) for text in status.get("factDifferences") or ()),
    )
