"""A day of a site on a simulated clock: the real outbox, delivery, HTTP client and reading of batches."""

from __future__ import annotations

import dataclasses
import datetime
import gzip
import io
import json
import random
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from reconciler.adapters.hub_sink import HubSink
from reconciler.adapters.sqlite_outbox import OutboxLimits
from reconciler.adapters.sqlite_state import StateStore
from reconciler.agent.assessment import Allowed
from reconciler.agent.delivery import Delivery
from reconciler.agent.description import snapshot
from reconciler.agent.logs import Log
from reconciler.agent.sync import Ending, Syncer
from reconciler.hub.batch import decompress, parse_batch
from reconciler.model.event import Event, EventType
from reconciler.model.plan import Health, HealthStatus
from reconciler.model.resource import Manifest
from reconciler.model.site_record import SiteRecord, fold
from tests.agent.published import assert_published
from tests.agent.test_sync import SITE, MemoryTarget, revision

pytestmark = pytest.mark.timeout(300)
DAY, HEARTBEAT, HOUR = 86400, 300, 3600


class Clock:
    def __init__(self) -> None:
        self.seconds = 0.0

    def now(self) -> datetime.datetime:
        return datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC) + datetime.timedelta(seconds=self.seconds)

    def monotonic(self) -> float:
        return self.seconds


class Receiver(BaseHTTPRequestHandler):
    """Takes batches as a hub does, and remembers what they weighed."""

    protocol_version = "HTTP/1.1"
    sizes: list[tuple[int, int, int]]
    events: list[Event]

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        plain = decompress(body, self.headers["Content-Encoding"], limit=8 << 20)
        self.events.extend(parse_batch(plain, site=SITE))
        epoch, last = (self.events[-1].epoch, self.events[-1].sequence) if self.events else ("", 0)
        answer = json.dumps({"epoch": epoch, "acknowledged": last}).encode()
        self.sizes.append((len(body), len(plain), len(answer)))
        self.send_response(200)
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the library's name
        del format, args


class Sick(MemoryTarget):
    """A cluster whose one workload is as `health` says."""

    def __init__(self) -> None:
        super().__init__()
        self.health = Health(HealthStatus.CURRENT)

    def assess(self, live: Manifest | None) -> Health:
        return super().assess(live) if live is None else self.health


class Site:
    """An agent's parts on one clock, driven as its loop drives them."""

    def __init__(self, folder: Path, url: str, limits: OutboxLimits | None = None) -> None:
        self.folder = folder
        self.clock = Clock()
        self.target = Sick()
        self.store = StateStore.open(folder, site=SITE, clock=self.clock, limits=limits)
        log = Log(io.StringIO(), clock=self.clock)
        self.syncer = Syncer(
            site=SITE,
            store=self.store,
            clock=self.clock,
            log=log,
            open_target=lambda _: self.target,
            sleep=lambda _: None,
            check_stop=lambda: None,
        )
        self.sink = HubSink(url)
        self.delivery = Delivery(
            folder,
            self.sink,
            clock=self.clock,
            log=log,
            rng=random.Random(1),  # noqa: S311 - spread only
        )
        self.link: dict[str, int] = {}
        self.said: list[dict[str, Any]] = []
        self.store.on_event = self.hear

    def hear(self, type_: EventType, data: Any) -> None:
        self.said.append({"type": type_.value, "data": dict(data)})

    def start(self) -> None:
        with self.store.transaction() as tx:
            told = {**self.snapshot(), "interrupted": "", "stateLoss": "new"}
            tx.emit(EventType.AGENT_STARTED, told)
        manifest = {"labels": {"region": "r3", "ring": "canary"}}
        first = dataclasses.replace(revision("a", {"till": "1"}), manifest=manifest)
        assert self.syncer.settle(Allowed(first)) is Ending.FINE

    def snapshot(self) -> dict[str, Any]:
        if self.clock.seconds % HOUR < HEARTBEAT:
            self.link = self.sink.use.told()
        return dict(snapshot(self.store, heartbeat=float(HEARTBEAT), link=self.link))

    def beat(self) -> bool:
        """Do what the loop does every five minutes; tell whether it went out."""
        with self.store.transaction() as tx:
            tx.emit(EventType.AGENT_HEARTBEAT, self.snapshot())
        self.delivery.beat()
        _, failing = self.delivery._attend(pressing=True)
        return not failing


@pytest.fixture
def receiver() -> Iterator[type[Receiver]]:
    yield type("OneReceiver", (Receiver,), {"sizes": [], "events": []})


@pytest.fixture
def url(receiver: type[Receiver]) -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), receiver)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


