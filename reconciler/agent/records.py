"""Recording how a revision fared, with the event that reports it, in one transaction each.

An event goes out once for each revision and reason, however often the same is found again.
"""

from __future__ import annotations

import dataclasses
import enum
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from reconciler.adapters.sqlite_state import Attempt, Condition, StateStore
from reconciler.agent import report
from reconciler.agent.assessment import Held, Refused, Unavailable
from reconciler.agent.condition import SiteHealth
from reconciler.agent.description import recall_health, remember_health
from reconciler.agent.logs import Log
from reconciler.errors import TargetError
from reconciler.model.event import EventType
from reconciler.model.plan import Change, Health, HealthStatus, Plan

__all__ = ["CONTEST", "DRIFT", "SOURCE", "TARGET", "Ending", "Failure", "Records"]

#: The code of the error that says: people at the cluster asked that the site be left alone.
SUSPENDED_HERE = "suspended-here"
#: Names of faults.
SOURCE, DRIFT, TARGET, CONTEST = "source", "drift", "target", "contest"


class Ending(enum.Enum):
    """How a sync ended, for the exit code and the schedule."""

    FINE = "fine"
    REFUSED = "refused"
    FAILED = "failed"
    UNREACHABLE = "unreachable"


#: How many of the things that cannot go back are told.
_MOST_LASTING = 50


@dataclass(frozen=True, slots=True)
class Failure:
    """Why a revision could not be applied.

    Attributes:
        code: A stable code.
        message: One sentence.
        objects: What failed, object by object.
    """

    code: str
    message: str
    objects: tuple[dict[str, str], ...] = ()

    def describe(self) -> dict[str, object]:
        """Return the failure as JSON values."""
        return {"code": self.code, "message": self.message, "failures": list(self.objects)}


