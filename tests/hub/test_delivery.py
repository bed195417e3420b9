"""The outbox of an agent and a real hub agree on every event, whatever happens to either's disk."""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from reconciler.adapters.hub_sink import HubSink
from reconciler.adapters.sqlite_state import StateStore
from reconciler.agent.clock import SystemClock
from reconciler.agent.delivery import drain
from reconciler.cli.main import main
from reconciler.model.event import EventType
from tests.hub.conftest import Hub

pytestmark = pytest.mark.timeout(120)


class Agent:
    """As much of an agent as reports."""

    def __init__(self, folder: Path, hub: Hub, *, site: str = "a") -> None:
        self.folder = folder
        self.token = folder.parent / "token"
        self.token.write_text(hub.token(site=site))
        self.store = StateStore.open(folder, site=site, clock=SystemClock())
        self.sink = HubSink(hub.url, token_file=str(self.token))

    def say(self, *numbers: int) -> None:
        with self.store.transaction() as tx:
            for number in numbers:
                tx.emit(EventType.DRIFT_CORRECTED, {"n": number})

    def send(self) -> None:
        drain(self.store, self.sink)

    def copy(self, folder: Path, hub: Hub) -> Agent:
        folder.mkdir()
        with sqlite3.connect(folder / "state.db") as there:
            self.store._connection.backup(there)
        return Agent(folder, hub)


def told(hub: Hub) -> list[int]:
    events: list[dict[str, Any]] = hub.get("/v1/sites/a/events?order=asc&limit=1000")["items"]
    return [item["event"]["data"]["n"] for item in events]


def test_events_arrive_once_and_in_order(tmp_path: Path, hub: Hub) -> None:
    agent = Agent(tmp_path / "a", hub)
    agent.say(1, 2)
    agent.send()
    agent.say(3)
    agent.send()
    agent.send()
    assert told(hub) == [1, 2, 3]
    assert abs(hub.get("/v1/sites/a")["clockSkew"]) < 5


def test_a_copied_disk_loses_nothing_and_is_shown(tmp_path: Path, hub: Hub) -> None:
    first = Agent(tmp_path / "a", hub)
    first.say(1)
    first.send()
    second = first.copy(tmp_path / "b", hub)
    first.say(2)
    first.send()
    second.say(102)
    second.send()
    first.say(3)
    first.send()
    assert sorted(told(hub)) == [1, 2, 3, 102]
    assert "two agents" in hub.get("/v1/sites/a")["conflict"]


def test_a_disk_restored_from_a_backup_loses_nothing_that_it_has(tmp_path: Path, hub: Hub) -> None:
    agent = Agent(tmp_path / "a", hub)
    agent.say(1)
    restored = agent.copy(tmp_path / "b", hub)
    agent.say(2, 3)
    agent.send()
    agent.store.close()
    restored.say(4, 5)
    restored.send()
    # What the backup still had to send comes again, under new numbers, and is known for what it is.
    assert told(hub) == [1, 2, 3, 4, 5]
    assert restored.store.pending() == 0


def test_a_hub_restored_from_a_backup_takes_what_comes_after(
    tmp_path: Path, new_hub: Callable[..., Hub]
) -> None:
    hub = new_hub()
    agent = Agent(tmp_path / "a", hub)
    agent.say(1)
    agent.send()
    copy = tmp_path / "copy.db"
    assert main(["hub", "--database", hub.database, "backup", str(copy)]) == 0
    agent.say(2)
    agent.send()
    hub.stop()
    again = new_hub(database=f"sqlite:{copy}")
    again.admin = hub.admin
    agent.sink = HubSink(again.url, token_file=str(agent.token))
    agent.say(3)
    agent.send()
    assert told(again) == [1, 3]
    assert agent.store.pending() == 0
    assert again.get("/v1/sites/a")["conflict"] is None


def test_a_state_that_was_lost_begins_a_new_epoch(tmp_path: Path, hub: Hub) -> None:
    agent = Agent(tmp_path / "a", hub)
    agent.say(1)
    agent.send()
    agent.store.close()
    shutil.rmtree(tmp_path / "a")
    again = Agent(tmp_path / "a", hub)
    again.say(2)
    again.send()
    assert told(hub) == [1, 2]
    assert hub.get("/v1/sites/a")["epoch"] == again.store.epoch
