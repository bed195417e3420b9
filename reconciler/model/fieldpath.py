"""Paths to fields of a document, written as Kubernetes writes them."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import TypeAlias

__all__ = ["FieldPath", "format_field_path", "parse_field_path"]

#: Keys and list indexes from the root of a document to a value; `()` is the document itself.
FieldPath: TypeAlias = tuple[str | int, ...]

_PLAIN = re.compile(r"[A-Za-z_$][A-Za-z0-9_$-]*\Z")
_STEP = re.compile(
    r"""(?:^|\.)(?P<name>[^.\[\]"]+)|\[(?P<index>\d+)\]|\[(?P<quote>["'])(?P<key>.*?)(?P=quote)\]"""
)


def format_field_path(path: Iterable[str | int]) -> str:
    """Format a path as `spec.containers[0].image` or `metadata.annotations["a.b/c"]`."""
    parts: list[str] = []
    for step in path:
        if isinstance(step, int):
            parts.append(f"[{step}]")
        elif _PLAIN.match(step):
            parts.append(f".{step}" if parts else step)
        else:
            parts.append(f'["{step}"]')
    return "".join(parts)


def parse_field_path(text: str) -> FieldPath:
    """Parse what `format_field_path` writes.

    Raises:
        ValueError: The text is not a field path.
    """
    steps: list[str | int] = []
    at = 0
    while at < len(text):
        match = _STEP.match(text, at)
        if match is None or match.end() == at:
            raise ValueError(f"expected a field path such as spec.containers[0].image, found {text!r}")
        if match["index"] is not None:
            steps.append(int(match["index"]))
        else:
            steps.append(match["name"] if match["name"] is not None else match["key"])
        at = match.end()
    return tuple(steps)
