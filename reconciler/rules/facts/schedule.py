"""How often a CronJob starts, as far as its schedule says it simply."""

from __future__ import annotations

__all__ = ["shortest_period"]

_NAMED = {
    "@hourly": 60,
    "@daily": 1440,
    "@midnight": 1440,
    "@weekly": 10080,
    "@monthly": 40320,
    "@yearly": 525600,
}


def shortest_period(schedule: str) -> int | None:
    """Return the shortest time between two starts in minutes, or None where it is not simply said.

    Days, months and weekdays only make starts rarer, so they are left out: the answer is never too long.

    Args:
        schedule: As `robfig/cron` reads it: five fields, or a name such as `@hourly`.
    """
    text = schedule.strip()
    if text in _NAMED:
        return _NAMED[text]
    fields = text.split()
    if len(fields) != 5:
        return None
    minutes, hours = _starts(fields[0], 60), _starts(fields[1], 24)
    if not minutes or not hours:
        return None
    starts = sorted(hour * 60 + minute for hour in hours for minute in minutes)
    return min(b - a for a, b in zip(starts, [*starts[1:], starts[0] + 1440], strict=True))


def _starts(field: str, limit: int) -> set[int]:
    """Return the values of a field: `*`, `*/5`, `1-5`, `1-10/2`, `1,2`; nothing where it is anything else."""
    found: set[int] = set()
    for part in field.split(","):
        span, _, step = part.partition("/")
        first, dash, last = span.partition("-")
        if span in {"*", "?"}:
            first, dash, last = "0", "-", str(limit - 1)
        if not all(text.isascii() and text.isdigit() for text in (first, last or "0", step or "1")):
            return set()
        end = int(last) if dash else (limit - 1 if step else int(first))
        if not int(step or 1) or end >= limit:
            return set()
        found |= set(range(int(first), end + 1, int(step or 1)))
    return found
