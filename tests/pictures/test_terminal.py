"""The picture of a terminal shows what was printed."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from pathlib import Path

from tests.pictures.make import check_picture
from tests.pictures.terminal import draw


def shown(svg: str) -> str:
    root = ET.fromstring(svg)  # noqa: S314 - our own text
    return "".join(node.text or "" for node in root.iter("{http://www.w3.org/2000/svg}text"))


def test_every_printed_character_is_in_the_picture() -> None:
    svg = draw("\033[1;31merror\033[0m: <a & b>\nplain", title="wayside check")
    assert "error: <a & b>" in shown(svg)
    assert "plain" in shown(svg)
    assert re.search(r'fill="#ff7b72" font-weight="bold"[^>]*>error<', svg)


def test_long_lines_wrap_at_the_terminal_s_width() -> None:
    assert draw("x" * 100, title="t", columns=40).count("<text") == 1 + 3


def test_the_picture_of_the_readme_shows_what_the_check_says_today() -> None:
    picture = Path(__file__).parents[2] / "docs" / "images" / "check.svg"
    assert picture.read_text() == check_picture(), "run `make pictures`"
    assert all(len(line) <= 80 for line in shown_lines(picture.read_text()))


def shown_lines(svg: str) -> list[str]:
    """Return the lines of a picture, by the height at which their words stand."""
    root = ET.fromstring(svg)  # noqa: S314 - our own text
    lines: dict[str, str] = {}
    for node in root.iter("{http://www.w3.org/2000/svg}text"):
        lines[node.attrib["y"]] = lines.get(node.attrib["y"], "") + (node.text or "")
    return list(lines.values())
