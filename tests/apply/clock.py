"""A clock that tests turn."""

from __future__ import annotations

import datetime


class StandingClock:
    """Time passes by sleeping only."""

    def __init__(self) -> None:
        self.time = 0.0

    def now(self) -> datetime.datetime:
        return datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC) + datetime.timedelta(seconds=self.time)

    def monotonic(self) -> float:
        return self.time

    def sleep(self, seconds: float) -> None:
        self.time += seconds
