"""One sync: from an assessment of the repository to a site that is as it should be, and a record of it.

Everything that is reported is stored in the transaction of the state change that it reports, so a kill at
any point neither loses nor doubles an event. Doing a sync again is always safe.
"""

from __future__ import annotations

import enum
from collections.abc import Callable
from dataclasses import dataclass
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
from reconciler.agent.logs import Log
from reconciler.agent.revision import SiteRevision
from reconciler.apply.execute import execute
from reconciler.errors import StateError, TargetError, TargetUnreachable
from reconciler.model.event import EventType
from reconciler.model.outcome import Outcome, Phase, Step
from reconciler.model.plan import HealthStatus, Inventory, Observed, Plan
from reconciler.planning.planner import plan as make_plan
from reconciler.ports.clock import Clock
from reconciler.ports.target import Target

__all__ = ["Ending", "Syncer"]

_SOURCE, _DRIFT, _TARGET = "source", "drift", "target"


@dataclass(frozen=True, slots=True)
class _Failure:
    """Why a revision could not be applied."""

    code: str
    message: str
    objects: tuple[dict[str, str], ...] = ()

    def describe(self) -> dict[str, object]:
        return {"code": self.code, "message": self.message, "failures": list(self.objects)}


class Ending(enum.Enum):
    """How a sync ended, for the exit code and the schedule."""

    FINE = "fine"
    REFUSED = "refused"
    FAILED = "failed"
    UNREACHABLE = "unreachable"


