"""Kill -9 at random moments, of what reports and of the hub: every change is told, and told once."""

from __future__ import annotations

import os
import random
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

from reconciler.adapters.sqlite_state import StateStore
from reconciler.agent.clock import SystemClock
from reconciler.errors import StateError
from tests.hub.conftest import ROOT, Hub
from tests.hub.reporter import SITE

KILLS = int(os.environ.get("WAYSIDE_REPORT_KILLS", "8"))


def told(hub: Hub) -> list[int]:
    """Return what the hub was told, in its order."""
    numbers: list[int] = []
    cursor = ""
    while True:
        page = hub.get(f"/v1/sites/{SITE}/events?order=asc&limit=1000&cursor={cursor}")
        numbers += [item["event"]["data"]["n"] for item in page["items"] if "n" in item["event"]["data"]]
        cursor = page["next"]
        if not cursor:
            return numbers


@pytest.mark.slow
@pytest.mark.timeout(120 + KILLS * 6)
def test_what_is_killed_at_any_moment_tells_every_change_once(
    tmp_path: Path, new_hub: Callable[..., Hub]
) -> None:
    seed = int(os.environ.get("WAYSIDE_SEED", "0")) or random.SystemRandom().randrange(1, 10**9)
    rng = random.Random(seed)  # noqa: S311 - repeatable by its seed
    state, token = tmp_path / "state", tmp_path / "token"
    hub = new_hub()
    token.write_text(hub.token(site=SITE))
    admin = hub.admin
    lives: Counter[str] = Counter()
    before = 0
    for turn in range(KILLS):
        process = start(state, hub, token)
        try:
            if turn and rng.random() < 0.25:
                time.sleep(rng.uniform(0.0, 0.5))  # perhaps before anything happens
            else:
                wait_for_change(state, before, process)
                time.sleep(rng.expovariate(10.0))
            if turn % 10 == 5:
                hub.process.kill()
                hub.process.wait()
                lives["hub"] += 1
                time.sleep(rng.expovariate(20.0))
        finally:
            process.kill()
            process.wait()
        lives["reporter"] += 1
        before = changes(state)
        if hub.process.poll() is not None:
            hub = new_hub()
            hub.admin = admin
    assert start(state, hub, token, "--drain").wait(60) == 0
    last = changes(state)
    numbers = told(hub)
    sys.stdout.write(f"seed {seed}: killed {dict(lives)}, {last} changes\n")
    assert numbers == list(range(1, last + 1)), f"seed {seed}"
    assert hub.get(f"/v1/sites/{SITE}")["conflict"] is None


def start(state: Path, hub: Hub, token: Path, *more: str) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-m", "tests.hub.reporter", str(state), hub.url, str(token), *more],
        cwd=ROOT,
        stderr=subprocess.DEVNULL,
    )


def changes(state: Path) -> int:
    store = StateStore.attach(state, clock=SystemClock())
    try:
        return int(store.note("changes") or 0)
    finally:
        store.close()


def wait_for_change(state: Path, before: int, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + 30
    while not (state / "state.db").exists() or not _changed(state, before):
        assert process.poll() is None, "the reporter ended by itself"
        assert time.monotonic() < deadline, "nothing changed within 30 s"
        time.sleep(0.01)


def _changed(state: Path, before: int) -> bool:
    try:
        return changes(state) > before
    except StateError:
        return False  # it is being made
