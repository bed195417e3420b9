"""The agent's log: one line an event on standard error, as text or JSON."""

from __future__ import annotations

import json
import re
import threading
from contextlib import suppress
from typing import Any, TextIO

from reconciler.ports.clock import Clock

__all__ = ["Log"]

_CREDENTIALS = re.compile(r"([a-z][a-z0-9+.-]*://)[^/@\s'\"]*@")
_PLAIN = re.compile(r"[^\s\"=]+\Z")


class Log:
    """Writes lines with named values. Credentials in URLs never reach it whole.

    Args:
        stream: Where lines go.
        clock: For the time of each line.
        as_json: Whether a line is a JSON object.
        context: Values that every line carries.
    """

    def __init__(self, stream: TextIO, *, clock: Clock, as_json: bool = False, **context: Any) -> None:
        self._stream = stream
        self._clock = clock
        self._as_json = as_json
        self._context = context
        self._lock = threading.Lock()

    def info(self, message: str, **values: Any) -> None:
        """Say what happened."""
        self._write("info", message, values)

    def warning(self, message: str, **values: Any) -> None:
        """Say what is not as it should be, and passes by itself."""
        self._write("warning", message, values)

    def failure(self, message: str, **values: Any) -> None:
        """Say what a person must look at."""
        self._write("error", message, values)

    def _write(self, level: str, message: str, values: dict[str, Any]) -> None:
        moment = self._clock.now().strftime("%Y-%m-%dT%H:%M:%SZ")
        fields = {**self._context, **{key: value for key, value in values.items() if value not in ("", None)}}
        if self._as_json:
            line = json.dumps({"time": moment, "level": level, "message": message, **fields}, default=str)
        else:
            parts = [f"{key}={_quoted(value)}" for key, value in fields.items()]
            line = " ".join([moment, f"{level:<7}", message, *parts])
        # Nobody may listen any more, or the disk may be full: a sync goes on without its log.
        with self._lock, suppress(OSError):
            self._stream.write(_CREDENTIALS.sub(r"\1***@", line) + "\n")
            self._stream.flush()


def _quoted(value: Any) -> str:
    text = str(value)
    return text if _PLAIN.match(text) else json.dumps(text, ensure_ascii=False)
