"""When events go out, and how many at once: by how many wait, how long, and what the link costs."""

from __future__ import annotations

from dataclasses import dataclass

from reconciler.ports.outbox import Backlog

__all__ = ["METERED", "UNMETERED", "BatchRules"]


@dataclass(frozen=True, slots=True)
class BatchRules:
    """How events are put together.

    Attributes:
        events: So many make a batch, at most.
        size: So many bytes of data make a batch, before they are compressed.
        age: Seconds that an event may wait for others. What is urgent, and heartbeats, never wait.
    """

    events: int
    size: int
    age: float

    def wait(self, backlog: Backlog, *, waited: float) -> float | None:
        """Return the seconds until what waits is to be sent: 0 for now, None where nothing waits.

        Args:
            backlog: What waits.
            waited: Seconds since the first of it was noticed.
        """
        if not backlog.events:
            return None
        if backlog.urgent or backlog.events >= self.events or backlog.size >= self.size:
            return 0.0
        return max(0.0, self.age - waited)


#: Soon, in batches that a hub takes quickly.
UNMETERED = BatchRules(events=500, size=512 * 1024, age=2.0)
#: Rarely, and much at once, which compresses better: mostly with the next heartbeat.
METERED = BatchRules(events=4000, size=4 * 1024 * 1024, age=900.0)
