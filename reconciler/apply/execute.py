"""Carrying out a plan: dry-run, inventory, waves, health, prune, inventory.

The order makes a stop at any point harmless. Nothing is changed before every object that can be dry-run has
been; nothing is applied that the stored inventory does not hold; nothing leaves the inventory before it is
gone.
"""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Collection, Iterable, Sequence

from reconciler.adapters.parallel import each
from reconciler.apply.ledger import Ledger
from reconciler.apply.recreate import immutable, probe
from reconciler.errors import TargetRefused
from reconciler.model.outcome import Actuation, Outcome, Phase, Refusal, Result, Step
from reconciler.model.plan import Action, Change, Health, HealthStatus, Inventory, Plan, Wave
from reconciler.model.resource import Manifest, Resource, ResourceId
from reconciler.planning.digest import same_object
from reconciler.planning.ordering import deletion_key, kind_row
from reconciler.ports.clock import Clock
from reconciler.ports.target import Target

__all__ = ["execute"]

#: Seconds between two looks at an object: the first, and what it grows to.
_FIRST_LOOK, _SLOWEST_LOOK = 0.1, 3.0
#: How many objects are looked into after a failure.
_MOST_DIAGNOSES = 5
_SETTLED = (HealthStatus.CURRENT, HealthStatus.UNKNOWN)


def execute(
    plan: Plan,
    target: Target,
    *,
    clock: Clock,
    timeout: float,
    on_step: Callable[[Step], None] | None = None,
    save: Callable[[Inventory], None] | None = None,
    sleep: Callable[[float], None] = time.sleep,
    begun: Collection[ResourceId] = (),
) -> Outcome:
    """Carry out a plan and say what became of it.

    Doing it twice changes nothing the second time. It may be stopped at any point and planned anew.

    Args:
        plan: What to do. One with holds does nothing.
        target: Where.
        clock: For the timeout.
        timeout: Seconds for the health of everything that is applied, and for the end of what is deleted.
        on_step: Is told of every step, as it happens.
        save: Stores the inventory in the agent's own state; called before the target's is changed, possibly
            with what is stored already.
        sleep: Waits; may raise to stop the sync.
        begun: What earlier runs of this revision set out to change, where they were broken off. There may be
            nothing left to write of it, but its health still counts as that of something changed.

    Returns:
        What became of each change. Refusals are values.

    Raises:
        TargetUnreachable: The target stopped answering. The stored inventory holds all that was done.
    """
    ledger = Ledger(plan)
    if plan.holds:
        return Outcome(
            results=tuple(_held(change) for change in plan.changes),
            holds=plan.holds,
            inventory=plan.inventory,
        )
    run = _Run(
        ledger=ledger,
        target=target,
        clock=clock,
        deadline=clock.monotonic() + timeout,
        on_step=on_step,
        save=save,
        sleep=sleep,
        begun=frozenset(begun),
    )
    run.sync(plan)
    return ledger.outcome()


def _held(change: Change) -> Result:
    return Result(change.id, change.action, Actuation.PENDING, change.reason)


