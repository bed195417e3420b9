"""Objects of kinds that are not known, and yet run containers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from reconciler.rules.facts.plain import as_list, as_mapping

__all__ = ["embeds_containers"]

_DEEPEST = 12


def embeds_containers(value: Any, depth: int = 0) -> bool:
    """Tell whether something in an object looks like containers with images.

    Args:
        value: A manifest, or a part of it.
        depth: How deep it stands; what is deeper than any real kind is not looked at.
    """
    if depth > _DEEPEST:
        return False
    if isinstance(value, Mapping):
        if any(isinstance(as_mapping(item).get("image"), str) for item in as_list(value.get("containers"))):
            return True
        return any(embeds_containers(item, depth + 1) for item in value.values())
    return isinstance(value, list) and any(embeds_containers(item, depth + 1) for item in value)
