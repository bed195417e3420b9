"""Filling fields without touching what was given."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

__all__ = ["child", "each", "fill_absent", "fill_zero"]


def fill_absent(value: Mapping[str, Any], **defaults: Any) -> dict[str, Any]:
    """Return a copy with defaults for fields that are absent or null (pointers in the Go types)."""
    copy = dict(value)
    for name, default in defaults.items():
        if copy.get(name) is None:
            copy[name] = default
    return copy


def fill_zero(value: Mapping[str, Any], **defaults: Any) -> dict[str, Any]:
    """Return a copy with defaults for fields that are absent or zero (plain values in the Go types)."""
    copy = dict(value)
    for name, default in defaults.items():
        if not copy.get(name):
            copy[name] = default
    return copy


def child(value: dict[str, Any], name: str, change: Callable[[Mapping[str, Any]], Any]) -> None:
    """Replace a mapping inside a copy, where there is one."""
    inner = value.get(name)
    if isinstance(inner, Mapping):
        value[name] = change(inner)


def each(value: dict[str, Any], name: str, change: Callable[[Mapping[str, Any]], Any]) -> None:
    """Replace every mapping of a list inside a copy, where there is one."""
    items = value.get(name)
    if isinstance(items, list):
        value[name] = [change(item) if isinstance(item, Mapping) else item for item in items]
