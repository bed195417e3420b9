"""Every event that an agent makes is as published, and says how the site is."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from reconciler.adapters.sqlite_outbox import OutboxLimits
from reconciler.adapters.sqlite_state import StateStore
from reconciler.agent.assessment import Allowed, Held, Reason, Refused, Suspended, Unavailable
from reconciler.agent.clock import SystemClock
from reconciler.agent.description import snapshot
from reconciler.cli.main import main
from reconciler.errors import TargetUnreachable
from reconciler.events import event_schema, event_schemas
from reconciler.model.event import Event, EventType, is_urgent
from reconciler.model.site_record import SiteRecord, fold
from reconciler.planning.contest import Ring
from tests.agent.published import assert_published
from tests.agent.test_sync import SITE, Bench, revision

COMMIT = "c" * 40


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    bench = Bench(tmp_path)
    yield bench
    bench.store.close()


def said(bench: Bench) -> list[Event]:
    with bench.store.transaction() as tx:
        return list(tx.outbox.pending(10_000))


def known(bench: Bench) -> SiteRecord:
    """Return what a hub knows after everything that was said."""
    record = SiteRecord(SITE)
    for event in said(bench):
        record = fold(record, event)
    return record


def bend(bench: Bench, **more: Any) -> None:
    (id_,) = bench.target.objects
    bench.target.objects[id_] = {**bench.target.objects[id_], **more}


def start(bench: Bench) -> None:
    with bench.store.transaction() as tx:
        tx.emit(
            EventType.AGENT_STARTED,
            {**snapshot(bench.store, heartbeat=300.0), "interrupted": "", "stateLoss": "new"},
        )


def beat(bench: Bench) -> None:
    with bench.store.transaction() as tx:
        tx.emit(EventType.AGENT_HEARTBEAT, snapshot(bench.store, heartbeat=300.0, link={"sent": 1}))


def drift(bench: Bench) -> None:
    bench.settle("a", {"x": "1"})
    bend(bench, data={"value": "bent"})
    bench.syncer.correct_drift()


def contest(bench: Bench) -> None:
    bench.settle("a", {"x": "1"})
    syncer = dataclasses.replace(bench.syncer, ring=Ring())
    for _ in range(20):
        bend(bench, data={"value": "bent"})
        syncer.correct_drift()


def sick(bench: Bench) -> None:
    bench.settle("a", {"x": "1"})
    bend(bench, status="sick")
    bench.syncer.correct_drift()


def differ(bench: Bench) -> None:
    # What `Residence.compare_facts` says.
    with bench.store.transaction() as tx:
        tx.emit(EventType.FACTS_DIFFER, {"count": 1, "differences": ["node-0: cpu 2, declared 4"]})


def overflow(bench: Bench) -> None:
    store = bench.store
    tight = StateStore.attach(store._path.parent, clock=SystemClock(), limits=OutboxLimits(rows=20))
    for number in range(60):
        with tight.transaction() as tx:
            tx.emit(EventType.DRIFT_CORRECTED, {"commit": f"{number:040x}"})
    tight.close()


def hold(bench: Bench) -> None:
    bench.syncer.settle(Held(COMMIT, "SiteRemoved", "the site's folder is gone", "put it back"))


def deny(bench: Bench) -> None:
    reason = Reason("memory-budget", "asks for 4Gi, 3Gi are free", "a/b.yaml:3:5", "ask for less", "Pod/x")
    bench.syncer.settle(Refused(COMMIT, "rules", (reason,), 1))


def lose_target(bench: Bench) -> None:
    bench.settle("a", {"x": "1"})
    bench.syncer.records.target_failed(TargetUnreachable("no route", code="target-unreachable"))


def guard(bench: Bench) -> None:
    bench.settle("a", {f"x{number}": "1" for number in range(12)})
    bench.settle("b", {"x1": "1"})


def roll_back(bench: Bench) -> None:
    bench.settle("a", {"x": "1"})
    bench.settle("b", {"x": "sick"})


def lose_source(bench: Bench) -> None:
    bench.syncer.settle(Unavailable("git-failed", "no route", "look at the link"))


def find_source(bench: Bench) -> None:
    lose_source(bench)
    bench.settle("a", {"x": "1"})


STORIES: dict[EventType, tuple[Callable[[Bench], object], ...]] = {
    EventType.AGENT_STARTED: (start,),
    EventType.AGENT_HEARTBEAT: (beat,),
    EventType.SYNC_PLANNED: (lambda bench: bench.settle("a", {"x": "1"}),),
    EventType.SYNC_APPLIED: (lambda bench: bench.settle("a", {"x": "1"}),),
    EventType.SYNC_FAILED: (lambda bench: bench.settle("a", {"x": "refuse"}),),
    EventType.SYNC_DENIED: (deny,),
    EventType.SYNC_HELD: (hold, guard),
    EventType.SYNC_ROLLED_BACK: (roll_back,),
    EventType.SITE_SUSPENDED: (
        lambda bench: bench.syncer.settle(Suspended(COMMIT)),
        lambda bench: bench.syncer.records.suspended_here(),
    ),
    EventType.HEALTH_CHANGED: (sick, lose_target, lambda bench: bench.syncer.records.resumed_here()),
    EventType.SOURCE_FAILED: (lose_source,),
    EventType.SOURCE_RESTORED: (find_source,),
    EventType.DRIFT_DETECTED: (drift,),
    EventType.DRIFT_CORRECTED: (drift,),
    EventType.DRIFT_CONTESTED: (contest,),
    EventType.FACTS_DIFFER: (differ,),
    EventType.OUTBOX_COMPACTED: (overflow,),
}


@pytest.mark.parametrize(
    ("type_", "story"),
    [(type_, story) for type_, stories in STORIES.items() for story in stories],
    ids=[f"{type_.value}-{number}" for type_, stories in STORIES.items() for number in range(len(stories))],
)
def test_every_event_is_as_published(
    bench: Bench, type_: EventType, story: Callable[[Bench], object]
) -> None:
    story(bench)
    events = said(bench)
    assert type_.value in {event.type for event in events}
    assert_published(event.to_cloudevent() for event in events)


def test_every_type_is_shown_to_be_as_published() -> None:
    assert set(STORIES) == set(EventType)


@pytest.mark.parametrize("type_", list(EventType), ids=lambda type_: type_.value)
def test_every_schema_is_one_and_refuses_what_it_must(type_: EventType) -> None:
    schema = event_schema(type_)
    jsonschema.Draft202012Validator.check_schema(schema)
    bad = {"specversion": "1.0", "id": "e-0", "source": "/sites/a", "type": type_.value, "time": "x" * 20}
    assert not jsonschema.Draft202012Validator(schema).is_valid(bad)


def test_schemas_are_exported_by_name(tmp_path: Path) -> None:
    assert main(["export", "schemas", str(tmp_path)]) == 0
    for name, schema in event_schemas().items():
        assert json.loads((tmp_path / f"{name}.json").read_text()) == schema


def test_an_object_that_becomes_sick_is_told_with_the_reason_and_again_when_it_is_well(bench: Bench) -> None:
    sick(bench)
    bend(bench, status="fine")
    bench.syncer.correct_drift()
    bench.syncer.correct_drift()
    first, second = (event for event in said(bench) if event.type == EventType.HEALTH_CHANGED.value)
    (change,) = first.data["changes"]
    assert (change["from"], change["to"]) == ("Current", "Failed")
    assert "CrashLoopBackOff" in change["message"]
    assert (first.data["was"], first.data["state"]) == ("Ready", "Degraded")
    assert (second.data["was"], second.data["state"], second.data["unhealthy"]) == ("Degraded", "Ready", {})
    assert is_urgent(EventType.HEALTH_CHANGED, first.data)
    assert is_urgent(EventType.HEALTH_CHANGED, second.data)


def test_the_health_of_objects_is_told_also_while_a_newer_revision_is_refused(bench: Bench) -> None:
    bench.settle("a", {"x": "1"})
    deny(bench)
    bend(bench, status="sick")
    bench.syncer.correct_drift()
    record = known(bench)
    assert record.state == "Held"
    assert list(record.unhealthy) == ["ConfigMap/default/x"]


@pytest.mark.parametrize(
    ("story", "state"),
    [
        (lambda bench: bench.settle("a", {"x": "1"}), "Ready/Applied"),
        (sick, "Degraded/Unhealthy"),
        (lose_target, "Unknown/TargetUnreachable"),
        (roll_back, "RolledBack/Unhealthy"),
        (hold, "Held/SiteRemoved"),
        (deny, "Held/Denied"),
        (lambda bench: bench.settle("a", {"x": "refuse"}), "Degraded/ApplyRefused"),
        (lambda bench: bench.syncer.settle(Suspended(COMMIT)), "Suspended/Suspended"),
    ],
    ids=["applied", "sick", "target away", "rolled back", "held", "denied", "refused", "suspended"],
)
def test_a_hub_knows_the_state_from_events_alone(
    bench: Bench, story: Callable[[Bench], object], state: str
) -> None:
    story(bench)
    assert bench.state == state
    record = known(bench)
    assert f"{record.state}/{record.reason}" == state


def test_drift_that_is_left_is_out_of_sync_until_it_is_gone(bench: Bench) -> None:
    bench.settle("a", {"x": "1"}, drift="report")
    original = dict(bench.target.objects)
    bend(bench, data={"value": "bent"})
    bench.syncer.correct_drift()
    assert bench.state == "OutOfSync/Drift"
    assert known(bench).state == "OutOfSync"
    bench.target.objects = original
    bench.syncer.correct_drift()
    assert bench.state == "Ready/Applied"
    assert (known(bench).state, known(bench).drift) == ("Ready", ())


def test_labels_and_platform_come_with_what_is_applied(bench: Bench) -> None:
    declared = {"labels": {"region": "r3"}, "spec": {"link": {"metered": True}}}
    bench.syncer.settle(Allowed(dataclasses.replace(revision("a", {"x": "1"}), manifest=declared)))
    record = known(bench)
    assert (record.labels, record.platform) == ({"region": "r3"}, "kubernetes")


def test_a_heartbeat_says_what_is_news_and_no_more(bench: Bench) -> None:
    start(bench)
    bench.settle("a", {"x": "1"})
    beat(bench)
    beat(bench)
    assert [event.type for event in said(bench)][-1] == EventType.AGENT_HEARTBEAT.value
    before = len(said(bench))
    beat(bench)
    assert len(said(bench)) == before
    bench.syncer.records.source_failed(Unavailable("git-failed", "no route"))
    beat(bench)
    last = said(bench)[-1].data
    assert last["faults"] == ["source"]
    assert "labels" not in last
    assert known(bench).faults == ("source",)


def test_a_hub_that_lost_everything_is_told_everything_after_a_new_epoch(bench: Bench) -> None:
    start(bench)
    bench.settle("a", {"x": "1"})
    beat(bench)
    with bench.store.transaction() as tx:
        tx.outbox.renew()
        tx.outbox._connection.execute("DELETE FROM outbox")
    beat(bench)
    record = known(bench)
    assert (record.state, record.applied, record.version != "") == ("Ready", "a" * 40, True)


def test_a_hold_of_the_plan_is_as_published(bench: Bench) -> None:
    guard(bench)
    held = [event for event in said(bench) if event.type == EventType.SYNC_HELD.value]
    assert held[0].data["holds"][0]["subjects"]
