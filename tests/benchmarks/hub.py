"""A hub under a fleet: latency of reports, a day offline that ends for all at once, first paint.

    python -m tests.benchmarks.hub [--sites N] [--seconds N] [--database KIND] [--only PART...]

Sites are real outboxes with the real delivery code, each with a connection of its own that it keeps; the
state is in memory (`/dev/shm`), as each would have its own disk. All share the machine's cores, so
the hub's own processor time and the load average are printed beside what was waited for.

Parts: `steady`: every site reports every 30 s, what is news and signs of life by turns. `return`: all sites
make a day's events while nobody listens, and then come back at once; `compare`: what the hub has is compared
with what was made, event by event. `flood`: batches that were packed before, to see what the hub alone can
take. `paint`: the fleet's page in Chromium, from its address to all cells on the screen.
"""

from __future__ import annotations

import argparse
import gzip
import heapq
import http.client
import json
import os
import random
import re
import shutil
import sqlite3
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from reconciler.adapters.hub_sink import HubSink
from reconciler.adapters.hub_store import open_store
from reconciler.adapters.sqlite_state import StateStore
from reconciler.agent.backoff import Backoff
from reconciler.agent.clock import SystemClock
from reconciler.agent.delivery import drain, greet
from reconciler.hub.tokens import mint
from reconciler.model.event import Event, EventType, Receipt
from reconciler.ports.sink import SinkError
from tests.hub.conftest import Hub, start_hub
from tests.hub.postgres import Postgres

COMMIT = "e07d2b94c1a84f5e8f3b6a7c9d0e1f2031425364"
PERIOD = 30.0
DAY = 48  # events of a day: a flapping workload that fails and recovers every hour


@dataclass
class Site:
    """A simulated site: a real outbox and the real way to the hub."""

    name: str
    folder: Path
    sink: HubSink
    made: int = 0

    def say(self, count: int) -> None:
        """Put some news into the outbox, each with a number of its own."""
        store = self.open()
        with store.transaction() as tx:
            for _ in range(count):
                self.made += 1
                bad = self.made % 2 == 0
                tx.emit(
                    EventType.HEALTH_CHANGED,
                    {
                        "state": "Degraded" if bad else "Ready",
                        "was": "Ready" if bad else "Degraded",
                        "reason": "Unhealthy" if bad else "Applied",
                        "message": "Deployment/shop/till: 0 of 1 pods are ready" if bad else "",
                        "n": self.made,
                        "unhealthy": {"Deployment/shop/till": "0 of 1 pods are ready"} if bad else {},
                    },
                )
        store.close()

    def send(self) -> int:
        """Deliver what waits, or a sign of life; return the number of events."""
        store = self.open()
        try:
            _, events = drain(store, self.sink)
            if not events:
                greet(store, self.sink)
            return events
        finally:
            store.close()

    def open(self) -> StateStore:
        """Open its state as the agent's delivery does, once for each time."""
        return StateStore.attach(self.folder, clock=SystemClock())


class TimedSink(HubSink):
    """A way to the hub that remembers how long each answer took."""

    seconds: list[float]

    def deliver(self, batch: Sequence[Event]) -> Receipt:
        begin = time.perf_counter()
        try:
            return super().deliver(batch)
        finally:
            self.seconds.append(time.perf_counter() - begin)

    def beat(self, site: str) -> Receipt:
        begin = time.perf_counter()
        try:
            return super().beat(site)
        finally:
            self.seconds.append(time.perf_counter() - begin)


@dataclass
class Bench:
    """A hub, its sites, and what was measured."""

    hub: Hub
    sites: list[Site]
    seconds: list[float] = field(default_factory=list)

    def cpu(self) -> float:
        """Return the processor time of the hub, user and system, in seconds."""
        fields = Path(f"/proc/{self.hub.process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def buckets(self) -> dict[str, int]:
        """Return how many batches took at most how long, as the hub measured."""
        text = self.hub.request("GET", "/metrics").data.decode()
        found = re.findall(r'wayside_hub_ingest_seconds_bucket\{le="([^"]+)"\} (\d+)', text)
        return {bound: int(count) for bound, count in found}

    def memory(self) -> float:
        """Return the most memory that the hub has held, in MiB."""
        status = Path(f"/proc/{self.hub.process.pid}/status").read_text()
        return int(status.split("VmHWM:")[1].split()[0]) / 1024


def say(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def load() -> str:
    return f"load {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores"


def percentile(values: Sequence[float], share: float) -> float:
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))]


