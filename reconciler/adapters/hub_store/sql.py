"""What both databases have in common: the tables, and every statement but the fastest."""

from __future__ import annotations

import abc
import dataclasses
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Any, Protocol

from reconciler.model.event import Event
from reconciler.model.site_record import SiteRecord
from reconciler.ports.hub_store import Known, RevisionRow, StoredEvent, TokenRow, WebhookRow, Write

__all__ = ["MIGRATIONS", "Cursor", "SqlHubStore", "dump", "event_row"]

#: Statements by the version that they lead to. `{number}` is the type of a number that counts up by itself.
MIGRATIONS: tuple[tuple[str, ...], ...] = (
    (
        "CREATE TABLE sites (name TEXT PRIMARY KEY, record TEXT NOT NULL)",
        "CREATE TABLE epochs (site TEXT NOT NULL, epoch TEXT NOT NULL, acknowledged BIGINT NOT NULL,"
        " PRIMARY KEY (site, epoch))",
        "CREATE TABLE events (number {number}, site TEXT NOT NULL, epoch TEXT NOT NULL,"
        " sequence BIGINT NOT NULL, type TEXT NOT NULL, time TEXT NOT NULL,"
        " received DOUBLE PRECISION NOT NULL, data TEXT NOT NULL,"
        " UNIQUE (site, epoch, sequence))",
        "CREATE INDEX events_of_site ON events (site, number)",
        "CREATE TABLE revisions (commit_id TEXT PRIMARY KEY, subject TEXT NOT NULL,"
        " first_seen DOUBLE PRECISION NOT NULL)",
        "CREATE TABLE tokens (id TEXT PRIMARY KEY, kind TEXT NOT NULL, subject TEXT NOT NULL,"
        " role TEXT NOT NULL, digest TEXT NOT NULL,"
        " created DOUBLE PRECISION NOT NULL, expires DOUBLE PRECISION NOT NULL)",
        "CREATE TABLE webhooks (id TEXT PRIMARY KEY, url TEXT NOT NULL, secret TEXT NOT NULL,"
        " types TEXT NOT NULL, sent BIGINT NOT NULL)",
    ),
    ("ALTER TABLE webhooks ADD COLUMN trouble TEXT NOT NULL DEFAULT ''",),
)

_EVENT = "number, site, epoch, sequence, type, time, received, data"


class Cursor(Protocol):
    """As much of a database cursor as is used here."""

    @property
    def rowcount(self) -> int:
        """How many rows the last statement changed."""

    def execute(self, statement: str, values: Sequence[Any] = (), /) -> Any:
        """Carry out a statement."""

    def executemany(self, statement: str, rows: Iterable[Sequence[Any]], /) -> Any:
        """Carry out a statement for each row."""

    def fetchall(self) -> list[Any]:
        """Return the rows that are left."""

    def fetchone(self) -> Any:
        """Return the next row."""


def dump(value: Any) -> str:
    """Return JSON text without spaces."""
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False)


def event_row(event: Event, received: float) -> tuple[Any, ...]:
    """Return an event as a row, without its number."""
    return (
        event.site,
        event.epoch,
        event.sequence,
        event.type,
        event.time,
        received,
        dump(dict(event.data)),
    )


