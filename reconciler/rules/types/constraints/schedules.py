"""Schedules and time zones of CronJobs."""

from __future__ import annotations

import re
from typing import Any

from reconciler.rules.types.constraints.shape import REQUIRED, invalid

__all__ = ["schedule", "time_zone"]

_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_DAYS = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")
_CRON: tuple[tuple[int, int, tuple[str, ...]], ...] = (
    (0, 59, ()),
    (0, 23, ()),
    (1, 31, ()),
    (1, 12, ("", *_MONTHS)),
    (0, 6, _DAYS),
)
_MACROS = frozenset(("@yearly", "@annually", "@monthly", "@weekly", "@daily", "@midnight", "@hourly"))
_EVERY = re.compile(
    r"@every [+-]?(\d+(\.\d*)?|\.\d+)(ns|us|µs|ms|s|m|h)((\d+(\.\d*)?|\.\d+)(ns|us|µs|ms|s|m|h))*\Z"
)


def schedule(value: Any, _: int) -> str | None:
    """Judge the schedule of a CronJob, in the syntax of robfig/cron."""
    if not value:
        return REQUIRED
    if "TZ" in value:
        return invalid(value, "cannot use TZ or CRON_TZ in schedule, use timeZone field instead")
    if value.startswith("@"):
        fits = value in _MACROS or _EVERY.match(value) is not None
        return None if fits else invalid(value, f"unrecognized descriptor: {value}")
    fields = value.split()
    if len(fields) != len(_CRON):
        return invalid(value, f"expected exactly 5 fields, found {len(fields)}: [{' '.join(fields)}]")
    for field, (low, high, words) in zip(fields, _CRON, strict=True):
        for part in field.split(","):
            if part and not _cron_part(part, low, high, words):
                return invalid(value, f"failed to parse {part}: it must be within {low} to {high}")
    return None


def _cron_part(part: str, low: int, high: int, words: tuple[str, ...]) -> bool:
    span, slash, step = part.partition("/")
    if slash and (not step.isascii() or not step.isdigit() or int(step) == 0 or "/" in step):
        return False
    if span in {"*", "?"}:
        return True
    start_text, dash, end_text = span.partition("-")
    start = _cron_number(start_text, words)
    end = _cron_number(end_text, words) if dash else start
    if start is None or end is None:
        return False
    return low <= start and (end <= high) and start <= end


def _cron_number(text_: str, words: tuple[str, ...]) -> int | None:
    if text_.isascii() and text_.isdigit():
        return int(text_)
    return words.index(text_.lower()) if text_ and text_.lower() in words else None


def time_zone(value: Any, _: int) -> str | None:
    """Judge a time zone as far as the server does without its database."""
    if not value:
        return invalid(value, "timeZone must be nil or non-empty string")
    if value.lower() == "local":
        return invalid(
            value, "timeZone must be an explicit time zone as defined in https://www.iana.org/time-zones"
        )
    return None