class _Run:
    """One execution of a plan."""

    def __init__(
        self,
        *,
        ledger: Ledger,
        target: Target,
        clock: Clock,
        deadline: float,
        on_step: Callable[[Step], None] | None,
        save: Callable[[Inventory], None] | None,
        sleep: Callable[[float], None],
        begun: frozenset[ResourceId],
    ) -> None:
        self._ledger = ledger
        self._target = target
        self._clock = clock
        self._deadline = deadline
        self._on_step = on_step
        self._save = save
        self._sleep = sleep
        self._begun = begun
        self._recreated: set[ResourceId] = set()

    def sync(self, plan: Plan) -> None:
        """Carry out the plan, as far as it goes."""
        writes = [change for wave in plan.waves for change in wave.changes if _writes(change)]
        deletions = [change for change in plan.deletions if change.action is Action.DELETE]
        self._dry_run(change for change in writes if not change.after)
        if self._ledger.refusals:
            return
        left = [change for change in writes if self._pending(change)]
        if left or deletions:
            for change in left:
                self._ledger.expect(change)
            self._store()
        if self._apply(plan, left) and self._watch_over(plan):
            self._prune(deletions)
        self._diagnose(plan)
        self._store()

    def _diagnose(self, plan: Plan) -> None:
        """Find out for people why objects did not become healthy."""
        failed = {result.id for result in self._ledger.outcome().unhealthy}
        for change in [change for change in plan.changes if change.id in failed][:_MOST_DIAGNOSES]:
            live = self._read(change)
            health = self._ledger.result(change.id).health
            if live is None or health is None or not (why := self._target.diagnose(live)):
                continue
            if why not in health.message:
                told = Health(health.status, f"{why}; {health.message}" if health.message else why)
                self._ledger.see(change.id, told, awaited=True)

    def _apply(self, plan: Plan, writes: Sequence[Change]) -> bool:
        """Apply wave by wave, and tell whether everything was applied and is healthy."""
        waiting = [change for change in writes if change.after]
        for wave in plan.waves:
            applied = self._write_all([change for change in wave.changes if self._pending(change)])
            if applied is None:
                return False
            gates = any(self._pending(change) for change in writes)
            if not self._settle(applied) or (gates and not self._gate(wave)):
                return False
            ready = [change for change in waiting if self._reachable(change)]
            waiting = [change for change in waiting if not self._reachable(change)]
            self._dry_run(ready)
            if self._ledger.refusals:
                return False
        return True

    def _reachable(self, change: Change) -> bool:
        """Tell whether all that an object needs before its dry-run is there."""
        return all(self._ledger.result(id_).actuation is Actuation.SUCCEEDED for id_ in change.after)

    def _pending(self, change: Change) -> bool:
        return _writes(change) and self._ledger.result(change.id).actuation is Actuation.PENDING

    def _dry_run(self, changes: Iterable[Change]) -> None:
        """Ask the target what it would say to each change, and note every refusal."""
        asked = [(change, change.resource) for change in changes if change.resource is not None]

        def ask(pair: tuple[Change, Resource]) -> Manifest | None:
            return self._target.dry_run(pair[1], force=pair[0].force)

        for (change, _), result in each(asked, ask, width=self._target.parallel, expected=TargetRefused):
            if isinstance(result, TargetRefused):
                self._refused_dry_run(change, result)
                continue
            if isinstance(result, Exception):
                raise result
            live = change.live
            if result is not None and live is not None and not _leaving(live) and same_object(live, result):
                self._ledger.unchanged(change, live)
            elif result is not None:
                self._ledger.differs(change, result)
            self._tell(Phase.DRY_RUN, change)

    def _refused_dry_run(self, change: Change, err: TargetRefused) -> None:
        """Note a refusal, unless making the object anew is allowed and would be accepted."""
        if change.resource is not None and change.recreate and change.live is not None and immutable(err):
            try:
                self._target.dry_run(probe(change.resource), force=change.force)
            except TargetRefused as second:
                err = second
            else:
                self._recreated.add(change.id)
                self._tell(Phase.DRY_RUN, change, "will be deleted and made anew")
                return
        self._refuse(change, err)

    def _write_all(self, changes: Sequence[Change]) -> list[tuple[Change, Manifest]] | None:
        """Apply what belongs together, and return what is there then; None where the target refuses one.

        Kinds keep their order. What needs nothing of each other is written several at a time.
        """
        applied: list[tuple[Change, Manifest]] = []
        for _, group in itertools.groupby(changes, key=lambda change: kind_row(change.id.kind)):
            waiting = list(group)
            alone = [change for change in waiting if change.id in self._recreated or _leaving(change.live)]
            for change in alone:
                if (made := self._make_anew(change)) is None:
                    return None
                applied.append((change, made))
            pairs = [(c, c.resource) for c in waiting if c not in alone and c.resource is not None]
            refused = False

            def write(pair: tuple[Change, Resource]) -> Manifest:
                return self._target.apply(pair[1], force=pair[0].force)

            for (change, _), live in each(
                pairs, write, width=self._target.parallel, expected=TargetRefused, halt=True
            ):
                if isinstance(live, TargetRefused):
                    refused = True
                    self._refuse(change, live)
                elif isinstance(live, Exception):
                    raise live
                elif live is not None:
                    self._ledger.applied(change, live)
                    self._tell(Phase.APPLY, change)
                    applied.append((change, live))
            if refused:
                self._store()
                return None
        return applied

    def _make_anew(self, change: Change) -> Manifest | None:
        """Apply one object after what has its name is gone; None where the target refuses it."""
        if change.resource is None:
            return None
        try:
            if change.id in self._recreated and not self._delete([change]):
                return None
            if (change.id in self._recreated or _leaving(change.live)) and not self._await_gone([change]):
                return None
            live = self._target.apply(change.resource, force=change.force)
        except TargetRefused as err:
            self._refuse(change, err)
            self._store()
            return None
        self._ledger.applied(change, live)
        self._tell(Phase.APPLY, change)
        return live

    def _settle(self, applied: Sequence[tuple[Change, Manifest]]) -> bool:
        """Wait until everything of a wave is healthy, and tell whether it is."""
        waiting: list[Change] = []
        for change, live in applied:
            changed = self._ledger.result(change.id).action is not Action.UNCHANGED
            if not self._healthy(change, live, awaited=changed) and changed:
                waiting.append(change)
        return self._await(waiting)

    def _gate(self, wave: Wave) -> bool:
        """Wait until what a wave holds unchanged is healthy too, before a later wave is written.

        It may be that an agent was stopped after it had applied this wave. What was unhealthy before does not
        count as a failure of this revision, but it does keep back what comes after it.
        """
        unsettled = [
            change
            for change in wave.changes
            if self._ledger.result(change.id).action is Action.UNCHANGED
            and not self._healthy(change, change.live, awaited=False)
            and not self._healthy(change, self._read(change), awaited=False)
        ]
        return self._await(unsettled, awaited=False)

    def _await(self, waiting: list[Change], *, awaited: bool = True) -> bool:
        """Look until all are healthy; give up when the rest has failed or the time is over."""
        pause = _FIRST_LOOK
        while waiting:
            if self._only_failures(waiting):
                return False
            if self._expired():
                return False
            self._sleep(min(pause, max(0.0, self._deadline - self._clock.monotonic())))
            pause = min(pause * 1.5, _SLOWEST_LOOK)
            waiting = [
                change for change in waiting if not self._healthy(change, self._read(change), awaited=awaited)
            ]
        return True

    def _only_failures(self, waiting: Sequence[Change]) -> bool:
        healths = (self._ledger.result(change.id).health for change in waiting)
        return all(health is not None and health.status is HealthStatus.FAILED for health in healths)

    def _watch_over(self, plan: Plan) -> bool:
        """Look after what this sync did not write, and tell whether it broke none of it.

        An object that was Current before must be so again; one that was not is only reported.
        """
        ledger = self._ledger
        waiting: list[Change] = []
        for wave in plan.waves:
            for change in wave.changes:
                if ledger.result(change.id).health is not None or change.live is None:
                    continue
                was_healthy = self._healthy(change, change.live, awaited=False)
                if change.id in self._begun and not was_healthy:
                    waiting.append(change)
                    continue
                if not (ledger.changed and was_healthy and change.live.get("status")):
                    continue
                if not self._healthy(change, self._read(change), awaited=True):
                    waiting.append(change)
        return self._await(waiting)

    def _prune(self, deletions: Sequence[Change]) -> None:
        """Delete in reverse wave order; what is deleted is gone before the next wave is."""
        groups = itertools.groupby(deletions, key=lambda change: deletion_key(change.id, change.wave)[:2])
        for _, group in groups:
            changes = list(group)
            deleted = self._delete(changes)
            if not self._await_gone(deleted) or self._ledger.refusals:
                return

    def _delete(self, changes: Sequence[Change]) -> list[Change]:
        """Ask for deletions, and return those that the target accepted."""
        deleted: list[Change] = []
        for change in changes:
            metadata = (change.live or {}).get("metadata") or {}
            version = str((change.live or {}).get("apiVersion") or "")
            try:
                self._target.delete(change.id, version, uid=str(metadata.get("uid") or ""))
            except TargetRefused as err:
                self._refuse(change, err)
                continue
            if change.action is Action.DELETE:
                self._ledger.deleting(change)
            self._tell(Phase.PRUNE, change)
            deleted.append(change)
        return deleted

    def _await_gone(self, changes: Sequence[Change]) -> bool:
        """Wait until objects are not there any more; finalizers may hold them."""
        pause, waiting = _FIRST_LOOK / 2, list(changes)
        while True:
            left: list[Change] = []
            for change in waiting:
                live = self._read(change)
                uid = ((live or {}).get("metadata") or {}).get("uid")
                if live is None or uid != ((change.live or {}).get("metadata") or {}).get("uid"):
                    if change.action is Action.DELETE:
                        self._ledger.gone(change)
                    continue
                self._ledger.see(change.id, self._target.assess(live), awaited=True)
                left.append(change)
            waiting = left
            if not waiting:
                return True
            if self._expired():
                return False
            self._sleep(pause)
            pause = min(pause * 1.5, _SLOWEST_LOOK)

    def _healthy(self, change: Change, live: Manifest | None, *, awaited: bool) -> bool:
        awaited = awaited or change.id in self._begun
        health: Health = self._target.assess(live)
        before = self._ledger.result(change.id).health
        self._ledger.see(change.id, health, awaited=awaited)
        if awaited and health != before:
            self._tell(Phase.HEALTH, change, f"{health.status.value} {health.message}".strip())
        return health.status in _SETTLED

    def _read(self, change: Change) -> Manifest | None:
        if change.resource is not None:
            return self._target.read(change.id, change.resource.api_version)
        return self._target.read(change.id, str((change.live or {}).get("apiVersion") or ""))

    def _expired(self) -> bool:
        if self._clock.monotonic() < self._deadline:
            return False
        self._ledger.timed_out = True
        return True

    def _refuse(self, change: Change, err: TargetRefused) -> None:
        self._ledger.refuse(change, Refusal(change.id, err.message, err.reason, err.hint))
        self._tell(Phase.APPLY, change, err.message)

    def _store(self) -> None:
        inventory = self._ledger.inventory
        if self._save is not None:
            self._save(inventory)
        self._target.save_inventory(inventory)
        if self._on_step is not None:
            self._on_step(Step(Phase.INVENTORY, message=f"{len(inventory.entries)} objects"))

    def _tell(self, phase: Phase, change: Change, message: str = "") -> None:
        if self._on_step is not None:
            self._on_step(Step(phase, change.id, self._ledger.result(change.id).action, message))


def _leaving(live: Manifest | None) -> bool:
    """Tell whether an object is being deleted."""
    return bool(((live or {}).get("metadata") or {}).get("deletionTimestamp"))


def _writes(change: Change) -> bool:
    return change.action in (Action.CREATE, Action.UPDATE)
