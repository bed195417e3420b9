"""The outbox in the agent's SQLite file.

Rows are kept in the order in which they were appended. A row gets its sequence number when it is
handed out for the first time; until then a newer heartbeat takes an older one into itself, and rows
give way when the outbox is full: plans and drift first, then changes of health, the ends of syncs last,
and of each the oldest first. What had to go is counted in an event of its own.

A heartbeat is stored as what is news in it, against what was told before in the same epoch.
"""

from __future__ import annotations

import datetime
import json
import secrets
import sqlite3
from collections.abc import Mapping, Sequence
from typing import Any

from reconciler.model.event import URGENT, Event, EventType, Receipt, is_urgent
from reconciler.model.snapshot import difference, lasting, merged
from reconciler.ports.clock import Clock
from reconciler.ports.outbox import Backlog

__all__ = ["SCHEMA", "OutboxLimits", "SqliteOutbox", "format_time", "new_epoch"]

SCHEMA = """
CREATE TABLE outbox (
    position INTEGER PRIMARY KEY AUTOINCREMENT,
    sequence INTEGER UNIQUE,
    type TEXT NOT NULL,
    time TEXT NOT NULL,
    data TEXT NOT NULL
) STRICT;
"""

#: What gives way first when the outbox is full; what is not named gives way before the ends of syncs.
_RANKS = {
    EventType.SYNC_PLANNED.value: 0,
    EventType.DRIFT_DETECTED.value: 0,
    EventType.DRIFT_CORRECTED.value: 0,
    EventType.HEALTH_CHANGED.value: 1,
    EventType.SYNC_APPLIED.value: 3,
    EventType.SYNC_FAILED.value: 3,
    EventType.SYNC_DENIED.value: 3,
    EventType.SYNC_HELD.value: 3,
    EventType.SYNC_ROLLED_BACK.value: 3,
    EventType.OUTBOX_COMPACTED.value: 3,
}
_USUAL_RANK = 2
#: Urgent, or a sign of life: these never wait for others.
_PROMPT = frozenset(type_.value for type_ in {*URGENT, EventType.AGENT_HEARTBEAT})
_HEARTBEAT = EventType.AGENT_HEARTBEAT.value
#: Names in the table `meta`.
_TOLD, _EPOCH, _SEQUENCE = "told", "epoch", "sequence"


def new_epoch() -> str:
    """Return the id of a new life of an outbox; nobody ever had it before."""
    return secrets.token_hex(8)


def format_time(moment: datetime.datetime) -> str:
    """Format an aware time as RFC 3339 in UTC, in milliseconds."""
    text = moment.astimezone(datetime.UTC).isoformat(timespec="milliseconds")
    return text.replace("+00:00", "Z")


class OutboxLimits:
    """How much an outbox may hold before events that nobody has seen are compacted to three quarters of it.

    Args:
        rows: Events.
        size: Bytes of event data.
    """

    def __init__(self, *, rows: int = 5000, size: int = 4 * 1024 * 1024) -> None:
        self.rows = rows
        self.size = size


