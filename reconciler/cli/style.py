"""Colour on terminals that want it, plain text everywhere else."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from typing import IO

from reconciler.report.ink import Ink

__all__ = ["Style", "columns"]


def columns(environ: Mapping[str, str]) -> int:
    """Return how many columns the terminal has: what COLUMNS says, what the terminal says, or 80."""
    text = environ.get("COLUMNS", "")
    return int(text) if text.isdigit() and int(text) else shutil.get_terminal_size().columns


@dataclass(frozen=True, slots=True)
class Style(Ink):
    """The ink for one stream."""

    @classmethod
    def for_stream(cls, stream: IO[str], environ: Mapping[str, str]) -> Style:
        """Return coloured ink for a terminal, plain ink for anything else.

        `NO_COLOR` switches colour off (https://no-color.org), `FORCE_COLOR` switches it on.
        """
        if environ.get("NO_COLOR"):
            return cls(colour=False)
        if environ.get("FORCE_COLOR"):
            return cls(colour=True)
        return cls(colour=stream.isatty() and environ.get("TERM") != "dumb")
