"""How far long work is, on a terminal; silent everywhere else."""

from __future__ import annotations

import shutil
import time
from collections.abc import Mapping
from types import TracebackType
from typing import IO, Self

__all__ = ["Progress"]

_FIRST = 0.5  # seconds before anything is shown: most work is done by then
_EVERY = 0.1


class Progress:
    """One line that is rewritten in place, and removed at the end.

    Args:
        stream: Where to write, or None to be silent.
        what: What is done, for example `checking`.
    """

    def __init__(self, stream: IO[str] | None, what: str) -> None:
        self._stream = stream
        self._what = what
        self._next = time.monotonic() + _FIRST
        self._shown = False

    @classmethod
    def on(cls, stream: IO[str], environ: Mapping[str, str], what: str, *, quiet: bool = False) -> Progress:
        """Return the progress for a stream: silent where it is no terminal, or where quiet is asked for."""
        silent = quiet or not stream.isatty() or environ.get("TERM") == "dumb"
        return cls(None if silent else stream, what)

    def show(self, done: int, total: int) -> None:
        """Show that so much of all is done."""
        if self._stream is None or time.monotonic() < self._next:
            return
        self._next = time.monotonic() + _EVERY
        self._shown = True
        text = f"{self._what} {done:,} of {total:,}"
        room = shutil.get_terminal_size().columns - len(text) - 4
        if room >= 10 and total:
            filled = min(room, 40) * done // total
            text += f" [{'#' * filled}{'.' * (min(room, 40) - filled)}]"
        self._stream.write(f"\r\033[K{text}")
        self._stream.flush()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._shown and self._stream is not None:
            self._stream.write("\r\033[K")
            self._stream.flush()