class SqlHubStore(abc.ABC):
    """A hub's database. Statements are written with `?`; an adapter translates them."""

    @abc.abstractmethod
    def _transaction(self, *, write: bool) -> AbstractContextManager[Cursor]:
        """Hold a transaction on this thread's connection; errors come out as `StateError`."""

    @abc.abstractmethod
    def _insert_events(self, cursor: Cursor, rows: Iterator[tuple[Any, ...]]) -> None:
        """Insert events in order."""

    def load(self) -> Known:
        """Return what is held in memory."""
        with self._transaction(write=False) as cursor:
            cursor.execute("SELECT name, record FROM sites")
            records = {name: _record(text) for name, text in cursor.fetchall()}
            cursor.execute("SELECT site, epoch, acknowledged FROM epochs")
            epochs: dict[str, dict[str, int]] = {}
            for site, epoch, acknowledged in cursor.fetchall():
                epochs.setdefault(site, {})[epoch] = acknowledged
            cursor.execute("SELECT commit_id, subject, first_seen FROM revisions")
            revisions = {row[0]: RevisionRow(*row) for row in cursor.fetchall()}
            cursor.execute("SELECT max(number) FROM events")
            newest = cursor.fetchone()[0] or 0
        return Known(records, epochs, revisions, newest)

    def write(self, writes: Sequence[Write], revisions: Iterable[RevisionRow]) -> int:
        """Store all of it in one transaction, or nothing; return the number of the newest event."""
        records = {item.record.name: item.record for item in writes}
        epochs = {(item.record.name, item.epoch): item.acknowledged for item in writes if item.acknowledged}
        with self._transaction(write=True) as cursor:
            self._insert_events(
                cursor, (event_row(event, item.received) for item in writes for event in item.new)
            )
            cursor.executemany(
                "INSERT INTO epochs (site, epoch, acknowledged) VALUES (?, ?, ?)"
                " ON CONFLICT (site, epoch) DO UPDATE SET acknowledged = excluded.acknowledged",
                [(site, epoch, acknowledged) for (site, epoch), acknowledged in sorted(epochs.items())],
            )
            cursor.executemany(
                "INSERT INTO sites (name, record) VALUES (?, ?)"
                " ON CONFLICT (name) DO UPDATE SET record = excluded.record",
                [(name, dump(_fields(record))) for name, record in sorted(records.items())],
            )
            cursor.executemany(
                "INSERT INTO revisions (commit_id, subject, first_seen) VALUES (?, ?, ?)"
                " ON CONFLICT (commit_id) DO UPDATE SET subject = excluded.subject,"
                " first_seen = excluded.first_seen",
                [(row.commit, row.subject, row.first_seen) for row in revisions],
            )
            if not any(item.new for item in writes):
                return 0
            cursor.execute("SELECT max(number) FROM events")
            return int(cursor.fetchone()[0])

    def stored(self, site: str, epoch: str, first: int, last: int) -> Mapping[int, Event]:
        """Return the events of an epoch between two numbers, as far as they are kept."""
        with self._transaction(write=False) as cursor:
            cursor.execute(
                f"SELECT {_EVENT} FROM events WHERE site = ? AND epoch = ? AND sequence BETWEEN ? AND ?",  # noqa: S608 - names of our own columns
                (site, epoch, first, last),
            )
            return {row[3]: _stored(row).event for row in cursor.fetchall()}

    def at(self, site: str, times: Sequence[str]) -> Sequence[Event]:
        """Return the events of a site that bear one of these times, as far as they are kept."""
        unique = sorted(set(times))
        found: list[Event] = []
        with self._transaction(write=False) as cursor:
            for start in range(0, len(unique), 500):
                some = unique[start : start + 500]
                cursor.execute(
                    f"SELECT {_EVENT} FROM events WHERE site = ?"  # noqa: S608 - values are parameters
                    f" AND time IN ({', '.join('?' * len(some))})",
                    (site, *some),
                )
                found += [_stored(row).event for row in cursor.fetchall()]
        return found

    def events(
        self, *, after: int, before: int, site: str, types: Sequence[str], limit: int, newest_first: bool
    ) -> Sequence[StoredEvent]:
        """Return events with numbers between `after` and `before` (0 for no end), both exclusive."""
        where, values = ["number > ?"], [after]
        terms: list[Any] = values
        if before:
            where.append("number < ?")
            terms.append(before)
        if site:
            where.append("site = ?")
            terms.append(site)
        if types:
            where.append(f"type IN ({', '.join('?' * len(types))})")
            terms.extend(types)
        order = "DESC" if newest_first else "ASC"
        with self._transaction(write=False) as cursor:
            cursor.execute(
                f"SELECT {_EVENT} FROM events WHERE {' AND '.join(where)} ORDER BY number {order} LIMIT ?",  # noqa: S608 - values are parameters
                (*terms, limit),
            )
            return [_stored(row) for row in cursor.fetchall()]

    def prune(self, before: float, limit: int) -> int:
        """Forget up to `limit` events that were received before a time, and return how many."""
        with self._transaction(write=True) as cursor:
            cursor.execute("SELECT number, received FROM events ORDER BY number LIMIT ?", (limit,))
            old = [number for number, received in cursor.fetchall() if received < before]
            if old:
                cursor.execute("DELETE FROM events WHERE number <= ?", (old[-1],))
        return len(old)

    def remove_site(self, name: str) -> None:
        """Forget a site, its events and its tokens."""
        with self._transaction(write=True) as cursor:
            cursor.execute("DELETE FROM events WHERE site = ?", (name,))
            cursor.execute("DELETE FROM epochs WHERE site = ?", (name,))
            cursor.execute("DELETE FROM sites WHERE name = ?", (name,))
            cursor.execute("DELETE FROM tokens WHERE kind = 'site' AND subject = ?", (name,))

    def tokens(self) -> Sequence[TokenRow]:
        """Return all tokens."""
        with self._transaction(write=False) as cursor:
            cursor.execute(
                "SELECT id, kind, subject, role, digest, created, expires FROM tokens ORDER BY created, id"
            )
            return [TokenRow(*row) for row in cursor.fetchall()]

    def token(self, id: str) -> TokenRow | None:  # noqa: A002 - the field's word
        """Return one token, or None."""
        with self._transaction(write=False) as cursor:
            cursor.execute(
                "SELECT id, kind, subject, role, digest, created, expires FROM tokens WHERE id = ?", (id,)
            )
            row = cursor.fetchone()
        return None if row is None else TokenRow(*row)

    def save_token(self, token: TokenRow) -> None:
        """Store a token."""
        with self._transaction(write=True) as cursor:
            cursor.execute(
                "INSERT INTO tokens (id, kind, subject, role, digest, created, expires)"
                " VALUES (?, ?, ?, ?, ?, ?, ?)"
                " ON CONFLICT (id) DO UPDATE SET expires = excluded.expires",
                dataclasses.astuple(token),
            )

    def delete_token(self, id: str) -> bool:  # noqa: A002 - the field's word
        """Forget a token and tell whether there was one."""
        with self._transaction(write=True) as cursor:
            cursor.execute("DELETE FROM tokens WHERE id = ?", (id,))
            return cursor.rowcount > 0

    def webhooks(self) -> Sequence[WebhookRow]:
        """Return all webhooks."""
        with self._transaction(write=False) as cursor:
            cursor.execute("SELECT id, url, secret, types, sent, trouble FROM webhooks ORDER BY id")
            return [
                WebhookRow(id_, url, secret, tuple(types.split()), sent, trouble)
                for id_, url, secret, types, sent, trouble in cursor.fetchall()
            ]

    def save_webhook(self, webhook: WebhookRow) -> None:
        """Store a webhook, or its progress."""
        with self._transaction(write=True) as cursor:
            cursor.execute(
                "INSERT INTO webhooks (id, url, secret, types, sent, trouble) VALUES (?, ?, ?, ?, ?, ?)"
                " ON CONFLICT (id) DO UPDATE SET url = excluded.url, secret = excluded.secret,"
                " types = excluded.types, sent = excluded.sent, trouble = excluded.trouble",
                (
                    webhook.id,
                    webhook.url,
                    webhook.secret,
                    " ".join(webhook.types),
                    webhook.sent,
                    webhook.trouble,
                ),
            )

    def delete_webhook(self, id: str) -> bool:  # noqa: A002 - the field's word
        """Forget a webhook and tell whether there was one."""
        with self._transaction(write=True) as cursor:
            cursor.execute("DELETE FROM webhooks WHERE id = ?", (id,))
            return cursor.rowcount > 0


def _fields(record: SiteRecord) -> dict[str, Any]:
    """Return what differs from a record of which nothing is known."""
    empty = SiteRecord(record.name)
    found = {}
    for field in dataclasses.fields(record):
        value = getattr(record, field.name)
        if value != getattr(empty, field.name) and field.name != "name":
            found[field.name] = value
    return {"name": record.name, **found}


def _record(text: str) -> SiteRecord:
    known = {field.name for field in dataclasses.fields(SiteRecord)}
    values = {name: value for name, value in json.loads(text).items() if name in known}
    for name in ("findings", "drift", "faults", "twinned"):
        if name in values:
            values[name] = tuple(values[name])
    return SiteRecord(**values)


def _stored(row: Sequence[Any]) -> StoredEvent:
    number, site, epoch, sequence, type_, time, received, data = row
    event = Event(site=site, epoch=epoch, sequence=sequence, type=type_, time=time, data=json.loads(data))
    return StoredEvent(number=number, event=event, received=received)
