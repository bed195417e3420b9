"""Syncs against a target that fails as targets do."""

from __future__ import annotations

import dataclasses
import datetime
import io
import json
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

import pytest

from reconciler.adapters.sqlite_state import StateStore
from reconciler.agent.assessment import Allowed, Unavailable, decode, encode
from reconciler.agent.clock import SystemClock
from reconciler.agent.logs import Log
from reconciler.agent.revision import Digests, SiteRevision
from reconciler.agent.sync import Ending, Syncer
from reconciler.errors import TargetRefused, TargetUnreachable
from reconciler.model.plan import Health, HealthStatus, Inventory, Observed
from reconciler.model.resource import Manifest, Resource, ResourceId
from reconciler.model.site import SyncSettings, Target
from reconciler.planning.applyset import applyset_id, part_of
from tests.agent.rig import config_map

SITE = "shop"


class MemoryTarget:
    """A cluster in memory. An object's value says how it behaves: `refuse`, `sick`, `half` or any other."""

    def __init__(self) -> None:
        self.objects: dict[ResourceId, Manifest] = {}
        self.inventory = Inventory()
        self.unreachable_after = 10**9
        self.requests = 0

    def _request(self) -> None:
        self.requests += 1
        if self.requests > self.unreachable_after:
            raise TargetUnreachable("no route to host", code="target-unreachable")

    @property
    def parallel(self) -> int:
        return 1

    def observe(self, resources: Iterable[Resource], known: Inventory, *, newest: bool = False) -> Observed:
        del resources, known, newest
        self._request()
        return Observed(
            objects=MappingProxyType(dict(self.objects)),
            inventory=self.inventory,
            scopes=MappingProxyType({("", "ConfigMap"): True}),
        )

    def dry_run(self, resource: Resource, *, force: bool) -> Manifest | None:
        del force
        self._request()
        if resource.manifest["data"]["value"] == "refuse":
            raise TargetRefused("admission webhook says no", reason="Forbidden", status=403)
        return resource.manifest

    def apply(self, resource: Resource, *, force: bool) -> Manifest:
        del force
        self._request()
        if resource.manifest["data"]["value"] == "half":
            raise TargetRefused("quota exceeded", reason="Forbidden", status=403)
        status = self.objects.get(resource.id, {}).get("status")
        self.objects[resource.id] = {**resource.manifest, **({"status": status} if status else {})}
        return self.objects[resource.id]

    def read(self, id: ResourceId, api_version: str) -> Manifest | None:  # noqa: A002 - the field's word
        del api_version
        self._request()
        return self.objects.get(id)

    def delete(self, id: ResourceId, api_version: str, *, uid: str = "") -> None:  # noqa: A002 - the field's word
        del api_version, uid
        self._request()
        self.objects.pop(id, None)

    def assess(self, live: Manifest | None) -> Health:
        if live is None:
            return Health(HealthStatus.NOT_FOUND)
        if live["data"]["value"] == "pulling":
            return Health(HealthStatus.IN_PROGRESS, "Pulling")
        if "sick" in (live["data"]["value"], live.get("status")):
            return Health(HealthStatus.FAILED, "CrashLoopBackOff: exit 137")
        return Health(HealthStatus.CURRENT)

    def diagnose(self, live: Manifest) -> str:
        del live
        return ""

    def save_inventory(self, inventory: Inventory) -> None:
        self._request()
        self.inventory = inventory

    def describe(self) -> Mapping[str, Any]:
        return {"type": "memory"}

    @property
    def values(self) -> dict[str, str]:
        ours = applyset_id(SITE)
        return {
            id_.name: manifest["data"]["value"]
            for id_, manifest in self.objects.items()
            if part_of(manifest) == ours
        }


def revision(commit: str, values: Mapping[str, str], **sync: Any) -> SiteRevision:
    return SiteRevision(
        commit=commit * 40,
        committed_at=datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC),
        subject="x",
        site=SITE,
        platform="kubernetes",
        sync=SyncSettings(**{"timeout": 0.2, **sync}),
        target=Target(),
        resources=tuple(Resource(config_map(*item)) for item in values.items()),
        digests=Digests("i", "r", "v"),
        wayside="0",
    )


