"""The agent: when it looks at the repository, at drift and at its own pulse, and how it ends."""

from __future__ import annotations

import math
import random
import sys
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, ExitStack
from typing import TYPE_CHECKING, Any

from reconciler import __version__
from reconciler.adapters.sqlite_state import StateCorrupted, StateStore
from reconciler.agent import lock
from reconciler.agent.assessment import Allowed, Assessment, Unavailable, Unchanged
from reconciler.agent.backoff import Backoff, jittered
from reconciler.agent.clock import SystemClock
from reconciler.agent.delivery import Delivery, drain, open_sink
from reconciler.agent.description import Description, snapshot
from reconciler.agent.logs import Log
from reconciler.agent.premises import Premises
from reconciler.agent.records import Records
from reconciler.agent.revision import SiteRevision
from reconciler.agent.settings import AgentSettings
from reconciler.agent.signals import answering, keep_on
from reconciler.agent.sync import Ending, Syncer
from reconciler.agent.vitals import Vitals
from reconciler.agent.wakeup import Signal, wait
from reconciler.agent.watch import RepositoryWatch, local_path
from reconciler.agent.worker_process import Cancelled, Worker
from reconciler.errors import StateError, WaysideError
from reconciler.model.event import EventType
from reconciler.planning.contest import Ring
from reconciler.ports.clock import Clock
from reconciler.ports.sink import SinkError

if TYPE_CHECKING:
    from reconciler.agent.endpoint import Endpoint

__all__ = ["Agent", "run_agent"]

_DEFAULT_INTERVAL = 60.0
_FIRST_RETRY, _LAST_RETRY = 5.0, 600.0
#: Seconds between two full looks for drift: where nothing is watched, and where everything is.
_DRIFT_INTERVAL, _WATCHED_INTERVAL = 300.0, 3600.0
#: Seconds between a change in a workload's state and the look at it.
_LIVELY_PAUSE = 30.0
#: Seconds that a look, a sync and the way back take at most; a loop that is longer away hangs.
_LONGEST_STEP = 3600.0
#: Seconds between two reports of what reports cost.
_LINK_INTERVAL = 3600.0
#: Seconds between two looks that changes in a local repository may cause.
_LEAST_PAUSE = 0.2


def run_agent(settings: AgentSettings, *, clock: Clock | None = None) -> int:
    """Run one site's agent until it is told to stop, or for one sync.

    Args:
        settings: How it is started.
        clock: The time; None for the machine's.

    Returns:
        0 when all is well, 1 when the revision is refused or could not be applied, 2 when the repository,
        the target or the state cannot be used.

    Raises:
        UsageError: The settings cannot be used, or another agent runs on the same state.
        StateError: The state folder cannot be used.
    """
    clock = clock or SystemClock()
    log = Log(sys.stderr, clock=clock, as_json=settings.json_logs, site=settings.site)
    with ExitStack() as stack:
        held = stack.enter_context(lock.hold(settings.state))
        agent = Agent(settings, clock=clock, log=log, lock=held, rng=random.Random())  # noqa: S311 - spread only
        stack.callback(agent.close)
        try:
            with agent.signals():
                return agent.sync_once() if settings.once else agent.run()
        except Cancelled:
            # The signal came when there was nothing left to break off.
            return 1 if settings.once else 0


