"""The piece of a file that a finding is about."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

from reconciler.model.location import Location

__all__ = ["Excerpt", "LineReader", "excerpt"]

#: Returns the text of a line (counted from 1) of a file, or None where it cannot be shown.
LineReader = Callable[[str, int], str | None]

_FLOW_END = re.compile(r"[,\]}]| #")


@dataclass(frozen=True, slots=True)
class Excerpt:
    """One line, and the value in it.

    Attributes:
        text: The line, tabs as one space each.
        start: Where the value begins, counted from 0.
        end: Where it ends.
    """

    text: str
    start: int
    end: int


def excerpt(at: Location, read_line: LineReader) -> Excerpt | None:
    """Return the line of a place with the extent of the value there, or None where it cannot be shown."""
    source = read_line(at.path, at.line)
    if source is None or not source.strip():
        return None
    text = source.rstrip("\n").expandtabs(1)
    start = min(at.column - 1, len(text))
    return Excerpt(text, start, max(_value_end(text, start), start))


def _value_end(text: str, start: int) -> int:
    """Return where a value that starts at `start` ends on its line, a trailing comment left out."""
    rest = text[start:]
    if rest[:1] in {'"', "'"}:
        close = rest.find(rest[0], 1)
        if close > 0:
            return start + close + 1
    before = text[:start]
    if before.count("{") > before.count("}") or before.count("[") > before.count("]"):
        # Within a flow collection, a plain scalar ends where the next entry or the collection's end begins.
        return start + len(_FLOW_END.split(rest, maxsplit=1)[0].rstrip())
    comment = rest.find(" #")
    if comment >= 0:
        rest = rest[:comment]
    return start + len(rest.rstrip())
