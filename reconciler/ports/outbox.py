"""Events on their way out, kept until they are acknowledged."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from reconciler.model.event import Event, EventType, Receipt

__all__ = ["Outbox"]


class Outbox(Protocol):
    """A durable queue with one sequence per site.

    An event gets its number when it is first handed out, so that what nobody has seen yet may be
    coalesced and bounded without leaving gaps; from then on it never changes.
    """

    def append(self, type: EventType, data: Mapping[str, Any]) -> None:  # noqa: A002 - CloudEvents' word
        """Store one event, in the transaction of the state change that it reports."""

    def pending(self, limit: int) -> Sequence[Event]:
        """Number and return the oldest events that are not acknowledged, at most `limit` of them."""

    @property
    def numbered(self) -> int:
        """The number given last, or 0."""

    def withdraw(self, last: int) -> None:
        """Take back the numbers after `last`; only where it is certain that nobody has seen them."""

    def acknowledge(self, receipt: Receipt) -> None:
        """Forget all events up to and including the acknowledged one.

        A receipt for more than was ever numbered shows that this queue was restored from an older
        copy: everything that is still here is numbered anew in a new epoch.
        """
