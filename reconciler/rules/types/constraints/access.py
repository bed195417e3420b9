"""Reading decoded objects: absent, null and empty are one thing, as they are in Go."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

__all__ = ["items", "mapping", "text"]


def mapping(value: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    """Return a field that is an object, empty where it is absent or null."""
    return value.get(name) or {}


def items(value: Mapping[str, Any], name: str) -> Iterator[tuple[int, Mapping[str, Any]]]:
    """Yield index and content of a list of objects; a null among them is an empty object."""
    for index, item in enumerate(value.get(name) or ()):
        yield index, item or {}


def text(value: Mapping[str, Any], name: str) -> str:
    """Return a field that is a string, "" where it is absent or null."""
    return value.get(name) or ""
