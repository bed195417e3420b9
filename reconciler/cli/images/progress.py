"""How far a command is, on a terminal's last line."""

from __future__ import annotations

import sys
import time
from types import TracebackType

__all__ = ["Progress"]

_SECONDS = 0.1


class Progress:
    """Writes `WORD 17/2000` to standard error, over and over on one line; nothing where it is no terminal.

    Args:
        word: What is being done.
    """

    def __init__(self, word: str) -> None:
        self._word = word
        self._shown = sys.stderr.isatty()
        self._last = 0.0
        self._width = 0

    def __enter__(self) -> Progress:
        return self

    def __call__(self, done: int, of: int) -> None:
        """Say how much is done."""
        if not self._shown or (time.monotonic() - self._last < _SECONDS and done < of):
            return
        self._last = time.monotonic()
        text = f"{self._word} {done}/{of}"
        self._width = max(self._width, len(text))
        sys.stderr.write(f"\r{text:<{self._width}}")
        sys.stderr.flush()

    def __exit__(
        self, kind: type[BaseException] | None, err: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._width:
            sys.stderr.write("\r" + " " * self._width + "\r")
            sys.stderr.flush()