@pytest.mark.slow
def test_a_quiet_day_costs_two_kibibytes_an_hour_at_most(
    tmp_path: Path, receiver: type[Receiver], url: str
) -> None:
    site = Site(tmp_path, url)
    site.start()
    assert site.beat()
    receiver.sizes.clear()
    begin = len(receiver.events)
    for second in range(HEARTBEAT, DAY + 1, HEARTBEAT):
        site.clock.seconds = float(second)
        # What the loop does besides: it looks at drift, and finds none.
        site.syncer.correct_drift()
        assert site.beat()
    sent = sum(size for size, _, _ in receiver.sizes)
    answered = sum(size for _, _, size in receiver.sizes)
    assert len(receiver.sizes) == DAY // HEARTBEAT
    assert sent + answered <= 24 * 2048, (sent, answered)
    # It is no silence: every heartbeat came, and what reports cost came every hour.
    news = receiver.events[begin:]
    assert {event.type for event in news} == {EventType.AGENT_HEARTBEAT.value}
    assert 23 <= len(news) <= 25
    assert news[-1].data["link"]["payload"] > 0
    assert set(news[-1].data) == {"link"}
    print_figures(f"quiet day: {sent} B sent, {answered} B answered, {(sent + answered) / 24:.0f} B an hour")
    site.store.close()


@pytest.mark.slow
def test_a_day_offline_with_a_flapping_workload_stays_small(
    tmp_path: Path, receiver: type[Receiver], url: str
) -> None:
    site = Site(tmp_path, "http://127.0.0.1:1")
    site.start()
    rng = random.Random(7)  # noqa: S311 - repeatable
    ways = [
        Health(HealthStatus.FAILED, "container till: CrashLoopBackOff: exit 137, OOMKilled, limit 64Mi"),
        Health(HealthStatus.FAILED, "container till: CrashLoopBackOff: exit 1"),
        Health(HealthStatus.IN_PROGRESS, "0 of 1 replicas are ready"),
        Health(HealthStatus.CURRENT),
    ]
    for second in range(30, DAY + 1, 30):
        site.clock.seconds = float(second)
        site.target.health = rng.choice(ways)
        site.syncer.correct_drift()
        if second % HEARTBEAT == 0:
            assert not site.beat()
    held = sum(part.stat().st_size for part in tmp_path.glob("state.db*"))
    assert held <= 5 << 20, held
    waiting = site.store.pending()
    changes = [said for said in site.said if said["type"] == EventType.HEALTH_CHANGED.value]
    assert len(changes) > 1500

    # The link is back.
    site.sink = HubSink(url)
    site.delivery._sink = site.sink
    assert site.beat()
    assert site.store.pending() == 0
    sent = sum(size for size, _, _ in receiver.sizes)
    told = [event for event in receiver.events if event.type == EventType.HEALTH_CHANGED.value]
    assert [event.data for event in told] == [said["data"] for said in changes], "lost, doubled or reordered"
    assert_published(event.to_cloudevent() for event in receiver.events)
    record = SiteRecord(SITE)
    for event in receiver.events:
        record = fold(record, event)
    condition = site.store.condition()
    assert condition is not None
    assert (record.state, record.message) == (condition.state, condition.message)
    # All events in plain JSON: those that came, so that heartbeats which gave way to newer ones do not count.
    plain = len(json.dumps([event.to_cloudevent() for event in receiver.events]).encode())
    assert sent <= plain * 0.05, (sent, plain)
    print_figures(
        f"a day offline: {len(site.said)} events said, {waiting} waited, {held / 2**20:.2f} MiB on disk; sent"
        f" {sent} B in {len(receiver.sizes)} requests, {sent / plain:.2%} of {plain} B of plain JSON"
    )
    site.store.close()


def test_more_than_the_outbox_holds_is_compacted_and_the_state_is_right_all_the_same(
    tmp_path: Path, receiver: type[Receiver], url: str
) -> None:
    site = Site(tmp_path, "http://127.0.0.1:1", OutboxLimits(rows=200))
    site.start()
    for number in range(500):
        site.clock.seconds = number * 10.0
        site.target.health = Health(
            *((HealthStatus.FAILED, "exit 1") if number % 2 else (HealthStatus.CURRENT,))
        )
        site.syncer.correct_drift()
    assert site.store.pending() <= 200
    site.delivery._sink = HubSink(url)
    assert site.beat()
    counted = sum(
        sum(event.data["dropped"].values())
        for event in receiver.events
        if event.type == EventType.OUTBOX_COMPACTED.value
    )
    kept = [event for event in receiver.events if event.type == EventType.HEALTH_CHANGED.value]
    said = [one for one in site.said if one["type"] == EventType.HEALTH_CHANGED.value]
    planned = [one for one in site.said if one["type"] == EventType.SYNC_PLANNED.value]
    assert counted + len(kept) == len(said) + len(planned)
    assert EventType.SYNC_APPLIED.value in {event.type for event in receiver.events}
    record = SiteRecord(SITE)
    for event in receiver.events:
        record = fold(record, event)
    condition = site.store.condition()
    assert condition is not None
    assert (record.state, record.lost) == (condition.state, counted)
    site.store.close()


def print_figures(text: str) -> None:
    """Show figures under `pytest -s`."""
    sys.stdout.write(f"{text}\n")


def test_a_body_is_gzip_of_the_batch_and_no_more(tmp_path: Path, receiver: type[Receiver], url: str) -> None:
    site = Site(tmp_path, url)
    site.start()
    assert site.beat()
    (size, plain, _) = receiver.sizes[0]
    again = json.dumps(
        [event.to_cloudevent() for event in receiver.events], separators=(",", ":"), ensure_ascii=False
    ).encode()
    assert (size, plain) == (len(gzip.compress(again, mtime=0)), len(again))
    assert site.sink.use.sent > size
    site.store.close()
