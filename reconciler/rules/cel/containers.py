"""Sets, lists and optionals over plain Python values."""

from __future__ import annotations

import math
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import cmp_to_key
from typing import Any, Final

from reconciler.rules.cel.errors import CelEvaluationError, CelUnsupportedError
from reconciler.rules.cel.operations import NONE, Optional, TypeName, compare, equal, overloaded, type_name

__all__ = ["containers", "contains", "index", "optional_index"]

_MISSING: Final = object()
_FIRST_MOMENT: Final = datetime(1, 1, 1, tzinfo=UTC)


def contains(item: Any, over: Any) -> bool:
    """Tell whether a list has an equal element, or a map the key."""
    if isinstance(over, list):
        return any(equal(item, element) for element in over)
    if isinstance(over, dict):
        return _get(over, item) is not _MISSING
    raise overloaded()


def _get(mapping: dict[Any, Any], key: Any) -> Any:
    if isinstance(key, (list, dict, TypeName)):
        raise overloaded()
    if isinstance(key, bool) or any(isinstance(known, bool) for known in mapping):
        if all(isinstance(known, str) for known in mapping):
            return _MISSING
        raise CelUnsupportedError("maps with keys of the type bool")
    return mapping.get(key, _MISSING)


def _at(over: Any, key: Any) -> Any:
    if isinstance(over, dict):
        return _get(over, key)
    if isinstance(over, list) and isinstance(key, (int, float)) and not isinstance(key, bool):
        if not math.isfinite(key) or key != int(key):
            raise overloaded()
        return over[int(key)] if 0 <= key < len(over) else _MISSING
    raise overloaded()


def index(over: Any, key: Any) -> Any:
    """Return the element at a list's index or a map's key."""
    if isinstance(over, Optional):
        return optional_index(over, key)
    found = _at(over, key)
    if found is _MISSING:
        if isinstance(over, list):
            raise CelEvaluationError(f"index out of bounds: {key}")
        raise CelEvaluationError(f"no such key: {_shown(key)}")
    return found


def _shown(key: Any) -> str:
    if isinstance(key, bool):
        return "true" if key else "false"
    return str(int(key)) if isinstance(key, int) else str(key)


def optional_index(over: Any, key: Any) -> Optional:
    """Return the element as an optional."""
    if isinstance(over, Optional):
        return optional_index(over.values[0], key) if over.values else NONE
    if not isinstance(over, (list, dict)):
        return NONE
    found = _at(over, key)
    return NONE if found is _MISSING else Optional((found,))


def _subset(left: list[Any], right: list[Any]) -> bool:
    return all(contains(item, left) for item in right)


def _value(optional: Any) -> Any:
    if not isinstance(optional, Optional):
        raise overloaded()
    if not optional.values:
        raise CelEvaluationError("optional.none() dereference")
    return optional.values[0]


def _of_non_zero(value: Any) -> Optional:
    plain = isinstance(value, (bool, int, float, str, bytes, list, dict, timedelta))
    if value is None or (plain and not value) or value == _FIRST_MOMENT:
        return NONE
    return Optional((value,))


def _slice(values: list[Any], start: int, end: int) -> list[Any]:
    if start < 0 or end < 0:
        raise CelEvaluationError(f"cannot slice({start}, {end}), negative indexes not supported")
    if start > end:
        raise CelEvaluationError(
            f"cannot slice({start}, {end}), start index must be less than or equal to end index"
        )
    if end > len(values):
        raise CelEvaluationError(f"cannot slice({start}, {end}), list is length {len(values)}")
    return values[start:end]


def _flatten(values: list[Any], depth: int = 1) -> list[Any]:
    if depth < 0:
        raise CelEvaluationError("level must be non-negative")
    flat: list[Any] = []
    for value in values:
        if isinstance(value, list) and depth:
            flat += _flatten(value, depth - 1)
        else:
            flat.append(value)
    return flat


def _distinct(values: list[Any]) -> list[Any]:
    found: list[Any] = []
    for value in values:
        if not contains(value, found):
            found.append(value)
    return found


def _range(count: int) -> list[int]:
    if count > 20_000:
        raise CelUnsupportedError("the list is too long for this engine")
    return list(range(count))


def _sort_by(values: list[Any], keys: list[Any]) -> list[Any]:
    if len({type_name(key) for key in keys}) > 1:
        raise CelEvaluationError("list elements must have the same type")
    if keys[:1] == [None]:
        raise CelEvaluationError("list elements must be comparable")

    def order_of(left: int, right: int) -> int:
        return compare(keys[left], keys[right])

    order = sorted(range(len(values)), key=cmp_to_key(order_of))
    return [values[at] for at in order]


def _insert(mapping: dict[Any, Any], *added: Any) -> dict[Any, Any]:
    pairs = [added] if len(added) == 2 else list(added[0].items())
    made = dict(mapping)
    for key, value in pairs:
        if isinstance(key, bool):
            raise CelUnsupportedError("maps with keys of the type bool")
        if key in made:
            raise CelEvaluationError(f"insert failed: key {_shown(key)} already exists")
        made[key] = value
    return made


def _end(values: list[Any], at: int) -> Optional:
    return Optional((values[at],)) if values else NONE


def _listed(function: Callable[..., Any]) -> Callable[..., Any]:
    def call(values: Any, *args: Any) -> Any:
        if not isinstance(values, list):
            raise overloaded()
        return function(values, *args)

    return call


#: Functions over lists, maps and optionals, by name.
containers: Final[dict[str, Callable[..., Any]]] = {
    "sets.contains": _subset,
    "sets.equivalent": lambda left, right: _subset(left, right) and _subset(right, left),
    "sets.intersects": lambda left, right: any(contains(item, left) for item in right),
    "optional.of": lambda value: Optional((value,)),
    "optional.none": lambda: NONE,
    "optional.ofNonZeroValue": _of_non_zero,
    "value": _value,
    "hasValue": lambda optional: bool(optional.values),
    "or": lambda optional, other: optional if optional.values else other,
    "orValue": lambda optional, other: optional.values[0] if optional.values else other,
    "_[?_]": optional_index,
    "slice": _listed(_slice),
    "flatten": _listed(_flatten),
    "lists.range": _range,
    "distinct": _listed(_distinct),
    "reverse": _listed(lambda values: values[::-1]),
    "first": _listed(lambda values: _end(values, 0)),
    "last": _listed(lambda values: _end(values, -1)),
    "sort": _listed(lambda values: _sort_by(values, values)),
    "@sortByAssociatedKeys": _listed(_sort_by),
    "cel.@mapInsert": _insert,
}
