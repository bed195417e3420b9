"""Timestamps that YAML recognizes, shown as JSON shows them."""

from __future__ import annotations

import datetime
import re

__all__ = ["timestamp"]

_TIMESTAMP = re.compile(
    r"(\d{4})-(\d{1,2})-(\d{1,2})"
    r"(?:(?P<gap>[Tt ])(\d{1,2}):(\d{1,2}):(\d{1,2})(?:\.(\d+))?(?P<zone>Z|[+-]\d{2}:\d{2})?)?\Z"
)


def timestamp(text: str) -> str | None:
    """Return `text` as RFC 3339 with the fraction's trailing zeros dropped, or None if it is no timestamp."""
    if len(text) < 8 or text[4] != "-":
        return None
    match = _TIMESTAMP.match(text)
    if match is None:
        return None
    gap, zone = match["gap"], match["zone"]
    if gap is not None and (gap == " ") != (zone is None):
        return None
    year, month, day = (int(match[number]) for number in (1, 2, 3))
    hour, minute, second = (int(match[number] or 0) for number in (5, 6, 7))
    try:
        moment = datetime.datetime(year, month, day, hour, minute, second)  # noqa: DTZ001 - only checked
    except ValueError:
        return None
    if zone is not None and zone != "Z" and (int(zone[1:3]) > 24 or int(zone[4:6]) >= 60):
        return None
    fraction = (match[8] or "")[:9].rstrip("0")
    shown = moment.strftime("%Y-%m-%dT%H:%M:%S") if year >= 1000 else moment.isoformat()
    offset = zone if zone not in (None, "+00:00", "-00:00") else "Z"
    return f"{shown}{'.' + fraction if fraction else ''}{offset}"
