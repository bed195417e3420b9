"""Regular expressions in RE2's dialect, in linear time: those of Kubernetes, and cel-go's extension."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Any

from reconciler.rules.cel.errors import CelEvaluationError, CelUnsupportedError

__all__ = ["compile_pattern", "extract", "extract_all", "find", "find_all", "matches", "replace"]

_MEMORY = 1 << 22
_REWRITE = re.compile(r"\\(.?)", re.DOTALL)


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


def extract(text: str, pattern: str) -> str | None:
    """Return the first match, or its one capturing group; None where there is none.

    Raises:
        CelEvaluationError: The pattern is wrong, or has more than one group.
    """
    match = _single(pattern).search(text)
    if match is None:
        return None
    found = match.group(1) if match.re.groups else match.group()
    return None if found is None else str(found)


def extract_all(text: str, pattern: str) -> list[str]:
    """Return every match, or what its one capturing group took part in.

    Raises:
        CelEvaluationError: The pattern is wrong, or has more than one group.
    """
    compiled = _single(pattern)
    group = 1 if compiled.groups else 0
    return [match.group(group) for match in compiled.finditer(text) if match.group(group) is not None]


def _single(pattern: str) -> Any:
    compiled = _given(pattern)
    if compiled.groups > 1:
        raise CelEvaluationError(f'regular expression has more than one capturing group: "{pattern}"')
    return compiled


def _given(pattern: str) -> Any:
    try:
        return compile_pattern(pattern)
    except CelUnsupportedError:
        raise
    except CelEvaluationError as err:
        raise CelEvaluationError(f"given regex is invalid: {err.message}") from err


def replace(text: str, pattern: str, replacement: str, limit: int = -1) -> str:
    r"""Replace matches, at most `limit` of them if it is not negative; `\1` in the replacement is a group.

    Raises:
        CelEvaluationError: The pattern is wrong, or the replacement names no group of it.
    """
    compiled = _given(pattern)
    parts: list[str | int] = []
    last = 0
    for escape in _REWRITE.finditer(replacement):
        parts.append(replacement[last : escape.start()])
        last = escape.end()
        following = escape[1]
        if following == "\\":
            parts.append(following)
        elif following.isascii() and following.isdigit():
            parts.append(int(following))
        else:
            raise CelEvaluationError("invalid replacement string: \\ must be followed by a digit or \\")
    parts.append(replacement[last:])
    made: list[str] = []
    at = 0
    for count, match in enumerate(compiled.finditer(text)):
        if count == limit:
            break
        made.append(text[at : match.start()])
        made += [part if isinstance(part, str) else _group(match, part) for part in parts]
        at = match.end()
    made.append(text[at:])
    return "".join(made)


def _group(match: Any, number: int) -> str:
    if number > match.re.groups:
        raise CelEvaluationError(
            f"replacement string references group {number} but regex has only {match.re.groups} group(s)"
        )
    return match.group(number) or ""
