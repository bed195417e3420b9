"""A randomised soak: several sites, commits and faults of every kind, and a model of what must be there.

A few turns run with every test run; `WAYSIDE_SOAK=2000` runs the whole of it, `WAYSIDE_SEED` repeats one.
"""

from __future__ import annotations

import os
import random
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.agent.fault_proxy import FaultProxy, fault_proxy
from tests.agent.rig import assert_contiguous, eventually
from tests.agent.test_cluster import Bench
from tests.cluster.cluster import Cluster

TURNS = int(os.environ.get("WAYSIDE_SOAK", "12"))
SITES = 5 if TURNS > 100 else 2
_LISTENS_AFTER = 5.0
_WORTH_TELLING = 15.0
"""Seconds of waiting for one site that are told to who watches the run with `-s`."""
_FAULTS = ("away", "slow", "429", "503", "gone", "cut", "conflict", "contest", "garbage")

pytestmark = [pytest.mark.slow, pytest.mark.timeout(240 + TURNS * 20)]


class Model:
    """One site: what its repository wants, and what its cluster may hold by now."""

    def __init__(self, bench: Bench, target: str) -> None:
        self.bench = bench
        self.target = target
        self.wanted: dict[str, str] = {}
        self.good: dict[str, str] = {}
        self.agent: subprocess.Popen[bytes] | None = None
        self.losses = 0
        self.started = 0.0

    def start(self) -> None:
        if self.agent is None:
            self.agent = self.bench.start("--interval", "1", target=self.target)
            self.started = time.monotonic()

    def nudge(self) -> None:
        """Ask for a sync now. A process that has not begun to listen for signals yet would end by one."""
        if self.agent is not None and time.monotonic() - self.started > _LISTENS_AFTER:
            assert self.agent.poll() is None, f"the agent ended: {self.bench.told()[-3000:]}"
            self.agent.send_signal(1)

    def kill(self) -> None:
        if self.agent is not None:
            self.agent.kill()
            self.agent.wait()
            self.agent = None

    def commit(self, rng: random.Random, turn: int) -> None:
        """Change, add and remove a few objects; more than half is never removed at once."""
        for _ in range(rng.randint(1, 3)):
            name = f"c{rng.randrange(10)}"
            if name in self.wanted and len(self.wanted) > 5 and rng.random() < 0.35:
                del self.wanted[name]
            else:
                self.wanted[name] = str(turn)
        self.bench.push(self.wanted)

    def refuse(self) -> None:
        """Commit something that the rules forbid: the site stays as it is, until a newer commit."""
        self.bench.push({**self.wanted, "never": "there"}, deny=["not here"])
        self.bench.push(self.wanted)

    def bend(self, rng: random.Random) -> None:
        """Be somebody else who changes or deletes an object at the cluster."""
        there = self.bench.live()
        names = [name for name in there if name != "not-ours"]
        if not names:
            return
        name = rng.choice(sorted(names))
        if rng.random() < 0.5:
            self.bench.change(name, "bent")
        else:
            self.bench.cluster.request(
                "DELETE", f"/api/v1/namespaces/{self.bench.namespace}/configmaps/{name}"
            )

    def lose_state(self) -> None:
        """Take the disk away."""
        self.kill()
        for path in self.bench.state.glob("state.db*"):
            path.unlink()
        # A new state is a new holder of the lease; the old one's is waited for, so it is given up here.
        self.bench.cluster.kubectl(
            *("-n", "wayside-system", "delete", "lease", f"wayside-{self.bench.site}", "--ignore-not-found")
        )
        self.losses += 1

    def converged(self) -> bool:
        return self.bench.live() == {**self.wanted, "not-ours": "1"}


@pytest.fixture
def proxy(control_plane: Cluster) -> Iterator[FaultProxy]:
    with fault_proxy(control_plane.kubeconfig) as found:
        yield found


