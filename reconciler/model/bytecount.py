"""Numbers of bytes for people."""

from __future__ import annotations

__all__ = ["format_bytes"]


def format_bytes(count: int) -> str:
    """Write a number of bytes in the unit that fits, rounded to three digits: `66.9 MiB`, `512 B`."""
    if count < 1024:
        return f"{count} B"
    amount, unit = float(count), ""
    for unit in ("KiB", "MiB", "GiB", "TiB", "PiB"):  # noqa: B007 - the last unit is used after the loop
        amount /= 1024
        if amount < 999.5:
            break
    return f"{amount:.0f} {unit}" if amount >= 99.95 else f"{amount:.1f} {unit}"
