"""Events on their way out, kept until they are acknowledged."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from reconciler.model.event import Event

__all__ = ["Outbox"]


class Outbox(Protocol):
    """A durable queue with one sequence per site."""

    def append(self, type: str, data: Mapping[str, Any]) -> Event:  # noqa: A002 - CloudEvents' word
        """Store one event durably and return it with its sequence number."""

    def pending(self, limit: int) -> Sequence[Event]:
        """Return the oldest events that are not acknowledged."""

    def acknowledge(self, sequence: int) -> None:
        """Forget all events up to and including `sequence`."""
