"""Plain values that the native engine would misread where a variable's type leaves them open.

An unsigned integer looks like an int to it, and it knows times and durations only where they are declared. As
protobuf messages they are what they are.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from google.protobuf import duration_pb2, timestamp_pb2, wrappers_pb2

from reconciler.rules.cel.types import DYN, UINT, Type
from reconciler.rules.cel.values import Uint

__all__ = ["boxed", "nested", "with_keys"]

_OPEN = frozenset({"dyn", "any", "wrapper"})


def boxed(value: Any, term: Type) -> Any:
    """Return a value as the engine reads it right.

    Args:
        value: The plain value.
        term: The type that is declared for it.
    """
    match value:
        case list() | tuple():
            inner = term.args[0] if term.name == "list" else DYN
            return [boxed(item, inner) for item in value]
        case dict():
            inner = term.args[1] if term.name == "map" else DYN
            return {key: boxed(item, inner) for key, item in value.items()}
        case _ if term.name not in _OPEN:
            return value
        case Uint():
            return wrappers_pb2.UInt64Value(value=int(value))
        case timedelta():
            span = duration_pb2.Duration()
            span.FromTimedelta(value)
            return span
        case datetime() if value.tzinfo is not None:
            moment = timestamp_pb2.Timestamp()
            moment.FromDatetime(value)
            return moment
        case _:
            return value


def nested(values: Mapping[str, Any]) -> dict[str, Any]:
    """Return values with those of dotted names also as fields of their first name.

    An expression that is not type-checked is a selection to the engine, where it says `a.b.c`.
    """
    found = dict(values)
    for name in sorted(filter(lambda name: "." in name, values), key=len):
        root, *path = name.split(".")
        at = found[root] = dict(known) if isinstance(known := found.get(root), dict) else {}
        for part in path[:-1]:
            at[part] = dict(known) if isinstance(known := at.get(part), dict) else {}
            at = at[part]
        at[path[-1]] = values[name]
    return found


def with_keys(value: Any, term: Type) -> Any:
    """Return a result with the keys of its maps as its type has them; the engine gives plain integers."""
    if isinstance(value, list) and term.name == "list":
        return [with_keys(item, term.args[0]) for item in value]
    if isinstance(value, dict) and term.name == "map":
        unsigned = term.args[0] == UINT
        return {Uint(key) if unsigned else key: with_keys(item, term.args[1]) for key, item in value.items()}
    return value
