"""Draws what a terminal shows as SVG, so that pictures in the documentation are made from real output."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from html import escape
from itertools import pairwise

__all__ = ["DARK", "LIGHT", "Theme", "draw"]

_RUN = re.compile(r"\S+(?: \S+)*")
_ESCAPE = re.compile(r"\033\[([0-9;]*)m")
_CHARACTER = 8.4
_LINE = 18.0
_MARGIN = 16.0
_BAR = 28.0


@dataclass(frozen=True, slots=True)
class Theme:
    """The colours of a terminal.

    Attributes:
        back: Of the window.
        edge: Of its edge and buttons.
        plain: Of text without a colour.
        faint: Of faint text.
        colours: By the code that ANSI has for them.
    """

    back: str
    edge: str
    plain: str
    faint: str
    colours: Mapping[str, str]


DARK = Theme(
    back="#0d1117",
    edge="#30363d",
    plain="#e6edf3",
    faint="#8b949e",
    colours={"31": "#ff7b72", "32": "#7ee787", "33": "#f2cc60", "34": "#79c0ff", "36": "#76e3ea"},
)
LIGHT = Theme(
    back="#ffffff",
    edge="#d0d7de",
    plain="#1f2328",
    faint="#59636e",
    colours={"31": "#cf222e", "32": "#1a7f37", "33": "#9a6700", "34": "#0969da", "36": "#1b7c83"},
)


@dataclass(frozen=True, slots=True)
class _Look:
    theme: Theme
    colour: str
    bold: bool = False

    def after(self, codes: str) -> _Look:
        theme, colour, bold = self.theme, self.colour, self.bold
        for code in codes.split(";"):
            match code:
                case "" | "0":
                    colour, bold = theme.plain, False
                case "1":
                    bold = True
                case "2":
                    colour = theme.faint
                case _:
                    colour = theme.colours.get(code, colour)
        return _Look(theme, colour, bold)


def draw(text: str, *, title: str, columns: int = 80, theme: Theme = DARK) -> str:
    """Return an SVG picture of a terminal.

    Args:
        text: What was printed, with its ANSI colours.
        title: Stands in the window's bar, and is the picture's text alternative.
        columns: Width of the terminal in characters; longer lines are wrapped.
        theme: Its colours.
    """
    rows = [row for line in text.rstrip("\n").split("\n") for row in _wrap(_spans(line, theme), columns)]
    width = columns * _CHARACTER + 2 * _MARGIN
    height = _BAR + len(rows) * _LINE + 2 * _MARGIN - 6
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:.0f} {height:.0f}" role="img" '
        f'aria-label="{escape(title)}">',
        f'<rect x="0.5" y="0.5" width="{width - 1:.0f}" height="{height - 1:.0f}" rx="8" '
        f'fill="{theme.back}" stroke="{theme.edge}"/>',
        *(f'<circle cx="{18 + 18 * n}" cy="16" r="5.5" fill="{theme.edge}"/>' for n in range(3)),
        f'<text x="{width / 2:.0f}" y="20" fill="{theme.faint}" text-anchor="middle" '
        f'font-family="system-ui, sans-serif" font-size="12">{escape(title)}</text>',
        '<g font-family="ui-monospace, SFMono-Regular, Menlo, Consolas, monospace" font-size="14">',
    ]
    for number, row in enumerate(rows):
        y = _BAR + _MARGIN + number * _LINE + 4
        column = 0
        for look, piece in row:
            weight = ' font-weight="bold"' if look.bold else ""
            # Browsers differ in what they make of spaces that lead or follow each other: none are drawn.
            for run in _RUN.finditer(piece):
                x = _MARGIN + (column + run.start()) * _CHARACTER
                parts.append(
                    f'<text x="{x:.1f}" y="{y:.0f}" fill="{look.colour}"{weight} '
                    f'textLength="{len(run[0]) * _CHARACTER:.1f}">{escape(run[0])}</text>'
                )
            column += len(piece)
    return "\n".join([*parts, "</g>", "</svg>"]) + "\n"


def _spans(line: str, theme: Theme) -> list[tuple[_Look, str]]:
    look = _Look(theme, theme.plain)
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
