"""Changes to a valid object, one at a time, as people and programs get objects wrong."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from typing import Any

Path = tuple[str | int, ...]

_STRINGS: tuple[Any, ...] = (123, True, "", "Not Valid!", "x" * 300, ["a"], {"a": "b"}, None)
_NUMBERS: tuple[Any, ...] = ("1", -1, 0, 70000, 2**31, 1.5, True, [], None)
_BOOLS: tuple[Any, ...] = ("true", 1, None)
_LISTS: tuple[Any, ...] = ("a", {}, [], [None], None)
_MAPS: tuple[Any, ...] = ("a", [], {}, {"unknownField": 1}, None)


def mutations(manifest: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield a name and a copy with one change; `apiVersion`, `kind` and the name of the object stay."""
    for path, value in list(_walk(manifest, ())):
        at = ".".join(map(str, path))
        yield f"{at} deleted", _changed(manifest, path, _DELETE)
        if isinstance(path[-1], str):
            yield f"{at} misspelt", _renamed(manifest, path)
        for wrong in _wrong(value):
            if wrong != value or type(wrong) is not type(value):
                text = repr(wrong) if len(repr(wrong)) < 30 else repr(wrong)[:27] + "..."
                yield f"{at} = {text}", _changed(manifest, path, wrong)
        if isinstance(value, list) and value:
            yield f"{at} doubled", _changed(manifest, path, [*value, copy.deepcopy(value[0])])


_DELETE = object()


def _wrong(value: Any) -> tuple[Any, ...]:
    match value:
        case bool():
            return (not value, *_BOOLS)
        case str():
            return _STRINGS
        case int() | float():
            return _NUMBERS
        case list():
            return _LISTS
        case dict():
            return _MAPS
        case _:
            return ()


def _walk(value: Any, path: Path) -> Iterator[tuple[Path, Any]]:
    pairs: Any = ()
    if isinstance(value, dict):
        pairs = list(value.items())
    elif isinstance(value, list):
        pairs = list(enumerate(value))
    for key, item in pairs:
        here = (*path, key)
        if here in {
            ("apiVersion",),
            ("kind",),
            ("metadata",),
            ("metadata", "name"),
            ("metadata", "namespace"),
        }:
            if here == ("metadata",):
                yield from _walk(item, here)
            continue
        yield here, item
        yield from _walk(item, here)


def _changed(manifest: dict[str, Any], path: Path, value: Any) -> dict[str, Any]:
    result = copy.deepcopy(manifest)
    holder: Any = result
    for step in path[:-1]:
        holder = holder[step]
    if value is _DELETE:
        del holder[path[-1]]
    else:
        holder[path[-1]] = copy.deepcopy(value)
    return result


def _renamed(manifest: dict[str, Any], path: Path) -> dict[str, Any]:
    result = _changed(manifest, path, _DELETE)
    holder: Any = result
    value: Any = manifest
    for step in path[:-1]:
        holder, value = holder[step], value[step]
    holder[f"{path[-1]}x"] = copy.deepcopy(value[path[-1]])
    return result
