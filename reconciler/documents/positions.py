"""Where each value of a YAML text stands, for messages and frames."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import yaml

from reconciler.documents.events import event_source, syntax_error
from reconciler.model.fieldpath import FieldPath
from reconciler.model.location import Location

__all__ = ["Positions", "Span", "locate"]


@dataclass(frozen=True, slots=True)
class Span:
    """A value's or key's extent: `start` is its first character, `end` the one after its last."""

    start: Location
    end: Location


class _Node:
    """A value's place; `entries` maps keys to (key's place, value's node), `items` lists a sequence."""

    __slots__ = ("end", "entries", "items", "merged", "start")

    def __init__(self, start: Any, end: Any) -> None:
        self.start = start
        self.end = end
        self.entries: dict[str, tuple[_Node, _Node]] | None = None
        self.items: list[_Node] | None = None
        self.merged: list[_Node] = []


class Positions:
    """The positions of all values of one file; made once, it answers many questions.

    Values that came through an alias or a merge key stand where they are written.

    Args:
        data: The file's content, which `reconciler.documents.yaml.load` accepts.
        path: The file's path.

    Raises:
        DocumentError: The text is not YAML.
    """

    def __init__(self, data: bytes, path: str) -> None:
        self._path = path
        self._documents: list[_Node] = []
        get = event_source(data, path)
        try:
            get()
            while isinstance(get(), yaml.DocumentStartEvent):
                self._documents.append(_compose(get))
        except yaml.YAMLError as err:
            raise syntax_error(err, data.decode(errors="replace"), path) from None

    def __len__(self) -> int:
        return len(self._documents)

    def locate(self, field: Iterable[str | int], *, index: int = 0, key: bool = False) -> Location:
        """Return where the value at `field` begins; see `reconciler.documents.yaml.locate`."""
        return self.span(field, index=index, key=key).start

    def span(self, field: Iterable[str | int], *, index: int = 0, key: bool = False) -> Span:
        """Return where the value (or with `key` its key) at `field` begins and ends."""
        if not 0 <= index < len(self._documents):
            return Span(Location(self._path), Location(self._path))
        node = place = self._documents[index]
        missing = False
        for step in field:
            entry = _step(node, step)
            if entry is None:
                missing = True
                break
            place, node = entry
        chosen = place if key or missing else node
        return Span(self._location(chosen.start), self._location(chosen.end))

    def has(self, field: Iterable[str | int], *, index: int = 0) -> bool:
        """Tell whether there is a value at `field`."""
        if not 0 <= index < len(self._documents):
            return False
        node = self._documents[index]
        for step in field:
            entry = _step(node, step)
            if entry is None:
                return False
            node = entry[1]
        return True

    def _location(self, mark: Any) -> Location:
        return Location(self._path, mark.line + 1, mark.column + 1)


def _step(node: _Node, step: str | int) -> tuple[_Node, _Node] | None:
    if node.entries is not None:
        entry = node.entries.get(str(step))
        if entry is not None:
            return entry
        sources = (each for source in node.merged for each in source.items or (source,))
        return next((found for source in sources if (found := _step(source, step)) is not None), None)
    if node.items is not None and isinstance(step, int) and 0 <= step < len(node.items):
        item = node.items[step]
        return item, item
    return None


def _compose(get: Any) -> _Node:
    """Read the events of one document. Its first event was read before."""
    anchors: dict[str, _Node] = {}
    stack: list[_Node | None] = []
    parent: _Node | None = None
    key: tuple[str, _Node] | None = None
    root: _Node | None = None
    while True:
        event = get()
        kind = type(event)
        if kind is yaml.MappingEndEvent or kind is yaml.SequenceEndEvent:
            assert parent is not None  # noqa: S101 - an end follows its start
            _close(parent, event)
            parent, key = stack.pop(), None
            continue
        if kind is yaml.DocumentEndEvent:
            assert root is not None  # noqa: S101 - a document has a value, if an empty one
            return root
        text = ""
        if kind is yaml.AliasEvent:
            node = anchors.get(event.anchor) or _Node(event.start_mark, event.end_mark)
        else:
            node = _Node(event.start_mark, event.end_mark)
            if event.anchor is not None:
                anchors[event.anchor] = node
            if kind is yaml.ScalarEvent:
                text = event.value
            elif kind is yaml.MappingStartEvent:
                node.entries = {}
            else:
                node.items = []
        if parent is None:
            root = node
        elif parent.items is not None:
            parent.items.append(node)
        elif key is None and parent.entries is not None:
            key = (text, node)
            if kind is yaml.ScalarEvent or kind is yaml.AliasEvent:
                continue
        elif key is not None and parent.entries is not None:
            if key[0] == "<<":
                parent.merged.append(node)
            parent.entries.setdefault(key[0], (key[1], node))
            key = None
        if kind is yaml.MappingStartEvent or kind is yaml.SequenceStartEvent:
            stack.append(parent)
            parent, key = node, None


def _close(node: _Node, event: Any) -> None:
    """Set the end of a collection: its closing bracket, or the end of its last value."""
    end = event.end_mark
    if event.start_mark.index == event.end_mark.index:  # a block ends where its last value ends
        if node.items:
            end = node.items[-1].end
        elif node.entries:
            end = next(reversed(node.entries.values()))[1].end
    node.end = end


def locate(data: bytes, path: str, field: FieldPath, *, index: int = 0, key: bool = False) -> Location:
    """Return where the value at `field` of a document begins.

    A path that does not exist gives the place of its nearest existing parent: its key where it has one.
    For many questions about one file make `Positions` once.

    Args:
        data: The file's content.
        path: The file's path.
        field: The field's path in the document.
        index: Number of the document, from 0.
        key: True for the place of the field's key instead of its value.
    """
    return Positions(data, path).locate(field, index=index, key=key)