class Bench:
    def __init__(self, folder: Path) -> None:
        self.target = MemoryTarget()
        self.log = io.StringIO()
        self.store = StateStore.open(folder, site=SITE, clock=SystemClock())
        self.syncer = Syncer(
            site=SITE,
            store=self.store,
            clock=SystemClock(),
            log=Log(self.log, clock=SystemClock()),
            open_target=lambda _: self.target,
            sleep=lambda _: None,
            check_stop=lambda: None,
        )

    def settle(self, commit: str, values: Mapping[str, str], **sync: Any) -> Ending:
        return self.syncer.settle(Allowed(revision(commit, values, **sync)))

    @property
    def types(self) -> list[str]:
        with self.store.transaction() as tx:
            return [
                event.type.removeprefix("dev.wayside.").removesuffix(".v1")
                for event in tx.outbox.pending(1000)
            ]

    @property
    def state(self) -> str:
        condition = self.store.condition()
        return "" if condition is None else f"{condition.state}/{condition.reason}"


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    bench = Bench(tmp_path)
    yield bench
    bench.store.close()


def test_a_site_whose_objects_are_all_current_is_ready(bench: Bench) -> None:
    assert bench.settle("a", {"x": "1"}) is Ending.FINE
    assert bench.state == "Ready/Applied"


def test_what_the_api_server_refuses_changes_nothing_and_is_reported_once(bench: Bench) -> None:
    bench.settle("a", {"x": "1", "y": "1"})
    for _ in range(3):
        assert bench.settle("b", {"x": "2", "y": "refuse"}) is Ending.FAILED
    assert bench.target.values == {"x": "1", "y": "1"}
    assert bench.types == ["sync.planned", "sync.applied", "sync.planned", "sync.failed"]
    assert bench.state == "Degraded/ApplyRefused"
    attempt = bench.store.attempt()
    assert attempt is not None
    assert attempt.failures == 3
    assert bench.settle("b", {"x": "2", "y": "2"}) is Ending.FINE
    assert bench.types[4:] == ["sync.applied"]


@pytest.mark.parametrize("bad", ["half", "sick"])
def test_a_revision_that_fails_half_way_goes_back_and_is_held(bench: Bench, bad: str) -> None:
    bench.settle("a", {"x": "1", "y": "1"})
    assert bench.settle("b", {"x": "2", "y": bad}) is Ending.FAILED
    assert bench.target.values == {"x": "1", "y": "1"}
    assert bench.state.startswith("RolledBack/")
    requests = bench.target.requests
    assert bench.settle("b", {"x": "2", "y": bad}) is Ending.REFUSED
    assert bench.target.requests == requests
    assert bench.types.count("sync.rolledback") == 1
    assert bench.settle("c", {"x": "3", "y": "3"}) is Ending.FINE
    assert bench.target.values == {"x": "3", "y": "3"}
    assert bench.state == "Ready/Applied"


class RestClock(SystemClock):
    """A clock that moves by what is slept."""

    def __init__(self) -> None:
        self.passed = 0.0

    def monotonic(self) -> float:
        return self.passed

    def sleep(self, seconds: float) -> None:
        self.passed += max(seconds, 0.01)


def test_what_must_come_over_the_link_first_is_waited_for_and_the_way_back_is_not(bench: Bench) -> None:
    clock = RestClock()
    syncer = dataclasses.replace(bench.syncer, clock=clock, sleep=clock.sleep)
    there = dataclasses.replace(revision("a", {"x": "1"}, timeout=30), pulls={"old": 600.0})
    assert syncer.settle(Allowed(there)) is Ending.FINE
    new = dataclasses.replace(revision("b", {"x": "pulling"}, timeout=30), pulls={"old": 600.0, "new": 120.0})
    assert syncer.settle(Allowed(new)) is Ending.FAILED
    assert bench.state == "RolledBack/Unhealthy"
    assert 150 <= clock.passed < 160
    clock.passed = 0.0
    same = dataclasses.replace(revision("c", {"x": "pulling"}, timeout=30), pulls={"old": 600.0})
    assert syncer.settle(Allowed(same)) is Ending.FAILED
    assert 30 <= clock.passed < 40


def test_without_a_last_good_revision_a_failure_deletes_nothing(bench: Bench) -> None:
    assert bench.settle("a", {"x": "1", "y": "sick"}) is Ending.FAILED
    assert bench.target.values == {"x": "1", "y": "sick"}
    assert bench.state == "Degraded/Unhealthy"
    assert bench.types == ["sync.planned", "sync.failed"]


def test_rollback_can_be_switched_off(bench: Bench) -> None:
    bench.settle("a", {"x": "1"})
    assert bench.settle("b", {"x": "sick"}, rollback=False) is Ending.FAILED
    assert bench.target.values == {"x": "sick"}


