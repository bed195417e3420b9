"""Random schedules of all that goes wrong between a site and its hub: nothing is lost, nothing doubled.

Both ends are the real ones: the outbox, its delivery, the reading of batches and the hub's writer. The
network, the disks and the clock are played. `WAYSIDE_SCHEDULES` says how many, `WAYSIDE_SEED` which.
"""

from __future__ import annotations

import datetime
import json
import os
import random
import sqlite3
import sys
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

import pytest

from reconciler.adapters.sqlite_state import StateStore
from reconciler.agent.batching import BatchRules
from reconciler.agent.delivery import drain, greet
from reconciler.hub.batch import parse_batch
from reconciler.hub.ingest import Trouble
from reconciler.hub.writer import Writer
from reconciler.model.event import Event, EventType, Receipt
from reconciler.model.link_use import LinkUse
from reconciler.ports.hub_store import HubStore
from reconciler.ports.sink import SinkError
from tests.hub.memory_store import MemoryStore

pytestmark = pytest.mark.slow

SCHEDULES = int(os.environ.get("WAYSIDE_SCHEDULES", "400"))
SITE = "a"
RULES = BatchRules(events=5, size=400, age=0.0)
STATES = ("Ready", "Progressing", "Degraded", "Held")


class Killed(BaseException):
    """The process is gone, and no handler of exceptions runs."""


class Clock:
    """Steps a millisecond with each look, and jumps by years when it is told to."""

    def __init__(self) -> None:
        self.moment = datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC)

    def now(self) -> datetime.datetime:
        self.moment += datetime.timedelta(milliseconds=1)
        return self.moment

    def monotonic(self) -> float:
        return 0.0


class Network:
    """The way from every disk to the hub, which may lose, double, delay, reorder, or kill who uses it."""

    def __init__(self, rng: random.Random, take: Callable[[Sequence[Event]], Receipt]) -> None:
        self._rng = rng
        self._take = take
        self.faulty = True
        self.late: list[Sequence[Event]] = []
        self.use = LinkUse()

    def deliver(self, batch: Sequence[Event]) -> Receipt:
        fault = self._rng.choice(_FAULTS) if self.faulty else "none"
        match fault:
            case "no route":
                raise SinkError("no route", unsent=True)
            case "lost":
                raise SinkError("lost")
            case "late":
                self.late.append(batch)
                raise SinkError("no answer")
            case "answer lost":
                self._take(batch)
                raise SinkError("no answer")
            case "killed before":
                raise Killed
            case "killed after":
                self._take(batch)
                raise Killed
            case "doubled":
                self._take(batch)
            case "overtaken":
                self.deliver_late()
        return self._take(batch)

    def beat(self, site: str) -> Receipt:
        del site
        return self._take(())

    def deliver_late(self) -> None:
        """Have something come that was sent long ago, and keep it, as it may come once more."""
        if self.late:
            with suppress(SinkError):
                self._take(self._rng.choice(self.late))


_FAULTS = (
    *("none",) * 6,
    *("no route", "lost", "late", "answer lost", "killed before", "killed after", "doubled", "overtaken"),
)


@dataclass
class Disk:
    """A state file with an agent on it, and what it has said so far."""

    store: StateStore
    connection: sqlite3.Connection
    said: set[int] = field(default_factory=set)


