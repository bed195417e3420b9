"""When events are sent, in what portions, and what happens when a sink fails, asks to wait, or refuses."""

from __future__ import annotations

import datetime
import io
import random
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from reconciler.adapters.sqlite_outbox import OutboxLimits
from reconciler.adapters.sqlite_state import StateStore
from reconciler.agent.backoff import Backoff
from reconciler.agent.batching import METERED, UNMETERED, BatchRules
from reconciler.agent.delivery import Delivery, drain, greet
from reconciler.agent.description import Description
from reconciler.agent.logs import Log
from reconciler.model.event import Event, EventType, Receipt
from reconciler.model.link_use import LinkUse
from reconciler.ports.outbox import Backlog
from reconciler.ports.sink import SinkError
from tests.agent.rig import eventually

SITE = "a"


class Clock:
    def __init__(self) -> None:
        self.seconds = 0.0

    def now(self) -> datetime.datetime:
        return datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC) + datetime.timedelta(seconds=self.seconds)

    def monotonic(self) -> float:
        return self.seconds


class Sink:
    """Takes what comes, but for what it was told to do otherwise."""

    def __init__(self) -> None:
        self.use = LinkUse()
        self.batches: list[Sequence[Event]] = []
        self.beats = 0
        self.failures: list[SinkError] = []
        self.most = 10**9
        self.poison: set[object] = set()
        self.receipt: Receipt | None = None

    def deliver(self, batch: Sequence[Event]) -> Receipt:
        if self.failures:
            raise self.failures.pop(0)
        if len(batch) > self.most or any(event.data.get("n") in self.poison for event in batch):
            raise SinkError("the hub answered 413", code="sink-refused", refused=True)
        self.batches.append(batch)
        return Receipt(batch[0].epoch, batch[-1].sequence)

    def beat(self, site: str) -> Receipt | None:
        assert site == SITE
        if self.failures:
            raise self.failures.pop(0)
        self.beats += 1
        return self.receipt

    @property
    def numbers(self) -> list[object]:
        return [event.data["n"] for batch in self.batches for event in batch if "n" in event.data]

    @property
    def types(self) -> list[str]:
        return [event.type.split(".", 2)[2] for batch in self.batches for event in batch]


class Bench:
    def __init__(self, folder: Path) -> None:
        self.clock = Clock()
        self.sink = Sink()
        self.store = StateStore.open(folder, site=SITE, clock=self.clock)
        self.delivery = Delivery(
            folder,
            self.sink,
            clock=self.clock,
            log=Log(io.StringIO(), clock=self.clock),
            rng=random.Random(1),  # noqa: S311 - spread only
        )

    def say(self, *numbers: int, type_: EventType = EventType.DRIFT_CORRECTED) -> None:
        with self.store.transaction() as tx:
            for number in numbers:
                tx.emit(type_, {"n": number})

    def attend(self, *, pressing: bool = False) -> tuple[float, bool]:
        return self.delivery._attend(pressing=pressing)

    def beat(self) -> tuple[float, bool]:
        self.delivery.beat()
        return self.attend(pressing=True)


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    bench = Bench(tmp_path)
    yield bench
    bench.store.close()


@pytest.mark.parametrize(
    ("rules", "backlog", "waited", "wait"),
    [
        (UNMETERED, Backlog(0, 0, urgent=False), 0.0, None),
        (UNMETERED, Backlog(1, 100, urgent=False), 0.0, 2.0),
        (UNMETERED, Backlog(1, 100, urgent=False), 3.0, 0.0),
        (UNMETERED, Backlog(500, 100, urgent=False), 0.0, 0.0),
        (UNMETERED, Backlog(1, 1 << 20, urgent=False), 0.0, 0.0),
        (METERED, Backlog(500, 100, urgent=False), 3.0, 897.0),
        (METERED, Backlog(4000, 100, urgent=False), 0.0, 0.0),
        (METERED, Backlog(1, 100, urgent=True), 0.0, 0.0),
    ],
    ids=["nothing", "one", "old", "many", "large", "metered", "very many", "urgent"],
)
def test_a_batch_is_due_by_its_size_its_age_and_the_link(
    rules: BatchRules, backlog: Backlog, waited: float, wait: float | None
) -> None:
    assert rules.wait(backlog, waited=waited) == wait