@dataclass(frozen=True, slots=True, kw_only=True)
class Syncer:
    """Carries out syncs of one site.

    Attributes:
        site: The site's name.
        clock: For timeouts.
        log: Where it is said.
        open_target: Gives the target of a revision.
        sleep: Waits, and raises to stop a sync.
        check_stop: Raises where the agent is to stop.
    """

    site: str
    clock: Clock
    log: Log
    open_target: Callable[[SiteRevision], Target]
    sleep: Callable[[float], None]
    check_stop: Callable[[], None]

    def settle(self, store: StateStore, assessment: Assessment) -> Ending:
        """Act on what a look at the repository told.

        Raises:
            StateError: It could not be recorded. Nothing is begun that was not recorded first.
        """
        if not isinstance(assessment, Unavailable):
            self._source_answers(store)
        match assessment:
            case Unchanged():
                return Ending.FINE
            case Allowed(revision):
                return self._apply(store, revision)
            case Refused():
                return self._refuse(store, assessment)
            case Held(commit, code, message, hint):
                return self._hold(
                    store,
                    commit,
                    code,
                    message,
                    {
                        "commit": commit,
                        "code": code,
                        "holds": [{"code": code, "message": message, "hint": hint}],
                    },
                )
            case Suspended(commit):
                return self._suspend(store, commit)
            case Unavailable():
                return self._source_failed(store, assessment)
            case _:
                assert_never(assessment)

    def correct_drift(self, store: StateStore) -> Ending:
        """Make the site as the last good revision says, also while git is away."""
        revision = self._good(store)
        attempt = store.attempt()
        if revision is None or attempt is None or revision.sync.drift == "ignore":
            return Ending.FINE
        match attempt.phase:
            case "suspended":
                return Ending.FINE
            case "applying" if _SOURCE not in store.faults():
                # The sync that was broken off goes on by itself; without the repository, the way is back.
                return Ending.FINE
            case "failed" if not revision.sync.rollback:
                return Ending.FINE
        try:
            target = self.open_target(revision)
            observed, plan = self._plan(store, target, revision)
            changes = report.changes_of(plan)
            if plan.holds:
                self.log.warning("drift is not corrected", reason=plan.holds[0].message)
                return Ending.REFUSED
            if not changes:
                with store.transaction() as tx:
                    if tx.end_fault(_DRIFT):
                        tx.emit(EventType.DRIFT_CORRECTED, {"commit": revision.commit})
                    tx.end_fault(_TARGET)
                self._observe_health(store, _condition(target, Outcome(results=()), observed, plan))
                return Ending.FINE
            names = ", ".join(str(change.id) for change in changes[:5])
            with store.transaction() as tx:
                if tx.begin_fault(_DRIFT, "Drift", names):
                    tx.emit(EventType.DRIFT_DETECTED, report.planned(revision, changes))
            if revision.sync.drift == "report":
                return Ending.FINE
            outcome = self._execute(store, target, revision, plan)
        except TargetError as err:
            return self._target_failed(store, err)
        self.log.info("drift corrected", changes=len(changes), objects=names)
        with store.transaction() as tx:
            if outcome.complete and tx.end_fault(_DRIFT):
                tx.emit(EventType.DRIFT_CORRECTED, {"commit": revision.commit})
        self._observe_health(store, _condition(target, outcome, observed, plan))
        return Ending.FINE if outcome.complete else Ending.FAILED

    def _apply(self, store: StateStore, revision: SiteRevision) -> Ending:
        attempt = store.attempt()
        same = attempt is not None and attempt.commit == revision.commit
        if same and attempt is not None and attempt.phase == "rolledback":
            return Ending.REFUSED
        good = store.good()
        settled = same and attempt is not None and attempt.phase == "applied"
        if settled and good is not None and good.content == revision.to_bytes():
            # Asked for again: there is nothing to apply, only what somebody may have bent.
            return self.correct_drift(store)
        failures = attempt.failures if same and attempt is not None else 0
        reason = attempt.reason if same and attempt is not None else ""
        try:
            target = self.open_target(revision)
            observed, plan = self._plan(store, target, revision)
            if plan.holds:
                hold = plan.holds[0]
                return self._hold(
                    store, revision.commit, hold.code, hold.message, report.held(revision.commit, plan.holds)
                )
            changes = report.changes_of(plan)
            begun = same and attempt is not None and attempt.phase in {"applying", "failed"}
            with store.transaction() as tx:
                tx.set_attempt(Attempt(revision.commit, "applying", reason=reason, failures=failures))
                if changes:
                    tx.set_condition(Condition("Progressing", "Applying", f"{len(changes)} changes"))
                    if not begun:
                        tx.emit(EventType.SYNC_PLANNED, report.planned(revision, changes))
            if changes:
                self.log.info(
                    "sync planned", commit=revision.commit, **report.counts(c.action for c in changes)
                )
            outcome = self._execute(store, target, revision, plan)
        except TargetUnreachable as err:
            return self._target_failed(store, err)
        except TargetError as err:
            return self._fail(store, revision, failures, _Failure(err.code, err.message))
        if not outcome.succeeded:
            return self._failed_outcome(store, revision, failures, outcome)
        with store.transaction() as tx:
            tx.set_good(revision.commit, revision.to_bytes())
            tx.set_attempt(Attempt(revision.commit, "applied"))
            tx.set_inventory(outcome.inventory.to_json().encode())
            tx.end_fault(_TARGET)
            tx.end_fault(_DRIFT)
            tx.set_condition(_condition(target, outcome, observed, plan))
            tx.emit(
                EventType.SYNC_APPLIED, report.applied(revision, outcome, resources=len(revision.resources))
            )
        self.log.info(
            "sync applied", commit=revision.commit, **report.counts(r.action for r in outcome.results)
        )
        return Ending.FINE

    def _plan(self, store: StateStore, target: Target, revision: SiteRevision) -> tuple[Observed, Plan]:
        stored = store.inventory()
        try:
            inventory = Inventory() if stored is None else Inventory.from_json(stored)
        except ValueError as err:
            raise StateError(
                f"the stored inventory cannot be read: {err}", code="state-unknown-version"
            ) from err
        observed = target.observe(revision.resources, inventory)
        self.check_stop()
        return observed, make_plan(revision.resources, observed, inventory, revision.sync, site=self.site)

    def _execute(self, store: StateStore, target: Target, revision: SiteRevision, plan: Plan) -> Outcome:
        def on_step(step: Step) -> None:
            self.check_stop()
            if step.phase in {Phase.APPLY, Phase.PRUNE} and step.id is not None and step.action is not None:
                self.log.info(step.phase.value, object=step.id, action=step.action.value)

        def save(inventory: Inventory) -> None:
            content = inventory.to_json().encode()
            if store.inventory() != content:
                with store.transaction() as tx:
                    tx.set_inventory(content)

        return execute(
            plan,
            target,
            clock=self.clock,
            timeout=revision.sync.timeout,
            on_step=on_step,
            save=save,
            sleep=self.sleep,
        )

    def _failed_outcome(
        self, store: StateStore, revision: SiteRevision, failures: int, outcome: Outcome
    ) -> Ending:
        found = tuple(report.failures(outcome))
        failure = _Failure(
            code="Unhealthy" if outcome.unhealthy and not outcome.refusals else "ApplyRefused",
            message=f"{found[0]['resource']}: {found[0]['message']}"
            if found
            else "not every change was made",
            objects=found,
        )
        good = self._good(store)
        if outcome.changed and revision.sync.rollback and good is not None and good.commit != revision.commit:
            return self._roll_back(store, revision, good, failure)
        return self._fail(store, revision, failures, failure)

    def _roll_back(
        self, store: StateStore, revision: SiteRevision, good: SiteRevision, failure: _Failure
    ) -> Ending:
        """Apply the last good revision again, without judging it again, and hold the bad one."""
        self.log.failure(
            "sync failed, going back", commit=revision.commit, to=good.commit, reason=failure.message
        )
        with store.transaction() as tx:
            tx.set_attempt(Attempt(revision.commit, "rolledback", reason=failure.code))
            tx.set_condition(Condition("RolledBack", failure.code, failure.message))
            tx.emit(
                EventType.SYNC_ROLLED_BACK,
                {"commit": revision.commit, "to": good.commit, **failure.describe()},
            )
        try:
            target = self.open_target(good)
            _, plan = self._plan(store, target, good)
            outcome = self._execute(store, target, good, plan)
        except TargetError as err:
            self._target_failed(store, err)
            return Ending.FAILED
        # What is still missing is what the next look for drift finds.
        self.log.info("went back", to=good.commit, complete=outcome.complete)
        return Ending.FAILED

    def _fail(self, store: StateStore, revision: SiteRevision, failures: int, failure: _Failure) -> Ending:
        self.log.failure(
            "sync failed",
            commit=revision.commit,
            code=failure.code,
            reason=failure.message,
            tries=failures + 1,
        )
        before = store.attempt()
        known = failures > 0 and before is not None and before.reason == failure.code
        with store.transaction() as tx:
            tx.set_attempt(Attempt(revision.commit, "failed", reason=failure.code, failures=failures + 1))
            tx.set_condition(Condition("Degraded", failure.code, failure.message))
            if not known:
                tx.emit(EventType.SYNC_FAILED, {"commit": revision.commit, **failure.describe()})
        return Ending.FAILED

    def _refuse(self, store: StateStore, assessment: Refused) -> Ending:
        first = assessment.reasons[0]
        self.log.failure(
            "revision refused",
            commit=assessment.commit,
            rule=first.rule,
            at=first.location,
            reason=first.message,
            findings=assessment.count,
        )
        return self._stand(
            store,
            Attempt(assessment.commit, "denied", reason=assessment.code),
            Condition(
                "Held", "Denied", f"{first.location}: {first.message}" if first.location else first.message
            ),
            EventType.SYNC_DENIED,
            report.refused(assessment),
        )

    def _hold(
        self, store: StateStore, commit: str, code: str, message: str, data: dict[str, object]
    ) -> Ending:
        self.log.failure("revision held", commit=commit, code=code, reason=message)
        return self._stand(
            store,
            Attempt(commit, "held", reason=code),
            Condition("Held", code, message),
            EventType.SYNC_HELD,
            data,
        )

    def _suspend(self, store: StateStore, commit: str) -> Ending:
        self._stand(
            store,
            Attempt(commit, "suspended"),
            Condition("Suspended", "Suspended", "spec.sync.suspend is set"),
            EventType.SITE_SUSPENDED,
            {"commit": commit},
        )
        return Ending.FINE

    def _stand(
        self,
        store: StateStore,
        attempt: Attempt,
        condition: Condition,
        type_: EventType,
        data: dict[str, object],
    ) -> Ending:
        """Record that a revision is not applied; the event goes out once for each revision and reason."""
        before = store.attempt()
        known = before is not None and (before.commit, before.phase, before.reason) == (
            attempt.commit,
            attempt.phase,
            attempt.reason,
        )
        with store.transaction() as tx:
            tx.set_condition(condition)
            if not known:
                tx.set_attempt(attempt)
                tx.emit(type_, data)
        return Ending.REFUSED

    def _source_answers(self, store: StateStore) -> None:
        if store.faults().get(_SOURCE) is None:
            return
        with store.transaction() as tx:
            tx.end_fault(_SOURCE)
            tx.emit(EventType.SOURCE_RESTORED, {})
        self.log.info("the repository answers again")

    def _source_failed(self, store: StateStore, failure: Unavailable) -> Ending:
        self.log.warning("the repository cannot be read", code=failure.code, reason=failure.message)
        with store.transaction() as tx:
            if tx.begin_fault(_SOURCE, failure.code, failure.message):
                tx.emit(
                    EventType.SOURCE_FAILED,
                    {"code": failure.code, "message": failure.message, "hint": failure.hint},
                )
        return Ending.UNREACHABLE

    def _target_failed(self, store: StateStore, err: TargetError) -> Ending:
        self.log.warning("the target does not answer", code=err.code, reason=err.message)
        attempt = store.attempt()
        with store.transaction() as tx:
            tx.begin_fault(_TARGET, err.code, err.message)
            if attempt is None or attempt.phase in {"applying", "applied", "failed"}:
                tx.set_condition(Condition("Unknown", "TargetUnreachable", err.message))
        return Ending.UNREACHABLE

    def _observe_health(self, store: StateStore, condition: Condition) -> None:
        """Renew the site's state from live objects, where nothing more important is to be said."""
        current = store.condition()
        attempt = store.attempt()
        if attempt is None or attempt.phase != "applied":
            return
        said = ("", "", "") if current is None else (current.state, current.reason, current.message)
        if said != (condition.state, condition.reason, condition.message):
            with store.transaction() as tx:
                tx.set_condition(condition)

    def _good(self, store: StateStore) -> SiteRevision | None:
        good = store.good()
        if good is None:
            return None
        try:
            return SiteRevision.from_bytes(good.content)
        except StateError as err:
            self.log.failure("the last good revision cannot be used", code=err.code, reason=err.message)
            return None


