"""The agent's state: one SQLite file with what it needs to go on after any crash, also without git.

The file is private (mode 0600), in WAL mode, and every transaction reaches the disk before it counts.
A file that is lost or corrupt is set aside and begun anew, in a new epoch: what is at the site stays,
because its inventory is kept at the site too, and nothing is deleted until a revision was loaded whole.
"""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import json
import sqlite3
import zlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from reconciler.adapters.sqlite_file import FILE_NAME, StateCorrupted, prepare, set_aside, translated
from reconciler.adapters.sqlite_outbox import OutboxLimits, SqliteOutbox, format_time
from reconciler.errors import StateError
from reconciler.model.event import EventType
from reconciler.model.resource import ResourceId
from reconciler.ports.clock import Clock
from reconciler.ports.outbox import Backlog

__all__ = [
    "Attempt",
    "Condition",
    "Fault",
    "GoodRevision",
    "StateCorrupted",
    "StateStore",
    "SyncRecord",
    "Transaction",
    "read_only",
]

#: How many ends of syncs are kept.
_SYNCS_KEPT = 5


@dataclass(frozen=True, slots=True)
class GoodRevision:
    """The last revision that was applied whole.

    Attributes:
        commit: The full commit id.
        applied_at: RFC 3339 time.
        content: Everything that is needed to apply it again; opaque here.
    """

    commit: str
    applied_at: str
    content: bytes


@dataclass(frozen=True, slots=True)
class Attempt:
    """The revision that was looked at last.

    Attributes:
        commit: The full commit id.
        phase: `applying`, `applied`, `denied`, `held` or `failed`.
        reason: A stable code, or "".
        failures: How often it has failed in a row.
        started_at: RFC 3339 time.
        objects: What it set out to change, in all its runs.
        digests: Of inputs, rules and verdict, where the rules allowed it.
    """

    commit: str
    phase: str
    reason: str = ""
    failures: int = 0
    started_at: str = ""
    objects: frozenset[ResourceId] = frozenset()
    digests: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class SyncRecord:
    """How one look at a revision ended.

    Attributes:
        commit: The full commit id.
        phase: As in `Attempt`, but never `applying`.
        reason: A stable code, or "".
        at: RFC 3339 time at which it ended so for the last time.
        digests: Of inputs, rules and verdict, where the rules allowed it.
    """

    commit: str
    phase: str
    reason: str
    at: str
    digests: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Condition:
    """The site's state in a word, and why.

    Attributes:
        state: Ready, Progressing, Degraded, RolledBack, Held, Suspended, OutOfSync or Unknown.
        reason: A stable code in CamelCase.
        message: One sentence.
        since: RFC 3339 time at which `state` and `reason` began.
    """

    state: str
    reason: str = ""
    message: str = ""
    since: str = ""


@dataclass(frozen=True, slots=True)
class Fault:
    """Something outside that does not work for the time being.

    Attributes:
        code: A stable code.
        message: One sentence.
        since: RFC 3339 time at which it began.
    """

    code: str
    message: str
    since: str


