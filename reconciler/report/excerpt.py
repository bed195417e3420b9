"""The piece of a file that a finding is about."""

from __future__ import annotations

import re
from dataclasses import dataclass

from reconciler.model.finding import Finding
from reconciler.model.location import Location
from reconciler.report.masking import MASK, LineReader, masked_line

__all__ = ["Excerpt", "LineReader", "excerpt", "shown_excerpt"]

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


def shown_excerpt(finding: Finding, read_line: LineReader) -> Excerpt | None:
    """Return what a report shows of a finding's line: no value of a Secret. None where there is no line."""
    at = finding.location
    found = excerpt(at, read_line)
    if found is None:
        return None
    text = masked_line(found.text, at, read_line, rule=finding.rule)
    if text == found.text:
        return found
    start = min(found.start, len(text) - len(MASK))
    return Excerpt(text, start, len(text))


def excerpt(at: Location, read_line: LineReader) -> Excerpt | None:
    """Return the line of a place with the extent of the value there, or None where there is none.

    It is for columns, not for eyes: `shown_excerpt` leaves secrets out.
    """
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