def test_whatever_happens_every_site_converges_and_nothing_is_lost_or_orphaned(
    control_plane: Cluster, proxy: FaultProxy, tmp_path: Path
) -> None:
    seed = int(os.environ.get("WAYSIDE_SEED", "0")) or random.SystemRandom().randrange(1, 10**9)
    rng = random.Random(seed)  # noqa: S311 - repeatable by its seed
    models: list[Model] = []
    happened: Counter[str] = Counter()
    try:
        for number in range(SITES):
            namespace = f"soak-{seed}-{number}"
            control_plane.create_namespace(namespace)
            bench = Bench(tmp_path / f"site-{number}", control_plane, namespace)
            config = proxy.kubeconfig(tmp_path / f"site-{number}" / "kubeconfig")
            path = f"/api/v1/namespaces/{namespace}/configmaps"
            control_plane.request("POST", path, {"metadata": {"name": "not-ours"}, "data": {"value": "1"}})
            model = Model(bench, f"kubeconfig:{config}")
            model.wanted = {f"c{index}": "0" for index in range(6)}
            bench.push(model.wanted)
            model.start()
            models.append(model)
        for model in models:
            eventually(model.converged, within=60, what="the first sync")
        commits = 0
        while commits < TURNS:
            model = rng.choice(models)
            what = rng.choices(
                ("commit", "refuse", "bend", "kill", "fault", "lose"), weights=(60, 5, 12, 12, 10, 1)
            )[0]
            happened[what] += 1
            match what:
                case "commit":
                    commits += 1
                    model.commit(rng, commits)
                case "refuse":
                    commits += 2
                    model.refuse()
                case "bend":
                    model.bend(rng)
                case "kill":
                    model.kill()
                    model.start()
                case "lose":
                    model.lose_state()
                    model.start()
                case _:
                    proxy.fault = rng.choice(_FAULTS)
                    time.sleep(rng.uniform(0.2, 2.0))
                    proxy.fault = ""
            if rng.random() < 0.3:
                time.sleep(rng.uniform(0.0, 0.8))
            if commits % 25 == 0 and what == "commit":
                _all_converge(models, f"seed {seed}, commit {commits}")
        _all_converge(models, f"seed {seed}, at the end")
        for model in models:
            _look_at_events(model, f"seed {seed}")
        assert sum(happened.values()) >= TURNS // 2
    finally:
        for model in models:
            model.kill()
            control_plane.delete_namespace(model.bench.namespace)


def _all_converge(models: list[Model], where: str) -> None:
    for model in models:
        if model.agent is None:
            model.start()
        model.nudge()
    began = time.monotonic()
    for model in models:
        deadline = time.monotonic() + 150
        nudged = time.monotonic()
        while not model.converged():
            assert time.monotonic() < deadline, (
                f"{where}: {model.bench.live()} is not {model.wanted}\n{model.bench.told()[-3000:]}"
            )
            if time.monotonic() - nudged > 10:
                # Who rests after a fault is told that it is over.
                nudged = time.monotonic()
                model.nudge()
            time.sleep(0.1)
        waited = time.monotonic() - began
        if waited > _WORTH_TELLING:
            _tell(f"{where}: {model.bench.site} converged after {waited:.0f} s")
    _tell(f"{where}: all converged after {time.monotonic() - began:.1f} s")


def _tell(line: str) -> None:
    """Say how far the run is, to who watches it with `-s`."""
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def _look_at_events(model: Model, where: str) -> None:
    head = model.bench.repository.git("rev-parse", "HEAD")

    def applied() -> list[str]:
        events = [event for event in model.bench.events() if event["type"].endswith("sync.applied.v1")]
        return [event["data"]["commit"] for event in events]

    eventually(lambda: head in applied() and model.bench.status().pending == 0, within=60, what="the reports")
    assert_contiguous(model.bench.events())
    epochs = {event["epoch"] for event in model.bench.events()}
    assert len(epochs) <= 1 + model.losses, where
    doubled = [commit for commit, count in Counter(applied()).items() if count > 1 + model.losses]
    assert not doubled, f"{where}: {doubled} were reported twice"
    assert "a step failed unexpectedly" not in model.bench.told(), model.bench.told()[-3000:]
