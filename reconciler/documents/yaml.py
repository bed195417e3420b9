"""YAML in the dialect of `kubectl kustomize`: plain values fast, positions when they are asked for.

`load` gives plain Python values. Nothing about positions is kept for text that is right; `Positions` and
`locate` find exact lines and columns by reading the text once more.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any, Final

import yaml

from reconciler.documents.events import MAX_BYTES, event_source, syntax_error
from reconciler.documents.positions import Positions, Span, locate
from reconciler.documents.scalars import SPECIAL_START, ScalarError, resolve, resolve_tagged
from reconciler.errors import DocumentError
from reconciler.model.location import Location

__all__ = ["Document", "Positions", "Span", "load", "locate"]

#: Collections inside each other. A CRD's schema reaches about 60.
MAX_DEPTH = 200
#: Values that aliases and merges of one document may add by being repeated.
MAX_REPEATED = 100_000

_MERGE: Final[Any] = object()
_AWAIT: Final[Any] = object()
_ESCAPED_SLASH = re.compile(r"(?<!\\)(?:\\\\)*\\/")


@dataclass(frozen=True, slots=True)
class Document:
    """One YAML document of a file.

    Attributes:
        value: Plain Python values: dict, list, str, int, float, bool, None.
        path: The file's path in its tree.
        index: Number of the document in the file, from 0, empty documents counted.
    """

    value: Any
    path: str
    index: int


def load(data: bytes, path: str, *, limit: int = MAX_BYTES) -> list[Document]:
    """Return the documents of a file that are not empty.

    Args:
        data: The file's content.
        path: The file's path, for messages.
        limit: The most bytes that are read.

    Raises:
        DocumentError: The text is not YAML of this dialect; has path, line, column and a hint.
    """
    get = event_source(data, path, limit=limit)
    try:
        return _Builder(data, path, get).documents()
    except yaml.YAMLError as err:
        raise syntax_error(err, data.decode(errors="replace"), path) from None


class _Builder:
    """Makes values of events. One for each text."""

    def __init__(self, data: bytes, path: str, get: Any) -> None:
        self._data = data
        self._path = path
        self._get = get
        self._slashes = b"\\/" in data
        self._text = ""
        self._repeated = 0

    def documents(self) -> list[Document]:
        get = self._get
        found: list[Document] = []
        index = 0
        get()  # the start of the stream
        while isinstance(start := get(), yaml.DocumentStartEvent):
            self._check_start(start)
            value = self._document()
            if value is not None:
                found.append(Document(value, self._path, index))
            index += 1
        return found

    def _check_start(self, start: Any) -> None:
        if start.version or start.tags:
            raise self._error(
                "expected no directive, found a '%' line",
                start,
                "remove the line: kustomize reads no YAML directives",
            )

    def _document(self) -> Any:
        """Read one document, to its end."""
        get, scalar_event = self._get, yaml.ScalarEvent
        special, resolved = SPECIAL_START, resolve
        stack: list[tuple[Any, Any]] = []
        anchors: dict[str, tuple[Any, str | None]] = {}
        self._repeated = 0
        flow = 0
        root: Any = None
        node: Any = None  # the open collection
        key: Any = None  # its key that awaits a value; _AWAIT where a key comes next; None in a list
        verbatim = False  # in metadata.annotations every scalar is text
        while True:
            event = get()
            kind = type(event)
            if kind is scalar_event:
                text = event.value
                if event.tag is None and not event.style:
                    if key is _AWAIT:
                        if text == "<<":
                            key = self._new_key(node, _MERGE, event)
                            continue
                        value = self._plain_key(text, event) if text[:1] in special or not text else text
                    elif verbatim or (text[:1] not in special and text):
                        value = text
                    elif text:
                        try:
                            value = resolved(text)
                        except ScalarError as err:
                            raise self._error(str(err), event, "quote the value if it is text") from None
                    else:
                        # An empty value is null, but kustomize prints it as "" inside [] and {}.
                        value = "" if flow else None
                    if flow and "?" in text:
                        raise self._error(
                            "expected quotes around a value with '?' inside [] or {}",
                            event,
                            "quote the value: kustomize cannot read it",
                        )
                else:
                    value = self._other_scalar(event, verbatim=verbatim, is_key=key is _AWAIT)
                if event.anchor is not None:
                    anchors[event.anchor] = (value, text)
                if key is _AWAIT:
                    if value in node:
                        self._duplicate(value, event)
                    key = value
                    continue
            elif kind is yaml.MappingStartEvent or kind is yaml.SequenceStartEvent:
                if key is _AWAIT:
                    raise self._error(
                        "expected a string as a key, found a collection", event, "write a plain key"
                    )
                if len(stack) >= MAX_DEPTH:
                    raise self._error(
                        f"expected at most {MAX_DEPTH} collections inside each other, found more",
                        event,
                        "flatten the document",
                    )
                child: Any = {} if kind is yaml.MappingStartEvent else []
                if event.anchor is not None:
                    anchors[event.anchor] = (child, None)
                if event.flow_style:
                    flow += 1
                stack.append((node, key))
                if key == "annotations" and kind is yaml.MappingStartEvent:
                    verbatim = _of_object(stack)
                node, key = child, (_AWAIT if kind is yaml.MappingStartEvent else None)
                continue
            elif kind is yaml.MappingEndEvent or kind is yaml.SequenceEndEvent:
                if flow:
                    flow -= 1
                if kind is yaml.MappingEndEvent:
                    verbatim = False
                    if _MERGE in node:
                        self._merge(node, event)
                value = node
                node, key = stack.pop()
            elif kind is yaml.AliasEvent:
                value = self._alias(event, anchors, stack, node, verbatim=verbatim)
                if key is _AWAIT:
                    if not isinstance(value, str):
                        raise self._error("expected a string as a key, found an alias", event, "")
                    if value in node:
                        self._duplicate(value, event)
                    key = value
                    continue
            else:  # the end of the document
                return root
            if key is None:
                if node is None:
                    root = value
                else:
                    node.append(value)
            else:
                node[key] = value
                key = _AWAIT

    def _plain_key(self, text: str, event: Any) -> str:
        try:
            value = resolve(text)
        except ScalarError:
            value = None
        if value != text or not isinstance(value, str):
            raise self._error(
                f"expected a string as a key, found {text[:40] or 'nothing'}",
                event,
                "write the key in quotes",
            )
        return value

    def _new_key(self, node: dict[Any, Any], key: Any, event: Any) -> Any:
        if key in node:
            raise self._error(
                "expected one merge key '<<', found another", event, "merge a list: <<: [*a, *b]"
            )
        return key

    def _duplicate(self, key: str, event: Any) -> None:
        raise self._error(
            f"expected each key once, found {key!r} again",
            event,
            "remove one of the two, or merge their values",
        )

    def _other_scalar(self, event: Any, *, verbatim: bool, is_key: bool) -> Any:
        """Return the value of a scalar that is quoted, a block, or tagged."""
        text, tag, style = event.value, event.tag, event.style
        if self._slashes and style == '"' and "/" in text:
            self._text = self._text or self._data.decode().removeprefix("\ufeff")
            if _ESCAPED_SLASH.search(self._text[event.start_mark.index : event.end_mark.index]):
                raise self._error(
                    r"expected a known escape, found '\/'", event, "write '/' without a backslash"
                )
        if is_key:
            if text == "<<" and (tag is None or tag.endswith(":str") or tag == "!"):
                raise self._error(
                    "expected '<<' without quotes for a merge, or another key",
                    event,
                    "remove the quotes: kustomize drops such an entry",
                )
            if tag == "tag:yaml.org,2002:merge":
                return _MERGE
        elif verbatim:
            return text
        try:
            if tag is None:
                return text
            value = (resolve(text) if not style else text) if tag == "!" else resolve_tagged(tag, text)
        except ScalarError as err:
            raise self._error(str(err), event, "quote the value, or remove the tag") from None
        if is_key and not isinstance(value, str):
            raise self._error(
                "expected a string as a key, found another type", event, "write the key in quotes"
            )
        return value

    def _alias(
        self, event: Any, anchors: dict[str, tuple[Any, str | None]], stack: Any, node: Any, *, verbatim: bool
    ) -> Any:
        try:
            value, text = anchors[event.anchor]
        except KeyError:
            raise self._error(
                f"expected an anchor &{event.anchor} before its alias, found none",
                event,
                "quote the value if it only begins with '*'; anchors do not reach into other documents",
            ) from None
        if text is not None:
            return text if verbatim else value
        if value is node or any(value is above for above, _ in stack):
            raise self._error(
                f"expected the anchor &{event.anchor} to end before its alias, found it inside itself",
                event,
                "a value cannot contain itself",
            )
        return self._copy(value, len(stack), event)

    def _copy(self, value: Any, depth: int, event: Any) -> Any:
        """Copy a value for an alias, within the bounds for depth and amount."""
        if not isinstance(value, dict | list):
            return value
        self._repeated += 1 + len(value)
        if self._repeated > MAX_REPEATED or depth >= MAX_DEPTH:
            raise self._error(
                f"expected aliases that repeat at most {MAX_REPEATED} values, found more",
                event,
                "write the values out, or use fewer aliases of aliases",
            )
        if isinstance(value, dict):
            return {key: self._copy(item, depth + 1, event) for key, item in value.items()}
        return [self._copy(item, depth + 1, event) for item in value]

    def _merge(self, node: dict[Any, Any], event: Any) -> None:
        """Put what `<<` names under the mapping's own keys; of several sources the first wins."""
        merged = node.pop(_MERGE)
        sources = merged if isinstance(merged, list) else [merged]
        for source in sources:
            if not isinstance(source, dict):
                raise self._error(
                    "expected a mapping or a list of mappings after '<<', found something else",
                    event,
                    "merge an alias of a mapping: <<: *name",
                )
            for key, value in source.items():
                node.setdefault(key, value)

    def _error(self, message: str, event: Any, hint: str) -> DocumentError:
        mark = event.start_mark
        at = Location(self._path, mark.line + 1, mark.column + 1)
        return DocumentError(message, at=at, code="yaml", hint=hint)


def _of_object(stack: list[tuple[Any, Any]]) -> bool:
    """Tell whether an `annotations` mapping that opens now is that of an object or of a list's item."""
    keys = [key for _, key in stack]
    return keys[-2:-1] == ["metadata"] and (len(keys) == 3 or (len(keys) == 5 and keys[1] == "items"))