@pytest.mark.parametrize("after", range(0, 14))
def test_a_target_that_stops_answering_at_any_request_is_caught_up_with_later(
    bench: Bench, after: int
) -> None:
    bench.settle("a", {"x": "1", "y": "1", "z": "1"})
    bench.target.unreachable_after = bench.target.requests + after
    ending = bench.settle("b", {"x": "2", "y": "2", "w": "2"})
    bench.target.unreachable_after = 10**9
    if ending is Ending.UNREACHABLE:
        assert bench.state == "Unknown/TargetUnreachable"
        assert "target" in bench.store.faults()
    assert bench.settle("b", {"x": "2", "y": "2", "w": "2"}) is Ending.FINE
    assert bench.target.values == {"x": "2", "y": "2", "w": "2"}
    assert bench.types.count("sync.applied") == 2
    assert bench.store.faults() == {}
    assert bench.state == "Ready/Applied"


def test_a_target_that_answers_again_shows_the_health_it_has(bench: Bench) -> None:
    bench.settle("a", {"x": "1"})
    bench.target.unreachable_after = 0
    assert bench.syncer.correct_drift() is Ending.UNREACHABLE
    assert bench.state == "Unknown/TargetUnreachable"
    bench.target.unreachable_after = 10**9
    assert bench.syncer.correct_drift() is Ending.FINE
    assert bench.state == "Ready/Applied"


def test_a_sync_broken_off_goes_back_to_the_last_good_one_while_the_repository_is_away(bench: Bench) -> None:
    bench.settle("a", {"x": "1", "y": "1"})
    bench.target.unreachable_after = bench.target.requests + 5
    assert bench.settle("b", {"x": "2", "y": "2"}) is Ending.UNREACHABLE
    bench.target.unreachable_after = 10**9
    assert bench.target.values == {"x": "2", "y": "1"}
    assert bench.syncer.correct_drift() is Ending.FINE
    assert bench.target.values == {"x": "2", "y": "1"}
    bench.syncer.settle(Unavailable("git-failed", "no route"))
    assert bench.syncer.correct_drift() is Ending.FINE
    assert bench.target.values == {"x": "1", "y": "1"}


@pytest.mark.parametrize(
    ("drift", "after", "events"),
    [
        ("correct", "1", ["drift.detected", "drift.corrected"]),
        ("report", "bent", ["drift.detected"]),
        ("ignore", "bent", []),
    ],
)
def test_drift_is_treated_as_the_site_says(bench: Bench, drift: str, after: str, events: list[str]) -> None:
    bench.settle("a", {"x": "1"}, drift=drift)
    (id_,) = bench.target.objects
    bench.target.objects[id_] = {**bench.target.objects[id_], "data": {"value": "bent"}}
    for _ in range(2):
        bench.syncer.correct_drift()
    assert bench.target.values == {"x": after}
    assert bench.types[2:] == events


def test_a_health_that_changes_later_shows_in_the_state(bench: Bench) -> None:
    bench.settle("a", {"x": "1"})
    (id_,) = bench.target.objects
    bench.target.objects[id_] = {**bench.target.objects[id_], "status": "sick"}
    assert bench.syncer.correct_drift() is Ending.FINE
    assert bench.state == "Degraded/Unhealthy"
    condition = bench.store.condition()
    assert condition is not None
    assert "CrashLoopBackOff" in condition.message


def test_a_revision_that_is_asked_for_again_is_not_reported_again(bench: Bench) -> None:
    bench.settle("a", {"x": "1"})
    assert bench.settle("a", {"x": "1"}) is Ending.FINE
    assert bench.types == ["sync.planned", "sync.applied"]


def test_an_assessment_survives_the_way_from_the_worker() -> None:
    allowed = Allowed(revision("a", {"x": "ü"}, confirm_deletes=("Namespace/shop",)))
    assert decode(json.loads(json.dumps(encode(allowed)))) == allowed
    assert SiteRevision.from_bytes(allowed.revision.to_bytes()) == allowed.revision


@pytest.mark.parametrize("document", [{}, {"kind": "Allowed"}, {"kind": "Held", "x": 1}, {"kind": "Nothing"}])
def test_what_is_no_assessment_is_refused(document: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="expected an assessment"):
        decode(document)


def test_the_agents_own_objects_are_applied_last_and_never_pruned_by_itself(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    first = revision("a", {"a": "1", "z": "1"})
    own = Resource(config_map("aaa-agent", namespace="wayside-system"))
    with_own = dataclasses.replace(first, resources=(own, *first.resources))
    order: list[str] = []
    apply = bench.target.apply

    def noted(resource: Resource, *, force: bool) -> Manifest:
        order.append(resource.id.name)
        return apply(resource, force=force)

    bench.target.apply = noted  # type: ignore[method-assign]  # the fake takes notes
    assert bench.syncer.settle(Allowed(with_own)) is Ending.FINE
    assert order == ["a", "z", "aaa-agent"]
    assert bench.settle("b", {"a": "1", "z": "1"}) is Ending.FINE
    assert "aaa-agent" in bench.target.values
