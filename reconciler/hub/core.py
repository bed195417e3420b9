"""The hub without HTTP: what is known, the thread that writes, who is told."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, replace

from reconciler.errors import StateError
from reconciler.hub.fleet import Fleet
from reconciler.hub.metrics import Metrics
from reconciler.hub.stream import Stream
from reconciler.hub.tokens import Guard
from reconciler.hub.writer import Writer
from reconciler.ports.hub_store import HubStore, Write

__all__ = ["Core", "Limits"]


@dataclass(frozen=True, slots=True)
class Limits:
    """How much the hub takes and keeps.

    Attributes:
        body: Bytes of a batch as it comes.
        content: Bytes of a batch when it is decompressed.
        retention: Seconds for which events are kept.
        requests: Batches that may be in work at a time.
        patience: Seconds in which a batch must come.
    """

    body: int = 1024 * 1024
    content: int = 8 * 1024 * 1024
    retention: float = 90 * 86400.0
    requests: int = 256
    patience: float = 30.0


class Core:
    """Everything that the pages and the API are made of.

    Args:
        store: The database.
        limits: How much is taken and kept.
        clock: Seconds since 1970.
    """

    def __init__(
        self, store: HubStore, *, limits: Limits | None = None, clock: Callable[[], float] = time.time
    ) -> None:
        self.store = store
        self.limits = limits or Limits()
        self.clock = clock
        self.metrics = Metrics()
        self.stream = Stream()
        self.fleet = Fleet()
        self.busy = 0
        self._loop: asyncio.AbstractEventLoop | None = None
        self.writer = Writer(store, self.fleet, changed=self._changed)
        self.guard = Guard(store, expect=self._expect)

    async def start(self) -> None:
        """Load what is known, and begin to write.

        Raises:
            StateError: The database cannot be used.
        """
        self._loop = asyncio.get_running_loop()
        known = await asyncio.to_thread(self.store.load)
        self.fleet.take(known.records, known.epochs, known.revisions, known.newest)
        self.writer.start()

    async def stop(self) -> None:
        """Store what waits, and end."""
        self.stream.close()
        await asyncio.to_thread(self.writer.stop)

    async def forget(self, site: str) -> bool:
        """Forget a site, its events and its tokens, and tell whether it was known."""
        found: asyncio.Future[bool] = asyncio.get_running_loop().create_future()

        def act() -> None:
            known = site in self.fleet.records
            try:
                if known:
                    self.store.remove_site(site)
                    self.guard.reload()
                    self.fleet.drop(site)
            except StateError as err:
                self._answer(found, err)
            else:
                self._answer(found, known)
                self._changed([site])

        self.writer.call(act)
        return await found

    async def settle(self, site: str) -> bool:
        """Forget that a site's reports contradicted each other, and tell whether they did."""
        found: asyncio.Future[bool] = asyncio.get_running_loop().create_future()

        def act() -> None:
            record = self.fleet.records.get(site)
            if record is None or not record.conflict:
                self._answer(found, False)
                return
            settled = replace(record, conflict="")
            try:
                self.store.write([Write(settled, record.epoch, record.acknowledged, (), self.clock())], ())
            except StateError as err:
                self._answer(found, err)
                return
            self.fleet.take({site: settled}, {}, {}, 0)
            self._answer(found, True)
            self._changed([site])

        self.writer.call(act)
        return await found

    async def writer_is_through(self) -> None:
        """Wait until the thread that writes has done what it was asked for so far."""
        found: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        self.writer.call(lambda: self._answer(found, True))
        await found

    async def prune(self) -> None:
        """Forget old events, a few at a time, between transactions, until the hub stops."""
        loop = asyncio.get_running_loop()
        while True:
            done = asyncio.Event()
            count = 0

            def act(done: asyncio.Event = done) -> None:
                nonlocal count
                count = 0
                try:
                    count = self.store.prune(self.clock() - self.limits.retention, 5000)
                except StateError:
                    self.metrics.add("wayside_hub_failed_prunes_total")
                finally:
                    loop.call_soon_threadsafe(done.set)

            self.writer.call(act)
            await done.wait()
            await asyncio.sleep(1.0 if count else 600.0)

    def _expect(self, sites: Collection[str]) -> None:
        """Show sites that have a token and never reported, as such."""
        if all(site in self.fleet.records for site in sites):
            return

        def act() -> None:
            self._changed(self.fleet.expect(sites))

        self.writer.call(act)

    def _changed(self, sites: Sequence[str]) -> None:
        if self._loop is not None and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self.stream.publish, list(sites))

    def _answer(self, future: asyncio.Future[bool], value: bool | BaseException) -> None:
        def tell() -> None:
            if future.done():
                return
            if isinstance(value, BaseException):
                future.set_exception(value)
            else:
                future.set_result(value)

        if self._loop is not None:
            self._loop.call_soon_threadsafe(tell)
