"""A hub's database in one SQLite file: WAL, one writer, a connection for each thread that reads."""

from __future__ import annotations

import contextlib
import fcntl
import os
import sqlite3
import threading
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from reconciler.adapters.hub_store.sql import MIGRATIONS, Cursor, SqlHubStore
from reconciler.errors import StateError

__all__ = ["SqliteHubStore"]


class SqliteHubStore(SqlHubStore):
    """A database in a file.

    Args:
        path: The file; made, readable by its owner alone, where it is not there.
        exclusive: Whether this is the one that writes events.

    Raises:
        StateError: It cannot be used, or another hub uses it.
    """

    def __init__(self, path: Path, *, exclusive: bool = True) -> None:
        self._path = path
        self._local = threading.local()
        self._open: list[sqlite3.Connection] = []
        self._lock = threading.Lock()
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
            self._guard = os.open(f"{path}.lock", os.O_RDWR | os.O_CREAT, 0o600)
            if exclusive:
                fcntl.flock(self._guard, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as err:
            raise StateError(
                f"another hub uses {path}",
                code="database-in-use",
                hint="end it, or give this one another file",
            ) from err
        except OSError as err:
            raise StateError(f"{path} cannot be used: {err.strerror}", code="database") from err
        self._migrate()

    def backup(self, path: str) -> None:
        """Write a consistent copy to a file that is not there yet."""
        if Path(path).exists():
            raise StateError(f"{path} is there already", code="backup-exists", hint="choose a new file")
        with self._translated():
            self._connection().execute("VACUUM INTO ?", (path,))
        Path(path).chmod(0o600)

    def describe(self) -> Mapping[str, Any]:
        """Return what kind of database it is, and its size in bytes."""
        return {"kind": "sqlite", "bytes": self._path.stat().st_size}

    def close(self) -> None:
        """Close it."""
        with self._lock:
            for connection in self._open:
                connection.close()
            self._open.clear()
        os.close(self._guard)

    def _connection(self) -> sqlite3.Connection:
        connection: sqlite3.Connection | None = getattr(self._local, "connection", None)
        if connection is None:
            connection = sqlite3.connect(self._path, isolation_level=None, check_same_thread=False)
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute("PRAGMA synchronous = FULL")
            connection.execute("PRAGMA busy_timeout = 10000")
            connection.execute("PRAGMA cache_size = -16384")
            connection.execute("PRAGMA journal_size_limit = 67108864")
            self._local.connection = connection
            with self._lock:
                self._open.append(connection)
        return connection

    @contextlib.contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.Error as err:
            raise StateError(f"the database {self._path} cannot be used: {err}", code="database") from err

    @contextlib.contextmanager
    def _transaction(self, *, write: bool) -> Iterator[Cursor]:
        with self._translated():
            connection = self._connection()
            connection.execute("BEGIN IMMEDIATE" if write else "BEGIN")
            try:
                yield connection.cursor()
                connection.execute("COMMIT")
            except BaseException:
                if connection.in_transaction:
                    connection.execute("ROLLBACK")
                raise

    def _insert_events(self, cursor: Cursor, rows: Iterator[tuple[Any, ...]]) -> None:
        cursor.executemany(
            "INSERT INTO events (site, epoch, sequence, type, time, received, data)"
            " VALUES (?, ?, ?, ?, ?, ?, ?)",
            rows,
        )

    def _migrate(self) -> None:
        with self._transaction(write=True) as cursor:
            cursor.execute("PRAGMA user_version")
            version = cursor.fetchone()[0]
            if version > len(MIGRATIONS):
                raise StateError(
                    f"the database {self._path} was made by a newer version", code="database-newer"
                )
            for statements in MIGRATIONS[version:]:
                for statement in statements:
                    cursor.execute(statement.format(number="INTEGER PRIMARY KEY AUTOINCREMENT"))
            cursor.execute(f"PRAGMA user_version = {len(MIGRATIONS)}")