@contextmanager
def benches(folder: Path, shared: Path, database: str, count: int) -> Iterator[Bench]:
    """Make a hub with tokens for all sites, and the sites."""
    begin = time.perf_counter()
    store = open_store(database)
    tokens = []
    for number in range(count):
        token, row = mint(kind="site", subject=f"site-{number:05}", role="report", now=time.time())
        tokens.append(token)
        store.save_token(row)
    admin, row = mint(kind="operator", subject="admin", role="write", now=time.time())
    store.save_token(row)
    store.close()
    seconds: list[float] = []
    hub = start_hub(folder, database)
    hub.admin = admin
    sites = []
    template = shared / "template"
    StateStore.open(template, site="template", clock=SystemClock()).close()
    for number, token in enumerate(tokens):
        name = f"site-{number:05}"
        place = shared / name
        shutil.copytree(template, place)
        # As a state folder that was made for this site, in a hundredth of the time.
        with sqlite3.connect(place / "state.db") as connection:
            connection.execute("UPDATE meta SET value = ? WHERE key = 'site'", (name,))
            connection.execute("UPDATE meta SET value = ? WHERE key = 'epoch'", (f"{number:016x}",))
        connection.close()
        (place / "token").write_text(token)
        sink = TimedSink(hub.url, token_file=str(place / "token"))
        sink.seconds = seconds
        sites.append(Site(name, place, sink))
    say(f"  {count} sites made in {time.perf_counter() - begin:.0f} s")
    try:
        yield Bench(hub, sites, seconds)
    finally:
        hub.process.terminate()
        hub.process.wait(30)


def steady(bench: Bench, duration: float) -> None:
    """Have every site report every 30 s, spread evenly, for some time."""
    bench.seconds.clear()
    start = time.monotonic()
    spread = [(start + PERIOD * number / len(bench.sites), number) for number in range(len(bench.sites))]
    heapq.heapify(spread)
    lock = threading.Lock()
    late: list[float] = []
    failed: list[str] = []
    cpu, before = bench.cpu(), bench.buckets()

    def work() -> None:
        while True:
            with lock:
                if not spread or spread[0][0] > start + duration:
                    return
                due, number = heapq.heappop(spread)
                heapq.heappush(spread, (due + PERIOD, number))
            time.sleep(max(0.0, due - time.monotonic()))
            late.append(time.monotonic() - due)
            site = bench.sites[number]
            if random.random() < 0.5:  # noqa: S311 - which of them has news
                site.say(1)
            try:
                site.send()
            except SinkError as err:
                failed.append(err.message)

    with ThreadPoolExecutor(16) as pool:
        for future in [pool.submit(work) for _ in range(16)]:
            future.result()
    used = bench.cpu() - cpu
    took = time.monotonic() - start
    values = bench.seconds
    told = {bound: count - before[bound] for bound, count in bench.buckets().items()}
    within = next(bound for bound, count in told.items() if count >= 0.99 * told["+Inf"])
    say(
        f"  steady: {len(values)} reports in {took:.0f} s ({len(values) / took:.0f}/s), as sites waited:"
        f" p50 {percentile(values, 0.5) * 1000:.1f} ms, p99 {percentile(values, 0.99) * 1000:.1f} ms,"
        f" max {max(values) * 1000:.0f} ms; as the hub took: p99 at most {within} s;"
        f" {len(failed)} failed {failed[:1]};"
        f" started late by p99 {percentile(late, 0.99) * 1000:.0f} ms;"
        f" hub {used:.1f} s of processor time ({used / len(values) * 1000:.2f} ms a report), {load()}"
    )


