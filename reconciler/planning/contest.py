"""Fights: somebody changes an object again and again, and the agent changes it back each time.

After a few rounds the agent gives in for a while, twice as long each time, and says who the other one is.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from reconciler.model.resource import ResourceId

__all__ = ["Contest", "Ring"]

#: How often an object is put right before that is called a fight, and within how many seconds.
_ROUNDS, _WINDOW = 3, 600.0
_FIRST_REST, _LONGEST_REST = 60.0, 3600.0


@dataclass(slots=True)
class Contest:
    """One object's rounds."""

    rounds: list[float] = field(default_factory=list)
    rest: float = 0.0
    until: float = 0.0


class Ring:
    """Counts how often objects are put right. Times are seconds of a clock that never goes back."""

    def __init__(self) -> None:
        self._contests: dict[ResourceId, Contest] = {}

    def resting(self, now: float) -> frozenset[ResourceId]:
        """Return the objects that are left alone for now."""
        return frozenset(id_ for id_, contest in self._contests.items() if now < contest.until)

    def next_round(self, now: float) -> float | None:
        """Return when the first of them is put right again, or None where none rests."""
        return min(
            (contest.until for contest in self._contests.values() if now < contest.until), default=None
        )

    def corrected(self, ids: Iterable[ResourceId], now: float) -> frozenset[ResourceId]:
        """Note that objects were put right, and return those that are a fight now."""
        begun: set[ResourceId] = set()
        for id_ in ids:
            contest = self._contests.setdefault(id_, Contest())
            # A rest counts as peace only when it was followed by as long a time without a round.
            window = _WINDOW + 2 * contest.rest
            contest.rounds = [moment for moment in contest.rounds if now - moment < window] + [now]
            if len(contest.rounds) == 1:
                contest.rest = 0.0
            if len(contest.rounds) >= _ROUNDS:
                contest.rest = min(contest.rest * 2 or _FIRST_REST, _LONGEST_REST)
                contest.until = now + contest.rest
                begun.add(id_)
        quiet = [
            id_
            for id_, contest in self._contests.items()
            if contest.rounds and now - contest.rounds[-1] > _WINDOW + 2 * contest.rest
        ]
        for id_ in quiet:
            del self._contests[id_]
        return frozenset(begun)