@dataclass
class World:
    """One schedule."""

    rng: random.Random
    template: bytes
    path: Path
    clock: Clock = field(default_factory=Clock)
    hub: MemoryStore = field(default_factory=MemoryStore)
    disks: list[Disk] = field(default_factory=list)
    images: list[tuple[bytes, set[int]]] = field(default_factory=list)
    old_hub: MemoryStore | None = None
    forgiven: set[int] = field(default_factory=set)
    hub_lost: bool = False
    count: int = 0
    trace: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.network = Network(self.rng, self.take)
        self.start_hub()
        self.disks.append(self.disk(self.template, set()))
        with self.disks[0].store.transaction() as tx:
            tx.outbox.renew()

    def start_hub(self) -> None:
        self.writer = Writer(cast("HubStore", self.hub), self.hub.fleet(), changed=lambda _: None)
        self.writer.start()

    def disk(self, image: bytes, said: set[int]) -> Disk:
        connection = sqlite3.connect(":memory:", isolation_level=None)
        connection.deserialize(image)
        return Disk(StateStore(connection, path=self.path, clock=self.clock), connection, set(said))

    def take(self, batch: Sequence[Event]) -> Receipt:
        """Take a batch as the hub does, from its bytes on."""
        content = json.dumps([event.to_cloudevent() for event in batch]).encode()
        read = parse_batch(content, site=SITE)
        answer = self.writer.submit(SITE, read, size=len(content), received=1000.0, skew=None).result(10)
        if answer.trouble is Trouble.CONFLICT:
            raise SinkError("other events under the same numbers", code="sequence-conflict")
        return answer.receipt

    def step(self) -> None:
        disk = self.rng.choice(self.disks)
        action = self.rng.choice(_ACTIONS)
        self.trace.append(f"{self.disks.index(disk)}:{action}")
        getattr(self, action)(disk)

    def say(self, disk: Disk) -> None:
        with disk.store.transaction() as tx:
            for _ in range(self.rng.randint(1, 3)):
                self.count += 1
                tx.emit(EventType.DRIFT_CORRECTED, {"n": self.count})
                disk.said.add(self.count)

    def change_one_s_mind(self, disk: Disk) -> None:
        with suppress(ZeroDivisionError), disk.store.transaction() as tx:
            tx.emit(EventType.DRIFT_CORRECTED, {"n": -1})
            raise ZeroDivisionError

    def pulse(self, disk: Disk) -> None:
        with disk.store.transaction() as tx:
            tx.emit(EventType.AGENT_HEARTBEAT, {"state": self.rng.choice(STATES), "applied": "c" * 40})

    def send(self, disk: Disk) -> None:
        try:
            drain(disk.store, self.network, RULES)
            if self.rng.random() < 0.2:
                greet(disk.store, self.network)
        except SinkError:
            pass
        except Killed:
            self.restart(disk)

    def restart(self, disk: Disk) -> None:
        if disk.connection.in_transaction:
            disk.connection.execute("ROLLBACK")
        disk.store = StateStore(disk.connection, path=self.path, clock=self.clock)
        with disk.store.transaction() as tx:
            tx.emit(EventType.AGENT_STARTED, {"version": "1", "state": "Ready"})

    def back_up(self, disk: Disk) -> None:
        self.images.append((disk.connection.serialize(), set(disk.said)))

    def restore(self, disk: Disk) -> None:
        """An older disk comes back; what only the newer one had is gone with it."""
        if self.images:
            image, said = self.rng.choice(self.images)
            waited = self.waiting()
            place = self.disks.index(disk)
            disk.connection.close()
            self.disks[place] = self.disk(image, said)
            self.restart(self.disks[place])
            if self.hub_lost:
                # This disk was perhaps the last to have what the hub lost with its own.
                self.forgiven |= waited - self.waiting() - set(self.at_hub())

    def clone(self, disk: Disk) -> None:
        """A second agent starts from a copy of the disk."""
        if len(self.disks) < 3:
            self.disks.append(self.disk(disk.connection.serialize(), disk.said))

    def deliver_late(self, disk: Disk) -> None:
        del disk
        self.network.deliver_late()

    def restart_hub(self, disk: Disk) -> None:
        del disk
        self.writer.stop()
        self.start_hub()

    def back_up_hub(self, disk: Disk) -> None:
        del disk
        self.old_hub = self.hub.copy()

    def restore_hub(self, disk: Disk) -> None:
        """An older database comes back; what only the newer one had, and no disk has any more, is gone.

        No request outlives that: it was on a connection to the hub before.
        """
        del disk
        if self.old_hub is not None:
            self.writer.stop()
            self.forgiven |= set(self.at_hub()) - set(_numbers(self.old_hub)) - self.waiting()
            self.hub_lost = True
            self.network.late.clear()
            self.hub = self.old_hub.copy()
            self.start_hub()

    def waiting(self) -> set[int]:
        """Return what disks have to send yet."""
        rows = [row for disk in self.disks for row in disk.connection.execute("SELECT data FROM outbox")]
        return {json.loads(text).get("n", 0) for (text,) in rows}

    def turn_clock(self, disk: Disk) -> None:
        del disk
        self.clock.moment += datetime.timedelta(days=self.rng.choice((-4000, -1, 1, 4000)))
        self.clock.moment = max(self.clock.moment, datetime.datetime(2000, 1, 1, tzinfo=datetime.UTC))
        self.clock.moment = min(self.clock.moment, datetime.datetime(2100, 1, 1, tzinfo=datetime.UTC))

    def at_hub(self) -> list[int]:
        return _numbers(self.hub)

    def heal(self) -> None:
        """Let everything that waits come through."""
        self.network.faulty = False
        for disk in self.disks:
            for _ in range(8):
                with suppress(SinkError):
                    drain(disk.store, self.network, RULES)
                if not disk.store.pending():
                    break
            assert not disk.store.pending(), "events wait for ever"
        for batch in self.network.late:
            with suppress(SinkError):
                self.take(batch)

    def close(self) -> None:
        self.writer.stop()
        for disk in self.disks:
            disk.connection.close()


