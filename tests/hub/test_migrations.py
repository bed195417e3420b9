"""A hub reads the databases of the versions before it, and leaves alone those of versions after it."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from pathlib import Path

import psycopg
import pytest

from reconciler.adapters.hub_store import open_store
from reconciler.adapters.hub_store.sql import MIGRATIONS
from reconciler.errors import StateError
from tests.hub.conftest import Hub
from tests.hub.events import COMMIT, applied, event
from tests.hub.postgres import Postgres

pytestmark = pytest.mark.timeout(120)

DATA = Path(__file__).parent / "data"
#: Made by the hub of that version; the tokens in them are of no use elsewhere.
ADMIN = "wst_e06056f33cfb_5hp4MGIDfd9ApV6pYTL0jdIH7ffzv5LWDrfNWpRDRAY"
SITE_A = "wst_ef5826521fc2_DqtwAvq2hR1bk9SgfRYvhYLnzj_xClAcMnMZrkxkoao"


def test_a_file_of_the_first_version_goes_on_where_it_stopped(
    tmp_path: Path, new_hub: Callable[..., Hub]
) -> None:
    with sqlite3.connect(tmp_path / "hub.db") as connection:
        connection.executescript((DATA / "version-1.sql").read_text())
    connection.close()
    hub = new_hub("--retention", "36500")
    hub.admin = ADMIN
    assert {site["name"] for site in hub.get("/v1/sites")["items"]} == {"a", "b"}
    site = hub.get("/v1/sites/a")
    assert (site["state"], site["lastState"]) == ("Offline", "Ready")
    assert (site["applied"], site["labels"]) == (COMMIT, {"region": "north"})
    assert [item["number"] for item in hub.get("/v1/events?order=asc")["items"]] == [1, 2, 3]
    assert hub.get("/v1/webhooks")["items"][0]["id"] == "chat"
    # A batch that was acknowledged before comes again, with more.
    again = [event(1, state="Ready", labels={"region": "north"}), applied(2), event(3, state="Held")]
    assert hub.report(SITE_A, again).json() == {"epoch": "e1", "acknowledged": 3}
    assert hub.get("/v1/sites/a")["state"] == "Held"
    assert hub.get("/v1/events")["items"][0]["number"] == 4


def test_there_is_a_file_of_every_version_before_this() -> None:
    """Whoever adds a migration keeps a database of the version before."""
    for version in range(1, len(MIGRATIONS)):
        assert (DATA / f"version-{version}.sql").exists()


@pytest.mark.cluster
def test_a_postgresql_of_the_first_version_is_brought_up_to_date(postgres: Postgres) -> None:
    url = postgres.new_database()
    with psycopg.connect(url) as connection:
        for statement in MIGRATIONS[0]:
            number = "BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY"
            connection.execute(statement.format(number=number).encode())
        connection.execute("CREATE TABLE schema_version (version INTEGER NOT NULL)")
        connection.execute("INSERT INTO schema_version VALUES (1)")
        connection.execute("INSERT INTO webhooks VALUES ('chat', 'http://127.0.0.1:9/', 's', '', 3)")
    for _ in range(2):
        store = open_store(url)
        assert [(row.id, row.sent, row.trouble) for row in store.webhooks()] == [("chat", 3, "")]
        store.close()


def test_a_newer_version_s_database_is_left_alone(tmp_path: Path) -> None:
    file = tmp_path / "hub.db"
    open_store(f"sqlite:{file}").close()
    with sqlite3.connect(file) as connection:
        connection.execute(f"PRAGMA user_version = {len(MIGRATIONS) + 1}")
    connection.close()
    with pytest.raises(StateError, match="made by a newer version") as caught:
        open_store(f"sqlite:{file}")
    assert caught.value.code == "database-newer"


def test_what_is_no_database_is_refused_in_plain_words(tmp_path: Path) -> None:
    (tmp_path / "hub.db").write_text(
        "hello, this is not a database, and longer than its first page's head" * 99
    )
    with pytest.raises(StateError, match="cannot be used") as caught:
        open_store(f"sqlite:{tmp_path / 'hub.db'}")
    assert caught.value.code == "database"