def _condition(target: Target, outcome: Outcome, observed: Observed, plan: Plan) -> Condition:
    """Return the site's state in a word: the worst health of its objects."""
    after = {result.id: result.health for result in outcome.results if result.health is not None}
    worst, message = HealthStatus.CURRENT, ""
    ids = [change.id for wave in plan.waves for change in wave.changes]
    for id_ in ids:
        health = after.get(id_)
        if health is None:
            health = target.assess(observed.objects.get(id_))
        if _BADNESS[health.status] > _BADNESS[worst]:
            worst, message = health.status, f"{id_}: {health.message}"
    match worst:
        case HealthStatus.CURRENT:
            return Condition("Ready", "Applied", f"{len(ids)} objects are as they should be")
        case HealthStatus.UNKNOWN:
            return Condition("Unknown", "HealthUnknown", "applied; this kind of target does not tell health")
        case HealthStatus.FAILED:
            return Condition("Degraded", "Unhealthy", message)
        case HealthStatus.NOT_FOUND | HealthStatus.IN_PROGRESS | HealthStatus.TERMINATING:
            return Condition("Progressing", worst.value, message)
        case _:
            assert_never(worst)


_BADNESS = {
    HealthStatus.CURRENT: 0,
    HealthStatus.UNKNOWN: 1,
    HealthStatus.IN_PROGRESS: 2,
    HealthStatus.TERMINATING: 2,
    HealthStatus.NOT_FOUND: 3,
    HealthStatus.FAILED: 4,
}
