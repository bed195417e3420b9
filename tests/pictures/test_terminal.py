"""The picture of a terminal shows what was printed."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET

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
