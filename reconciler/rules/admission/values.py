"""Is this a value that JSON can hold, so that an expression engine may be given it?

Objects come as plain Python values from anywhere. What JSON cannot hold would be read differently by each
engine, or not at all; a value that is nested too deep would end the process.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Any

from reconciler.errors import RuleError
from reconciler.model.fieldpath import FieldPath, format_field_path

__all__ = ["MAX_DEPTH", "NotJson", "require_json"]

#: Collections inside each other. A CRD's schema reaches about 60.
MAX_DEPTH = 500
_INT64 = 2**63
_UINT64 = 2**64


class NotJson(RuleError):
    """A value is none that JSON can hold.

    Args:
        message: What was found, and where.
        field: Where it stands.
    """

    def __init__(self, message: str, field: FieldPath) -> None:
        super().__init__(message, code="admission-object", hint="an API server would not take it either")
        self.field = field


def require_json(value: Any, name: str) -> None:
    """Check that a value is one of JSON.

    Args:
        value: The value.
        name: What to call it.

    Raises:
        NotJson: It is not; says where and why.
    """
    if _sound(value):
        return
    for path, item, depth in _walk(value):
        fault = _fault(item) or (f"more than {MAX_DEPTH} levels" if depth > MAX_DEPTH else "")
        if fault:
            shown = format_field_path(path if depth <= MAX_DEPTH else path[:3])
            raise NotJson(
                f"expected {name} to be plain JSON, found {fault}{f' at {shown}' if shown else ''}",
                path if depth <= MAX_DEPTH else path[:3],
            )


def _sound(value: Any) -> bool:
    """Tell whether there is nothing to complain of: one quick pass that keeps no paths."""
    level, depth = [value], 0
    while level:
        if depth > MAX_DEPTH:
            return False
        following: list[Any] = []
        for item in level:
            kind = type(item)
            if kind is str:
                if not item.isascii() and _fault(item):
                    return False
            elif kind is dict:
                following.extend(item.values())
                for key in item:
                    if type(key) is not str or (not key.isascii() and _fault(key)):
                        return False
            elif kind is list:
                following.extend(item)
            elif item is not None and kind is not bool and _fault(item):
                return False
            elif isinstance(item, Mapping | list):
                # A mapping or list of another type: worth a look, not worth the speed.
                following.extend(item.values() if isinstance(item, Mapping) else item)
                if isinstance(item, Mapping) and any(_fault(key) or type(key) is not str for key in item):
                    return False
        level, depth = following, depth + 1
    return True


def _walk(value: Any) -> Iterator[tuple[FieldPath, Any, int]]:
    todo: list[tuple[FieldPath, Any, int]] = [((), value, 0)]
    while todo:
        path, item, depth = todo.pop()
        yield path, item, depth
        if depth > MAX_DEPTH:
            continue
        if isinstance(item, Mapping):
            for key, inner in item.items():
                if not isinstance(key, str):
                    yield path, key if _fault(key) else _Key(key), depth
                elif _fault(key):
                    yield path, key, depth
                else:
                    todo.append(((*path, key), inner, depth + 1))
        elif isinstance(item, list):
            todo.extend(((*path, index), inner, depth + 1) for index, inner in enumerate(item))


class _Key:
    """A key that is no string, though it would do as a value."""

    def __init__(self, key: object) -> None:
        self.kind = type(key).__name__


def _fault(item: Any) -> str:
    """Return what is wrong with a value, its items left out."""
    match item:
        case None | bool() | Mapping() | list():
            return ""
        case str():
            try:
                item.encode()
            except UnicodeEncodeError:
                return "a string that is not Unicode (half of a surrogate pair)"
            return ""
        case int():
            return "" if -_INT64 <= item < _UINT64 else "an integer beyond 64 bits"
        case float():
            return "" if math.isfinite(item) else f"the number {item}"
        case _Key():
            return f"a key of type {item.kind}"
        case _:
            return f"a value of type {type(item).__name__}"
