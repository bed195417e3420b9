"""What an agent reports, as CloudEvents 1.0."""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

__all__ = ["URGENT", "Event", "EventType", "Receipt", "is_urgent"]


class EventType(enum.Enum):
    """The types of events; the value is the CloudEvents `type`, with its version at the end."""

    AGENT_STARTED = "dev.wayside.agent.started.v1"
    AGENT_HEARTBEAT = "dev.wayside.agent.heartbeat.v1"
    SYNC_PLANNED = "dev.wayside.sync.planned.v1"
    SYNC_APPLIED = "dev.wayside.sync.applied.v1"
    SYNC_FAILED = "dev.wayside.sync.failed.v1"
    SYNC_DENIED = "dev.wayside.sync.denied.v1"
    SYNC_HELD = "dev.wayside.sync.held.v1"
    SYNC_ROLLED_BACK = "dev.wayside.sync.rolledback.v1"
    SITE_SUSPENDED = "dev.wayside.site.suspended.v1"
    HEALTH_CHANGED = "dev.wayside.health.changed.v1"
    SOURCE_FAILED = "dev.wayside.source.failed.v1"
    SOURCE_RESTORED = "dev.wayside.source.restored.v1"
    DRIFT_DETECTED = "dev.wayside.drift.detected.v1"
    DRIFT_CORRECTED = "dev.wayside.drift.corrected.v1"
    DRIFT_CONTESTED = "dev.wayside.drift.contested.v1"
    FACTS_DIFFER = "dev.wayside.facts.differ.v1"
    OUTBOX_COMPACTED = "dev.wayside.outbox.compacted.v1"


#: What somebody wants to know at once, however much the link costs.
URGENT = frozenset(
    {
        EventType.SYNC_FAILED,
        EventType.SYNC_DENIED,
        EventType.SYNC_HELD,
        EventType.SYNC_ROLLED_BACK,
        EventType.DRIFT_CONTESTED,
        EventType.OUTBOX_COMPACTED,
    }
)


def is_urgent(type_: EventType, data: Mapping[str, Any]) -> bool:
    """Tell whether an event must not wait for others: it is bad news, or ends bad news."""
    if type_ is EventType.HEALTH_CHANGED:
        return "Degraded" in (data.get("state"), data.get("was"))
    return type_ in URGENT


@dataclass(frozen=True, slots=True)
class Event:
    """One thing that happened at a site.

    Attributes:
        site: The site's name.
        epoch: Id of the outbox's life; a lost or restored disk starts a new one.
        sequence: Number of the event in its epoch, from 1 without gaps.
        type: `dev.wayside.<noun>.<verb>.v1`.
        time: RFC 3339 time by the site's clock.
        data: JSON values.
    """

    site: str
    epoch: str
    sequence: int
    type: str
    time: str
    data: Mapping[str, Any]

    def to_cloudevent(self) -> dict[str, Any]:
        """Return the event in the JSON format of CloudEvents 1.0.

        Its `data` are JSON, which is what an event without `datacontenttype` has in that format.
        """
        return {
            "specversion": "1.0",
            "id": f"{self.epoch}-{self.sequence}",
            "source": f"/sites/{self.site}",
            "type": self.type,
            "time": self.time,
            "epoch": self.epoch,
            "sequence": str(self.sequence),
            "data": dict(self.data),
        }


@dataclass(frozen=True, slots=True)
class Receipt:
    """What a sink says after a batch: it holds every event of the epoch up to `acknowledged`."""

    epoch: str
    acknowledged: int
