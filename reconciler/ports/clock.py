"""Time, injected."""

from __future__ import annotations

import datetime
from typing import Protocol

__all__ = ["Clock"]


class Clock(Protocol):
    """Wall-clock time for records, monotonic time for waiting."""

    def now(self) -> datetime.datetime:
        """Return the wall-clock time, aware, in UTC."""

    def monotonic(self) -> float:
        """Return seconds that never go back."""