@dataclass(frozen=True, slots=True)
class Records:
    """Writes into one state what became of revisions that were not simply applied."""

    store: StateStore
    log: Log

    def refused(self, assessment: Refused) -> Ending:
        """The rules, or what people wrote, forbid the revision."""
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
            Attempt(assessment.commit, "denied", reason=assessment.code),
            Condition(
                "Held", "Denied", f"{first.location}: {first.message}" if first.location else first.message
            ),
            EventType.SYNC_DENIED,
            report.refused(assessment),
        )

    def held(self, assessment: Held) -> Ending:
        """The revision waits for a person, before anything was planned."""
        hold = {"code": assessment.code, "message": assessment.message, "hint": assessment.hint}
        data = {"commit": assessment.commit, "code": assessment.code, "holds": [hold]}
        return self._hold(assessment.commit, assessment.code, assessment.message, data)

    def plan_held(self, commit: str, plan: Plan) -> Ending:
        """The plan waits for a person."""
        first = plan.holds[0]
        return self._hold(commit, first.code, first.message, report.held(commit, plan.holds))

    def suspended(self, commit: str) -> Ending:
        """The site is to be left alone."""
        self._stand(
            Attempt(commit, "suspended"),
            Condition("Suspended", "Suspended", "spec.sync.suspend is set"),
            EventType.SITE_SUSPENDED,
            {"commit": commit},
        )
        return Ending.FINE

    def failed(self, earlier: Attempt, failure: Failure) -> Ending:
        """The revision could not be applied; it is tried again later.

        Args:
            earlier: The attempt on this revision so far; its count is that of failures before this one.
            failure: Why.
        """
        tries = earlier.failures + 1
        self.log.failure(
            "sync failed", commit=earlier.commit, code=failure.code, reason=failure.message, tries=tries
        )
        with self.store.transaction() as tx:
            tx.set_attempt(
                dataclasses.replace(
                    earlier, phase="failed", reason=failure.code, failures=tries, started_at=""
                )
            )
            tx.set_condition(Condition("Degraded", failure.code, failure.message))
            if not earlier.failures or earlier.reason != failure.code:
                tx.emit(EventType.SYNC_FAILED, {"commit": earlier.commit, **failure.describe()})
        return Ending.FAILED

    def rolled_back(self, attempt: Attempt, to: str, failure: Failure, lasting: Sequence[str] = ()) -> None:
        """The revision failed half-way; the site is about to go back, and it is not tried again.

        Args:
            attempt: The attempt on the revision.
            to: The commit that the site goes back to.
            failure: Why.
            lasting: What cannot go back, a sentence each.
        """
        commit = attempt.commit
        self.log.failure("sync failed, going back", commit=commit, to=to, reason=failure.message)
        for text in lasting[:_MOST_LASTING]:
            self.log.warning("this cannot go back", what=text)
        more = f" (and {len(lasting) - 1} more)" if len(lasting) > 1 else ""
        told = f"{failure.message}; cannot go back: {lasting[0]}{more}" if lasting else failure.message
        with self.store.transaction() as tx:
            tx.set_attempt(Attempt(commit, "rolledback", reason=failure.code, digests=attempt.digests))
            tx.set_condition(Condition("RolledBack", failure.code, told))
            tx.emit(
                EventType.SYNC_ROLLED_BACK,
                {
                    "commit": commit,
                    "to": to,
                    **failure.describe(),
                    **({"lasting": list(lasting[:_MOST_LASTING])} if lasting else {}),
                },
            )

    def source_answers(self) -> None:
        """The repository could be read."""
        if SOURCE not in self.store.faults():
            return
        with self.store.transaction() as tx:
            tx.end_fault(SOURCE)
            tx.emit(EventType.SOURCE_RESTORED, {})
        self.log.info("the repository answers again")

    def source_failed(self, failure: Unavailable) -> Ending:
        """The repository could not be read."""
        self.log.warning(
            "the repository cannot be read", code=failure.code, reason=failure.message, hint=failure.hint
        )
        with self.store.transaction() as tx:
            if tx.begin_fault(SOURCE, failure.code, failure.message):
                tx.emit(
                    EventType.SOURCE_FAILED,
                    {"code": failure.code, "message": failure.message, "hint": failure.hint},
                )
        return Ending.UNREACHABLE

    def target_failed(self, err: TargetError) -> Ending:
        """The target does not answer, so nothing is known of what is there."""
        self.log.warning("the target does not answer", code=err.code, reason=err.message, hint=err.hint)
        if err.code == SUSPENDED_HERE:
            return Ending.UNREACHABLE  # on purpose, and reported as what it is
        attempt = self.store.attempt()
        before = self.store.condition()
        with self.store.transaction() as tx:
            tx.begin_fault(TARGET, err.code, err.message)
            if attempt is None or attempt.phase in {"applying", "applied", "failed"}:
                found = tx.set_condition(Condition("Unknown", "TargetUnreachable", err.message))
                if _differ(before, found):
                    tx.emit(EventType.HEALTH_CHANGED, _health_data(self.store, before, found))
        return Ending.UNREACHABLE

    def suspended_here(self) -> None:
        """People at the cluster asked that the site be left alone."""
        self.log.info("the site is suspended by its annotation")
        with self.store.transaction() as tx:
            tx.emit(EventType.SITE_SUSPENDED, {"commit": self.store.good_commit(), "by": "annotation"})

    def resumed_here(self) -> None:
        """People at the cluster want the site looked after again."""
        self.log.info("the site is suspended no more")
        found = self.store.condition() or Condition("Unknown", "NothingSynced", "no sync yet")
        before = Condition("Suspended", "SuspendedHere")
        with self.store.transaction() as tx:
            tx.emit(EventType.HEALTH_CHANGED, _health_data(self.store, before, found))

    def health(self, health: SiteHealth) -> None:
        """Report what has changed in the health of objects; and renew the site's state, if they decide it.

        Where the newest revision was refused, held or rolled back, that stays the site's state.
        """
        current = self.store.condition()
        attempt = self.store.attempt()
        if attempt is None:
            return
        decides = attempt.phase == "applied"
        earlier = recall_health(self.store)
        changes = _changes(earlier, health.unhealthy)
        found = health.condition if decides else current
        if earlier == health.unhealthy and (found is None or _says(current) == _says(found)):
            return
        with self.store.transaction() as tx:
            if decides:
                found = tx.set_condition(health.condition)
            remember_health(tx, health.unhealthy)
            if found is not None and (changes or _differ(current, found)):
                tx.emit(
                    EventType.HEALTH_CHANGED,
                    {
                        **_health_data(self.store, current, found),
                        "changes": changes,
                        "unhealthy": report.sentences(health.unhealthy),
                    },
                )

    def drifted(self, data: Mapping[str, object], changes: Sequence[Change], *, left: bool) -> None:
        """The site differs from its last good revision.

        Args:
            data: What the event says.
            changes: What would put it right.
            left: Whether it is left so.
        """
        names = ", ".join(str(change.id) for change in changes[:5])
        before, attempt = self.store.condition(), self.store.attempt()
        known = self.store.faults().get(DRIFT)
        decides = left and attempt is not None and attempt.phase == "applied"
        with self.store.transaction() as tx:
            tx.begin_fault(DRIFT, "Drift", names)
            found = before
            if decides:
                found = tx.set_condition(Condition("OutOfSync", "Drift", f"changed and left so: {names}"))
            state = report.condition(found) if decides and found is not None else {}
            if known is None or known.message != names or (found is not None and _differ(before, found)):
                tx.emit(EventType.DRIFT_DETECTED, {**data, **state})

    def _hold(self, commit: str, code: str, message: str, data: Mapping[str, object]) -> Ending:
        self.log.failure("revision held", commit=commit, code=code, reason=message)
        return self._stand(
            Attempt(commit, "held", reason=code),
            Condition("Held", code, message),
            EventType.SYNC_HELD,
            data,
        )

    def _stand(
        self, attempt: Attempt, condition: Condition, type_: EventType, data: Mapping[str, object]
    ) -> Ending:
        """Record that a revision is not applied."""
        before = self.store.attempt()
        known = before is not None and (before.commit, before.phase, before.reason) == (
            attempt.commit,
            attempt.phase,
            attempt.reason,
        )
        with self.store.transaction() as tx:
            tx.set_condition(condition)
            if not known:
                tx.set_attempt(attempt)
                tx.emit(type_, data)
        return Ending.REFUSED


def _says(condition: Condition | None) -> tuple[str, str, str]:
    return ("", "", "") if condition is None else (condition.state, condition.reason, condition.message)


def _differ(before: Condition | None, after: Condition) -> bool:
    """Tell whether a site's state is another one; other words for the same are no news."""
    return _says(before)[:2] != _says(after)[:2]


def _health_data(store: StateStore, before: Condition | None, after: Condition) -> dict[str, object]:
    return {
        "commit": store.good_commit(),
        **report.condition(after),
        "was": before.state if before is not None else "Unknown",
    }


def _changes(earlier: Mapping[str, Health], now: Mapping[str, Health]) -> list[dict[str, str]]:
    """Return what has changed in the health of objects; other words for the same are no news."""
    healthy = Health(HealthStatus.CURRENT)
    found = []
    for name in sorted({*earlier, *now}):
        before, after = earlier.get(name, healthy), now.get(name, healthy)
        if before.status is not after.status:
            row = {"resource": name, "from": before.status.value, "to": after.status.value}
            found.append({**row, "message": after.message[:300]} if after.message else row)
    return found[:50]
