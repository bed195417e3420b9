"""Where batches of events go."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from reconciler.errors import WaysideError
from reconciler.model.event import Event, Receipt
from reconciler.model.link_use import LinkUse

__all__ = ["Sink", "SinkError"]


class SinkError(WaysideError):
    """A batch was not taken; it stays in the outbox.

    Args:
        message: Why, without credentials.
        retry_after: Seconds that the sink asks to wait, or None.
        unsent: Whether it is certain that no part of the batch reached the sink.
        refused: Whether it is the batch that the sink will not take, however often it comes.
    """

    def __init__(
        self,
        message: str,
        *,
        code: str = "sink-unreachable",
        hint: str = "",
        retry_after: float | None = None,
        unsent: bool = False,
        refused: bool = False,
    ) -> None:
        super().__init__(message, code=code, hint=hint)
        self.retry_after = retry_after
        self.unsent = unsent
        self.refused = refused


class Sink(Protocol):
    """Takes batches in order, and ignores what it has already."""

    @property
    def use(self) -> LinkUse:
        """What reports cost so far."""

    def deliver(self, batch: Sequence[Event]) -> Receipt:
        """Store a batch durably and say how far the sink has everything.

        Raises:
            SinkError: The batch was not taken, or nobody knows whether it was.
        """

    def beat(self, site: str) -> Receipt | None:
        """Say that a site lives, where it has nothing new to tell.

        Returns:
            What the sink has of the site, or None where it does not say.

        Raises:
            SinkError: The sink did not hear it.
        """
