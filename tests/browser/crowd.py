"""Thousands of sites in a hub, put there through its writer: to look at, not to measure the way in."""

from __future__ import annotations

import random
import time
from typing import Final

from reconciler.hub.core import Core
from reconciler.model.event import Event, EventType

__all__ = ["fill"]

_COMMITS: Final = tuple(f"{number:x}" * 40 for number in (1, 2, 3))
_REGIONS: Final = tuple(f"r{number}" for number in range(12))
_STATES: Final = {
    "Ready": 930,
    "Degraded": 12,
    "Progressing": 30,
    "RolledBack": 6,
    "Held": 18,
    "OutOfSync": 3,
    "Suspended": 1,
}


def fill(core: Core, count: int) -> None:
    """Report once for each of `count` sites, mostly well, and wait until it is stored."""
    chance = random.Random(7)  # noqa: S311 - the same fleet each time
    futures = []
    now = time.strftime("%Y-%m-%dT%H:%M:%S.000Z", time.gmtime())
    for number in range(count):
        site = f"site-{number:05}"
        state = chance.choices(list(_STATES), weights=list(_STATES.values()))[0]
        commit = chance.choices(_COMMITS, weights=(1, 9, 90))[0]
        labels = {"region": chance.choice(_REGIONS), "ring": "canary" if number % 50 == 0 else "stable"}
        texts = {"state": state, "reason": state, "message": f"{state.lower()} for a reason of its own kind"}
        events = [
            Event(site, "e1", 1, EventType.SYNC_APPLIED.value, now, {"commit": commit, "resources": 12}),
            Event(site, "e1", 2, EventType.AGENT_HEARTBEAT.value, now, {**texts, "labels": labels}),
        ]
        futures.append(core.writer.submit(site, events, size=500, received=core.clock(), skew=0.1))
    for future in futures:
        future.result(60)
