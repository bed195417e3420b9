"""What reports cost a site's link."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["LinkUse"]


@dataclass(slots=True)
class LinkUse:
    """Bytes that one sink moved since its agent started; written by one thread, read by others.

    Attributes:
        sent: Bytes sent, as they went over the connection where that is known, otherwise of bodies.
        received: The same, received.
        payload: Bytes of bodies sent, compressed.
        requests: How often something was sent.
    """

    sent: int = 0
    received: int = 0
    payload: int = 0
    requests: int = 0

    def told(self) -> dict[str, int]:
        """Return it as an event tells it."""
        return {
            "sent": self.sent,
            "received": self.received,
            "payload": self.payload,
            "requests": self.requests,
        }
