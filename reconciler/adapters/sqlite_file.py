"""The file of the agent's state: how it is opened, brought up to date, and set aside where it is damaged."""

from __future__ import annotations

import contextlib
import datetime
import os
import sqlite3
from collections.abc import Iterator
from pathlib import Path

from reconciler.adapters import sqlite_outbox
from reconciler.errors import StateError

__all__ = ["FILE_NAME", "StateCorrupted", "prepare", "set_aside", "translated"]

FILE_NAME = "state.db"

#: One script for each version of the schema; never changed once it was released.
_MIGRATIONS: tuple[str, ...] = (
    """
    CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT, WITHOUT ROWID;
    CREATE TABLE good (
        id INTEGER PRIMARY KEY CHECK (id = 1),
        commit_id TEXT NOT NULL,
        applied_at TEXT NOT NULL,
        digest TEXT NOT NULL,
        content BLOB NOT NULL
    ) STRICT;
    CREATE TABLE attempt (
        id INTEGER PRIMARY KEY CHECK (id = 1),
        commit_id TEXT NOT NULL,
        phase TEXT NOT NULL,
        reason TEXT NOT NULL,
        failures INTEGER NOT NULL,
        started_at TEXT NOT NULL,
        objects TEXT NOT NULL
    ) STRICT;
    CREATE TABLE condition (
        id INTEGER PRIMARY KEY CHECK (id = 1),
        state TEXT NOT NULL,
        reason TEXT NOT NULL,
        message TEXT NOT NULL,
        since TEXT NOT NULL
    ) STRICT;
    CREATE TABLE fault (
        name TEXT PRIMARY KEY,
        code TEXT NOT NULL,
        message TEXT NOT NULL,
        since TEXT NOT NULL
    ) STRICT, WITHOUT ROWID;
    CREATE TABLE inventory (
        id INTEGER PRIMARY KEY CHECK (id = 1),
        content BLOB NOT NULL
    ) STRICT;
    """
    + sqlite_outbox.SCHEMA,
    """
    ALTER TABLE attempt ADD COLUMN digests TEXT NOT NULL DEFAULT '{}';
    CREATE TABLE history (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        commit_id TEXT NOT NULL,
        phase TEXT NOT NULL,
        reason TEXT NOT NULL,
        at TEXT NOT NULL,
        digests TEXT NOT NULL
    ) STRICT;
    CREATE TABLE note (name TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT, WITHOUT ROWID;
    """,
)

_KEPT_ASIDE = 2


class StateCorrupted(StateError):
    """The file is not a database, or is damaged. Opening it anew sets it aside."""


def prepare(path: Path, site: str) -> sqlite3.Connection:
    """Open or create the file, with the newest schema, for one site.

    Raises:
        StateCorrupted: It is damaged.
        StateError: It cannot be used, or is another site's.
    """
    connection = _connect(path)
    try:
        with translated(path):
            _migrate(connection)
            _claim(connection, site)
    except BaseException:
        connection.close()
        raise
    return connection


def _connect(path: Path) -> sqlite3.Connection:
    """Open or create the file and look at every page of it."""
    with translated(path):
        # The file exists with its mode before SQLite gives its journal the same one.
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
        path.chmod(0o600)
        connection = sqlite3.connect(path, isolation_level=None)
        try:
            connection.execute("PRAGMA busy_timeout = 5000")
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute("PRAGMA synchronous = FULL")
            connection.execute("PRAGMA cache_size = -512")
            connection.execute("PRAGMA journal_size_limit = 1048576")
            verdict = connection.execute("PRAGMA quick_check(1)").fetchone()[0]
        except BaseException:
            connection.close()
            raise
    if verdict != "ok":
        connection.close()
        raise StateCorrupted(f"{path} is damaged: {verdict}", code="state-corrupt")
    return connection


def _migrate(connection: sqlite3.Connection) -> None:
    version = connection.execute("PRAGMA user_version").fetchone()[0]
    if version > len(_MIGRATIONS):
        raise StateError(
            f"expected a state of schema {len(_MIGRATIONS)} or older, found schema {version}",
            code="state-newer",
            hint="a newer agent wrote it: start that version again, or give this one a new state folder",
        )
    for number, script in enumerate(_MIGRATIONS[version:], start=version + 1):
        connection.executescript(f"BEGIN IMMEDIATE; {script}; PRAGMA user_version = {number}; COMMIT;")


def _claim(connection: sqlite3.Connection, site: str) -> None:
    connection.execute("BEGIN IMMEDIATE")
    try:
        row = connection.execute("SELECT value FROM meta WHERE key = 'site'").fetchone()
        if row is None:
            connection.executemany(
                "INSERT INTO meta (key, value) VALUES (?, ?)",
                (("site", site), ("epoch", sqlite_outbox.new_epoch()), ("sequence", "0")),
            )
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise
    if row is not None and row[0] != site:
        raise StateError(
            f"expected the state of the site {site!r}, found that of {row[0]!r}",
            code="state-of-another-site",
            hint="give every site's agent a state folder of its own",
        )


def set_aside(path: Path, moment: datetime.datetime) -> None:
    """Keep a damaged file for people to look at, and only the newest few of them."""
    stamp = moment.strftime("%Y%m%dT%H%M%S%f")
    for suffix in ("", "-wal", "-shm"):
        part = path.with_name(path.name + suffix)
        if part.exists():
            part.rename(path.with_name(f"{path.name}.corrupt-{stamp}{suffix}"))
    stamps = sorted({found.name.split("-")[1] for found in path.parent.glob(f"{path.name}.corrupt-*")})
    for old in stamps[:-_KEPT_ASIDE]:
        for part in path.parent.glob(f"{path.name}.corrupt-{old}*"):
            part.unlink()


@contextlib.contextmanager
def translated(path: Path) -> Iterator[None]:
    """Turn what SQLite and the system say of the file into errors of ours.

    Raises:
        StateCorrupted: It is damaged.
        StateError: It cannot be used for now.
    """
    try:
        yield
    except sqlite3.OperationalError as err:
        # Python names the primary code for some of these only in the text.
        text = str(err)
        if "malformed" in text:
            raise StateCorrupted(f"{path} is damaged: {text}", code="state-corrupt") from err
        if "full" in text or "disk I/O" in text:
            raise StateError(
                f"{path} cannot be written: {text}", code="state-full", hint="make room on the disk"
            ) from err
        raise StateError(f"{path} cannot be used: {text}", code="state-unusable") from err
    except sqlite3.DatabaseError as err:
        raise StateCorrupted(f"{path} is damaged: {err}", code="state-corrupt") from err
    except OSError as err:
        raise StateError(f"{path} cannot be used: {err.strerror}", code="state-unusable") from err
