"""Plain values that the native engine would misread where a variable's type leaves them open.

An unsigned integer looks like an int to it, it knows times and durations only where they are declared, and it
reads texts and bytes up to their first NUL. As protobuf messages they are what they are.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from google.protobuf import duration_pb2, timestamp_pb2, wrappers_pb2

from reconciler.rules.cel.errors import CelUnsupportedError
from reconciler.rules.cel.types import DYN, UINT, Type
from reconciler.rules.cel.values import Uint

__all__ = ["NulSearch", "boxed", "nested", "whole", "with_keys"]

_PART = "{} with a NUL, of which the native engine would read a part"
_HINT = "remove the NUL, or use the pure engine"
_MOST_REMEMBERED = 256
_OPEN = frozenset({"dyn", "any", "wrapper"})


def boxed(value: Any, term: Type) -> Any:
    """Return a value as the engine reads it right.

    Args:
        value: The plain value.
        term: The type that is declared for it.

    Raises:
        CelUnsupportedError: A text or bytes with a NUL stand where the engine takes no message.
    """
    match value:
        case list() | tuple():
            inner = term.args[0] if term.name == "list" else DYN
            return [boxed(item, inner) for item in value]
        case dict():
            inner = term.args[1] if term.name == "map" else DYN
            for key in value:
                whole(key)
            return {key: boxed(item, inner) for key, item in value.items()}
        case str() if "\0" in value:
            return wrappers_pb2.StringValue(value=value) if term.name in _OPEN else whole(value)
        case bytes() | bytearray() if b"\0" in value:
            return wrappers_pb2.BytesValue(value=bytes(value)) if term.name in _OPEN else whole(value)
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


def whole(value: Any) -> Any:
    """Return a value that goes to the engine as it is, if it does not end at a NUL there.

    Raises:
        CelUnsupportedError: It would.
    """
    match value:
        case str() if "\0" in value:
            raise CelUnsupportedError(_PART.format("a text"), hint=_HINT)
        case bytes() | bytearray() if b"\0" in value:
            raise CelUnsupportedError(_PART.format("bytes"), hint=_HINT)
        case list() | tuple():
            for item in value:
                whole(item)
        case dict():
            for key, item in value.items():
                whole(key)
                whole(item)
    return value


class NulSearch:
    """Looks for a NUL in texts and bytes.

    Args:
        frozen: Whether values never change once they were looked at, so that one look is enough.
    """

    def __init__(self, *, frozen: bool = False) -> None:
        self._frozen = frozen
        # By identity; the values are kept, so that no other one gets theirs.
        self._clean: dict[int, Any] = {}

    def may_find(self, values: Mapping[str, Any]) -> bool:
        """Tell fast whether there may be one in any value."""
        if not self._frozen:
            return "\\x00" in repr(values)
        for value in values.values():
            if id(value) in self._clean:
                continue
            if "\\x00" in repr(value):
                return True
            if len(self._clean) >= _MOST_REMEMBERED:
                self._clean.clear()
            self._clean[id(value)] = value
        return False


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
