"""What a sync does in which order, and where it stops."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from reconciler.apply import execute
from reconciler.errors import TargetUnreachable
from reconciler.model.outcome import Actuation, Outcome, Phase, Step
from reconciler.model.plan import Action, HealthStatus, Inventory
from reconciler.model.resource import Manifest, Resource
from reconciler.model.site import SyncSettings
from reconciler.planning import applyset_id, plan
from tests.apply.clock import StandingClock
from tests.apply.fake_target import FakeCluster, FakeTarget

OWNER = applyset_id("store")
BUSY = {"conditions": [{"type": "Ready", "status": "False", "reason": "Starting"}]}
READY = {"conditions": [{"type": "Ready", "status": "True"}]}
STALLED = {"conditions": [{"type": "Stalled", "status": "True", "reason": "Broken", "message": "no disk"}]}


def thing(name: str, *, wave: int = 0, **data: str) -> Resource:
    annotations = {"wayside.dev/wave": str(wave)}
    metadata = {"name": name, "namespace": "shop", "annotations": annotations}
    return Resource({"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": data})


SPACE = Resource({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "shop"}})


class Site:
    """A site with its cluster, and everything that a sync told."""

    def __init__(self, **cluster: Any) -> None:
        self.cluster = FakeCluster(**cluster)
        self.target = FakeTarget(self.cluster, OWNER)
        self.clock = StandingClock()
        self.steps: list[Step] = []
        self.saved: list[Inventory] = []

    def sync(self, desired: Sequence[Resource], *, timeout: float = 60, **policy: Any) -> Outcome:
        known = self.saved[-1] if self.saved else Inventory()
        self.steps.clear()
        observed = self.target.observe(desired, known)
        wanted = plan(desired, observed, known, SyncSettings(**policy), site="store")
        return execute(
            wanted,
            self.target,
            clock=self.clock,
            timeout=timeout,
            on_step=self.steps.append,
            save=self.saved.append,
            sleep=self.clock.sleep,
        )

    @property
    def names(self) -> set[str]:
        return {id_.name for id_ in self.cluster.objects}


def actuations(outcome: Outcome) -> dict[str, Actuation]:
    return {result.id.name: result.actuation for result in outcome.results}


def test_dry_runs_come_first_then_the_inventory_then_the_waves_then_the_inventory() -> None:
    site = Site()
    assert site.sync([SPACE, thing("late", wave=1), thing("early", wave=-1)]).succeeded
    told = [
        (step.phase, step.id.name if step.id else "") for step in site.steps if step.phase is not Phase.HEALTH
    ]
    assert told == [
        (Phase.DRY_RUN, "shop"),
        (Phase.INVENTORY, ""),
        (Phase.APPLY, "shop"),
        (Phase.DRY_RUN, "early"),
        (Phase.DRY_RUN, "late"),
        (Phase.APPLY, "early"),
        (Phase.APPLY, "late"),
        (Phase.INVENTORY, ""),
    ]
    assert {id_.name for id_ in site.saved[0].entries} == {"shop", "early", "late"}


def test_the_stored_inventory_claims_no_digest_of_what_is_not_applied_yet() -> None:
    site = Site()
    site.sync([SPACE, thing("one")])
    assert {entry.digest for entry in site.saved[0].entries.values()} == {""}
    assert all(entry.digest and entry.fields for entry in site.saved[-1].entries.values())


def test_all_refusals_are_told_together_and_nothing_is_changed() -> None:
    site = Site(refused=frozenset({"bad", "worse"}))
    site.cluster.objects[SPACE.id] = dict(SPACE.manifest)
    outcome = site.sync([thing("good"), thing("bad"), thing("worse")])
    assert {refusal.id.name for refusal in outcome.refusals} == {"bad", "worse"}
    assert not outcome.changed
    assert not outcome.complete
    assert site.cluster.writes == 0
    assert site.saved == []
    assert actuations(outcome)["good"] is Actuation.PENDING


def test_what_can_be_judged_only_after_its_namespace_is_there_stops_the_rest() -> None:
    site = Site(refused=frozenset({"bad"}))
    outcome = site.sync([SPACE, thing("good"), thing("bad", wave=1)])
    assert site.names == {"shop"}
    assert outcome.changed
    assert actuations(outcome) == {
        "shop": Actuation.SUCCEEDED,
        "good": Actuation.PENDING,
        "bad": Actuation.FAILED,
    }


def test_a_wave_is_applied_only_when_the_one_before_is_healthy() -> None:
    site = Site(statuses={"first": [BUSY, BUSY, READY]})
    site.sync([SPACE])
    outcome = site.sync([SPACE, starting("first"), thing("second", wave=1)])
    assert outcome.succeeded
    told = [step.id.name for step in site.steps if step.phase in (Phase.APPLY, Phase.HEALTH) and step.id]
    assert told.index("second") > max(n for n, name in enumerate(told) if name == "first")


def starting(name: str, *, wave: int = 0) -> Resource:
    """Return an object whose first status says that it is not ready; a controller says the rest."""
    return Resource({**thing(name, wave=wave).manifest, "status": BUSY})


def test_what_never_becomes_healthy_stops_the_sync_at_the_timeout_and_nothing_is_pruned() -> None:
    site = Site(statuses={"slow": [BUSY]})
    site.sync([SPACE, thing("old")])
    outcome = site.sync([SPACE, starting("slow"), thing("next", wave=1)], timeout=30)
    assert outcome.timed_out
    assert [result.id.name for result in outcome.unhealthy] == ["slow"]
    assert not outcome.succeeded
    assert site.clock.time == pytest.approx(30, abs=1)
    assert site.names == {"shop", "old", "slow"}
    assert {id_.name for id_ in outcome.inventory.entries} >= {"shop", "old", "slow"}


def test_what_has_failed_for_good_stops_the_sync_at_once() -> None:
    site = Site(statuses={"broken": [STALLED]})
    outcome = site.sync([SPACE, starting("broken"), thing("next", wave=1)], timeout=300)
    (result,) = outcome.unhealthy
    assert result.health is not None
    assert result.health.status is HealthStatus.FAILED
    assert "no disk" in result.health.message
    assert site.clock.time < 5
    assert not outcome.timed_out


def test_an_earlier_wave_that_another_run_applied_is_waited_for() -> None:
    site = Site(statuses={"first": [BUSY, BUSY, READY]})
    site.sync([SPACE])
    applied = starting("first")
    assert site.sync([SPACE, applied], timeout=0).timed_out
    site.cluster.statuses["first"] = [BUSY, BUSY, READY]
    outcome = site.sync([SPACE, applied, thing("second", wave=1)])
    assert outcome.succeeded
    assert site.cluster.objects[applied.id]["status"] == READY


def test_what_was_healthy_and_is_not_after_the_change_counts_against_the_revision() -> None:
    site = Site()
    web = Resource({**thing("web").manifest, "status": READY})
    site.sync([SPACE, web])
    site.cluster.statuses["web"] = [STALLED]
    outcome = site.sync([SPACE, web, thing("settings", colour="red")])
    assert [result.id.name for result in outcome.unhealthy] == ["web"]


def test_what_was_unhealthy_before_is_reported_and_does_not_count() -> None:
    site = Site()
    web = Resource({**thing("web").manifest, "status": STALLED})
    site.sync([SPACE, web])
    outcome = site.sync([SPACE, web, thing("settings", colour="red")])
    assert outcome.succeeded
    healths = {result.id.name: result.health.status for result in outcome.results if result.health}
    assert healths["web"] is HealthStatus.FAILED


def test_an_object_that_is_being_deleted_is_made_anew_when_it_is_gone() -> None:
    site = Site()
    site.sync([SPACE, thing("one")])
    live = site.cluster.objects[thing("one").id]
    live["metadata"] |= {"deletionTimestamp": "2026-01-01T00:00:00Z", "finalizers": ["example.com/x"]}
    uid = live["metadata"]["uid"]
    site.cluster.statuses["one"] = [BUSY, BUSY, {"gone": True}, READY]
    outcome = site.sync([SPACE, thing("one")])
    assert outcome.succeeded
    assert site.cluster.objects[thing("one").id]["metadata"]["uid"] != uid


def test_a_sync_may_be_stopped_while_it_waits_and_goes_on_later() -> None:
    class Stop(Exception):
        pass

    def stop(_: float) -> None:
        raise Stop

    site = Site(statuses={"slow": [BUSY]})
    desired = [SPACE, starting("slow")]
    observed = site.target.observe(desired, Inventory())
    wanted = plan(desired, observed, Inventory(), SyncSettings(), site="store")
    with pytest.raises(Stop):
        execute(wanted, site.target, clock=site.clock, timeout=60, save=site.saved.append, sleep=stop)
    assert {id_.name for id_ in site.saved[-1].entries} == {"shop", "slow"}
    site.cluster.statuses["slow"] = [READY]
    assert site.sync(desired).succeeded


class Flaky(FakeTarget):
    """A target that stops answering at the second apply."""

    applies = 0

    def apply(self, resource: Resource, *, force: bool) -> Manifest:
        self.applies += 1
        if self.applies == 2:
            raise TargetUnreachable("no answer")
        return super().apply(resource, force=force)


def test_a_target_that_stops_answering_leaves_an_inventory_that_holds_all_that_was_done() -> None:
    site = Site()
    site.target = Flaky(site.cluster, OWNER)
    with pytest.raises(TargetUnreachable):
        site.sync([SPACE, thing("one"), thing("two")])
    assert site.names <= {id_.name for id_ in site.saved[-1].entries}
    outcome = site.sync([SPACE, thing("one"), thing("two")])
    assert outcome.succeeded
    assert site.names == {"shop", "one", "two"}


def test_a_plan_with_a_hold_does_nothing_and_says_why() -> None:
    site = Site()
    site.sync([SPACE, thing("one")])
    writes, requests = site.cluster.writes, len(site.cluster.log)
    outcome = site.sync([])
    assert [hold.code for hold in outcome.holds] == ["prune-guarded", "prune-too-much"]
    assert not outcome.complete
    assert (site.cluster.writes, len(site.cluster.log)) == (writes, requests)


def test_a_second_sync_makes_no_request_but_the_look_at_what_is_there() -> None:
    site = Site()
    desired = [SPACE, *(thing(f"n{number}") for number in range(20))]
    site.sync(desired)
    site.target = FakeTarget(site.cluster, OWNER, lifetime=2)  # one to observe, one for the inventory
    outcome = site.sync(desired)
    assert {result.action for result in outcome.results} == {Action.UNCHANGED}
    assert {result.health.status for result in outcome.results if result.health} == {HealthStatus.CURRENT}
