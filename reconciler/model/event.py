"""What an agent reports, as CloudEvents 1.0."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

__all__ = ["Event"]


@dataclass(frozen=True, slots=True)
class Event:
    """One thing that happened at a site.

    Attributes:
        site: The site's name.
        epoch: Id of the outbox's life; a restored disk starts a new one.
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
        """Return the event in the JSON format of CloudEvents 1.0."""
        return {
            "specversion": "1.0",
            "id": f"{self.epoch}-{self.sequence}",
            "source": f"/sites/{self.site}",
            "type": self.type,
            "time": self.time,
            "datacontenttype": "application/json",
            "epoch": self.epoch,
            "sequence": str(self.sequence),
            "data": dict(self.data),
        }
