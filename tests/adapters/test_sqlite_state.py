"""The state file: private, durable, and begun anew when it cannot be trusted."""

from __future__ import annotations

import datetime
import random
import sqlite3
import stat
from pathlib import Path

import pytest

from reconciler.adapters import sqlite_state
from reconciler.adapters.sqlite_state import Attempt, Condition, StateCorrupted, StateStore
from reconciler.errors import StateError
from reconciler.model.event import EventType


class TickingClock:
    def __init__(self) -> None:
        self.ticks = 0

    def now(self) -> datetime.datetime:
        self.ticks += 1
        return datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC) + datetime.timedelta(seconds=self.ticks)

    def monotonic(self) -> float:
        return float(self.ticks)


def open_state(folder: Path, site: str = "a") -> StateStore:
    return StateStore.open(folder, site=site, clock=TickingClock())


def fill(store: StateStore) -> None:
    with store.transaction() as tx:
        tx.set_good("c" * 40, b'{"resources": []}' * 5000)
        tx.set_attempt(Attempt("c" * 40, "applied"))
        tx.set_condition(Condition("Ready"))
        tx.set_inventory(b"{}")
        tx.emit(EventType.SYNC_APPLIED, {"n": 1})


def test_all_that_was_stored_is_there_after_a_restart(tmp_path: Path) -> None:
    store = open_state(tmp_path)
    fill(store)
    epoch = store.epoch
    store.close()
    store = open_state(tmp_path)
    good = store.good()
    assert good is not None
    assert (good.commit, good.content) == ("c" * 40, b'{"resources": []}' * 5000)
    assert store.attempt() is not None
    assert store.inventory() == b"{}"
    assert (store.epoch, store.loss, store.pending()) == (epoch, "", 1)


def test_only_its_owner_can_read_any_of_its_files(tmp_path: Path) -> None:
    store = open_state(tmp_path / "state")
    fill(store)
    files = list((tmp_path / "state").iterdir())
    assert {path.name for path in files} == {"state.db", "state.db-wal", "state.db-shm"}
    assert {stat.S_IMODE(path.stat().st_mode) for path in files} == {0o600}
    assert stat.S_IMODE((tmp_path / "state").stat().st_mode) == 0o700
    store.close()


def test_since_says_when_the_state_began_and_not_when_it_was_seen_last(tmp_path: Path) -> None:
    store = open_state(tmp_path)
    since = []
    for condition in (
        Condition("Ready", "Applied", "1"),
        Condition("Ready", "Applied", "2"),
        Condition("Held"),
    ):
        with store.transaction() as tx:
            tx.set_condition(condition)
        current = store.condition()
        assert current is not None
        since.append(current.since)
    assert since[0] == since[1] != since[2]
    store.close()


@pytest.mark.parametrize("seed", range(12))
def test_a_damaged_file_is_set_aside_and_begun_anew_in_a_new_epoch(tmp_path: Path, seed: int) -> None:
    rng = random.Random(seed)  # noqa: S311 - repeatable by its seed
    store = open_state(tmp_path)
    fill(store)
    epoch = store.epoch
    store.close()
    path = tmp_path / "state.db"
    content = bytearray(path.read_bytes())
    match seed % 4:
        case 0:
            content[:16] = rng.randbytes(16)
        case 1:
            del content[len(content) // 2 :]
        case 2:
            # A header that is whole over pages that are not.
            content[4096:] = rng.randbytes(len(content) - 4096)
        case _:
            content = bytearray(b"this is no database" * 300)
    path.write_bytes(content)
    store = open_state(tmp_path)
    assert store.loss not in {"", "new"}
    assert store.epoch != epoch
    assert store.good() is None
    assert list(tmp_path.glob("state.db.corrupt-*"))
    fill(store)
    store.close()


def test_content_that_is_not_what_was_stored_is_damage(tmp_path: Path) -> None:
    store = open_state(tmp_path)
    fill(store)
    connection = sqlite3.connect(tmp_path / "state.db")
    connection.execute("UPDATE good SET digest = 'x'")
    connection.commit()
    connection.close()
    with pytest.raises(StateCorrupted):
        store.good()
    store.close()


def test_only_the_newest_damaged_files_are_kept(tmp_path: Path) -> None:
    for _ in range(5):
        store = open_state(tmp_path)
        store.close()
        (tmp_path / "state.db").write_bytes(b"no database at all" * 100)
    open_state(tmp_path).close()
    assert len({path.name.split("-")[1] for path in tmp_path.glob("state.db.corrupt-*")}) <= 2


def test_a_file_that_was_taken_away_is_noticed(tmp_path: Path) -> None:
    store = open_state(tmp_path)
    assert not store.is_lost()
    (tmp_path / "state.db").unlink()
    assert store.is_lost()
    store.close()


def test_the_state_of_another_site_is_refused(tmp_path: Path) -> None:
    open_state(tmp_path).close()
    with pytest.raises(StateError) as caught:
        open_state(tmp_path, "b")
    assert caught.value.code == "state-of-another-site"


def test_the_state_of_a_newer_version_is_refused_and_kept(tmp_path: Path) -> None:
    open_state(tmp_path).close()
    connection = sqlite3.connect(tmp_path / "state.db")
    connection.execute("PRAGMA user_version = 99")
    connection.close()
    with pytest.raises(StateError) as caught:
        open_state(tmp_path)
    assert caught.value.code == "state-newer"
    assert not list(tmp_path.glob("*corrupt*"))


def test_a_transaction_that_raises_leaves_nothing(tmp_path: Path) -> None:
    store = open_state(tmp_path)
    with pytest.raises(ZeroDivisionError), store.transaction() as tx:
        tx.set_good("c" * 40, b"x")
        tx.emit(EventType.SYNC_APPLIED, {})
        raise ZeroDivisionError
    assert store.good() is None
    assert store.pending() == 0
    store.close()


def test_a_fault_is_new_once_and_ends_once(tmp_path: Path) -> None:
    store = open_state(tmp_path)
    with store.transaction() as tx:
        assert tx.begin_fault("source", "git-failed", "no route")
        assert not tx.begin_fault("source", "git-timeout", "too slow")
    assert store.faults()["source"].code == "git-timeout"
    with store.transaction() as tx:
        assert tx.end_fault("source")
        assert not tx.end_fault("source")
    store.close()


def test_a_status_can_be_read_beside_a_running_agent_and_not_where_there_is_none(tmp_path: Path) -> None:
    store = open_state(tmp_path)
    fill(store)
    reader = sqlite_state.read_only(tmp_path, clock=TickingClock())
    assert reader.pending() == 1
    with pytest.raises(StateError), reader.transaction() as tx:
        tx.emit(EventType.SYNC_APPLIED, {})
    reader.close()
    store.close()
    with pytest.raises(StateError) as caught:
        sqlite_state.read_only(tmp_path / "nothing", clock=TickingClock())
    assert caught.value.code == "state-missing"