def test_what_is_not_urgent_waits_for_company(bench: Bench) -> None:
    bench.say(1)
    assert bench.attend() == (2.0, False)
    bench.clock.seconds = 1.0
    bench.say(2)
    assert bench.attend() == (1.0, False)
    bench.clock.seconds = 2.0
    bench.attend()
    assert [len(batch) for batch in bench.sink.batches] == [2]


def test_a_metered_link_waits_longer_and_bad_news_take_along_what_came_before(bench: Bench) -> None:
    with bench.store.transaction() as tx:
        Description(metered=True).keep(tx)
    bench.say(1, 2)
    assert bench.attend() == (900.0, False)
    bench.clock.seconds = 600.0
    assert bench.attend() == (300.0, False)
    bench.say(3, type_=EventType.SYNC_FAILED)
    bench.attend()
    assert bench.sink.numbers == [1, 2, 3]
    assert len(bench.sink.batches) == 1


def test_a_workload_that_breaks_is_urgent_and_one_that_starts_is_not(bench: Bench) -> None:
    with bench.store.transaction() as tx:
        tx.emit(EventType.HEALTH_CHANGED, {"state": "Progressing", "was": "Ready"})
    assert not bench.store.backlog().urgent
    with bench.store.transaction() as tx:
        tx.emit(EventType.HEALTH_CHANGED, {"state": "Degraded", "was": "Progressing"})
    assert bench.store.backlog().urgent


def test_a_quiet_site_says_that_it_lives(bench: Bench) -> None:
    bench.sink.receipt = Receipt(bench.store.epoch, 0)
    assert bench.beat() == (86400.0, False)
    assert (bench.sink.beats, bench.sink.batches) == (1, [])


def test_a_quiet_site_writes_nothing_to_its_disk(bench: Bench, tmp_path: Path) -> None:
    state = {"state": "Ready", "version": "1"}
    with bench.store.transaction() as tx:
        tx.emit(EventType.AGENT_HEARTBEAT, state)
    bench.beat()
    before = {part.name: part.read_bytes() for part in tmp_path.glob("state.db*")}
    for _ in range(3):
        with bench.store.transaction() as tx:
            tx.emit(EventType.AGENT_HEARTBEAT, state)
        bench.sink.receipt = Receipt(bench.store.epoch, 1)
        bench.beat()
        bench.attend()
    after = {part.name: part.read_bytes() for part in tmp_path.glob("state.db*")}
    assert bench.sink.beats == 3
    assert {name for name in after if name != "state.db-shm" and after[name] != before.get(name)} == set()


def test_events_are_a_sign_of_life_themselves(bench: Bench) -> None:
    bench.say(1)
    bench.beat()
    assert (bench.sink.beats, bench.sink.numbers) == (0, [1])


def test_a_sign_of_life_that_failed_is_tried_again(bench: Bench) -> None:
    bench.sink.failures = [SinkError("no route", unsent=True)]
    _, failing = bench.beat()
    assert failing
    bench.attend(pressing=True)
    assert bench.sink.beats == 1


def test_a_hub_that_knows_less_than_it_should_is_told_everything(bench: Bench) -> None:
    state = {"state": "Ready", "version": "1"}
    for _ in range(2):
        with bench.store.transaction() as tx:
            tx.emit(EventType.AGENT_HEARTBEAT, state)
        drain(bench.store, bench.sink)
    assert bench.sink.types == ["agent.heartbeat.v1"]
    bench.sink.receipt = Receipt("another", 7)
    greet(bench.store, bench.sink)
    with bench.store.transaction() as tx:
        tx.emit(EventType.AGENT_HEARTBEAT, state)
    drain(bench.store, bench.sink)
    assert [event.data for batch in bench.sink.batches for event in batch] == [state, state]


def test_a_batch_that_is_too_large_is_halved_until_it_fits(bench: Bench) -> None:
    bench.say(*range(40))
    bench.sink.most = 7
    drain(bench.store, bench.sink)
    assert bench.sink.numbers == list(range(40))
    assert bench.store.pending() == 0


