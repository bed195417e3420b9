"""Which images the parts of objects name, looked up once for all builds that share the parts."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from reconciler.render.fieldspec import MISSING, WrongKind

__all__ = ["ImageIndex"]

#: Beyond so many parts it begins anew: parts that only one overlay has are not worth the memory.
_REMEMBERED = 4096


class ImageIndex:
    """Texts of images by the part of an object that holds them; parts are known by identity, and kept."""

    def __init__(self) -> None:
        self._known: dict[tuple[int, str, int], tuple[Any, Any, tuple[str, ...] | None]] = {}

    def of(
        self, name: str, part: Any, specs: Any, walk: Callable[[dict[str, Any], Callable[[Any], Any]], Any]
    ) -> tuple[str, ...] | None:
        """Return the images in one field of an object, or None where they are no plain texts.

        Args:
            name: The field of the object.
            part: Its value.
            specs: The field specs by which `walk` finds images, which are part of what is remembered.
            walk: Calls a setter with every image of an object.
        """
        key = (id(part), name, id(specs))
        known = self._known.get(key)
        if known is None:
            if len(self._known) >= _REMEMBERED:
                self._known.clear()
            known = self._known[key] = (part, specs, _images(name, part, walk))
        return known[2]


def _images(
    name: str, part: Any, walk: Callable[[dict[str, Any], Callable[[Any], Any]], Any]
) -> tuple[str, ...] | None:
    found: dict[str, None] = {}
    plain = True

    def collect(node: Any) -> Any:
        nonlocal plain
        if node is MISSING or node.__class__ is not str:
            plain = False
        else:
            found[node] = None
        return node

    try:
        walk({name: part}, collect)
    except WrongKind:
        return None
    return tuple(found) if plain else None
