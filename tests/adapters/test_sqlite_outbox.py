"""The outbox against a model of what a hub must have seen, through loss, repetition, restart and restore."""

from __future__ import annotations

import datetime
import shutil
import sqlite3
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from reconciler.adapters.sqlite_outbox import OutboxLimits
from reconciler.adapters.sqlite_state import StateStore
from reconciler.model.event import Event, EventType, Receipt


class FixedClock:
    def now(self) -> datetime.datetime:
        return datetime.datetime(2026, 1, 2, 3, 4, 5, tzinfo=datetime.UTC)

    def monotonic(self) -> float:
        return 0.0


class Hub:
    """Takes each event of an epoch once, in order, as the real one must."""

    def __init__(self) -> None:
        self.epochs: dict[str, list[Event]] = {}

    def take(self, batch: list[Event]) -> Receipt:
        events = self.epochs.setdefault(batch[0].epoch, [])
        for event in batch:
            if event.sequence == len(events) + 1:
                events.append(event)
        return Receipt(batch[0].epoch, len(events))

    @property
    def numbers(self) -> list[int]:
        return [event.data["n"] for events in self.epochs.values() for event in events if "n" in event.data]


class OutboxMachine(RuleBasedStateMachine):
    """Appends, sends, loses batches or receipts, restarts, and restores older copies of the file."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp(prefix="outbox-"))
        self.copy: Path | None = None
        self.copied: list[int] = []
        self.hub = Hub()
        self.appended: list[int] = []
        self.forgotten: set[int] = set()
        self.count = 0
        self.store = self._open()

    def _open(self) -> StateStore:
        return StateStore.open(self.folder / "state", site="a", clock=FixedClock())

    def teardown(self) -> None:
        self.store.close()
        shutil.rmtree(self.folder)

    @initialize()
    def begin(self) -> None:
        assert self.store.loss == "new"

    @rule(many=st.integers(1, 4))
    def append(self, many: int) -> None:
        with self.store.transaction() as tx:
            for _ in range(many):
                self.count += 1
                tx.emit(EventType.SYNC_APPLIED, {"n": self.count})
                self.appended.append(self.count)

    @rule()
    def append_and_roll_back(self) -> None:
        with pytest.raises(ZeroDivisionError), self.store.transaction() as tx:
            tx.emit(EventType.SYNC_APPLIED, {"n": -1})
            raise ZeroDivisionError

    @rule(limit=st.integers(1, 5), left=st.booleans(), arrives=st.booleans(), answered=st.booleans())
    def send(self, limit: int, left: bool, arrives: bool, answered: bool) -> None:
        """Send a batch: it may not even leave, or get lost, or its receipt may get lost."""
        with self.store.transaction() as tx:
            numbered = tx.outbox.numbered
            batch = list(tx.outbox.pending(limit))
        if not batch:
            return
        if not left:
            with self.store.transaction() as tx:
                tx.outbox.withdraw(numbered)
            return
        assert [event.sequence for event in batch] == list(
            range(batch[0].sequence, batch[0].sequence + len(batch))
        )
        if arrives:
            receipt = self.hub.take(batch)
            if answered:
                with self.store.transaction() as tx:
                    tx.outbox.acknowledge(receipt)

    @rule()
    def restart(self) -> None:
        self.store.close()
        self.store = self._open()
        assert self.store.loss == ""

    @precondition(lambda self: self.copy is None)
    @rule()
    def back_up(self) -> None:
        self.copy = self.folder / "copy.db"
        target = sqlite3.connect(self.copy)
        source = sqlite3.connect(self.folder / "state/state.db")
        source.backup(target)
        source.close()
        target.close()
        self.copied = list(self.appended)

    @precondition(lambda self: self.copy is not None)
    @rule()
    def restore(self) -> None:
        """An older disk comes back: what was only in the newer one is lost with it, and nothing else."""
        self.store.close()
        for part in (self.folder / "state").glob("state.db*"):
            part.unlink()
        assert self.copy is not None
        self.copy.rename(self.folder / "state/state.db")
        self.copy = None
        self.forgotten |= set(self.appended) - set(self.copied)
        self.appended = list(self.copied)
        self.store = self._open()
        # What an agent does when it starts from a disk that it cannot vouch for.
        with self.store.transaction() as tx:
            tx.outbox.renew()

    @rule()
    def deliver_everything(self) -> None:
        while True:
            with self.store.transaction() as tx:
                batch = list(tx.outbox.pending(3))
            if not batch:
                break
            with self.store.transaction() as tx:
                tx.outbox.acknowledge(self.hub.take(batch))
        assert set(self.appended) <= set(self.hub.numbers)

    @invariant()
    def nothing_is_made_up_or_doubled_within_an_epoch(self) -> None:
        assert set(self.hub.numbers) <= set(self.appended) | self.forgotten
        for events in self.hub.epochs.values():
            assert [event.sequence for event in events] == list(range(1, len(events) + 1))
            numbers = [event.data["n"] for event in events]
            assert numbers == sorted(set(numbers))


TestOutbox = OutboxMachine.TestCase
TestOutbox.settings = settings(max_examples=60, stateful_step_count=25, deadline=None)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[StateStore]:
    store = StateStore.open(
        tmp_path, site="a", clock=FixedClock(), limits=OutboxLimits(rows=40, size=1_000_000)
    )
    yield store
    store.close()


def pending(store: StateStore, limit: int = 1000) -> list[Event]:
    with store.transaction() as tx:
        return list(tx.outbox.pending(limit))


def test_a_newer_heartbeat_replaces_one_that_nobody_has_seen(store: StateStore) -> None:
    with store.transaction() as tx:
        tx.emit(EventType.AGENT_HEARTBEAT, {"n": 1})
        tx.emit(EventType.SYNC_APPLIED, {"n": 2})
        tx.emit(EventType.AGENT_HEARTBEAT, {"n": 3})
    assert [(event.sequence, event.data["n"]) for event in pending(store)] == [(1, 2), (2, 3)]


def test_a_heartbeat_whose_number_was_withdrawn_is_replaced_again(store: StateStore) -> None:
    for number in (1, 2):
        with store.transaction() as tx:
            tx.emit(EventType.AGENT_HEARTBEAT, {"n": number})
        with store.transaction() as tx:
            before = tx.outbox.numbered
            assert [event.data["n"] for event in tx.outbox.pending(10)] == [number]
            tx.outbox.withdraw(before)
    assert [(event.sequence, event.data["n"]) for event in pending(store)] == [(1, 2)]


def test_a_heartbeat_that_was_handed_out_stays(store: StateStore) -> None:
    with store.transaction() as tx:
        tx.emit(EventType.AGENT_HEARTBEAT, {"n": 1})
    assert len(pending(store)) == 1
    with store.transaction() as tx:
        tx.emit(EventType.AGENT_HEARTBEAT, {"n": 2})
    assert [event.data["n"] for event in pending(store)] == [1, 2]


def test_a_full_outbox_counts_what_it_had_to_drop_and_leaves_no_gap(store: StateStore) -> None:
    for number in range(200):
        with store.transaction() as tx:
            tx.emit(EventType.SYNC_APPLIED, {"n": number})
    events = pending(store)
    assert [event.sequence for event in events] == list(range(1, len(events) + 1))
    assert len(events) <= 41
    kept = [event.data["n"] for event in events if "n" in event.data]
    assert kept == list(range(200 - len(kept), 200))
    compacted = [event for event in events if event.type == EventType.OUTBOX_COMPACTED.value]
    assert sum(event.data["dropped"]["dev.wayside.sync.applied.v1"] for event in compacted) + len(kept) == 200


def test_events_that_were_handed_out_are_never_dropped(store: StateStore) -> None:
    for number in range(10):
        with store.transaction() as tx:
            tx.emit(EventType.SYNC_APPLIED, {"n": number})
    seen = pending(store)
    for number in range(10, 200):
        with store.transaction() as tx:
            tx.emit(EventType.SYNC_APPLIED, {"n": number})
    assert pending(store)[:10] == seen


def test_a_receipt_for_more_than_was_ever_numbered_begins_a_new_epoch(store: StateStore) -> None:
    with store.transaction() as tx:
        tx.emit(EventType.SYNC_APPLIED, {"n": 1})
    first = pending(store)[0]
    with store.transaction() as tx:
        tx.outbox.acknowledge(Receipt(first.epoch, 17))
    again = pending(store)[0]
    assert again.epoch != first.epoch
    assert (again.sequence, again.data) == (1, first.data)


def test_a_receipt_of_another_epoch_changes_nothing(store: StateStore) -> None:
    with store.transaction() as tx:
        tx.emit(EventType.SYNC_APPLIED, {"n": 1})
    before = pending(store)
    with store.transaction() as tx:
        tx.outbox.acknowledge(Receipt("another", 1))
    assert pending(store) == before
