"""`isSorted`, `sum`, `min`, `max`, `indexOf`, `lastIndexOf` over lists of plain values."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Any

from reconciler.rules.cel.errors import CelEvaluationError
from reconciler.rules.cel.values import Uint

__all__ = [
    "equal",
    "is_sorted",
    "list_max",
    "list_min",
    "sum_durations",
    "sum_floats",
    "sum_ints",
    "sum_uints",
]

_NO_OVERLOAD = "no such overload"
_KINDS: tuple[tuple[type, ...], ...] = (
    (bool,),
    (int, float),
    (str,),
    (bytes, bytearray),
    (timedelta,),
    (datetime,),
)


def _kind(value: object) -> int:
    for number, kind in enumerate(_KINDS):
        if isinstance(value, kind):
            return number
    raise CelEvaluationError(_NO_OVERLOAD)


def _compare(left: Any, right: Any) -> int:
    if _kind(left) != _kind(right):
        raise CelEvaluationError(_NO_OVERLOAD)
    if left != left or right != right:  # noqa: PLR0124 - only NaN is not itself
        raise CelEvaluationError("NaN values cannot be ordered")
    return int(left > right) - int(left < right)


def equal(left: Any, right: Any) -> bool:
    """Compare two values by CEL's equality: numbers by value, and nothing else across types."""
    if isinstance(left, bool) or isinstance(right, bool):
        return left is right
    if isinstance(left, list) and isinstance(right, list):
        return len(left) == len(right) and all(map(equal, left, right))
    if isinstance(left, Mapping) and isinstance(right, Mapping):
        return len(left) == len(right) and all(
            key in right and equal(value, right[key]) for key, value in left.items()
        )
    return bool(left == right)


def is_sorted(values: Sequence[Any]) -> bool:
    """Tell whether no value is less than the one before it."""
    for value in values[:1]:
        _kind(value)
    return all(_compare(left, right) <= 0 for left, right in pairwise(values))


def _extreme(values: Sequence[Any], sign: int, name: str) -> Any:
    if not values:
        raise CelEvaluationError(f"{name} called on empty list")
    best = values[0]
    _kind(best)
    for value in values[1:]:
        if _compare(value, best) == sign:
            best = value
    return best


def list_min(values: Sequence[Any]) -> Any:
    """Return the least value."""
    return _extreme(values, -1, "min")


def list_max(values: Sequence[Any]) -> Any:
    """Return the greatest value."""
    return _extreme(values, 1, "max")


def _bounded(low: int, high: int, name: str) -> Callable[[Sequence[Any]], int]:
    def total(values: Sequence[Any]) -> int:
        found = 0
        for value in values:
            if isinstance(value, bool) or not isinstance(value, int):
                raise CelEvaluationError(_NO_OVERLOAD)
            found += value
            if not low <= found <= high:
                raise CelEvaluationError(f"{name} overflow")
        return found

    return total


sum_ints = _bounded(-(2**63), 2**63 - 1, "integer")
_sum_uints = _bounded(0, 2**64 - 1, "unsigned integer")


def sum_uints(values: Sequence[Any]) -> Uint:
    """Return the sum of unsigned integers."""
    return Uint(_sum_uints(values))


def sum_floats(values: Sequence[Any]) -> float:
    """Return the sum of doubles, added from the left."""
    found = 0.0
    for value in values:
        if not isinstance(value, float):
            raise CelEvaluationError(_NO_OVERLOAD)
        found += value
    return found if not math.isnan(found) else math.nan


def sum_durations(values: Sequence[Any]) -> timedelta:
    """Return the sum of durations."""
    found = timedelta()
    for value in values:
        if not isinstance(value, timedelta):
            raise CelEvaluationError(_NO_OVERLOAD)
        try:
            found += value
        except OverflowError as err:
            raise CelEvaluationError("duration overflow") from err
    if abs(found) > timedelta(microseconds=2**63 // 1000):
        raise CelEvaluationError("integer overflow")
    return found
