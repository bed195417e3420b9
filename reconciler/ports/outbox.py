"""Events on their way out, kept until they are acknowledged."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from reconciler.model.event import Event, EventType, Receipt

__all__ = ["Backlog", "Outbox"]


@dataclass(frozen=True, slots=True)
class Backlog:
    """What waits in an outbox.

    Attributes:
        events: How many events.
        size: Bytes of their data.
        urgent: Whether something of it must not wait for more to come.
    """

    events: int
    size: int
    urgent: bool


class Outbox(Protocol):
    """A durable queue with one sequence per site.

    An event gets its number when it is first handed out, so that what nobody has seen yet may be
    coalesced and bounded without leaving gaps; from then on it never changes.
    """

    def append(self, type: EventType, data: Mapping[str, Any]) -> None:  # noqa: A002 - CloudEvents' word
        """Store one event, in the transaction of the state change that it reports.

        A heartbeat is given as a whole snapshot. What is stored of it is the difference to what was told
        before, and nothing where there is none.
        """

    def backlog(self) -> Backlog:
        """Return how much waits, and whether something of it is urgent."""

    def pending(self, limit: int, size: int | None = None) -> Sequence[Event]:
        """Number and return the oldest events that are not acknowledged, within limits but at least one."""

    @property
    def numbered(self) -> int:
        """The number given last, or 0."""

    def withdraw(self, last: int) -> None:
        """Take back the numbers after `last`; only where it is certain that nobody has seen them."""

    def give_up(self, sequence: int, reason: str) -> None:
        """Put the count of one event in its place: a sink refuses it for good, and others wait behind it."""

    def tell_all(self) -> None:
        """Have the next heartbeat say everything: who reads may not know what was told before."""

    def acknowledge(self, receipt: Receipt) -> None:
        """Forget all events up to and including the acknowledged one.

        A receipt for more than was ever numbered shows that this queue was restored from an older
        copy: everything that is still here is numbered anew in a new epoch.
        """
