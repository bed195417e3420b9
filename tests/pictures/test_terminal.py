"""The picture of a terminal shows what was printed."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest

from tests.pictures.make import check_pictures
from tests.pictures.terminal import DARK, LIGHT, draw

TEXT = "{http://www.w3.org/2000/svg}text"
ROOT = Path(__file__).parents[2]


def shown(svg: str) -> str:
    root = ET.fromstring(svg)  # noqa: S314 - our own text
    return "".join(node.text or "" for node in root.iter(TEXT))


def test_every_printed_character_is_in_the_picture() -> None:
    svg = draw("\033[1;31merror\033[0m: <a & b>\nplain", title="wayside check")
    assert "error: <a & b>" in shown(svg)
    assert "plain" in shown(svg)
    assert re.search(r'fill="#ff7b72" font-weight="bold"[^>]*>error<', svg)


def test_words_stand_in_their_columns_and_no_space_is_left_to_the_browser() -> None:
    svg = draw("   = hint: a  b \n", title="t")
    root = ET.fromstring(svg)  # noqa: S314 - our own text
    words = [(node.text, float(node.attrib["x"])) for node in root.iter(TEXT) if "textLength" in node.attrib]
    assert words == [("= hint: a", 16 + 3 * 8.4), ("b", pytest.approx(16 + 14 * 8.4, abs=0.1))]


def test_long_lines_wrap_at_the_terminal_s_width() -> None:
    assert draw("x" * 100, title="t", columns=40).count("<text") == 1 + 3


def test_the_picture_of_the_readme_shows_what_the_check_says_today() -> None:
    made = check_pictures()
    assert set(made) == {"check.svg", "check-light.svg"}
    readme = (ROOT / "README.md").read_text()
    for name, picture in made.items():
        assert (ROOT / "docs/images" / name).read_text() == picture, "run `make pictures`"
        assert all(len(line) <= 80 for line in shown_lines(picture))
        assert f"docs/images/{name}" in readme


def test_dark_and_light_show_the_same_in_colours_that_can_be_read() -> None:
    dark, light = check_pictures().values()
    assert shown_lines(dark) == shown_lines(light)
    for theme in (DARK, LIGHT):
        for colour in (theme.plain, theme.faint, *theme.colours.values()):
            assert contrast(colour, theme.back) >= 4.5, colour


def contrast(one: str, other: str) -> float:
    """Return the contrast of two colours, as WCAG 2.2 computes it."""
    bright, dim = sorted((luminance(one), luminance(other)), reverse=True)
    return (bright + 0.05) / (dim + 0.05)


def luminance(colour: str) -> float:
    parts = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    red, green, blue = (p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def shown_lines(svg: str) -> list[str]:
    """Return the lines of a picture, by the height at which their words stand."""
    root = ET.fromstring(svg)  # noqa: S314 - our own text
    lines: dict[str, str] = {}
    for node in root.iter(TEXT):
        lines[node.attrib["y"]] = lines.get(node.attrib["y"], "") + (node.text or "")
    return list(lines.values())
