"""The machine's own clock."""

from __future__ import annotations

import datetime
import time

__all__ = ["SystemClock"]


class SystemClock:
    """Wall-clock time for records, monotonic time for waiting."""

    def now(self) -> datetime.datetime:
        """Return the wall-clock time, aware, in UTC."""
        return datetime.datetime.now(tz=datetime.UTC)

    def monotonic(self) -> float:
        """Return seconds that never go back."""
        return time.monotonic()