def test_one_event_that_is_refused_for_good_is_counted_and_holds_nothing_up(bench: Bench) -> None:
    bench.say(*range(20))
    bench.sink.poison = {13}
    drain(bench.store, bench.sink)
    assert bench.sink.numbers == [n for n in range(20) if n != 13]
    (given_up,) = (
        event
        for batch in bench.sink.batches
        for event in batch
        if event.type == EventType.OUTBOX_COMPACTED.value
    )
    assert given_up.data["dropped"] == {EventType.DRIFT_CORRECTED.value: 1}
    assert given_up.sequence == 14
    assert "413" in given_up.data["reason"]


def test_a_sink_that_refuses_everything_is_asked_again_later(bench: Bench) -> None:
    bench.say(1)
    bench.sink.most = 0
    _, failing = bench.attend(pressing=True)
    assert failing
    assert bench.store.pending() == 1


def test_a_fault_that_nobody_thought_of_does_not_end_the_reports(bench: Bench) -> None:
    bench.say(1)
    deliver = bench.sink.deliver
    faults = [RuntimeError("a fault")]

    def broken(batch: Sequence[Event]) -> Receipt:
        if faults:
            raise faults.pop()
        return deliver(batch)

    bench.sink.deliver = broken  # type: ignore[method-assign]  # the fake breaks once
    bench.delivery.start()
    bench.delivery.retry()
    eventually(lambda: not faults, what="the fault")
    bench.delivery.retry()
    eventually(lambda: bench.sink.numbers == [1], what="the report")
    bench.delivery.stop()


def test_retries_back_off_with_full_jitter() -> None:
    rng = random.Random(3)  # noqa: S311 - spread only
    first = [Backoff(first=2.0, most=300.0, rng=rng, least=0.0).failed() for _ in range(2000)]
    assert min(first) < 0.1
    assert max(first) <= 2.0
    assert 0.9 < sum(first) / len(first) < 1.1
    backoff = Backoff(first=2.0, most=300.0, rng=rng, least=0.0)
    late = [backoff.failed() for _ in range(500)][20:]
    assert max(late) <= 300.0
    assert 130 < sum(late) / len(late) < 170


def test_a_sink_that_asks_to_wait_is_waited_for_by_nobody_at_the_same_moment(bench: Bench) -> None:
    delays = []
    for _ in range(20):
        bench.say(1)
        bench.sink.failures = [SinkError("busy", code="sink-refused", retry_after=400.0)]
        delay, failing = bench.attend(pressing=True)
        assert failing
        delays.append(delay)
    assert 400.0 <= min(delays) < max(delays) <= 500.0
    assert len(set(delays)) == 20


def test_a_sink_that_asks_for_a_year_is_asked_again_the_same_day(bench: Bench) -> None:
    bench.say(1)
    bench.sink.failures = [SinkError("busy", code="sink-refused", retry_after=86400.0 * 365)]
    assert bench.attend(pressing=True)[0] <= 3600.0 * 1.25


def test_the_ends_of_syncs_are_kept_longest(tmp_path: Path) -> None:
    store = StateStore.open(tmp_path, site=SITE, clock=Clock(), limits=OutboxLimits(rows=40))
    with store.transaction() as tx:
        tx.emit(EventType.SYNC_APPLIED, {"n": 0})
        tx.emit(EventType.AGENT_STARTED, {"version": "1"})
        tx.emit(EventType.SYNC_FAILED, {"n": 1})
    for number in range(200):
        with store.transaction() as tx:
            tx.emit(EventType.HEALTH_CHANGED, {"n": number})
            tx.emit(EventType.AGENT_HEARTBEAT, {"state": str(number)})
    with store.transaction() as tx:
        events = list(tx.outbox.pending(1000))
    kept = [event.type for event in events]
    assert {EventType.SYNC_APPLIED.value, EventType.SYNC_FAILED.value} <= set(kept)
    assert kept.count(EventType.AGENT_HEARTBEAT.value) == 1
    assert events[-1].data == {"state": "199"}
    store.close()


def test_umlauts_count_as_the_bytes_that_they_are(tmp_path: Path) -> None:
    store = StateStore.open(tmp_path, site=SITE, clock=Clock(), limits=OutboxLimits(size=10_000))
    for _ in range(30):
        with store.transaction() as tx:
            tx.emit(EventType.SYNC_FAILED, {"message": "ü" * 400})
    assert store.backlog().size <= 10_000
    store.close()
