"""The one thread that writes: what waits is stored in one transaction, so one commit serves many batches."""

from __future__ import annotations

import logging
import queue
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass

from reconciler.errors import StateError
from reconciler.hub.batch import parse_time
from reconciler.hub.fleet import Fleet
from reconciler.hub.ingest import Absorption, absorb, find_twins, possible_twins
from reconciler.model.event import Event
from reconciler.model.site_record import SiteRecord
from reconciler.ports.hub_store import HubStore, RevisionRow, Write

__all__ = ["Busy", "Writer"]

_log = logging.getLogger(__name__)
_MOST_WAITING_BYTES = 64 * 1024 * 1024
_MOST_IN_ONE = 200
#: Seconds by which a clock may be off that still counts as right.
_RIGHT_CLOCK = 300.0
#: Seconds for which a site may have been offline with its clock still believed.
_LONGEST_OFFLINE = 90 * 86400.0


class Busy(Exception):
    """More waits to be stored than memory should hold."""


@dataclass(slots=True)
class _Job:
    site: str
    batch: Sequence[Event]
    size: int
    received: float
    skew: float | None
    done: Future[Absorption]


class Writer:
    """Stores batches in the order in which they came.

    Args:
        store: Where to.
        fleet: What is known; changed when a transaction is durable.
        changed: Called from the writer's thread with the names of sites that changed, after each transaction.
    """

    def __init__(self, store: HubStore, fleet: Fleet, *, changed: Callable[[Sequence[str]], None]) -> None:
        self._store = store
        self._fleet = fleet
        self._changed = changed
        self._jobs: queue.SimpleQueue[_Job | Callable[[], None] | None] = queue.SimpleQueue()
        self._waiting = 0
        self._lock = threading.Lock()
        self._thread = threading.Thread(target=self._run, name="writer", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self) -> None:
        """Store what waits, and end."""
        self._jobs.put(None)
        self._thread.join()

    @property
    def waiting(self) -> int:
        """Bytes that wait."""
        return self._waiting

    def submit(
        self, site: str, batch: Sequence[Event], *, size: int, received: float, skew: float | None
    ) -> Future[Absorption]:
        """Hand over a batch; the future is done when it is durable.

        Raises:
            Busy: Too much waits already.
        """
        with self._lock:
            if self._waiting + size > _MOST_WAITING_BYTES:
                raise Busy
            self._waiting += size
        job = _Job(site, batch, size, received, skew, Future())
        self._jobs.put(job)
        return job.done

    def call(self, action: Callable[[], None]) -> None:
        """Have something done between two transactions, by the writer's thread."""
        self._jobs.put(action)

    def _run(self) -> None:
        while True:
            item = self._jobs.get()
            if item is None:
                return
            if not isinstance(item, _Job):
                item()
                continue
            jobs, after = self._gather(item)
            self._store_all(jobs)
            with self._lock:
                self._waiting -= sum(job.size for job in jobs)
            if after is None:
                continue
            if after[0] is None:
                return
            after[0]()

    def _gather(self, first: _Job) -> tuple[list[_Job], tuple[Callable[[], None] | None] | None]:
        jobs = [first]
        while len(jobs) < _MOST_IN_ONE:
            try:
                item = self._jobs.get_nowait()
            except queue.Empty:
                break
            if not isinstance(item, _Job):
                return jobs, (item,)
            jobs.append(item)
        return jobs, None

    def _store_all(self, jobs: Sequence[_Job]) -> None:
        try:
            answers = self._store_in_one(jobs)
        except StateError as err:
            for job in jobs:
                job.done.set_exception(err)
            return
        except Exception:  # noqa: BLE001 - one batch that nobody foresaw must not end the thread that writes
            if len(jobs) > 1:
                for job in jobs:
                    self._store_all([job])
                return
            _log.exception("a batch of %s cannot be stored", jobs[0].site)
            jobs[0].done.set_exception(StateError("this batch cannot be stored", code="internal"))
            return
        for job, answer in zip(jobs, answers, strict=True):
            job.done.set_result(answer)

    def _store_in_one(self, jobs: Sequence[_Job]) -> list[Absorption]:
        records: dict[str, SiteRecord] = {}
        epochs: dict[str, dict[str, int]] = {}
        revisions: dict[str, RevisionRow] = {}
        unsaved: dict[tuple[str, str, int], Event] = {}
        writes, answers = [], []
        for job in jobs:
            record = records.get(job.site) or self._fleet.records.get(job.site) or SiteRecord(job.site)
            known = epochs.get(job.site)
            if known is None:
                known = dict(self._fleet.epochs.get(job.site, {}))
            epoch = job.batch[0].epoch if job.batch else record.epoch
            stored: dict[int, Event] = {}
            if job.batch and job.batch[0].sequence <= known.get(epoch, 0):
                last = min(job.batch[-1].sequence, known.get(epoch, 0))
                stored.update(self._store.stored(job.site, epoch, job.batch[0].sequence, last))
                for event in job.batch:
                    fresh = unsaved.get((job.site, epoch, event.sequence))
                    if fresh is not None:
                        stored[event.sequence] = fresh
            answer = absorb(
                record,
                job.batch,
                epochs=known,
                stored=stored,
                received=job.received,
                skew=job.skew,
                twins=self._twins(record, job, known, stored, unsaved.values()),
            )
            answers.append(answer)
            records[job.site] = answer.record
            if job.batch and answer.receipt.acknowledged:
                known[epoch] = answer.receipt.acknowledged
                unsaved.update({(job.site, epoch, event.sequence): event for event in answer.new})
            epochs[job.site] = known
            writes.append(Write(answer.record, epoch, known.get(epoch, 0), answer.new, job.received))
            self._note_revisions(job, answer.new, revisions)
        newest = self._store.write(writes, revisions.values())
        self._fleet.take(records, epochs, revisions, newest)
        self._changed(list(records))
        return answers

    def _twins(
        self,
        record: SiteRecord,
        job: _Job,
        known: Mapping[str, int],
        stored: Mapping[int, Event],
        unsaved: Iterable[Event],
    ) -> frozenset[int]:
        """Return the numbers of events that this site has told under other numbers before."""
        doubtful = possible_twins(record, job.batch, epochs=known, stored=stored)
        if not doubtful:
            return frozenset()
        kept = self._store.at(job.site, [event.time for event in doubtful])
        return find_twins(doubtful, [*kept, *(event for event in unsaved if event.site == job.site)])

    def _note_revisions(self, job: _Job, events: Sequence[Event], new: dict[str, RevisionRow]) -> None:
        for event in events:
            commit = event.data.get("commit")
            if not isinstance(commit, str) or not 7 <= len(commit) <= 64 or not commit.isalnum():
                continue
            subject = event.data.get("subject")
            text = subject[:200] if isinstance(subject, str) else ""
            row = new.get(commit) or self._fleet.revisions.get(commit)
            seen = _happened(event, job)
            if row is None:
                new[commit] = RevisionRow(commit, text, seen)
            elif (text and not row.subject) or seen < row.first_seen:
                new[commit] = RevisionRow(commit, row.subject or text, min(seen, row.first_seen))


def _happened(event: Event, job: _Job) -> float:
    """Return when an event happened, in seconds since 1970.

    A site that was offline tells late, so its own clock counts; but one wrong clock must not put a revision
    before all others, for the whole fleet. So it counts where it was right when the batch was sent, and only
    within reason.
    """
    if job.skew is None or abs(job.skew) > _RIGHT_CLOCK:
        return job.received
    moment = parse_time(event.time)
    told = moment.timestamp() if moment else job.received
    return told if job.received - _LONGEST_OFFLINE < told < job.received else job.received
