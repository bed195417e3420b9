"""One sync: from an assessment of the repository to a site that is as it should be, and a record of it.

Everything that is reported is stored in the transaction of the state change that it reports, so a kill at
any point neither loses nor doubles an event. Doing a sync again is always safe.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass, field
from typing import assert_never

from reconciler.adapters.sqlite_state import Attempt, Condition, StateStore
from reconciler.agent import report
from reconciler.agent.assessment import (
    Allowed,
    Assessment,
    Held,
    Refused,
    Suspended,
    Unavailable,
    Unchanged,
)
from reconciler.agent.condition import site_health
from reconciler.agent.description import Description, remember_health
from reconciler.agent.logs import Log
from reconciler.agent.records import CONTEST, DRIFT, SOURCE, TARGET, Ending, Failure, Records
from reconciler.agent.revision import SiteRevision
from reconciler.apply.execute import execute
from reconciler.errors import StateError, TargetError, TargetUnreachable, UsageError
from reconciler.model.event import EventType
from reconciler.model.outcome import Actuation, Outcome, Phase, Step
from reconciler.model.plan import Action, Inventory, Observed, Plan
from reconciler.model.resource import Resource, ResourceId
from reconciler.planning.applyset import AGENT_NAMESPACE
from reconciler.planning.contest import Ring
from reconciler.planning.digest import last_writer
from reconciler.planning.lasting import lasting
from reconciler.planning.planner import plan as make_plan
from reconciler.ports.clock import Clock
from reconciler.ports.target import Target

__all__ = ["Ending", "Syncer"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Syncer:
    """Carries out syncs of one site.

    Attributes:
        site: The site's name.
        store: The site's state.
        clock: For timeouts.
        log: Where it is said.
        open_target: Gives the target of a revision.
        sleep: Waits, and raises to stop a sync.
        check_stop: Raises where the agent is to stop.
        ring: Counts how often objects were put right.
        announce: Is told that there is something to send, before a sync that may take long.
    """

    site: str
    store: StateStore
    clock: Clock
    log: Log
    open_target: Callable[[SiteRevision], Target]
    sleep: Callable[[float], None]
    check_stop: Callable[[], None]
    ring: Ring = field(default_factory=Ring)
    announce: Callable[[], None] = lambda: None

    @property
    def records(self) -> Records:
        """What records how revisions fare."""
        return Records(self.store, self.log)

    def settle(self, assessment: Assessment) -> Ending:
        """Act on what a look at the repository told.

        Raises:
            StateError: It could not be recorded. Nothing is begun that was not recorded first.
        """
        if not isinstance(assessment, Unavailable):
            self.records.source_answers()
        match assessment:
            case Unchanged():
                return Ending.FINE
            case Allowed(revision):
                return self._take(revision)
            case Refused():
                return self.records.refused(assessment)
            case Held():
                return self.records.held(assessment)
            case Suspended(commit):
                return self.records.suspended(commit)
            case Unavailable():
                return self.records.source_failed(assessment)
            case _:
                assert_never(assessment)

    def correct_drift(self) -> Ending:
        """Make the site as the last good revision says, also while git is away."""
        revision = self._good()
        attempt = self.store.attempt()
        if revision is None or attempt is None or revision.sync.drift == "ignore":
            return Ending.FINE
        match attempt.phase:
            case "suspended":
                return Ending.FINE
            case "applying" if SOURCE not in self.store.faults():
                # The sync that was broken off goes on by itself; without the repository, the way is back.
                return Ending.FINE
            case "failed" if not revision.sync.rollback:
                return Ending.FINE
        try:
            # After a revision that failed, what the way back left in place must not hold every correction.
            return self._correct(revision, rollback=attempt.phase in {"applying", "failed", "rolledback"})
        except TargetError as err:
            return self.records.target_failed(err)

    def _correct(self, revision: SiteRevision, *, rollback: bool) -> Ending:
        target = self.open_target(revision)
        observed, plan = self._plan(target, revision, rollback=rollback, newest=True)
        changes = report.changes_of(plan)
        if plan.holds:
            self.log.warning("drift is not corrected", reason=plan.holds[0].message)
            return Ending.REFUSED
        outcome = None
        if changes:
            left = revision.sync.drift == "report"
            self.records.drifted(report.planned(revision, changes), changes, left=left)
            if left:
                return Ending.FINE
            names = ", ".join(str(change.id) for change in changes[:5])
            outcome = self._execute(target, revision, plan)
            self._count_rounds(outcome, observed)
            self.log.info("drift corrected", changes=len(changes), objects=names, complete=outcome.complete)
        complete = outcome is None or outcome.complete
        with self.store.transaction() as tx:
            if complete and tx.end_fault(DRIFT):
                tx.emit(EventType.DRIFT_CORRECTED, {"commit": revision.commit})
            tx.end_fault(TARGET)
            if self.ring.next_round(self.clock.monotonic()) is None:
                tx.end_fault(CONTEST)
        self.records.health(site_health(target, plan, observed, outcome))
        return Ending.FINE if complete else Ending.FAILED

    def _count_rounds(self, outcome: Outcome, observed: Observed) -> None:
        """Note what was put right, and say so where that has become a fight."""
        put_right = [
            result.id
            for result in outcome.results
            if result.action in (Action.CREATE, Action.UPDATE) and result.actuation is Actuation.SUCCEEDED
        ]
        for id_ in sorted(self.ring.corrected(put_right, self.clock.monotonic())):
            live = observed.objects.get(id_)
            who = (last_writer(live) if live is not None else "") or "somebody"
            message = f"{id_}: {who} changes it again and again; it is left alone for a while"
            self.log.failure("drift contested", object=id_, by=who)
            with self.store.transaction() as tx:
                if tx.begin_fault(CONTEST, "Contested", message):
                    tx.emit(EventType.DRIFT_CONTESTED, {"resource": str(id_), "by": who, "message": message})

    def _take(self, revision: SiteRevision) -> Ending:
        """Apply a revision that the rules allow, unless it was applied, or has failed, before."""
        earlier = self.store.attempt()
        if earlier is None or earlier.commit != revision.commit:
            earlier = Attempt(revision.commit, "", digests=report.digests(revision))
        if earlier.phase == "rolledback":
            return Ending.REFUSED
        good = self.store.good()
        if earlier.phase == "applied" and good is not None and good.content == revision.to_bytes():
            # Asked for again: there is nothing to apply, only what somebody may have bent.
            return self.correct_drift()
        try:
            return self._apply(revision, earlier)
        except TargetUnreachable as err:
            return self.records.target_failed(err)
        except (TargetError, UsageError) as err:
            return self.records.failed(earlier, Failure(err.code, err.message))

    def _apply(self, revision: SiteRevision, earlier: Attempt) -> Ending:
        target = self.open_target(revision)
        observed, plan = self._plan(target, revision)
        if plan.holds:
            return self.records.plan_held(revision.commit, plan)
        attempt = self._begin(revision, plan, earlier)
        # What must come over a slow link is waited for; the way back has its images already.
        patience = revision.patience(self._good()) if revision.pulls else revision.sync.timeout
        outcome = self._execute(target, revision, plan, begun=earlier.objects, timeout=patience)
        if not outcome.succeeded:
            return self._failed(revision, attempt, outcome)
        counts = report.counts(result.action for result in outcome.results)
        health = site_health(target, plan, observed, outcome)
        description = Description.of(revision)
        with self.store.transaction() as tx:
            tx.set_good(revision.commit, revision.to_bytes())
            tx.set_attempt(Attempt(revision.commit, "applied", digests=report.digests(revision)))
            tx.set_inventory(outcome.inventory.to_json().encode())
            tx.end_fault(TARGET)
            tx.end_fault(DRIFT)
            condition = tx.set_condition(health.condition)
            remember_health(tx, health.unhealthy)
            description.keep(tx)
            tx.emit(
                EventType.SYNC_APPLIED,
                {
                    **report.applied(revision, outcome, resources=len(revision.resources)),
                    **report.condition(condition),
                    **description.told(),
                    "unhealthy": report.sentences(health.unhealthy),
                },
            )
        self.log.info("sync applied", commit=revision.commit, **counts)
        return Ending.FINE

    def _begin(self, revision: SiteRevision, plan: Plan, earlier: Attempt) -> Attempt:
        """Record what is about to be done; a sync that goes on where it was broken off has been reported."""
        changes = report.changes_of(plan)
        attempt = dataclasses.replace(
            earlier,
            phase="applying",
            started_at="",
            objects=earlier.objects | {change.id for change in changes},
        )
        with self.store.transaction() as tx:
            tx.set_attempt(attempt)
            if changes:
                found = tx.set_condition(Condition("Progressing", "Applying", f"{len(changes)} changes"))
                if earlier.phase not in {"applying", "failed"}:
                    state = report.condition(found)
                    tx.emit(EventType.SYNC_PLANNED, {**report.planned(revision, changes), **state})
        if changes:
            counts = report.counts(change.action for change in changes)
            self.log.info("sync planned", commit=earlier.commit, **counts)
            self.announce()
        return attempt

    def _failed(self, revision: SiteRevision, attempt: Attempt, outcome: Outcome) -> Ending:
        """Go back where something was changed; otherwise stay, and try again later."""
        found = tuple(report.failures(outcome))
        first = f"{found[0]['resource']}: {found[0]['message']}" if found else "not every change was made"
        code = "Unhealthy" if outcome.unhealthy and not outcome.refusals else "ApplyRefused"
        failure = Failure(code, first, found)
        good = self._good()
        if good is None or good.commit == revision.commit or not revision.sync.rollback:
            return self.records.failed(attempt, failure)
        target = self.open_target(good)
        _, plan = self._plan(target, good, rollback=True)
        # What an earlier run changed counts too, so it is the site that is asked.
        if not outcome.changed and not report.changes_of(plan):
            return self.records.failed(attempt, failure)
        stays = lasting(_written(revision, attempt, outcome), _kept(plan, attempt))
        self.records.rolled_back(attempt, good.commit, failure, stays)
        back = self._execute(target, good, plan)
        # What is still missing is what the next look for drift finds.
        self.log.info("went back", to=good.commit, complete=back.complete)
        return Ending.FAILED

    def _plan(
        self, target: Target, revision: SiteRevision, *, rollback: bool = False, newest: bool = False
    ) -> tuple[Observed, Plan]:
        inventory = self._inventory()
        observed = target.observe(revision.resources, inventory, newest=newest)
        self.check_stop()
        plan = make_plan(
            revision.resources,
            observed,
            inventory,
            revision.sync,
            site=self.site,
            former_sites=revision.former_sites,
            own=_own((*(one.id for one in revision.resources), *observed.objects)),
            rollback=rollback,
            resting=self.ring.resting(self.clock.monotonic()),
        )
        return observed, plan

    def _execute(
        self,
        target: Target,
        revision: SiteRevision,
        plan: Plan,
        *,
        begun: Collection[ResourceId] = (),
        timeout: float | None = None,
    ) -> Outcome:
        def on_step(step: Step) -> None:
            self.check_stop()
            if step.phase in {Phase.APPLY, Phase.PRUNE} and step.id is not None and step.action is not None:
                self.log.info(step.phase.value, object=step.id, action=step.action.value)

        def save(inventory: Inventory) -> None:
            content = inventory.to_json().encode()
            if self.store.inventory() != content:
                with self.store.transaction() as tx:
                    tx.set_inventory(content)

        return execute(
            plan,
            target,
            clock=self.clock,
            timeout=revision.sync.timeout if timeout is None else timeout,
            on_step=on_step,
            save=save,
            sleep=self.sleep,
            begun=begun,
        )

    def _inventory(self) -> Inventory:
        """Return the copy of the inventory. The target keeps its own, so losing the copy costs nothing."""
        stored = self.store.inventory()
        if stored is None:
            return Inventory()
        try:
            return Inventory.from_json(stored)
        except ValueError as err:
            self.log.failure("the copy of the inventory cannot be used", reason=str(err))
            return Inventory()

    def _good(self) -> SiteRevision | None:
        good = self.store.good()
        if good is None:
            return None
        try:
            return SiteRevision.from_bytes(good.content)
        except StateError as err:
            self.log.failure("the last good revision cannot be used", code=err.code, reason=err.message)
            return None


def _written(revision: SiteRevision, attempt: Attempt, outcome: Outcome) -> list[Resource]:
    """Return the objects that a revision has written, in this run or one that was broken off before."""
    done = {
        result.id
        for result in outcome.results
        if result.id in attempt.objects and result.actuation is Actuation.SUCCEEDED
    }
    return [resource for resource in revision.resources if resource.id in done]


def _kept(plan: Plan, attempt: Attempt) -> dict[ResourceId, str]:
    """Return what a revision made and the way back leaves there, and why."""
    return {
        change.id: change.reason
        for change in plan.deletions
        if change.action is Action.SKIP and change.id in attempt.objects
    }


def _own(ids: Iterable[ResourceId]) -> frozenset[ResourceId]:
    """Return what the agent itself consists of: it is applied last, and never pruned by itself."""
    return frozenset(
        id_
        for id_ in ids
        if id_.namespace == AGENT_NAMESPACE or (not id_.namespace and id_.name.startswith("wayside-agent"))
    )
