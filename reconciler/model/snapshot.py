"""How a site is, as one mapping; and what of it is news to somebody who knows an earlier one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

__all__ = ["difference", "lasting", "merged"]

#: These say one thing together, so a change of one tells all of them.
_TOGETHER = frozenset({"state", "reason", "message", "since"})
#: No other event says otherwise of these than a snapshot does.
_LASTING = frozenset({"labels", "platform", "version", "heartbeatInterval", "link"})


def lasting(told: Mapping[str, Any]) -> dict[str, Any]:
    """Return what is still known to whoever was told a snapshot and has heard of something else since."""
    return {name: value for name, value in told.items() if name in _LASTING}


def difference(before: Mapping[str, Any], after: Mapping[str, Any]) -> dict[str, Any]:
    """Return the fields of `after` that `before` does not have, or has otherwise.

    Every snapshot has the same fields, so that what is gone is told as an empty value.
    """
    changed = {name for name, value in after.items() if name not in before or before[name] != value}
    if changed & _TOGETHER:
        changed |= _TOGETHER & after.keys()
    return {name: value for name, value in after.items() if name in changed}


def merged(earlier: Mapping[str, Any], later: Mapping[str, Any]) -> dict[str, Any]:
    """Return one difference that says what two say, one after the other."""
    return {**earlier, **later}
