"""YAML text to values, as kustomize's two YAML libraries read it.

Resources and strategic merge patches are read by one library (YAML 1.2: `yes` is a string), kustomization
files, configurations and JSON patches by an older one (YAML 1.1: `yes` is true). Positions are not kept;
`reconciler.documents.yaml.locate` finds one when a message needs it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

import yaml
from yaml._yaml import CParser

from reconciler.errors import DocumentError
from reconciler.model.location import Location
from reconciler.render.scalars import (
    BLANK,
    FLOW_BLANK,
    BoolText,
    FloatText,
    IntText,
    NullText,
    QuotedText,
    TimeText,
    resolve,
    resolve_legacy,
)
from reconciler.render.styles import Styles

__all__ = ["MAX_DEPTH", "Parsed", "decode_text", "read_config", "read_documents"]

#: Deeper nesting than this is refused; a Kubernetes object is never this deep.
MAX_DEPTH = 100

#: Nodes that aliases may stand for in one file before it is taken for a bomb.
MAX_ALIASED_NODES = 100_000

_SEPARATOR = re.compile(r"\n---.*\n")
_LONG_TAG = "tag:yaml.org,2002:"
_ODD = (IntText, FloatText, NullText, TimeText, BoolText)
_MAX_EXACT = 2**53


@dataclass(frozen=True, slots=True)
class Parsed:
    """One document of a file.

    Attributes:
        value: The document's value.
        index: Number of the document in the file, from 0, empty ones counted.
        odd: True when some scalar has a text of its own (see `reconciler.render.scalars`).
    """

    value: Any
    index: int
    odd: bool


def decode_text(data: bytes, path: str) -> str:
    """Return a file's text.

    Raises:
        DocumentError: It is not UTF-8.
    """
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as err:
        line = data.count(b"\n", 0, err.start) + 1
        column = err.start - (data.rfind(b"\n", 0, err.start) + 1) + 1
        raise DocumentError(
            f"expected UTF-8 text, found the byte 0x{data[err.start]:02x}",
            at=Location(path, line, column),
            code="not-utf8",
            hint="save the file as UTF-8",
        ) from err
    return text.removeprefix("\ufeff")


def read_documents(text: str, path: str, styles: Styles | None = None) -> list[Parsed]:
    """Return the documents of a resource or patch file that are not empty.

    Args:
        text: The file's text.
        path: The file's path, for messages.
        styles: Takes note of the strings that stand in quotes.

    Raises:
        DocumentError: The text is not YAML of this dialect.
    """
    text = text.replace("\r\n", "\n")
    result: list[Parsed] = []
    start = 0
    line = 0
    pieces: list[tuple[str, int]] = []
    for match in _SEPARATOR.finditer(text):
        rest = match[0][4:].strip()
        if rest and not rest.startswith("#"):
            raise DocumentError(
                f"expected nothing after the document separator, found {rest[:40]!r}",
                at=Location(path, line + text.count("\n", start, match.start() + 1) + 1, 5),
                code="yaml-syntax",
                hint="write --- on a line of its own",
            )
        pieces.append((text[start : match.start()] + "\n", line))
        line += text.count("\n", start, match.end())
        start = match.end()
    pieces.append((text[start:], line))
    for index, (piece, first_line) in enumerate(pieces):
        builder = _Builder(piece, path, first_line, legacy=False, styles=styles)
        found, value = builder.first()
        if found and value is not None and value.__class__ is not NullText:
            result.append(Parsed(value, index, builder.odd))
    return result


def read_config(text: str, path: str, *, unique: bool = False) -> Any:
    """Return the first document of a kustomization, configuration or JSON patch file; None when empty.

    Args:
        text: The file's text.
        path: The file's path, for messages.
        unique: Whether a key that a map holds twice is an error; otherwise the later one counts.

    Raises:
        DocumentError: The text is not YAML of this dialect.
    """
    found, value = _Builder(text, path, 0, legacy=True, unique=unique).first()
    return value if found else None


class _Builder:
    """Builds the value of a document from the parser's events."""

    def __init__(
        self,
        text: str,
        path: str,
        first_line: int,
        *,
        legacy: bool,
        unique: bool = True,
        styles: Styles | None = None,
    ) -> None:
        self._unique = unique
        self._styles = styles
        self._parser = CParser(text)
        self._path = path
        self._first_line = first_line
        self._legacy = legacy
        self._resolve = resolve_legacy if legacy else resolve
        self._anchors: dict[str, tuple[Any, int]] = {}
        self._open: set[str] = set()
        self._nodes = 0
        self._aliased = 0
        self._depth = 0
        self._flow = 0
        self.odd = False

    def first(self) -> tuple[bool, Any]:
        """Return whether there is a document, and the first one's value."""
        try:
            next_event = self._parser.get_event
            next_event()
            event = next_event()
            if event.__class__ is yaml.StreamEndEvent:
                return False, None
            return True, self._node(next_event())
        except yaml.YAMLError as err:
            raise self._syntax(err) from err

    def _node(self, event: Any) -> Any:
        kind = event.__class__
        self._nodes += 1
        if kind is yaml.ScalarEvent:
            value = self._scalar(event)
            if event.anchor is not None:
                self._anchors[event.anchor] = (value, 1)
            return value
        if kind is yaml.AliasEvent:
            return self._alias(event)
        before = self._nodes
        anchor = event.anchor
        if anchor is not None:
            self._anchors.pop(anchor, None)
            self._open.add(anchor)
        self._depth += 1
        if self._depth > MAX_DEPTH:
            raise self._error(
                event, f"expected at most {MAX_DEPTH} levels of nesting, found more", "yaml-too-deep"
            )
        flow = bool(event.flow_style)
        self._flow += flow
        collection: Any = self._mapping() if kind is yaml.MappingStartEvent else self._sequence()
        self._flow -= flow
        self._depth -= 1
        if anchor is not None:
            self._open.discard(anchor)
            self._anchors[anchor] = (collection, self._nodes - before + 1)
        return collection

    def _sequence(self) -> list[Any]:
        next_event = self._parser.get_event
        node = self._node
        result: list[Any] = []
        while True:
            event = next_event()
            if event.__class__ is yaml.SequenceEndEvent:
                return result
            result.append(node(event))

    def _mapping(self) -> dict[str, Any]:
        next_event = self._parser.get_event
        result: dict[str, Any] = {}
        merges: list[Any] = []
        while True:
            event: Any = next_event()
            kind = event.__class__
            if kind is yaml.MappingEndEvent:
                break
            if kind is yaml.ScalarEvent and event.implicit[0] and event.value == "<<":
                merges.append(event)
                merges.append(self._node(next_event()))
                continue
            key = self._key(event)
            if key in result and self._unique:
                raise self._error(event, f"expected each key once, found {key!r} twice", "duplicate-key")
            result[key] = self._node(next_event())
        return self._merge(result, merges) if merges else result

    def _key(self, event: Any) -> str:
        key = self._node(event)
        if key.__class__ is str or key.__class__ is QuotedText:
            return str.__str__(key)
        if self._legacy and isinstance(key, bool | int | float) and not isinstance(key, FloatText):
            return str(key).lower()
        if isinstance(key, TimeText) and (self._legacy or self._depth == 1):
            return key.text
        shown = "a map or a list" if isinstance(key, dict | list) else repr(event.value)
        raise self._error(
            event,
            f"expected a string as key, found {shown}",
            "yaml-key",
            hint="put the key in quotes",
        )

    def _merge(self, own: dict[str, Any], merges: list[Any]) -> dict[str, Any]:
        """Apply `<<` keys: what stands in the map itself wins, then earlier maps over later ones."""
        event, value = merges[0], merges[1]
        if len(merges) > 2:
            raise self._error(merges[2], "expected one merge key << in a map, found two", "duplicate-key")
        sources = value if isinstance(value, list) else [value]
        result: dict[str, Any] = {}
        for source in reversed(sources):
            if not isinstance(source, dict):
                raise self._error(event, "expected a map or a list of maps after <<", "yaml-merge")
            result.update(source)
        result.update(own)
        return result

    def _alias(self, event: Any) -> Any:
        anchor = event.anchor
        if anchor in self._open:
            raise self._error(event, f"expected no cycle, found *{anchor} inside of &{anchor}", "yaml-cycle")
        if anchor not in self._anchors:
            raise self._error(event, f"expected a known anchor, found *{anchor}", "yaml-syntax")
        value, size = self._anchors[anchor]
        self._nodes += size
        self._aliased += size
        if self._aliased > MAX_ALIASED_NODES:
            raise self._error(
                event,
                f"expected aliases that stand for at most {MAX_ALIASED_NODES} nodes, found more",
                "yaml-bomb",
                hint="write the repeated part once, in a base or a component",
            )
        return value

    def _scalar(self, event: Any) -> Any:
        text: str = event.value
        tag = event.tag
        if tag is not None and tag != "!":
            return self._tagged(event, tag, text)
        if event.style or not event.implicit[0]:
            if self._styles is not None:
                if len(text) > 1:
                    self._styles.register(text)
                elif text.isalpha():
                    self.odd = True
                    return QuotedText(text)
            return text
        value = self._resolve(text)
        if value.__class__ is not str and not self._legacy:
            if isinstance(value, TimeText) and self._flow and ":" in text:
                return text
            if value is BLANK and self._flow:
                value = FLOW_BLANK
            if isinstance(value, _ODD) or (isinstance(value, int) and abs(value) > _MAX_EXACT):
                self.odd = True
        return value

    def _tagged(self, event: Any, tag: str, text: str) -> Any:
        short = tag.removeprefix(_LONG_TAG)
        if short == "str" or not tag.startswith(_LONG_TAG):
            return text
        value = self._resolve(text)
        if isinstance(value, BoolText):
            value = value.value
        wanted = {"int": int, "float": float | int, "bool": bool, "null": type(None) | NullText}.get(short)
        if wanted is None or not isinstance(value, wanted) or (short == "int" and isinstance(value, bool)):
            raise self._error(event, f"expected a value of type !!{short}, found {text[:40]!r}", "yaml-tag")
        self.odd = self.odd or isinstance(value, _ODD)
        return value

    def _error(self, event: Any, message: str, code: str, hint: str = "") -> DocumentError:
        mark = event.start_mark
        at = Location(self._path, self._first_line + mark.line + 1, mark.column + 1)
        return DocumentError(message, at=at, code=code, hint=hint)

    def _syntax(self, err: yaml.YAMLError) -> DocumentError:
        mark = getattr(err, "problem_mark", None) or getattr(err, "context_mark", None)
        problem = getattr(err, "problem", None) or getattr(err, "reason", None) or "broken text"
        context = getattr(err, "context", None)
        at = Location(
            self._path, self._first_line + (mark.line if mark else 0) + 1, (mark.column if mark else 0) + 1
        )
        shown = f"expected YAML, found: {problem}{' ' + context if context else ''}"
        return DocumentError(shown, at=at, code="yaml-syntax", hint="check the indentation and the quotes")