class SqliteOutbox:
    """The outbox of one site, on a connection whose transactions the caller holds.

    `append`, `pending` and `acknowledge` must run inside a transaction, so that an event and the
    change that it reports are stored together or not at all.

    Args:
        connection: A connection to a file with `SCHEMA` and the table `meta`.
        site: The site's name.
        clock: For the events' times.
        limits: How much it may hold.
    """

    def __init__(
        self, connection: sqlite3.Connection, *, site: str, clock: Clock, limits: OutboxLimits | None = None
    ) -> None:
        self._connection = connection
        self._site = site
        self._clock = clock
        self._limits = limits or OutboxLimits()

    @property
    def epoch(self) -> str:
        """The id of this outbox's life."""
        return self._meta(_EPOCH)

    def append(self, type: EventType, data: Mapping[str, Any]) -> None:  # noqa: A002 - CloudEvents' word
        """Store one event; a heartbeat with nothing new in it is none."""
        if type is EventType.AGENT_HEARTBEAT:
            news = difference(self._told(), data)
            if not news:
                return  # and nothing is written, so that a quiet site wears no flash
            self._set_meta(_TOLD, _dump(data))
            data = self._take_unseen_heartbeats(news)
        elif type is EventType.AGENT_STARTED:
            self._set_meta(_TOLD, _dump(data))
        elif (told := self._told()) != (kept := lasting(told)):
            self._set_meta(_TOLD, _dump(kept))
        self._connection.execute(
            "INSERT INTO outbox (type, time, data) VALUES (?, ?, ?)",
            (type.value, format_time(self._clock.now()), _dump(data)),
        )
        rows, size = self._held()
        if rows > self._limits.rows or size > self._limits.size:
            self._compact(rows, size)

    def _take_unseen_heartbeats(self, news: Mapping[str, Any]) -> Mapping[str, Any]:
        """Take heartbeats that nobody has seen into a newer one, and return what it says now."""
        earlier = self._connection.execute(
            "SELECT data FROM outbox WHERE type = ? AND sequence IS NULL ORDER BY position", (_HEARTBEAT,)
        ).fetchall()
        if not earlier:
            return news
        self._connection.execute("DELETE FROM outbox WHERE type = ? AND sequence IS NULL", (_HEARTBEAT,))
        told: Mapping[str, Any] = {}
        for (text,) in earlier:
            told = merged(told, json.loads(text))
        return merged(told, news)

    def tell_all(self) -> None:
        """Have the next heartbeat say everything: who reads may not know what was told before."""
        self._set_meta(_TOLD, "{}")

    def count(self) -> int:
        """Return how many events wait to be acknowledged."""
        return self._held()[0]

    def backlog(self) -> Backlog:
        """Return how much waits, and whether something of it is urgent."""
        rows, size = self._held()
        types = {
            row[0]
            for row in self._connection.execute("SELECT DISTINCT type FROM outbox WHERE sequence IS NULL")
        }
        resent = self._connection.execute(
            "SELECT 1 FROM outbox WHERE sequence IS NOT NULL LIMIT 1"
        ).fetchone()
        urgent = resent is not None or not types.isdisjoint(_PROMPT)
        if not urgent and EventType.HEALTH_CHANGED.value in types:
            changes = self._connection.execute(
                "SELECT data FROM outbox WHERE sequence IS NULL AND type = ?",
                (EventType.HEALTH_CHANGED.value,),
            )
            urgent = any(is_urgent(EventType.HEALTH_CHANGED, json.loads(data)) for (data,) in changes)
        return Backlog(events=rows, size=size, urgent=urgent)

    def pending(self, limit: int, size: int | None = None) -> Sequence[Event]:
        """Number and return the oldest events that are not acknowledged.

        Args:
            limit: So many at most.
            size: So many bytes of data at most, but at least one event; None for any.
        """
        rows = self._connection.execute(
            "SELECT position, sequence, type, time, data FROM outbox ORDER BY position LIMIT ?",
            (limit,),
        ).fetchall()
        epoch = self.epoch
        last = before = self.numbered
        events: list[Event] = []
        taken = 0
        for position, number, type_, time, data in rows:
            taken += len(data.encode())
            if size is not None and taken > size and events:
                break
            sequence = number
            if sequence is None:
                last += 1
                sequence = last
                self._connection.execute(
                    "UPDATE outbox SET sequence = ? WHERE position = ?", (sequence, position)
                )
            events.append(
                Event(
                    site=self._site,
                    epoch=epoch,
                    sequence=sequence,
                    type=type_,
                    time=time,
                    data=json.loads(data),
                )
            )
        if last != before:
            self._set_meta(_SEQUENCE, str(last))
        return events

    @property
    def numbered(self) -> int:
        """The number given last, or 0."""
        return int(self._meta(_SEQUENCE))

    def withdraw(self, last: int) -> None:
        """Take back the numbers after `last`; only where it is certain that nobody has seen them."""
        self._connection.execute("UPDATE outbox SET sequence = NULL WHERE sequence > ?", (last,))
        self._set_meta(_SEQUENCE, str(last))

    def give_up(self, sequence: int, reason: str) -> None:
        """Put the count of one event in its place: a sink refuses it for good, and others wait behind it."""
        row = self._connection.execute(
            "SELECT type, time FROM outbox WHERE sequence = ?", (sequence,)
        ).fetchone()
        if row is None:
            return
        self._connection.execute(
            "UPDATE outbox SET type = ?, data = ? WHERE sequence = ?",
            (
                EventType.OUTBOX_COMPACTED.value,
                _dump({"dropped": {row[0]: 1}, "from": row[1], "to": row[1], "reason": reason}),
                sequence,
            ),
        )
        self.tell_all()

    def acknowledge(self, receipt: Receipt) -> None:
        """Forget all events up to and including the acknowledged one."""
        if receipt.epoch != self.epoch:
            return
        if receipt.acknowledged > self.numbered:
            self.renew()
            return
        self._connection.execute("DELETE FROM outbox WHERE sequence <= ?", (receipt.acknowledged,))

    def renew(self) -> str:
        """Begin a new epoch: everything that is still here is numbered anew. Return the epoch."""
        self._set_meta(_EPOCH, new_epoch())
        self._set_meta(_SEQUENCE, "0")
        self._connection.execute("UPDATE outbox SET sequence = NULL")
        self.tell_all()
        return self.epoch

    def _compact(self, rows: int, size: int) -> None:
        """Let unseen events go until a quarter of the room is free, and count them."""
        dropped: dict[str, int] = {}
        times: list[str] = []
        gone: list[int] = []
        candidates = self._connection.execute(
            "SELECT position, type, time, data FROM outbox"
            " WHERE sequence IS NULL AND type <> ? ORDER BY position",
            (_HEARTBEAT,),
        ).fetchall()[:-1]
        earlier = [row for row in candidates if row[1] == EventType.OUTBOX_COMPACTED.value]
        others = [row for row in candidates if row[1] != EventType.OUTBOX_COMPACTED.value]
        others.sort(key=lambda row: (_RANKS.get(row[1], _USUAL_RANK), row[0]))
        for place, type_, time, data in (*earlier, *others):
            if rows <= self._limits.rows * 3 // 4 and size <= self._limits.size * 3 // 4:
                break
            gone.append(place)
            rows, size = rows - 1, size - len(data.encode())
            if type_ == EventType.OUTBOX_COMPACTED.value:
                before = json.loads(data)
                for name, count in before["dropped"].items():
                    dropped[name] = dropped.get(name, 0) + count
                times += (before["from"], before["to"])
            else:
                dropped[type_] = dropped.get(type_, 0) + 1
                times.append(time)
        self._connection.executemany("DELETE FROM outbox WHERE position = ?", [(place,) for place in gone])
        if EventType.AGENT_STARTED.value in dropped:
            self.tell_all()
        position, first, last = (min(gone), min(times), max(times)) if gone else (None, "", "")
        if position is not None:
            self._connection.execute(
                "INSERT INTO outbox (position, type, time, data) VALUES (?, ?, ?, ?)",
                (
                    position,
                    EventType.OUTBOX_COMPACTED.value,
                    format_time(self._clock.now()),
                    _dump({"dropped": dropped, "from": first, "to": last}),
                ),
            )

    def _held(self) -> tuple[int, int]:
        row = self._connection.execute(
            "SELECT count(*), coalesce(sum(length(CAST(data AS BLOB))), 0) FROM outbox"
        ).fetchone()
        return int(row[0]), int(row[1])

    def _meta(self, key: str) -> str:
        row = self._connection.execute("SELECT value FROM meta WHERE key = ?", (key,)).fetchone()
        return str(row[0])

    def _set_meta(self, key: str, value: str) -> None:
        self._connection.execute("INSERT OR REPLACE INTO meta (key, value) VALUES (?, ?)", (key, value))

    def _told(self) -> Mapping[str, Any]:
        row = self._connection.execute("SELECT value FROM meta WHERE key = ?", (_TOLD,)).fetchone()
        found: Mapping[str, Any] = {} if row is None else json.loads(row[0])
        return found


def _dump(data: Mapping[str, Any]) -> str:
    return json.dumps(data, separators=(",", ":"), sort_keys=True, ensure_ascii=False)
