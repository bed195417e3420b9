"""Events as agents make them."""

from __future__ import annotations

from typing import Any

from reconciler.model.event import Event, EventType

COMMIT = "0123456789abcdef0123456789abcdef01234567"


def event(
    number: int,
    type_: EventType = EventType.AGENT_HEARTBEAT,
    *,
    site: str = "a",
    epoch: str = "e1",
    time: str = "2026-01-01T00:00:00.000Z",
    **data: Any,
) -> Event:
    return Event(site=site, epoch=epoch, sequence=number, type=type_.value, time=time, data=data)


def applied(number: int, commit: str = COMMIT, **more: Any) -> Event:
    return event(
        number,
        EventType.SYNC_APPLIED,
        commit=commit,
        subject="A change",
        resources=7,
        counts={"create": 7, "update": 0, "delete": 0},
        digests={"verdict": "sha256:1"},
        **more,
    )
