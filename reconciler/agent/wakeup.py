"""What wakes the agent: pipes that signal handlers and threads may write to at any time."""

from __future__ import annotations

import os
import select
import time
from contextlib import suppress

__all__ = ["Signal", "wait"]


class Signal:
    """A flag that can be waited for together with others, and set from a signal handler.

    Once set it stays set until it is cleared.
    """

    def __init__(self) -> None:
        self._reader, self._writer = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)

    def fileno(self) -> int:
        """Return the descriptor that is readable while the flag is set."""
        return self._reader

    def set(self) -> None:
        """Set the flag."""
        # A full pipe is a flag that is set already.
        with suppress(BlockingIOError):
            os.write(self._writer, b"!")

    def is_set(self) -> bool:
        """Tell whether the flag is set."""
        return bool(select.select([self._reader], [], [], 0)[0])

    def clear(self) -> None:
        """Clear the flag."""
        with suppress(BlockingIOError):
            while os.read(self._reader, 4096):
                pass

    def close(self) -> None:
        """Close the pipe."""
        os.close(self._reader)
        os.close(self._writer)


def wait(signals: list[Signal], timeout: float) -> bool:
    """Wait until one of the flags is set, and tell whether one is.

    Args:
        signals: What to wait for.
        timeout: Seconds; 0 only looks.
    """
    deadline = time.monotonic() + timeout
    left = timeout
    while True:
        # A poll of days overflows nothing, but select takes no more than this.
        if select.select(signals, [], [], min(max(left, 0.0), 86400.0))[0]:
            return True
        left = deadline - time.monotonic()
        if left <= 0:
            return False