def come_back(bench: Bench, count: int) -> None:
    """Have every site make a day's events in silence, and bring all of them back at once."""
    begin = time.perf_counter()
    for site in bench.sites:
        site.say(count)
    say(f"  a day of {len(bench.sites) * count} events made in {time.perf_counter() - begin:.0f} s")
    bench.seconds.clear()
    cpu, start = bench.cpu(), time.monotonic()
    waiting: list[tuple[float, int]] = [(0.0, number) for number in range(len(bench.sites))]
    random.shuffle(waiting)
    heapq.heapify(waiting)
    backoffs = [Backoff(first=2.0, most=300.0, rng=random.Random(number)) for number in range(len(waiting))]  # noqa: S311 - the spread of retries
    lock = threading.Lock()
    refused = 0

    def work() -> None:
        nonlocal refused
        while True:
            with lock:
                if not waiting:
                    return
                due, number = heapq.heappop(waiting)
            time.sleep(max(0.0, start + due - time.monotonic()))
            try:
                bench.sites[number].send()
            except SinkError as err:
                with lock:
                    refused += 1
                    delay = max(backoffs[number].failed(), err.retry_after or 0.0)
                    heapq.heappush(waiting, (time.monotonic() - start + delay, number))

    # More at a time than the hub takes, so that it has to turn some away.
    with ThreadPoolExecutor(400) as pool:
        for future in [pool.submit(work) for _ in range(400)]:
            future.result()
    took, used = time.monotonic() - start, bench.cpu() - cpu
    events = len(bench.sites) * count
    say(
        f"  return: {events} events of {len(bench.sites)} sites absorbed in {took:.1f} s"
        f" ({events / took:.0f}/s), {refused} times turned away;"
        f" p99 {percentile(bench.seconds, 0.99) * 1000:.0f} ms;"
        f" hub {used:.1f} s of processor time, at most {bench.memory():.0f} MiB; {load()}"
    )


def compare(bench: Bench) -> None:
    """Compare what the hub has with what sites made, event by event.

    Raises:
        SystemExit: Something is lost, doubled or another.
    """
    found: dict[str, list[int]] = {}
    keys: set[tuple[str, str]] = set()
    cursor, total = "", 0
    while True:
        page = bench.hub.get(f"/v1/events?order=asc&limit=1000{cursor and '&cursor=' + cursor}")
        for item in page["items"]:
            event = item["event"]
            if event["type"] == EventType.HEALTH_CHANGED.value:
                found.setdefault(event["source"].removeprefix("/sites/"), []).append(event["data"]["n"])
            keys.add((event["source"], event["id"]))
            total += 1
        cursor = page["next"]
        if cursor is None:
            break
    wrong = [site.name for site in bench.sites if found.get(site.name, []) != list(range(1, site.made + 1))]
    made = sum(site.made for site in bench.sites)
    if wrong or len(keys) != total:
        raise SystemExit(
            f"WRONG: {len(wrong)} sites differ, such as {wrong[:3]}; {total - len(keys)} doubled"
        )
    say(f"  compared: all {made} events of {len(bench.sites)} sites are there, once, in order")


