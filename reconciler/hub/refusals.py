"""What was refused, in the log: a few lines a minute, and how many more there were."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from urllib.parse import quote

from reconciler.hub.http import Problem

__all__ = ["Refusals"]

_log = logging.getLogger(__name__)
_LONGEST_PATH = 200


class Refusals:
    """Says what was refused, so that somebody who sends a thousand bad batches fills no disk.

    Args:
        most: Lines in a period; more are counted.
        period: In seconds.
        clock: Seconds that never go back.
    """

    def __init__(
        self, *, most: int = 30, period: float = 60.0, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._most = most
        self._period = period
        self._clock = clock
        self._begun = clock()
        self._said = 0
        self._more = 0

    def note(self, problem: Problem, *, method: str, path: str, peer: str) -> None:
        """Say that a request was refused.

        Args:
            problem: Why.
            method: The request's method.
            path: Its path, decoded; whoever wrote it may have put anything into it.
            peer: The address that it came from.
        """
        now = self._clock()
        if now - self._begun >= self._period:
            if self._more:
                _log.warning("refused %d more requests", self._more)
            self._begun, self._said, self._more = now, 0, 0
        if self._said >= self._most:
            self._more += 1
            return
        self._said += 1
        shown = quote(path[:_LONGEST_PATH])
        _log.warning("refused %s %s from %s: %d %s", method, shown, peer, problem.status, problem.code)
