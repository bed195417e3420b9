"""Draws what a terminal shows as SVG, so that pictures in the documentation are made from real output."""

from __future__ import annotations

import re
from dataclasses import dataclass
from html import escape
from itertools import pairwise

__all__ = ["draw"]

_ESCAPE = re.compile(r"\033\[([0-9;]*)m")
_COLOURS = {
    "31": "#ff7b72",
    "32": "#7ee787",
    "33": "#f2cc60",
    "34": "#79c0ff",
    "36": "#76e3ea",
}
_PLAIN = "#e6edf3"
_FAINT = "#8b949e"
_BACK = "#0d1117"
_CHARACTER = 8.4
_LINE = 18.0
_MARGIN = 16.0
_BAR = 28.0


@dataclass(frozen=True, slots=True)
class _Look:
    colour: str = _PLAIN
    bold: bool = False

    def after(self, codes: str) -> _Look:
        colour, bold = self.colour, self.bold
        for code in codes.split(";"):
            match code:
                case "" | "0":
                    colour, bold = _PLAIN, False
                case "1":
                    bold = True
                case "2":
                    colour = _FAINT
                case _:
                    colour = _COLOURS.get(code, colour)
        return _Look(colour, bold)


def draw(text: str, *, title: str, columns: int = 80) -> str:
    """Return an SVG picture of a terminal.

    Args:
        text: What was printed, with its ANSI colours.
        title: Stands in the window's bar, and is the picture's text alternative.
        columns: Width of the terminal in characters; longer lines are wrapped.
    """
    rows = [row for line in text.rstrip("\n").split("\n") for row in _wrap(_spans(line), columns)]
    width = columns * _CHARACTER + 2 * _MARGIN
    height = _BAR + len(rows) * _LINE + 2 * _MARGIN - 6
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:.0f} {height:.0f}" role="img" '
        f'aria-label="{escape(title)}">',
        f'<rect width="100%" height="100%" rx="8" fill="{_BACK}"/>',
        *(f'<circle cx="{18 + 18 * n}" cy="16" r="5.5" fill="#30363d"/>' for n in range(3)),
        f'<text x="{width / 2:.0f}" y="20" fill="{_FAINT}" text-anchor="middle" '
        f'font-family="system-ui, sans-serif" font-size="12">{escape(title)}</text>',
        '<g font-family="ui-monospace, SFMono-Regular, Menlo, Consolas, monospace" font-size="14" '
        'xml:space="preserve">',
    ]
    for number, row in enumerate(rows):
        y = _BAR + _MARGIN + number * _LINE + 4
        column = 0
        for look, piece in row:
            if piece.strip():
                weight = ' font-weight="bold"' if look.bold else ""
                parts.append(
                    f'<text x="{_MARGIN + column * _CHARACTER:.1f}" y="{y:.0f}" fill="{look.colour}"{weight} '
                    f'textLength="{len(piece) * _CHARACTER:.1f}">{escape(piece)}</text>'
                )
            column += len(piece)
    return "\n".join([*parts, "</g>", "</svg>"]) + "\n"


def _spans(line: str) -> list[tuple[_Look, str]]:
    look = _Look()
    marks = [(0, 0, "")] + [(m.start(), m.end(), m[1]) for m in _ESCAPE.finditer(line)]
    spans = []
    for (_, end, codes), (start, _, _) in pairwise([*marks, (len(line), len(line), "")]):
        look = look.after(codes) if end else look
        if start > end:
            spans.append((look, line[end:start]))
    return spans


def _wrap(spans: list[tuple[_Look, str]], columns: int) -> list[list[tuple[_Look, str]]]:
    rows: list[list[tuple[_Look, str]]] = [[]]
    free = columns
    for look, text in spans:
        rest = text
        while rest:
            if not free:
                rows.append([])
                free = columns
            piece, rest = rest[:free], rest[free:]
            rows[-1].append((look, piece))
            free -= len(piece)
    return rows
