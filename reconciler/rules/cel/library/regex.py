"""`find` and `findAll`: regular expressions in RE2's dialect, in linear time."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from reconciler.rules.cel.errors import CelEvaluationError, CelUnsupportedError

__all__ = ["compile_pattern", "find", "find_all", "matches"]

_MEMORY = 1 << 22


@lru_cache(maxsize=512)
def compile_pattern(pattern: str) -> Any:
    """Compile a pattern.

    Raises:
        CelEvaluationError: It is not a regular expression of RE2.
        CelUnsupportedError: This platform has no RE2.
    """
    try:
        import re2
    except ImportError as err:
        raise CelUnsupportedError("regular expressions need RE2, which this platform lacks") from err
    options = re2.Options()
    options.log_errors = False
    options.max_mem = _MEMORY
    try:
        return re2.compile(pattern, options)
    except (re2.error, UnicodeError) as err:
        reason = err.args[0] if err.args else ""
        text = reason.decode("utf-8", "replace") if isinstance(reason, bytes) else str(reason)
        raise CelEvaluationError(f"error parsing regexp: {text}") from err


def matches(text: str, pattern: str) -> bool:
    """Tell whether the pattern is found anywhere in the text."""
    return compile_pattern(pattern).search(text) is not None


def _illegal(pattern: str) -> Any:
    try:
        return compile_pattern(pattern)
    except CelUnsupportedError:
        raise
    except CelEvaluationError as err:
        raise CelEvaluationError(f"Illegal regex: {err.message}") from err


def find(text: str, pattern: str) -> str:
    """Return the leftmost match, or ""."""
    match = _illegal(pattern).search(text)
    return "" if match is None else str(match.group())


def find_all(text: str, pattern: str, limit: int = -1) -> list[str]:
    """Return all matches that do not overlap, at most `limit` if it is not negative."""
    compiled = _illegal(pattern)
    found: list[str] = []
    at, last = 0, -1
    while at <= len(text) and (limit < 0 or len(found) < limit):
        match = compiled.search(text, at)
        if match is None:
            break
        start, end = match.span()
        if end > start or end != last:  # an empty match right after a match does not count
            found.append(text[start:end])
            last = end
        at = end if end > start else end + 1
    return found
