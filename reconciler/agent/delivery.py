"""Sending events: a thread of its own, so that a sink that fails never keeps a site from syncing."""

from __future__ import annotations

import random
import threading
from pathlib import Path

from reconciler.adapters.sqlite_state import StateStore
from reconciler.agent.backoff import Backoff
from reconciler.agent.batching import METERED, UNMETERED, BatchRules
from reconciler.agent.description import Description
from reconciler.agent.logs import Log
from reconciler.agent.settings import AgentSettings
from reconciler.agent.wakeup import Signal, wait
from reconciler.errors import StateError, UsageError
from reconciler.model.event import EventType
from reconciler.ports.clock import Clock
from reconciler.ports.sink import Sink, SinkError

__all__ = ["Delivery", "drain", "greet", "open_sink"]

_FIRST_RETRY, _LAST_RETRY = 2.0, 300.0
#: A sink that asks for more patience than this is asked again all the same.
_LONGEST_RETRY_AFTER = 3600.0
_PATIENCE_AT_THE_END = 1.0


def open_sink(settings: AgentSettings, clock: Clock) -> Sink | None:
    """Return the sink that an agent was started with, or None.

    `file:PATH`, `https://HUB`, or `git` for the branch `status/<site>` of the fleet's repository; `git:URL`
    is that of another one, and `#status/NAME` behind it another branch.

    Raises:
        UsageError: It is something else.
    """
    text = settings.sink
    if not text:
        return None
    if text.startswith("file:"):
        from reconciler.adapters.file_sink import FileSink

        return FileSink(Path(text.removeprefix("file:")))
    kind, _, rest = text.partition(":")
    if kind.partition("#")[0] == "git":
        from reconciler.adapters.git_sink import PREFIX, GitSink

        url, _, branch = (rest if kind == "git" else text.removeprefix("git")).partition("#")
        return GitSink(
            url or settings.repository,
            branch=branch or f"{PREFIX}{settings.site}",
            site=settings.site,
            folder=settings.state / "status.git",
            reads=settings.branch,
            now=clock.now,
            credentials=settings.credentials,
            trust=settings.trust,
            timeout=settings.git_timeout,
        )
    local = text.startswith(("http://127.0.0.1", "http://localhost", "http://[::1]"))
    if text.startswith("https://") or local:
        from reconciler.adapters.hub_sink import HubSink

        return HubSink(text, token_file=settings.sink_token_file, ca_file=settings.sink_ca_file)
    raise UsageError(
        f"expected https://HOST, git, git:URL or file:PATH for --sink, found {kind!r}",
        code="bad-sink",
        hint="plain HTTP is for a hub on this machine only",
    )


def drain(store: StateStore, sink: Sink, rules: BatchRules = UNMETERED) -> tuple[int, int]:
    """Send everything that waits, batch by batch, and return how many batches and events went out.

    Raises:
        SinkError: A batch was not taken; it stays.
        StateError: The outbox cannot be used.
    """
    batches = events = 0
    renewed = False
    most = rules.events
    while True:
        with store.transaction() as tx:
            numbered = tx.outbox.numbered
            batch = tx.outbox.pending(most, rules.size)
        if not batch:
            return batches, events
        try:
            receipt = sink.deliver(batch)
        except SinkError as err:
            if err.code == "sequence-conflict" and not renewed:
                # This disk is a copy, or was restored: what waits is true all the same, under new numbers.
                renewed = True
                with store.transaction() as tx:
                    tx.outbox.renew()
                continue
            if err.refused and len(batch) > 1:
                # Too large, or one of them is bad: half of it tells which.
                most = len(batch) // 2
                continue
            if err.refused:
                # What waits behind it would wait for ever.
                with store.transaction() as tx:
                    tx.outbox.give_up(batch[0].sequence, err.message)
                if batch[0].type == EventType.OUTBOX_COMPACTED.value:
                    raise
                most = rules.events
                continue
            if err.unsent:
                # Nobody has seen these numbers, so what they stand for may still be coalesced.
                with store.transaction() as tx:
                    tx.outbox.withdraw(numbered)
            raise
        if receipt.epoch == batch[0].epoch and receipt.acknowledged < batch[0].sequence - 1 and not renewed:
            # The sink lost what it had acknowledged, and nobody has it any more: the rest is numbered anew.
            renewed = True
            with store.transaction() as tx:
                tx.outbox.renew()
            continue
        with store.transaction() as tx:
            tx.outbox.acknowledge(receipt)
            left = tx.outbox.pending(1)
        if left and left[0].epoch == batch[0].epoch and left[0].sequence <= batch[-1].sequence:
            raise SinkError("the sink did not acknowledge the batch", code="sink-answer")
        batches, events = batches + 1, events + len(batch)
        most = min(rules.events, most * 2)


