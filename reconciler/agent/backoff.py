"""How long to wait before the next try."""

from __future__ import annotations

import random

__all__ = ["Backoff", "jittered"]


class Backoff:
    """Delays that double with every failure, spread so that a fleet does not try in step.

    Args:
        first: Seconds after the first failure, at most.
        most: The longest delay in seconds.
        rng: For the spread.
        least: The part of a delay that is always waited for; 0 is full jitter, by which many that failed
            at once come back evenly spread.
    """

    def __init__(self, *, first: float, most: float, rng: random.Random, least: float = 0.5) -> None:
        self._first = first
        self._most = most
        self._rng = rng
        self._least = least
        self.failures = 0

    def failed(self) -> float:
        """Count one failure and return the seconds to wait."""
        delay = min(self._most, self._first * 2.0 ** min(self.failures, 32))
        self.failures += 1
        return delay * self._rng.uniform(self._least, 1.0)

    def succeeded(self) -> None:
        """Begin anew."""
        self.failures = 0


def jittered(interval: float, rng: random.Random) -> float:
    """Return the interval, a tenth more or less."""
    return interval * rng.uniform(0.9, 1.1)