_ACTIONS = (
    *("say",) * 6,
    *("send",) * 6,
    *("pulse",) * 2,
    *("change_one_s_mind", "restart", "back_up", "restore", "clone", "deliver_late"),
    *("restart_hub", "back_up_hub", "restore_hub", "turn_clock"),
)


def _numbers(hub: MemoryStore) -> list[int]:
    return [event.data["n"] for event in hub.kept if "n" in event.data]


def make_template(path: Path) -> bytes:
    """Return an empty state as bytes that live in memory, too."""
    StateStore.open(path, site=SITE, clock=Clock()).close()
    connection = sqlite3.connect(path / "state.db", isolation_level=None)
    connection.execute("PRAGMA journal_mode = DELETE")
    content = connection.serialize()
    connection.close()
    return content


def run_schedule(seed: int, template: bytes, path: Path) -> Counter[str]:
    """Play one schedule and look at the end; return what happened how often."""
    rng = random.Random(seed)  # noqa: S311 - repeatable by its seed
    world = World(rng, template, path)
    try:
        for _ in range(rng.randint(5, 40)):
            world.step()
        world.heal()
        there = world.at_hub()
        doubled = [number for number, times in Counter(there).items() if times > 1]
        wanted: set[int] = set[int]().union(*(disk.said for disk in world.disks)) - world.forgiven
        lost = wanted - set(there)
        made_up = set(there) - set(range(1, world.count + 1))
        assert (doubled, lost, made_up) == ([], set(), set()), f"seed {seed}: {' '.join(world.trace)}"
        return Counter(action.partition(":")[2] for action in world.trace)
    finally:
        world.close()


@pytest.mark.timeout(60 + SCHEDULES)
def test_no_random_schedule_loses_or_doubles_an_event(tmp_path: Path) -> None:
    template = make_template(tmp_path / "template")
    first = int(os.environ.get("WAYSIDE_SEED", "0")) or random.SystemRandom().randrange(1, 10**9)
    done: Counter[str] = Counter()
    for seed in range(first, first + SCHEDULES):
        done += run_schedule(seed, template, tmp_path)
    assert set(_ACTIONS) <= set(done), "something was never played"
    sys.stdout.write(f"{SCHEDULES} schedules from seed {first}: {dict(sorted(done.items()))}\n")


def test_every_action_is_played() -> None:
    assert all(callable(getattr(World, name)) for name in _ACTIONS)


def test_the_played_network_does_lose(tmp_path: Path) -> None:
    """Without the agent's care something would be lost: the schedules above are no easy ones."""
    world = World(random.Random(1), make_template(tmp_path / "template"), tmp_path)  # noqa: S311 - by its seed
    results: Counter[str] = Counter()
    event = Event(SITE, "e", 1, EventType.DRIFT_CORRECTED.value, "2026-01-01T00:00:00.000Z", {"n": 1})
    for _ in range(300):
        try:
            world.network.deliver([event])
            results["fine"] += 1
        except (SinkError, Killed) as err:
            results[type(err).__name__] += 1
    world.close()
    assert min(results.values()) > 20
    assert len(results) == 3
    assert cast("Any", world.hub).kept == [event]