class Transaction:
    """Changes that are stored together, with the events that report them, or not at all."""

    def __init__(self, connection: sqlite3.Connection, outbox: SqliteOutbox, clock: Clock) -> None:
        self._connection = connection
        self._clock = clock
        self.outbox = outbox
        self.emitted: list[tuple[EventType, Mapping[str, Any]]] = []

    def set_good(self, commit: str, content: bytes) -> None:
        """Record a revision as the last good one."""
        packed = zlib.compress(content, 9)
        self._connection.execute(
            "INSERT OR REPLACE INTO good (id, commit_id, applied_at, digest, content) VALUES (1, ?, ?, ?, ?)",
            (commit, format_time(self._clock.now()), hashlib.sha256(content).hexdigest(), packed),
        )

    def set_attempt(self, attempt: Attempt) -> None:
        """Record the revision that is being looked at, and how far it came; an end goes into the history."""
        digests = json.dumps(dict(attempt.digests))
        self._connection.execute(
            "INSERT OR REPLACE INTO attempt"
            " (id, commit_id, phase, reason, failures, started_at, objects, digests)"
            " VALUES (1, ?, ?, ?, ?, ?, ?, ?)",
            (
                attempt.commit,
                attempt.phase,
                attempt.reason,
                attempt.failures,
                attempt.started_at or format_time(self._clock.now()),
                json.dumps([dataclasses.astuple(id_) for id_ in sorted(attempt.objects)]),
                digests,
            ),
        )
        if attempt.phase != "applying":
            self._remember(attempt, digests)

    def _remember(self, attempt: Attempt, digests: str) -> None:
        """Add an end to the history; the same end of the same revision only renews its time."""
        now = format_time(self._clock.now())
        last = self._connection.execute(
            "SELECT id, commit_id, phase, reason FROM history ORDER BY id DESC LIMIT 1"
        ).fetchone()
        if last is not None and last[1:] == (attempt.commit, attempt.phase, attempt.reason):
            self._connection.execute("UPDATE history SET at = ? WHERE id = ?", (now, last[0]))
            return
        self._connection.execute(
            "INSERT INTO history (commit_id, phase, reason, at, digests) VALUES (?, ?, ?, ?, ?)",
            (attempt.commit, attempt.phase, attempt.reason, now, digests),
        )
        self._connection.execute(
            "DELETE FROM history WHERE id NOT IN (SELECT id FROM history ORDER BY id DESC LIMIT ?)",
            (_SYNCS_KEPT,),
        )

    def set_note(self, name: str, value: str) -> None:
        """Keep a small value by name."""
        self._connection.execute("INSERT OR REPLACE INTO note (name, value) VALUES (?, ?)", (name, value))

    def set_condition(self, condition: Condition) -> Condition:
        """Record the site's state; `since` stays where state and reason stay. Return it with its `since`."""
        row = self._connection.execute("SELECT state, reason, since FROM condition").fetchone()
        same = row is not None and (row[0], row[1]) == (condition.state, condition.reason)
        since = row[2] if same else condition.since or format_time(self._clock.now())
        self._connection.execute(
            "INSERT OR REPLACE INTO condition (id, state, reason, message, since) VALUES (1, ?, ?, ?, ?)",
            (condition.state, condition.reason, condition.message, since),
        )
        return dataclasses.replace(condition, since=since)

    def begin_fault(self, name: str, code: str, message: str) -> bool:
        """Record that something does not work, and tell whether that is new."""
        known = self._connection.execute(
            "UPDATE fault SET code = ?, message = ? WHERE name = ?", (code, message, name)
        ).rowcount
        if not known:
            self._connection.execute(
                "INSERT INTO fault (name, code, message, since) VALUES (?, ?, ?, ?)",
                (name, code, message, format_time(self._clock.now())),
            )
        return not known

    def end_fault(self, name: str) -> bool:
        """Record that something works again, and tell whether it did not before."""
        return bool(self._connection.execute("DELETE FROM fault WHERE name = ?", (name,)).rowcount)

    def set_inventory(self, content: bytes) -> None:
        """Record a copy of the target's inventory."""
        self._connection.execute(
            "INSERT OR REPLACE INTO inventory (id, content) VALUES (1, ?)", (zlib.compress(content),)
        )

    def emit(self, type: EventType, data: Mapping[str, Any]) -> None:  # noqa: A002 - CloudEvents' word
        """Report something."""
        self.outbox.append(type, data)
        self.emitted.append((type, data))


