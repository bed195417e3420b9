"""Sending events: a thread of its own, so that a sink that fails never keeps a site from syncing."""

from __future__ import annotations

import random
import threading
from pathlib import Path

from reconciler.adapters.sqlite_state import StateStore
from reconciler.agent.backoff import Backoff
from reconciler.agent.logs import Log
from reconciler.agent.wakeup import Signal, wait
from reconciler.errors import StateError, UsageError
from reconciler.ports.clock import Clock
from reconciler.ports.sink import Sink, SinkError

__all__ = ["Delivery", "drain", "open_sink"]

_BATCH = 500
_FIRST_RETRY, _LAST_RETRY = 2.0, 300.0
_PATIENCE_AT_THE_END = 1.0


def open_sink(text: str, *, token_file: str = "", ca_file: str = "") -> Sink | None:
    """Return the sink that `file:PATH` or `https://...` names, or None for "".

    Raises:
        UsageError: It is something else.
    """
    if not text:
        return None
    if text.startswith("file:"):
        from reconciler.adapters.file_sink import FileSink

        return FileSink(Path(text.removeprefix("file:")))
    local = text.startswith(("http://127.0.0.1", "http://localhost", "http://[::1]"))
    if text.startswith("https://") or local:
        from reconciler.adapters.hub_sink import HubSink

        return HubSink(text, token_file=token_file, ca_file=ca_file)
    raise UsageError(
        f"expected file:PATH or https://HOST for --sink, found {text.partition(':')[0]!r}",
        code="bad-sink",
        hint="plain HTTP is for a hub on this machine only",
    )


def drain(store: StateStore, sink: Sink) -> tuple[int, int]:
    """Send everything that waits, batch by batch, and return how many batches and events went out.

    Raises:
        SinkError: A batch was not taken; it stays.
        StateError: The outbox cannot be used.
    """
    batches = events = 0
    renewed = False
    while True:
        with store.transaction() as tx:
            numbered = tx.outbox.numbered
            batch = tx.outbox.pending(_BATCH)
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


class Delivery:
    """Sends what waits in the outbox of a state folder whenever it is told that there is something.

    Args:
        directory: The state folder.
        sink: Where batches go.
        clock: For the state.
        log: Where it is said.
        rng: For the spread of retries.
    """

    def __init__(self, directory: Path, sink: Sink, *, clock: Clock, log: Log, rng: random.Random) -> None:
        self._directory = directory
        self._sink = sink
        self._clock = clock
        self._log = log
        self._backoff = Backoff(first=_FIRST_RETRY, most=_LAST_RETRY, rng=rng)
        self._news = Signal()
        self._retry = Signal()
        self._stop = Signal()
        self._thread = threading.Thread(target=self._run, name="delivery", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def notify(self) -> None:
        """Say that there may be something to send."""
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
        delay = 0.0
        while not self._stop.is_set():
            if delay:
                # A sink that fails is left alone until its time has come, whatever is new.
                wait([self._stop, self._retry], delay)
            else:
                wait([self._stop, self._news], 86400.0)
            if self._stop.is_set():
                return
            self._news.clear()
            self._retry.clear()
            delay = self._send()

    def _send(self) -> float:
        """Send what there is, and return the seconds to wait before another try, or 0."""
        try:
            store = StateStore.attach(self._directory, clock=self._clock)
            try:
                batches, events = drain(store, self._sink)
            finally:
                store.close()
        except SinkError as err:
            delay = max(self._backoff.failed(), err.retry_after or 0.0)
            self._log.warning("events wait", code=err.code, reason=err.message, retry=f"{delay:.0f}s")
            return delay
        except StateError as err:
            self._log.warning("the outbox cannot be used", code=err.code, reason=err.message)
            return self._backoff.failed()
        self._backoff.succeeded()
        if events:
            self._log.info("events delivered", events=events, batches=batches)
        return 0.0
