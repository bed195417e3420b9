"""Reading manifests that may be wrong: a field of the wrong type counts as absent here.

The schema rule reports it; facts only must not stumble over it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any

__all__ = ["as_list", "as_mapping", "dig"]

_EMPTY: Mapping[str, Any] = MappingProxyType({})


def as_mapping(value: Any) -> Mapping[str, Any]:
    """Return a mapping, or an empty one."""
    if value.__class__ is dict:  # nearly always, and much cheaper to ask than for any mapping
        return value
    return value if isinstance(value, Mapping) else _EMPTY


def as_list(value: Any) -> Sequence[Any]:
    """Return a list, or an empty one."""
    return value if isinstance(value, list | tuple) else ()


def dig(value: Any, *path: str | int) -> Any:
    """Return what stands at a path, or None."""
    for step in path:
        if value.__class__ is dict and step.__class__ is str:
            value = value.get(step)
        elif isinstance(step, int):
            items = as_list(value)
            value = items[step] if step < len(items) else None
        else:
            value = as_mapping(value).get(step)
    return value
