"""The outbox in the agent's SQLite file.

Rows are kept in the order in which they were appended. A row gets its sequence number when it is
handed out for the first time; until then a newer snapshot replaces an older one of its kind, and the
oldest rows give way when the outbox is full. What had to go is counted in an event of its own.
"""

from __future__ import annotations

import datetime
import json
import secrets
import sqlite3
from collections.abc import Mapping, Sequence
from typing import Any

from reconciler.model.event import Event, EventType, Receipt
from reconciler.ports.clock import Clock

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

#: Only the newest of these says anything, so an older one that nobody has seen is replaced.
_SNAPSHOTS = frozenset({EventType.AGENT_HEARTBEAT})


def new_epoch() -> str:
    """Return the id of a new life of an outbox; nobody ever had it before."""
    return secrets.token_hex(8)


def format_time(moment: datetime.datetime) -> str:
    """Format an aware time as RFC 3339 in UTC, in milliseconds."""
    text = moment.astimezone(datetime.UTC).isoformat(timespec="milliseconds")
    return text.replace("+00:00", "Z")


class OutboxLimits:
    """How much an outbox may hold before the oldest events that nobody has seen are compacted.

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
        return self._meta("epoch")

    def append(self, type: EventType, data: Mapping[str, Any]) -> None:  # noqa: A002 - CloudEvents' word
        """Store one event."""
        if type in _SNAPSHOTS:
            self._connection.execute("DELETE FROM outbox WHERE type = ? AND sequence IS NULL", (type.value,))
        self._connection.execute(
            "INSERT INTO outbox (type, time, data) VALUES (?, ?, ?)",
            (type.value, format_time(self._clock.now()), _dump(data)),
        )
        rows, size = self._held()
        if rows > self._limits.rows or size > self._limits.size:
            self._compact(rows, size)

    def count(self) -> int:
        """Return how many events wait to be acknowledged."""
        return self._held()[0]

    def pending(self, limit: int) -> Sequence[Event]:
        """Number and return the oldest events that are not acknowledged, at most `limit` of them."""
        rows = self._connection.execute(
            "SELECT position, sequence, type, time, data FROM outbox ORDER BY position LIMIT ?", (limit,)
        ).fetchall()
        epoch = self.epoch
        last = self.numbered
        events = []
        for position, number, type_, time, data in rows:
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
        self._set_meta("sequence", str(last))
        return events

    @property
    def numbered(self) -> int:
        """The number given last, or 0."""
        return int(self._meta("sequence"))

    def withdraw(self, last: int) -> None:
        """Take back the numbers after `last`; only where it is certain that nobody has seen them."""
        self._connection.execute("UPDATE outbox SET sequence = NULL WHERE sequence > ?", (last,))
        self._set_meta("sequence", str(last))

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
        self._set_meta("epoch", new_epoch())
        self._set_meta("sequence", "0")
        self._connection.execute("UPDATE outbox SET sequence = NULL")
        return self.epoch

    def _compact(self, rows: int, size: int) -> None:
        """Let the oldest unseen events go until a quarter of the room is free, and count them."""
        dropped: dict[str, int] = {}
        first = last = ""
        position = None
        candidates = self._connection.execute(
            "SELECT position, type, time, data FROM outbox WHERE sequence IS NULL ORDER BY position"
        ).fetchall()
        for place, type_, time, data in candidates[:-1]:
            if rows <= self._limits.rows * 3 // 4 and size <= self._limits.size * 3 // 4:
                break
            position = place if position is None else position
            if type_ == EventType.OUTBOX_COMPACTED.value:
                earlier = json.loads(data)
                for name, count in earlier["dropped"].items():
                    dropped[name] = dropped.get(name, 0) + count
                first, last = first or earlier["from"], earlier["to"]
            else:
                dropped[type_] = dropped.get(type_, 0) + 1
                first, last = first or time, time
            self._connection.execute("DELETE FROM outbox WHERE position = ?", (place,))
            rows, size = rows - 1, size - len(data)
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
            "SELECT count(*), coalesce(sum(length(data)), 0) FROM outbox"
        ).fetchone()
        return int(row[0]), int(row[1])

    def _meta(self, key: str) -> str:
        row = self._connection.execute("SELECT value FROM meta WHERE key = ?", (key,)).fetchone()
        return str(row[0])

    def _set_meta(self, key: str, value: str) -> None:
        self._connection.execute("UPDATE meta SET value = ? WHERE key = ?", (value, key))


def _dump(data: Mapping[str, Any]) -> str:
    return json.dumps(data, separators=(",", ":"), sort_keys=True, ensure_ascii=False)
