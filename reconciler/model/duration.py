"""Durations as Go writes them: `30s`, `5m`, `1h30m`."""

from __future__ import annotations

import re

__all__ = ["DurationError", "parse_duration"]

_PART = re.compile(r"([0-9]+(?:\.[0-9]+)?)(ns|us|µs|ms|s|m|h)")
_SECONDS = {"ns": 1e-9, "us": 1e-6, "µs": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0}


class DurationError(ValueError):
    """The text is not a duration."""


def parse_duration(text: str) -> float:
    """Return a duration in seconds.

    Raises:
        DurationError: The text is not a duration, such as `5`, `1d` or `5 minutes`.
    """
    total, at = 0.0, 0
    for match in _PART.finditer(text):
        if match.start() != at:
            break
        total += float(match[1]) * _SECONDS[match[2]]
        at = match.end()
    if not text or at != len(text):
        raise DurationError(f"expected a duration such as 30s, 5m or 1h30m, found {text[:40]!r}")
    return total
