"""Every single point at which an agent can be killed, one after the other.

The random kills of real processes show that nothing was forgotten here; this shows that no point was missed
by luck. A fuse burns before and after each request to the target, each transaction and each batch; where it
breaks, the agent is gone, and a new one opens the same files.
"""

from __future__ import annotations

import io
import json
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from reconciler.adapters.file_sink import FileSink
from reconciler.adapters.sqlite_state import StateStore, Transaction
from reconciler.agent.assessment import Allowed, Reason, Refused
from reconciler.agent.clock import SystemClock
from reconciler.agent.delivery import drain
from reconciler.agent.logs import Log
from reconciler.agent.sync import Syncer
from reconciler.model.event import Event, Receipt
from reconciler.model.plan import Inventory
from reconciler.model.resource import Manifest, Resource, ResourceId
from tests.agent.rig import assert_contiguous
from tests.agent.test_sync import SITE, MemoryTarget, revision

MOST_POINTS = 400


class Killed(BaseException):
    """The process is gone."""


class Fuse:
    """Breaks at the given point."""

    def __init__(self) -> None:
        self.left = -1

    def burn(self) -> None:
        if self.left == 0:
            raise Killed
        self.left -= 1


class FusedTarget(MemoryTarget):
    def __init__(self, fuse: Fuse) -> None:
        super().__init__()
        self.fuse = fuse

    def apply(self, resource: Resource, *, force: bool) -> Manifest:
        self.fuse.burn()
        live = super().apply(resource, force=force)
        self.fuse.burn()
        return live

    def delete(self, id: ResourceId, api_version: str, *, uid: str = "") -> None:  # noqa: A002 - the field's word
        self.fuse.burn()
        super().delete(id, api_version, uid=uid)
        self.fuse.burn()

    def save_inventory(self, inventory: Inventory) -> None:
        self.fuse.burn()
        super().save_inventory(inventory)
        self.fuse.burn()


class FusedStore(StateStore):
    fuse: Fuse

    @contextmanager
    def transaction(self) -> Iterator[Transaction]:
        self.fuse.burn()
        with super().transaction() as tx:
            yield tx
            self.fuse.burn()
        self.fuse.burn()


class FusedSink(FileSink):
    def __init__(self, path: Path, fuse: Fuse) -> None:
        super().__init__(path)
        self.fuse = fuse

    def deliver(self, batch: Sequence[Event]) -> Receipt:
        self.fuse.burn()
        receipt = super().deliver(batch)
        self.fuse.burn()
        return receipt


class World:
    """What outlives an agent: the disk, the target and the sink."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.fuse = Fuse()
        self.target = FusedTarget(self.fuse)
        self.sink = FusedSink(folder / "events", self.fuse)

    @contextmanager
    def agent(self) -> Iterator[tuple[Syncer, FusedStore]]:
        """Start an agent; it ends with the block."""
        store = FusedStore.open(self.folder / "state", site=SITE, clock=SystemClock())
        assert isinstance(store, FusedStore)
        store.fuse = self.fuse
        syncer = Syncer(
            site=SITE,
            store=store,
            clock=SystemClock(),
            log=Log(io.StringIO(), clock=SystemClock()),
            open_target=lambda _: self.target,
            sleep=lambda _: None,
            check_stop=lambda: None,
        )
        try:
            yield syncer, store
        finally:
            store.close()

    def events(self) -> list[dict[str, Any]]:
        lines = (self.folder / "events").read_text().splitlines()
        return [event for line in lines for event in json.loads(line)]


def sync(syncer: Syncer, world: World, store: StateStore, commit: str, values: Mapping[str, str]) -> None:
    """One round of an agent: settle, look for drift, deliver."""
    syncer.settle(Allowed(revision(commit, values)))
    syncer.correct_drift()
    drain(store, world.sink)


def good_change(syncer: Syncer, world: World, store: StateStore) -> None:
    sync(syncer, world, store, "b", {"x": "2", "y": "1", "new": "2"})


def bad_change(syncer: Syncer, world: World, store: StateStore) -> None:
    sync(syncer, world, store, "b", {"x": "2", "y": "sick", "z": "1"})


def half_change(syncer: Syncer, world: World, store: StateStore) -> None:
    sync(syncer, world, store, "b", {"x": "2", "y": "half", "z": "1"})


def denied_change(syncer: Syncer, world: World, store: StateStore) -> None:
    syncer.settle(Refused("b" * 40, "rules", (Reason("memory-budget", "too much"),), 1))
    syncer.correct_drift()
    drain(store, world.sink)


def drift(syncer: Syncer, world: World, store: StateStore) -> None:
    sync(syncer, world, store, "a", OLD)


OLD = {"x": "1", "y": "1", "z": "1"}
Step = Callable[[Syncer, World, StateStore], None]


@pytest.mark.parametrize(
    ("step", "values", "events"),
    [
        pytest.param(
            good_change,
            {"x": "2", "y": "1", "new": "2"},
            {"sync.planned": 1, "sync.applied": 1},
            id="a good change",
        ),
        pytest.param(
            bad_change, OLD, {"sync.planned": 1, "sync.rolledback": 1}, id="a change that gets sick"
        ),
        pytest.param(
            half_change, OLD, {"sync.planned": 1, "sync.rolledback": 1}, id="a change refused half-way"
        ),
        pytest.param(denied_change, OLD, {"sync.denied": 1}, id="a change against the rules"),
        pytest.param(drift, OLD, {"drift.detected": 1, "drift.corrected": 1}, id="drift"),
    ],
)
def test_wherever_an_agent_is_killed_the_next_one_ends_the_work_and_each_event_arrives_once(
    tmp_path: Path, step: Step, values: dict[str, str], events: dict[str, int]
) -> None:
    for point in range(MOST_POINTS):
        world = World(tmp_path / str(point))
        world.folder.mkdir()
        with world.agent() as (syncer, store):
            sync(syncer, world, store, "a", OLD)
        before = len(world.events())
        if step is drift:
            id_ = next(iter(world.target.objects))
            world.target.objects[id_] = {**world.target.objects[id_], "data": {"value": "bent"}}

        world.fuse.left = point
        killed = False
        try:
            with world.agent() as (syncer, store):
                step(syncer, world, store)
        except Killed:
            killed = True
        world.fuse.left = -1
        with world.agent() as (syncer, store):
            step(syncer, world, store)
            assert store.pending() == 0

        assert world.target.values == values, f"killed at point {point}"
        assert_contiguous(world.events())
        new = [event["type"].removeprefix("dev.wayside.").removesuffix(".v1") for event in world.events()]
        seen = Counter(new[before:])
        # What an agent that was killed had bent itself may be called drift by the next one.
        if step in (bad_change, half_change):
            assert seen["drift.detected"] == seen["drift.corrected"] <= 1
            del seen["drift.detected"], seen["drift.corrected"]
        assert seen == events, f"killed at point {point}"
        if not killed:
            assert point > 5
            return
    pytest.fail(f"there are more than {MOST_POINTS} points")
