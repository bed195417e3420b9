"""Which sites a change can reach, found from text alone, so that the others need not be read.

What is returned is never too little: what it names is built, and what was really read decides. A build reads
what is in or below the directory of a kustomization, and leaves that directory only by references that hold
`..` (`../../bases/pos`). These are looked for in the text of every kustomization; where the text may hide one
(an escape, a path with spaces), it is parsed.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Callable, Iterator
from typing import Any

from reconciler.documents.change import TreeChange
from reconciler.documents.tree import FileTree, TreeError, normalize
from reconciler.errors import InputError
from reconciler.render.reader import decode_text, read_config
from reconciler.render.sources import KUSTOMIZATION_NAMES

__all__ = ["reached_places"]

#: A word with two dots in it, what stands before it, and what follows.
_UPWARD = re.compile(
    r"""(^|[-:\[,]\s+|["'\[,])([^\s\[\]{},"'#]*\.\.[^\s\[\]{},"'#]*)(?=$|["'\],]|[ \t\r]+(?:#|$))""", re.M
)


def reached_places(tree: FileTree, change: TreeChange) -> Callable[[str], bool]:
    """Return what tells whether a build of a directory can read something that differs.

    Args:
        tree: The files as they are after the change.
        change: What differs; it must be exact.
    """
    places = {place for path in change.listing for place in _above(path)}
    referrers: dict[str, list[str]] = {}
    for path in change.listing:
        directory, _, name = path.rpartition("/")
        if name in KUSTOMIZATION_NAMES:
            for target in _references(tree, path, directory, places):
                referrers.setdefault(target, []).append(directory)
    reached: set[str] = set()
    waiting = [place for path in change.paths for place in (path, *_above(path))]
    while waiting:
        place = waiting.pop()
        if place not in reached:
            reached.add(place)
            for directory in referrers.get(place, ()):
                waiting += (directory, *_above(directory))
    return reached.__contains__


def _above(path: str) -> Iterator[str]:
    """Yield the directories that a path is in, the nearest first."""
    while path:
        path = path.rpartition("/")[0]
        yield path


def _references(tree: FileTree, path: str, directory: str, places: set[str]) -> list[str]:
    """Return what a kustomization may load from beside or above its directory."""
    try:
        text = decode_text(tree.read(path), path)
    except (TreeError, InputError):
        return []  # it is gone, or it is no text: nothing is loaded
    count = text.count("..")
    if not count:
        return [] if "\\" not in text else _parsed(text, path, directory)
    found = []
    for match in _UPWARD.finditer(text):
        count -= match[2].count("..")
        target = posixpath.normpath(posixpath.join(directory, match[2]))
        if target not in places or target.startswith("../"):
            return _parsed(text, path, directory)
        found.append("" if target == "." else target)
    return found if not count and "\\" not in text else _parsed(text, path, directory)


def _parsed(text: str, path: str, directory: str) -> list[str]:
    try:
        words = _texts(read_config(text, path))
    except InputError:
        return []  # it cannot be built, and its own change reaches it
    found = []
    for word in words:
        try:
            found.append(normalize(directory, word))
        except TreeError:
            continue  # refused when it is built, whatever is there
    return found


def _texts(value: Any) -> Iterator[str]:
    match value:
        case str():
            if ".." in value:
                yield value
        case dict():
            for child in value.values():
                yield from _texts(child)
        case list():
            for child in value:
                yield from _texts(child)
        case _:
            pass
