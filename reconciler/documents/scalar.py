"""Places inside a YAML scalar: from line and column of its text to line and column of the file.

An expression in a policy is a text of its own, and a mistake in it has a place in that text. People want the
place in their file, whichever way the scalar is written: plain, quoted, literal (`|`) or folded (`>`).
"""

from __future__ import annotations

import re

from reconciler.documents.positions import Positions
from reconciler.model.fieldpath import FieldPath
from reconciler.model.location import Location

__all__ = ["locate_in_scalar"]

_PROPERTIES = re.compile(r"(?:[&!]\S*\s+)*")
_ESCAPE_LENGTHS = {"x": 4, "u": 6, "U": 10}
_BREAKS = "\n\r"


def locate_in_scalar(
    data: bytes, path: str, field: FieldPath, text: str, *, line: int, column: int, index: int = 0
) -> Location:
    """Return where a place of a scalar's text stands in the file.

    A field that does not exist gives the place of its nearest existing parent; a place after the text gives
    the text's end.

    Args:
        data: The file's content.
        path: The file's path.
        field: The scalar's path in its document.
        text: The scalar's value.
        line: Line in the text, from 1.
        column: Column in that line in characters, from 1.
        index: Number of the document in the file, from 0.
    """
    positions = Positions(data, path)
    start = positions.locate(field, index=index)
    lines = data.decode("utf-8-sig", "replace").splitlines(keepends=True)
    if not text or start.line > len(lines) or not positions.has(field, index=index):
        return start
    before = text.split("\n")[: line - 1]
    target = min(sum(len(one) + 1 for one in before) + column - 1, len(text))
    return _Walk(lines, text, start).to(target)


class _Walk:
    """Reads a scalar's source beside its value, one character after the other."""

    def __init__(self, lines: list[str], text: str, start: Location) -> None:
        self._lines = lines
        self._text = text
        self._path = start.path
        self._row = start.line - 1
        source = lines[self._row]
        match = _PROPERTIES.match(source, start.column - 1)
        self._column = match.end() if match is not None else start.column - 1
        first = source[self._column : self._column + 1]
        self._style = first if first in {"|", ">", "'", '"'} else ""
        self._indent = 0
        if self._style in {"|", ">"}:
            self._enter_block(source[self._column :])
        elif self._style:
            self._column += 1

    def to(self, target: int) -> Location:
        """Return the place of the character with this number."""
        done = 0
        while self._row < len(self._lines):
            rest = self._lines[self._row][self._column :]
            if self._style == '"' and rest.rstrip(_BREAKS) == "\\":
                self._next_line()
                continue
            if self._ends(rest):
                # The end of a line of the source stands for a line break, for a space, or for nothing.
                breaks = self._text[done : done + 1] in {"\n", " ", ""}
                if breaks and done >= target:
                    break
                done += breaks
                self._next_line()
                continue
            if done >= target:
                break
            self._column += self._width(rest)
            done += 1
        row = min(self._row, len(self._lines) - 1)
        return Location(self._path, row + 1, self._column + 1)

    def _enter_block(self, header: str) -> None:
        self._row += 1
        first = next((line for line in self._lines[self._row :] if line.strip()), "")
        self._indent = _leading(first, " ")
        if any(character.isdigit() for character in header.split(maxsplit=1)[0]):
            # With an indentation indicator the first line may have spaces of its own.
            self._indent -= _leading(self._text.lstrip("\n"), " ")
        self._column = min(self._indent, _leading(self._lines[self._row], " ")) if first else 0

    def _ends(self, rest: str) -> bool:
        return not rest.strip(_BREAKS if self._style in {"|", ">"} else None)

    def _next_line(self) -> None:
        self._row += 1
        following = self._lines[self._row] if self._row < len(self._lines) else ""
        if self._style in {"|", ">"}:
            self._column = min(self._indent, _leading(following, " "))
        else:
            self._column = _leading(following, " \t")

    def _width(self, rest: str) -> int:
        """Return how many characters of the source stand for the next one of the value."""
        if self._style == '"' and rest[0] == "\\":
            return _ESCAPE_LENGTHS.get(rest[1], 2)
        return 2 if self._style == "'" and rest.startswith("''") else 1


def _leading(line: str, characters: str) -> int:
    return len(line) - len(line.lstrip(characters))