def flood(bench: Bench, batches: int = 400, size: int = 250) -> None:
    """Send batches that were packed before over eight connections."""
    packed = []
    sites = random.sample(bench.sites, min(len(bench.sites), batches))
    moment = time.strftime("%Y-%m-%dT%H:%M:%S.000Z", time.gmtime())
    for number in range(batches):
        site = sites[number % len(sites)]
        first = number // len(sites) * size
        events = [
            Event(
                site.name,
                "f100d",
                first + place + 1,
                EventType.HEALTH_CHANGED.value,
                moment,
                {"state": "Ready", "was": "Degraded", "reason": "Applied", "message": "", "n": place},
            ).to_cloudevent()
            for place in range(size)
        ]
        body = gzip.compress(json.dumps(events, separators=(",", ":")).encode(), 1)
        packed.append((site.name, (site.folder / "token").read_text(), body))
    address = urlsplit(bench.hub.url)
    turn = iter(packed)
    lock = threading.Lock()

    def work() -> None:
        link = http.client.HTTPConnection(address.hostname or "", address.port or 0, timeout=60)
        while True:
            with lock:
                item = next(turn, None)
            if item is None:
                link.close()
                return
            name, token, body = item
            headers = {"Authorization": f"Bearer {token}", "Content-Encoding": "gzip"}
            link.request("POST", f"/v1/sites/{name}/events", body, headers)
            answer = link.getresponse()
            text = answer.read()
            if answer.status != 200:
                raise SystemExit(f"WRONG: {answer.status} {text[:200]!r}")

    cpu, start = bench.cpu(), time.monotonic()
    with ThreadPoolExecutor(8) as pool:
        for future in [pool.submit(work) for _ in range(8)]:
            future.result()
    took, used, sent = time.monotonic() - start, bench.cpu() - cpu, batches * size
    say(
        f"  flood: {sent} events in {took:.1f} s: {sent / took:.0f}/s;"
        f" {sent / used:.0f} a second of the hub's processor time; {load()}"
    )


def paint(bench: Bench, folder: Path) -> None:
    """Open the fleet's page in Chromium a few times."""
    from tests.browser.chromium import Chromium

    (folder / "chromium").mkdir()
    chromium = Chromium(folder / "chromium")
    cells = f"document.querySelectorAll('.cells a').length === {len(bench.sites)}"
    watch = (
        "(function watch() { if (document.querySelector('.cells') && " + cells + ")"
        " requestAnimationFrame(() => setTimeout(() => { window.painted = performance.now(); }));"
        " else requestAnimationFrame(watch); })()"
    )
    try:
        times = []
        for _ in range(5):
            page = chromium.page(width=1440, height=900)
            page.cookie(bench.hub.url, "wayside_token", bench.hub.admin)
            page.script_at_start(watch)
            page.go(f"{bench.hub.url}/")
            page.until("window.painted", timeout=60)
            first = page.run("performance.getEntriesByName('first-contentful-paint')[0]?.startTime ?? 0")
            times.append((page.run("window.painted") / 1000, first / 1000))
            page.close()
    finally:
        chromium.stop()
    shown = ", ".join(f"{whole:.2f}" for whole, _ in times)
    say(
        f"  paint: all {len(bench.sites)} cells on the screen after {shown} s,"
        f" first words after {', '.join(f'{first:.2f}' for _, first in times)} s; {load()}"
    )


PARTS: dict[str, Callable[[Bench, argparse.Namespace, Path], None]] = {
    "steady": lambda bench, options, _: steady(bench, options.seconds),
    "return": lambda bench, options, _: come_back(bench, options.day),
    "compare": lambda bench, _, __: compare(bench),
    "flood": lambda bench, _, __: flood(bench),
    "paint": lambda bench, _, folder: paint(bench, folder),
}


def main() -> None:
    """Measure."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--sites", type=int, default=500)
    parser.add_argument("--seconds", type=float, default=30.0, help="how long sites report steadily")
    parser.add_argument("--day", type=int, default=DAY, help="events of each site while it is cut off")
    parser.add_argument("--database", choices=("sqlite", "postgresql", "both"), default="both")
    parser.add_argument("--only", nargs="*", choices=tuple(PARTS), default=tuple(PARTS))
    options = parser.parse_args()
    kinds = ("sqlite", "postgresql") if options.database == "both" else (options.database,)
    server = Postgres.start() if "postgresql" in kinds else None
    try:
        for kind in kinds:
            with (
                tempfile.TemporaryDirectory(prefix="hub-bench-") as text,
                tempfile.TemporaryDirectory(prefix="hub-bench-", dir="/dev/shm") as sites,
            ):
                folder = Path(text)
                database = (
                    server.new_database() if server and kind != "sqlite" else f"sqlite:{folder / 'hub.db'}"
                )
                say(f"{kind}:")
                with benches(folder, Path(sites), database, options.sites) as bench:
                    for name in options.only:
                        PARTS[name](bench, options, folder)
    finally:
        if server is not None:
            server.stop()


if __name__ == "__main__":
    main()
