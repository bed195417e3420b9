"""Where a hub keeps what it knows: SQLite, or PostgreSQL."""

from __future__ import annotations

from pathlib import Path

from reconciler.errors import UsageError
from reconciler.ports.hub_store import HubStore

__all__ = ["open_store"]


def open_store(url: str, *, exclusive: bool = True) -> HubStore:
    """Open a database, and bring its tables to the newest form.

    Args:
        url: `sqlite:PATH` or `postgresql://...`.
        exclusive: Whether this is the hub itself, of which there is one.

    Raises:
        UsageError: It is something else.
        StateError: It cannot be opened, or another hub uses it.
    """
    if url.startswith("sqlite:"):
        from reconciler.adapters.hub_store.sqlite import SqliteHubStore

        return SqliteHubStore(Path(url.removeprefix("sqlite:")), exclusive=exclusive)
    if url.startswith(("postgresql://", "postgres://")):
        from reconciler.adapters.hub_store.postgres import PostgresHubStore

        return PostgresHubStore(url, exclusive=exclusive)
    raise UsageError(
        f"expected sqlite:PATH or postgresql://... for --database, found {url.partition(':')[0]!r}",
        code="bad-database",
    )