def greet(store: StateStore, sink: Sink) -> None:
    """Say that a site with nothing to tell lives; where the sink knows less of it, all is told next time.

    Raises:
        SinkError: The sink did not hear it.
        StateError: The outbox cannot be used.
    """
    receipt = sink.beat(store.site)
    if receipt is None:
        return
    with store.transaction() as tx:
        if (receipt.epoch, receipt.acknowledged) != (tx.outbox.epoch, tx.outbox.numbered):
            tx.outbox.tell_all()


class Delivery:
    """Sends what waits in the outbox of a state folder when it is time, by how much waits and how urgently.

    Args:
        directory: The state folder.
        sink: Where batches go.
        clock: For the state, and for waiting.
        log: Where it is said.
        rng: For the spread of retries.
    """

    def __init__(self, directory: Path, sink: Sink, *, clock: Clock, log: Log, rng: random.Random) -> None:
        self._directory = directory
        self._sink = sink
        self._clock = clock
        self._log = log
        self._rng = rng
        self._backoff = Backoff(first=_FIRST_RETRY, most=_LAST_RETRY, rng=rng, least=0.0)
        self._news = Signal()
        self._retry = Signal()
        self._beat = Signal()
        self._stop = Signal()
        self._noticed: float | None = None
        self._thread = threading.Thread(target=self._run, name="delivery", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def notify(self) -> None:
        """Say that there may be something to send."""
        self._news.set()

    def beat(self) -> None:
        """Say that a sign of life is due."""
        self._beat.set()
        self._news.set()

    def retry(self) -> None:
        """Say that the link seems to be back, so that waiting longer is of no use."""
        self._retry.set()
        self._news.set()

    def stop(self) -> None:
        """End, after a batch that is on its way, and not much later."""
        self._stop.set()
        self._thread.join(_PATIENCE_AT_THE_END)

    def _run(self) -> None:
        delay, failing = 86400.0, False
        while not self._stop.is_set():
            # A sink that fails is left alone until its time has come, whatever is new.
            wait([self._stop, self._retry] if failing else [self._stop, self._news], delay)
            if self._stop.is_set():
                return
            pressing = failing or self._retry.is_set() or self._beat.is_set()
            self._news.clear()
            self._retry.clear()
            try:
                delay, failing = self._attend(pressing=pressing)
            except Exception as err:  # noqa: BLE001 - the thread's edge: reports must not end with one fault
                self._log.failure(
                    "sending failed unexpectedly", type=type(err).__name__, reason=str(err)[:300]
                )
                delay, failing = max(_FIRST_RETRY, self._backoff.failed()), True

    def _attend(self, *, pressing: bool) -> tuple[float, bool]:
        """Send what is due; return the seconds to wait for more, and whether that is because it failed.

        Args:
            pressing: Whether all that waits goes now, or a sign of life where nothing does.
        """
        try:
            store = StateStore.attach(self._directory, clock=self._clock)
            try:
                rules = METERED if Description.recall(store).metered else UNMETERED
                patience = self._patience(store, rules)
                if not pressing and patience != 0.0:
                    return 86400.0 if patience is None else patience, False
                batches, events = drain(store, self._sink, rules)
                if self._beat.is_set():
                    if not events:
                        greet(store, self._sink)
                    self._beat.clear()
            finally:
                store.close()
        except SinkError as err:
            asked = min(err.retry_after or 0.0, _LONGEST_RETRY_AFTER)
            # What many are asked at once must not bring all of them back at once.
            delay = max(self._backoff.failed(), asked * self._rng.uniform(1.0, 1.25))
            self._log.warning("events wait", code=err.code, reason=err.message, retry=f"{delay:.0f}s")
            return delay, True
        except StateError as err:
            self._log.warning("the outbox cannot be used", code=err.code, reason=err.message)
            return self._backoff.failed(), True
        self._backoff.succeeded()
        self._noticed = None
        if events:
            self._log.info("events delivered", events=events, batches=batches)
        return 86400.0, False

    def _patience(self, store: StateStore, rules: BatchRules) -> float | None:
        """Return the seconds until what waits is due, or None where nothing waits."""
        backlog = store.backlog()
        now = self._clock.monotonic()
        if not backlog.events:
            self._noticed = None
        elif self._noticed is None:
            self._noticed = now
        return rules.wait(backlog, waited=0.0 if self._noticed is None else now - self._noticed)
