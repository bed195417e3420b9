"""What an agent's state file tells, for `wayside status` on the spot."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from reconciler.adapters import sqlite_state
from reconciler.agent.clock import SystemClock

__all__ = ["SiteStatus", "read_status"]


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
