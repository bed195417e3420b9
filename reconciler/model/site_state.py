"""The states of a site, in one place: what they mean, which is worse, and when a report is too old."""

from __future__ import annotations

import enum
from collections.abc import Iterable

__all__ = ["MISSED_HEARTBEATS", "SiteState", "is_offline", "worst"]

#: So many heartbeats must fail to come before a site counts as Offline.
MISSED_HEARTBEATS = 3


class SiteState(enum.Enum):
    """A site's state in a word; the order of the members is from good to bad.

    `READY`: what the newest revision says is there, and healthy. `PROGRESSING`: on its way there.
    `SUSPENDED`: left alone on purpose. `OUT_OF_SYNC`: what is there differs from the last good
    revision and is left so. `UNKNOWN`: never seen, or nobody can tell. `HELD`: the newest
    revision is refused, or waits for a person; the one before it runs on. `ROLLED_BACK`: the newest revision
    failed, and the site went back. `OFFLINE`: silent for longer than three heartbeats; whatever was said
    before is history. `DEGRADED`: something that should run does not.
    """

    READY = "Ready"
    PROGRESSING = "Progressing"
    SUSPENDED = "Suspended"
    OUT_OF_SYNC = "OutOfSync"
    UNKNOWN = "Unknown"
    HELD = "Held"
    ROLLED_BACK = "RolledBack"
    OFFLINE = "Offline"
    DEGRADED = "Degraded"

    @property
    def badness(self) -> int:
        """How bad it is: 0 is good, more is worse."""
        return _BADNESS[self]


_BADNESS = {state: number for number, state in enumerate(SiteState)}


def worst(states: Iterable[SiteState]) -> SiteState:
    """Return the worst of some states; a group without sites is UNKNOWN."""
    return max(states, key=lambda state: state.badness, default=SiteState.UNKNOWN)


def is_offline(*, silent: float, heartbeat: float) -> bool:
    """Tell whether a site counts as Offline.

    Args:
        silent: Seconds since its last sign of life, by the reader's own clock.
        heartbeat: Seconds between its heartbeats.
    """
    return silent > MISSED_HEARTBEATS * heartbeat
