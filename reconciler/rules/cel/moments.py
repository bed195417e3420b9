"""Durations and timestamps: how CEL reads and writes them."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta, timezone
from functools import lru_cache

from reconciler.rules.cel.errors import CelEvaluationError, CelUnsupportedError

__all__ = ["format_duration", "format_timestamp", "parse_duration", "parse_timestamp", "shift_of"]

_DURATION = re.compile(
    r"(?P<sign>[+-]?)(?P<parts>(?:(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:ns|us|\u00b5s|\u03bcs|ms|s|m|h))+)\Z"
)
_PART = re.compile(r"([0-9]*)(?:\.([0-9]*))?([^0-9.]+)")
_NANOS = {
    "ns": 1,
    "us": 10**3,
    "\u00b5s": 10**3,
    "\u03bcs": 10**3,
    "ms": 10**6,
    "s": 10**9,
    "m": 60 * 10**9,
    "h": 3600 * 10**9,
}
_TIMESTAMP = re.compile(
    r"(\d{4})-(\d{2})-(\d{2})[Tt](\d{2}):(\d{2}):(\d{2})(?:[.,](\d+))?(?:([Zz])|([+-])(\d{2}):(\d{2}))\Z",
    re.ASCII,
)
_SHIFT = re.compile(r"([+-]?)(\d{1,2}):(\d{2})\Z", re.ASCII)


@lru_cache(maxsize=1024)
def parse_duration(text: str) -> timedelta:
    """Read a duration such as `1h30m` or `-1.5s`, to the microsecond.

    Raises:
        CelUnsupportedError: It is finer than a microsecond.
        CelEvaluationError: The text is not a duration.
    """
    if text in ("0", "+0", "-0"):
        return timedelta()
    match = _DURATION.match(text) if len(text) <= 256 else None
    if match is None:
        raise CelEvaluationError(f'time: invalid duration "{text[:64]}"')
    nanos = 0
    for whole, part, unit in _PART.findall(match["parts"]):
        scale = _NANOS[unit]
        nanos += int(whole or "0") * scale
        if part:
            nanos += int(part) * scale // 10 ** len(part)
    if nanos >= 2**63:
        raise CelEvaluationError(f'time: invalid duration "{text[:64]}"')
    if nanos % 1000:
        raise CelUnsupportedError(f"{text!r} is finer than a microsecond")
    found = timedelta(microseconds=nanos // 1000)
    return -found if match["sign"] == "-" else found


def format_duration(value: timedelta) -> str:
    """Write a duration in seconds, as CEL does: `5400s`, `1.5s`."""
    micros = round(value / timedelta(microseconds=1))
    sign = "-" if micros < 0 else ""
    seconds, rest = divmod(abs(micros), 10**6)
    fraction = f".{rest:06d}".rstrip("0") if rest else ""
    return f"{sign}{seconds}{fraction}s"


@lru_cache(maxsize=1024)
def parse_timestamp(text: str) -> datetime:
    """Read an RFC 3339 timestamp, to the microsecond.

    Raises:
        CelEvaluationError: The text is not one, or is before the year 1 or after the year 9999.
    """
    match = _TIMESTAMP.match(text) if len(text) <= 64 else None
    wrong = f'parsing time "{text[:64]}" as "2006-01-02T15:04:05Z07:00"'
    if match is None or "t" in text or "z" in text:
        raise CelEvaluationError(f"{wrong}: cannot parse")
    year, month, day, hour, minute, second = (int(match[n]) for n in range(1, 7))
    fraction = match[7] or "0"
    if fraction[6:].strip("0"):
        raise CelUnsupportedError(f"{text!r} is finer than a microsecond")
    micros = int(fraction[:6].ljust(6, "0"))
    try:
        shift = timedelta()
        if match[9]:
            if int(match[10]) > 23 or int(match[11]) > 59:
                raise CelEvaluationError(f"{wrong}: time zone offset out of range")
            shift = timedelta(hours=int(match[10]), minutes=int(match[11]))
            shift = shift if match[9] == "+" else -shift
        zone = timezone(shift) if shift else UTC
        found = datetime(year, month, day, hour, minute, second, micros, tzinfo=zone)
        found.astimezone(UTC)
    except (ValueError, OverflowError) as err:
        raise CelEvaluationError(f"{wrong}: out of range") from err
    return found


def format_timestamp(value: datetime) -> str:
    """Write a timestamp in RFC 3339, in its own zone, with as many digits as it has."""
    text = value.replace(microsecond=0, tzinfo=None).isoformat()
    fraction = f".{value.microsecond:06d}".rstrip("0") if value.microsecond else ""
    shift = value.utcoffset()
    if not shift:
        return f"{text}{fraction}Z"
    minutes = abs(shift) // timedelta(minutes=1)
    return f"{text}{fraction}{'-' if shift < timedelta() else '+'}{minutes // 60:02d}:{minutes % 60:02d}"


def shift_of(zone: str) -> timedelta | None:
    """Return a fixed offset such as `+02:00`, or None where the text is not one."""
    match = _SHIFT.match(zone)
    if match is None:
        return None
    shift = timedelta(hours=int(match[2]), minutes=int(match[3]))
    return -shift if match[1] == "-" else shift