class StateStore:
    """One open state file. It belongs to the thread that opened it.

    Args:
        connection: A connection in autocommit mode to a file of the newest schema.
        path: The file.
        clock: For times that are recorded.
        loss: Why the state was begun anew: "" where it was not, `new`, or what was wrong with the file.
        limits: How much the outbox may hold.

    Attributes:
        on_event: Is told of every event once it is stored.
    """

    def __init__(
        self,
        connection: sqlite3.Connection,
        *,
        path: Path,
        clock: Clock,
        loss: str = "",
        limits: OutboxLimits | None = None,
    ) -> None:
        self._connection = connection
        self._path = path
        self._clock = clock
        self._inode = path.stat().st_ino
        self.loss = loss
        self.on_event: Callable[[EventType, Mapping[str, Any]], None] = lambda _type, _data: None
        row = connection.execute("SELECT value FROM meta WHERE key = 'site'").fetchone()
        if row is None:
            raise StateError(f"{path} is being made; nothing is in it yet", code="state-missing")
        self.site = str(row[0])
        self._outbox = SqliteOutbox(connection, site=self.site, clock=clock, limits=limits)

    @classmethod
    def open(
        cls, directory: Path, *, site: str, clock: Clock, limits: OutboxLimits | None = None
    ) -> StateStore:
        """Open the state in a directory; make it where there is none, or none that can be read.

        Raises:
            StateError: The directory cannot be written, is full, or holds another site's state.
        """
        path = directory / FILE_NAME
        with translated(path):
            directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        loss = "" if path.exists() else "new"
        try:
            connection = prepare(path, site)
        except StateCorrupted as err:
            loss = err.message
            set_aside(path, clock.now())
            connection = prepare(path, site)
        return cls(connection, path=path, clock=clock, loss=loss, limits=limits)

    @classmethod
    def attach(cls, directory: Path, *, clock: Clock, limits: OutboxLimits | None = None) -> StateStore:
        """Open the state that another thread of this agent has made ready.

        Raises:
            StateError: There is none, or it cannot be used.
        """
        path = directory / FILE_NAME
        with translated(path):
            connection = sqlite3.connect(
                f"{path.absolute().as_uri()}?mode=rw", uri=True, isolation_level=None
            )
            try:
                connection.execute("PRAGMA busy_timeout = 5000")
                connection.execute("PRAGMA synchronous = FULL")
                connection.execute("PRAGMA cache_size = -512")
                return cls(connection, path=path, clock=clock, limits=limits)
            except BaseException:
                connection.close()
                raise

    def close(self) -> None:
        """Close the file."""
        self._connection.close()

    def is_lost(self) -> bool:
        """Tell whether the file at the path is no longer the one that was opened."""
        try:
            return self._path.stat().st_ino != self._inode
        except FileNotFoundError:
            return True

    @contextlib.contextmanager
    def transaction(self) -> Iterator[Transaction]:
        """Hold a transaction; it is durable when the block is left, and undone where it raises.

        Raises:
            StateError: It could not be stored.
        """
        with translated(self._path):
            self._connection.execute("BEGIN IMMEDIATE")
            transaction = Transaction(self._connection, self._outbox, self._clock)
            try:
                yield transaction
                self._connection.execute("COMMIT")
            except BaseException:
                if self._connection.in_transaction:
                    self._connection.execute("ROLLBACK")
                raise
        for type_, data in transaction.emitted:
            self.on_event(type_, data)

    @property
    def epoch(self) -> str:
        """The id of the outbox's life."""
        with translated(self._path):
            return self._outbox.epoch

    def good(self) -> GoodRevision | None:
        """Return the last good revision.

        Raises:
            StateCorrupted: It is not what was stored.
        """
        with translated(self._path):
            row = self._connection.execute(
                "SELECT commit_id, applied_at, digest, content FROM good"
            ).fetchone()
        if row is None:
            return None
        try:
            content = zlib.decompress(row[3])
        except zlib.error as err:
            raise StateCorrupted(
                f"the last good revision in {self._path} is damaged", code="state-corrupt"
            ) from err
        if hashlib.sha256(content).hexdigest() != row[2]:
            raise StateCorrupted(
                f"the last good revision in {self._path} is not what was stored", code="state-corrupt"
            )
        return GoodRevision(commit=row[0], applied_at=row[1], content=content)

    def good_commit(self) -> str:
        """Return the last good commit's id, or ""."""
        with translated(self._path):
            row = self._connection.execute("SELECT commit_id FROM good").fetchone()
        return "" if row is None else str(row[0])

    def good_applied_at(self) -> str:
        """Return when the last good revision was applied, or ""."""
        with translated(self._path):
            row = self._connection.execute("SELECT applied_at FROM good").fetchone()
        return "" if row is None else str(row[0])

    def attempt(self) -> Attempt | None:
        """Return the revision that was looked at last."""
        with translated(self._path):
            row = self._connection.execute(
                "SELECT commit_id, phase, reason, failures, started_at, objects, digests FROM attempt"
            ).fetchone()
        if row is None:
            return None
        commit, phase, reason, failures, started_at, objects, digests = row
        ids = frozenset(ResourceId(*parts) for parts in json.loads(objects))
        return Attempt(commit, phase, reason, failures, started_at, ids, json.loads(digests))

    def syncs(self) -> tuple[SyncRecord, ...]:
        """Return how the last syncs ended, the newest first."""
        with translated(self._path):
            rows = self._connection.execute(
                "SELECT commit_id, phase, reason, at, digests FROM history ORDER BY id DESC"
            ).fetchall()
        return tuple(
            SyncRecord(commit, phase, reason, at, json.loads(digests))
            for commit, phase, reason, at, digests in rows
        )

    def note(self, name: str) -> str:
        """Return a small value that was kept, or ""."""
        with translated(self._path):
            row = self._connection.execute("SELECT value FROM note WHERE name = ?", (name,)).fetchone()
        return "" if row is None else str(row[0])

    def condition(self) -> Condition | None:
        """Return the site's state, or None where nothing is known yet."""
        with translated(self._path):
            row = self._connection.execute("SELECT state, reason, message, since FROM condition").fetchone()
        return None if row is None else Condition(*row)

    def faults(self) -> Mapping[str, Fault]:
        """Return what does not work for the time being, by name."""
        with translated(self._path):
            rows = self._connection.execute(
                "SELECT name, code, message, since FROM fault ORDER BY name"
            ).fetchall()
        return {name: Fault(code, message, since) for name, code, message, since in rows}

    def inventory(self) -> bytes | None:
        """Return the copy of the target's inventory."""
        with translated(self._path):
            row = self._connection.execute("SELECT content FROM inventory").fetchone()
        if row is None:
            return None
        try:
            return zlib.decompress(row[0])
        except zlib.error as err:
            raise StateCorrupted(f"the inventory in {self._path} is damaged", code="state-corrupt") from err

    def backlog(self) -> Backlog:
        """Return how much waits, and whether something of it is urgent."""
        with translated(self._path):
            return self._outbox.backlog()

    def pending(self) -> int:
        """Return how many events wait."""
        with translated(self._path):
            return self._outbox.count()


def read_only(directory: Path, *, clock: Clock) -> StateStore:
    """Open a state for reading, beside a running agent.

    Raises:
        StateError: There is none, or it cannot be read.
    """
    path = directory / FILE_NAME if directory.is_dir() else directory
    if not path.exists():
        raise StateError(
            f"there is no agent's state in {directory}",
            code="state-missing",
            hint="--state names the folder that the agent was started with",
        )
    with translated(path):
        connection = sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True, isolation_level=None)
        try:
            connection.execute("PRAGMA busy_timeout = 5000")
            return StateStore(connection, path=path, clock=clock)
        except BaseException:
            connection.close()
            raise
