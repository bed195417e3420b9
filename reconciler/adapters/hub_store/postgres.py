"""A hub's database in PostgreSQL: one connection for each thread, and a lock so that one hub alone writes."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import psycopg

from reconciler.adapters.hub_store.sql import MIGRATIONS, Cursor, SqlHubStore
from reconciler.errors import StateError

__all__ = ["PostgresHubStore"]

#: Any number will do, as long as it stays.
_LOCK = 7_429_653_128


class _Translating:
    """A cursor that takes `?` for a parameter."""

    def __init__(self, cursor: psycopg.Cursor[Any]) -> None:
        self.real = cursor

    @property
    def rowcount(self) -> int:
        """How many rows the last statement changed."""
        return self.real.rowcount

    def execute(self, statement: str, values: Sequence[Any] = ()) -> Any:
        """Carry out a statement."""
        return self.real.execute(statement.replace("?", "%s").encode(), values)

    def executemany(self, statement: str, rows: Iterable[Sequence[Any]]) -> Any:
        """Carry out a statement for each row."""
        return self.real.executemany(statement.replace("?", "%s").encode(), rows)

    def fetchall(self) -> list[Any]:
        """Return the rows that are left."""
        return self.real.fetchall()

    def fetchone(self) -> Any:
        """Return the next row."""
        return self.real.fetchone()


class PostgresHubStore(SqlHubStore):
    """A database at a URL.

    Args:
        url: As libpq reads it; it may hold a password, so it is never shown.
        exclusive: Whether this is the one that writes events.

    Raises:
        StateError: It cannot be used, or another hub uses it.
    """

    def __init__(self, url: str, *, exclusive: bool = True) -> None:
        self._url = url
        self._local = threading.local()
        self._open: list[psycopg.Connection[Any]] = []
        self._lock = threading.Lock()
        with self._translated():
            self._guard = psycopg.connect(url, autocommit=True, connect_timeout=10)
            row = self._guard.execute("SELECT pg_try_advisory_lock(%s)", (_LOCK,)).fetchone()
            if not exclusive and row is not None and row[0]:
                self._guard.execute("SELECT pg_advisory_unlock(%s)", (_LOCK,))
        if exclusive and (row is None or not row[0]):
            self._guard.close()
            raise StateError(
                "another hub uses this database",
                code="database-in-use",
                hint="end it, or give this one another database",
            )
        self._migrate()

    def backup(self, path: str) -> None:
        """Refuse: PostgreSQL has tools of its own for this."""
        raise StateError(
            f"expected a SQLite database to copy to {path}, found PostgreSQL",
            code="backup-postgres",
            hint="use pg_dump, which needs no pause either",
        )

    def describe(self) -> Mapping[str, Any]:
        """Return what kind of database it is, and its size in bytes."""
        with self._transaction(write=False) as cursor:
            cursor.execute("SELECT pg_database_size(current_database())")
            return {"kind": "postgresql", "bytes": int(cursor.fetchone()[0])}

    def close(self) -> None:
        """Close it."""
        with self._lock:
            for connection in self._open:
                connection.close()
            self._open.clear()
        self._guard.close()

    def _connection(self) -> psycopg.Connection[Any]:
        connection: psycopg.Connection[Any] | None = getattr(self._local, "connection", None)
        if connection is None or connection.closed:
            connection = psycopg.connect(self._url, connect_timeout=10)
            self._local.connection = connection
            with self._lock:
                self._open = [known for known in self._open if not known.closed]
                self._open.append(connection)
        return connection

    @contextlib.contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except psycopg.Error as err:
            # libpq's words name host, user and database, and never the password.
            words = str(err).strip().replace("\n", " ")
            raise StateError(f"the database cannot be used: {words}", code="database") from err

    @contextlib.contextmanager
    def _transaction(self, *, write: bool) -> Iterator[Cursor]:
        with self._translated():
            connection = self._connection()
            try:
                with connection.transaction(), connection.cursor() as cursor:
                    if not write:
                        cursor.execute("SET TRANSACTION READ ONLY")
                    yield _Translating(cursor)
            except psycopg.OperationalError:
                connection.close()
                raise

    def _insert_events(self, cursor: Cursor, rows: Iterator[tuple[Any, ...]]) -> None:
        assert isinstance(cursor, _Translating)  # noqa: S101 - made by this class
        first = next(rows, None)
        if first is None:
            return
        with cursor.real.copy(
            "COPY events (site, epoch, sequence, type, time, received, data) FROM STDIN"
        ) as copy:
            copy.write_row(first)
            for row in rows:
                copy.write_row(row)

    def _migrate(self) -> None:
        with self._transaction(write=True) as cursor:
            cursor.execute("CREATE TABLE IF NOT EXISTS schema_version (version INTEGER NOT NULL)")
            cursor.execute("SELECT max(version) FROM schema_version")
            version = cursor.fetchone()[0] or 0
            if version > len(MIGRATIONS):
                raise StateError("the database was made by a newer version", code="database-newer")
            for statements in MIGRATIONS[version:]:
                for statement in statements:
                    cursor.execute(statement.format(number="BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY"))
            if version < len(MIGRATIONS):
                cursor.execute("INSERT INTO schema_version VALUES (?)", (len(MIGRATIONS),))