class Agent:
    """One site's agent.

    Args:
        settings: How it was started.
        clock: The time.
        log: Where it is said what happens.
        lock: The descriptor of the state folder's lock; the worker holds it too.
        rng: For jitter.
    """

    def __init__(
        self, settings: AgentSettings, *, clock: Clock, log: Log, lock: int, rng: random.Random
    ) -> None:
        self._settings = settings
        self._clock = clock
        self._log = log
        self._rng = rng
        self._stop = Signal()
        self._nudge = Signal()
        self._wished = Signal()
        self._bent = Signal()
        self._ring = Ring()
        self._urgent = Signal()
        self._backoff = Backoff(first=_FIRST_RETRY, most=_LAST_RETRY, rng=rng)
        self._sink = open_sink(settings, clock)
        self._store: StateStore | None = None
        self._lively_due = 0.0
        self._interval = settings.interval or _DEFAULT_INTERVAL
        self._known = ""
        self._nothing_new = False
        self._cut_off = False
        self._delivery: Delivery | None = None
        self._link: Mapping[str, int] = {}
        self._link_due = 0.0
        self._suspension_told = False
        self._vitals = Vitals(clock.monotonic)
        self._vitals.use = None if self._sink is None else self._sink.use
        # Who polls has time to start one for each look; a push is answered at once.
        is_told = local_path(settings.repository) is not None or bool(
            settings.listen and settings.webhook_secret_file
        )
        self._worker = Worker(settings.worker_command, keep_open=(lock,), ready=is_told and not settings.once)
        self._premises = Premises(
            settings,
            clock=clock,
            log=log,
            rng=rng,
            vitals=self._vitals,
            state=self._state,
            wished=self._wished.set,
            bent=self._bent.set,
        )

    def close(self) -> None:
        """Close what is open."""
        self._worker.close()
        self._premises.close()
        self._close_store()

    def _close_store(self) -> None:
        if self._store is not None:
            self._store.close()
            self._store = None

    def signals(self) -> AbstractContextManager[None]:
        """Answer SIGTERM and SIGINT by stopping soon, and SIGHUP by a sync now."""
        return answering(stop=self._stop, sync=self._urgent)

    def sync_once(self) -> int:
        """Do one sync, report it, and return the exit code."""
        try:
            self._attend()
            ending = self._round()
            # A repository with nothing new, or out of reach, is no reason to leave the site bent.
            if self._nothing_new:
                drifted = self._syncer().correct_drift()
                ending = drifted if ending is Ending.FINE else ending
            self._report()
            if self._sink is not None:
                try:
                    drain(self._state(), self._sink)
                except SinkError as err:
                    self._log.warning("events wait", code=err.code, reason=err.message)
        except Cancelled:
            self._log.info("stopped in the middle of a sync; the next one goes on from here")
            return 1
        return {Ending.FINE: 0, Ending.REFUSED: 1, Ending.FAILED: 1, Ending.UNREACHABLE: 2}[ending]

    def run(self) -> int:
        """Sync until it is told to stop."""
        with ExitStack() as stack:
            if self._settings.listen:
                stack.callback(self._listen().stop)
            if self._sink is not None:
                self._delivery = Delivery(
                    self._settings.state, self._sink, clock=self._clock, log=self._log, rng=self._rng
                )
                self._delivery.start()
                stack.callback(self._delivery.stop)
            path = local_path(self._settings.repository)
            if path is not None:
                watch = RepositoryWatch(path, self._settings.branch, self._nudge)
                watch.start()
                stack.callback(watch.stop)
            try:
                self._loop()
            except Cancelled:
                self._log.info("stopped in the middle of a sync; the next start goes on from here")
            else:
                self._log.info("stopped")
            finally:
                keep_on()
        return 0

    def _listen(self) -> Endpoint:
        """Answer probes, and take pushes."""
        from reconciler.agent.endpoint import Endpoint

        endpoint = Endpoint(
            self._settings.listen,
            vitals=self._vitals,
            state=self._settings.state,
            hook=self._nudge.set,
            secret_file=self._settings.webhook_secret_file,
        )
        endpoint.start()
        self._log.info("listening", port=endpoint.port)
        return endpoint

    def _loop(self) -> None:
        self._attend()
        now = self._clock.monotonic()
        poll = drift = now
        beat = now + jittered(self._settings.heartbeat_interval, self._rng)
        while True:
            # What rests after a fight is looked at again when its rest is over.
            drift = min(drift, self._ring.next_round(self._clock.monotonic()) or math.inf)
            self._guarded(self._worker.prepare)
            self._vitals.expect(min(poll, drift, beat) - self._clock.monotonic() + _LONGEST_STEP)
            wait(
                [self._stop, self._nudge, self._urgent, self._wished, self._bent],
                min(poll, drift, beat) - self._clock.monotonic(),
            )
            if self._stop.is_set():
                return
            now = self._clock.monotonic()
            urgent = self._urgent.is_set()
            if self._wished.is_set():
                self._wished.clear()
                urgent = self._attend() or urgent
            if urgent:
                self._known = ""
                # Who asks by hand wants everything put right, also what rests after a fight.
                self._ring = Ring()
            if now >= poll or urgent or self._nudge.is_set():
                self._nudge.clear()
                self._urgent.clear()
                began = self._clock.monotonic()
                ending = self._guarded(self._round)
                self._vitals.count("wayside_syncs_total", result=ending.value)
                self._vitals.count("wayside_sync_seconds_sum", self._clock.monotonic() - began)
                self._vitals.count("wayside_sync_seconds_count")
                self._vitals.ready = True
                poll = self._clock.monotonic() + self._delay(ending)
                if ending is Ending.FINE and not self._nothing_new:
                    # Everything at the site was just looked at.
                    drift = max(drift, self._clock.monotonic() + self._drift_delay())
                wait([self._stop], _LEAST_PAUSE)
            drift = min(drift, self._drift_due())
            if self._clock.monotonic() >= drift or urgent:
                if not self._premises.is_suspended:
                    self._guarded(lambda: self._syncer().correct_drift())
                drift = self._clock.monotonic() + self._drift_delay()
            if now >= beat:
                self._guarded(self._heartbeat)
                beat = self._clock.monotonic() + jittered(self._settings.heartbeat_interval, self._rng)
            if urgent and self._delivery is not None:
                self._delivery.retry()
            self._report()
            self._announce()

    def _drift_delay(self) -> float:
        interval = self._settings.drift_interval
        if interval is None:
            interval = _WATCHED_INTERVAL if self._premises.is_watched else _DRIFT_INTERVAL
        return jittered(interval, self._rng)

    def _drift_due(self) -> float:
        """Return when the site must be looked at, by what watches told: now, or far away."""
        if not self._bent.is_set():
            return math.inf
        self._bent.clear()
        if self._premises.is_suspended:
            return math.inf
        now = self._clock.monotonic()
        if self._premises.drifted() - self._ring.resting(now):
            return now
        if self._premises.take_lively():
            # A rollout writes often; one look afterwards is enough.
            self._lively_due = self._lively_due if self._lively_due > now else now + _LIVELY_PAUSE
            return self._lively_due
        return math.inf

    def _delay(self, ending: Ending) -> float:
        """Return the seconds until the next look at the repository."""
        match ending:
            case Ending.FINE | Ending.REFUSED:
                self._backoff.succeeded()
                return jittered(self._interval, self._rng)
            case Ending.FAILED | Ending.UNREACHABLE:
                if not self._cut_off:
                    # What failed is looked at again, although its commit is known.
                    self._known = ""
                return max(self._backoff.failed(), min(self._interval, _FIRST_RETRY))

    def _guarded(self, step: Callable[[], Ending | None]) -> Ending:
        """Carry out one step; whatever goes wrong in it, the agent goes on."""
        try:
            return step() or Ending.FINE
        except StateCorrupted as err:
            self._log.failure("the state is damaged and begun anew", reason=err.message)
            self._close_store()
        except WaysideError as err:
            self._log.failure("a step failed", code=err.code, reason=err.message, hint=err.hint)
        except Exception as err:  # noqa: BLE001 - the loop's edge: a fault in one sync must not end the agent
            self._vitals.count("wayside_unexpected_failures_total")
            self._log.failure("a step failed unexpectedly", type=type(err).__name__, reason=str(err)[:300])
        finally:
            self._premises.release_health()
        return Ending.FAILED

    def _round(self) -> Ending:
        """Look at the repository once and act on it."""
        if self._premises.is_suspended:
            self._nothing_new = False
            return Ending.FINE
        assessment = self._assess(self._state())
        ending = self._syncer().settle(assessment)
        self._remember(assessment, ending)
        return ending

    def _assess(self, store: StateStore) -> Assessment:
        question = self._settings.question(known=self._known, base=store.good_commit())
        return self._worker.ask(question, timeout=self._settings.worker_timeout, stop=self._stop)

    def _remember(self, assessment: Assessment, ending: Ending) -> None:
        self._nothing_new = isinstance(assessment, Unchanged | Unavailable)
        if self._cut_off and not isinstance(assessment, Unavailable) and self._delivery is not None:
            # Where the repository is back, the hub mostly is too.
            self._delivery.retry()
        self._cut_off = isinstance(assessment, Unavailable)
        if isinstance(assessment, Allowed) and self._settings.interval is None:
            self._interval = assessment.revision.sync.interval
        if not isinstance(assessment, Unavailable) and ending in {Ending.FINE, Ending.REFUSED}:
            self._known = assessment.commit

    def _syncer(self) -> Syncer:
        return Syncer(
            site=self._settings.site,
            store=self._state(),
            clock=self._clock,
            log=self._log,
            open_target=self._premises.open,
            sleep=self._sleep,
            check_stop=self._check_stop,
            announce=self._begin,
            ring=self._ring,
        )

    def _state(self) -> StateStore:
        """Return the state; open it where it is not, or where its file was taken away."""
        if self._store is not None and self._store.is_lost():
            self._log.failure("the state file is gone; it is begun anew")
            self._close_store()
        if self._store is None:
            store = StateStore.open(self._settings.state, site=self._settings.site, clock=self._clock)
            attempt = store.attempt()
            self._recall(store)
            told = self._snapshot(store)
            with store.transaction() as tx:
                tx.emit(
                    EventType.AGENT_STARTED,
                    {
                        **told,
                        "interrupted": attempt.commit if attempt and attempt.phase == "applying" else "",
                        "stateLoss": store.loss,
                    },
                )
            if store.loss not in {"", "new"}:
                self._log.failure("the state was damaged and is begun anew", reason=store.loss)
            self._log.info(
                "agent started", version=__version__, applied=store.good_commit(), epoch=store.epoch
            )
            store.on_event = self._hear
            self._store = store
        return self._store

    def _recall(self, store: StateStore) -> None:
        """Take up what was known before the agent stopped, where it still counts."""
        good, attempt = store.good(), store.attempt()
        self._known = ""
        if good is None or attempt is None:
            return
        try:
            revision = SiteRevision.from_bytes(good.content)
        except StateError as err:
            self._log.failure("the last good revision cannot be used", code=err.code, reason=err.message)
            return
        if self._settings.interval is None:
            self._interval = revision.sync.interval
        if (description := Description.of(revision)) != Description.recall(store):
            with store.transaction() as tx:
                description.keep(tx)
        if self._settings.signed_images or self._settings.image_keys:
            return  # what was applied may have been judged without this demand
        # Another version may render or judge otherwise, so it looks again.
        if attempt.phase == "rolledback" or (
            attempt.phase == "applied" and attempt.commit == good.commit and revision.wayside == __version__
        ):
            self._known = attempt.commit

    def _heartbeat(self) -> Ending:
        store = self._state()
        told = self._snapshot(store)
        with store.transaction() as tx:
            tx.emit(EventType.AGENT_HEARTBEAT, told)
        if self._delivery is not None:
            self._delivery.beat()
        return Ending.FINE

    def _snapshot(self, store: StateStore) -> Mapping[str, Any]:
        """Return everything that is true of the site now."""
        return snapshot(
            store,
            heartbeat=self._settings.heartbeat_interval,
            link=self._link_use(),
            suspended=self._premises.is_suspended,
        )

    def _link_use(self) -> Mapping[str, int]:
        """Return what reports cost so far; it is read anew once an hour, so that quiet sites stay quiet."""
        now = self._clock.monotonic()
        if self._sink is not None and now >= self._link_due:
            self._link = self._sink.use.told()
            self._link_due = now + _LINK_INTERVAL
        return self._link

    def _begin(self) -> None:
        """Say that a sync begins, which may take long."""
        self._announce()
        self._report()

    def _attend(self) -> bool:
        """Look for what people at the cluster ask for, and tell whether that is a sync now."""
        before = self._premises.is_suspended
        wanted = False

        def look() -> None:
            nonlocal wanted
            wanted = self._premises.attend()

        self._guarded(look)
        # What was left alone for a while may have been bent meanwhile.
        return wanted or (before and not self._premises.is_suspended)

    def _tell_suspension(self) -> None:
        """Report once that people at the cluster have the site left alone, or do so no more."""
        suspended = self._premises.is_suspended
        if suspended != self._suspension_told:
            records = Records(self._state(), self._log)
            if suspended:
                records.suspended_here()
            else:
                records.resumed_here()
            self._suspension_told = suspended

    def _hear(self, type_: EventType, data: Mapping[str, Any]) -> None:
        self._vitals.count("wayside_events_total", type=type_.value)
        self._premises.hear(type_, data)

    def _report(self) -> None:
        """Say in the cluster how the site is."""

        def report() -> Ending:
            self._tell_suspension()
            self._premises.report()
            return Ending.FINE

        self._guarded(report)

    def _announce(self) -> None:
        if self._delivery is not None:
            self._delivery.notify()

    def _sleep(self, seconds: float) -> None:
        if wait([self._stop], seconds):
            raise Cancelled

    def _check_stop(self) -> None:
        if self._stop.is_set():
            raise Cancelled
        self._premises.check()
