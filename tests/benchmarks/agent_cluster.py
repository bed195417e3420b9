"""The agent on a real API server: memory, idle cost, and the time from a commit to its objects.

    python -m tests.benchmarks.agent_cluster [--objects 100] [--signed] [--idle 60] [--changes 10]
        [--sites 100]

Figures of several processes on a busy machine are noisy, so the processor's time is printed beside the
clock's: with two idle cores, the clock shows little more than the larger of the two parts.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import urllib3

from reconciler.adapters.kube import KubeTarget, kubeconfig
from reconciler.adapters.kube.client import KubeClient
from reconciler.adapters.kube.discovery import Discovery
from reconciler.agent.clock import SystemClock
from reconciler.agent.status import read_status
from reconciler.apply import execute
from reconciler.errors import StateError
from reconciler.model.plan import Inventory
from reconciler.model.resource import Resource
from reconciler.model.site import SyncSettings
from reconciler.planning import plan
from reconciler.render import build
from tests.benchmarks.agent_memory import ROOT, SITE, make_fleet, memory, settle, tree
from tests.cluster.binaries import binary
from tests.cluster.control_plane import ControlPlane, Etcd

_TICK = os.sysconf("SC_CLK_TCK")


@contextmanager
def api_server(folder: Path) -> Iterator[tuple[ControlPlane, Etcd]]:
    """Start an API server of our own, without controllers."""
    (folder / "data").mkdir(mode=0o700)
    (folder / "logs").mkdir()
    etcd = Etcd(binary, data=folder / "data", logs=folder / "logs")
    etcd.start()
    server = ControlPlane(
        binary,
        name="bench",
        etcd=etcd,
        directory=folder / "data" / "bench",
        logs=folder / "logs",
        controllers=False,
        scheduler=False,
        kwok=False,
    )
    try:
        server.start()
        yield server, etcd
    finally:
        server.close()
        etcd.close()


def _say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def cpu(pid: int) -> float:
    """Return the seconds of processor time of a process and its children that have ended."""
    total = 0
    for member in tree(pid):
        with suppress(OSError):
            fields = Path(f"/proc/{member}/stat").read_text().rpartition(")")[2].split()
            total += sum(int(fields[index]) for index in (11, 12, 13, 14))
    return total / _TICK


def requests_of(port: int) -> dict[str, int]:
    """Return how many requests the agent has made, by method, from its own metrics."""
    text = urllib3.request("GET", f"http://127.0.0.1:{port}/metrics").data.decode()
    found: dict[str, int] = {}
    for method, number in re.findall(r'wayside_api_requests_total\{method="(\w+)",[^}]*\} (\d+)', text):
        found[method] = found.get(method, 0) + int(number)
    return found


def one_agent(
    folder: Path, server: ControlPlane, *, objects: int, idle: float, changes: int, signed: bool
) -> None:
    """Measure one agent with many objects."""
    fleet = folder / "fleet"
    make_fleet(fleet, objects=objects, signed=signed)
    secret = folder / "secret"
    secret.write_text("s")
    log = folder / "agent.log"
    with log.open("wb") as stream:
        agent = subprocess.Popen(
            [
                *(sys.executable, "-P", "-m", "reconciler", "agent", "--repo", str(fleet)),
                *("--site", SITE, "--state", str(folder / "state")),
                *("--target", f"kubeconfig:{server.kubeconfig}", "--listen", "127.0.0.1:0"),
                *("--webhook-secret-file", str(secret)),
            ],
            stderr=stream,
            # As installed: with its bytecode beside it.
            env={**os.environ, "PYTHONPATH": str(ROOT), "PYTHONDONTWRITEBYTECODE": ""},
        )
    try:
        peak = 0.0
        deadline = time.monotonic() + 120
        while not _applied(folder, _head(fleet)):
            peak = max(peak, memory(agent.pid)[0])
            if time.monotonic() > deadline:
                raise TimeoutError(log.read_text()[-2000:])
        settle(agent.pid, time.monotonic() + 60)
        match = re.search(r"listening.*port=(\d+)", log.read_text())
        assert match is not None
        port = int(match[1])
        pss, rss, processes = memory(agent.pid)
        _say(
            f"{objects} objects applied and watched, idle: {pss:.1f} MiB PSS, {rss:.1f} MiB RSS,"
            f" {processes} process(es); at most {peak:.1f} MiB PSS during the sync"
        )
        before, spent, began = requests_of(port), cpu(agent.pid), time.monotonic()
        time.sleep(idle)
        passed = time.monotonic() - began
        after, used = requests_of(port), cpu(agent.pid) - spent
        made = {name: after[name] - before.get(name, 0) for name in after if after[name] != before.get(name)}
        _say(f"idle for {passed:.0f} s: {used / passed:.2%} of one core; requests: {made or 'none'}")
        spent = cpu(agent.pid)
        times, costs = [], []
        for turn in range(changes):
            known = cpu(agent.pid)
            times.append(_change(fleet, folder, server, port, turn))
            costs.append(cpu(agent.pid) - known)
            _until_reported(fleet, folder)
            settle(agent.pid, time.monotonic() + 60)
        _say(
            f"commit to applied, with a push, one object of {objects}:"
            f" median {statistics.median(times):.2f} s, fastest {min(times):.2f} s,"
            f" slowest {max(times):.2f} s; processor time until then {statistics.median(costs):.2f} s,"
            f" {(cpu(agent.pid) - spent) / changes:.2f} s with the report and the next worker;"
            f" load average {os.getloadavg()[0]:.1f}"
        )
    finally:
        agent.terminate()
        agent.wait(10)


def _head(fleet: Path) -> str:
    return subprocess.run(
        ["git", "rev-parse", "HEAD"], cwd=fleet, check=True, capture_output=True, text=True
    ).stdout.strip()


def _applied(folder: Path, commit: str) -> bool:
    with suppress(StateError):
        return read_status(folder / "state").applied == commit
    return False


def _change(fleet: Path, folder: Path, server: ControlPlane, port: int, turn: int) -> float:
    """Change one object, push, and return the seconds from the commit to the changed object."""
    path = fleet / "sites" / SITE / "objects.yaml"
    first, *rest = path.read_text().split("\n---\n")
    changed = next(index for index, text in enumerate(rest) if '"ConfigMap"' in text)
    thing = json.loads(rest[changed])
    thing["data"]["text"] = f"turn {turn}"
    rest[changed] = json.dumps(thing)
    path.write_text("\n---\n".join([first, *rest]))
    identity = ("-c", "user.name=b", "-c", "user.email=b@example.org")
    subprocess.run(["git", *identity, "commit", "--quiet", "-am", f"turn {turn}"], cwd=fleet, check=True)
    began = time.monotonic()
    urllib3.request("POST", f"http://127.0.0.1:{port}/hook", headers={"X-Gitlab-Token": "s"})
    place = f"/api/v1/namespaces/bench/configmaps/{thing['metadata']['name']}"
    while server.request("GET", place)["data"]["text"] != f"turn {turn}":
        time.sleep(0.01)
        if time.monotonic() - began > 60:
            raise TimeoutError((folder / "agent.log").read_text()[-2000:])
    return time.monotonic() - began


def _until_reported(fleet: Path, folder: Path) -> None:
    """Wait until the state says that the newest commit is applied."""
    while not _applied(folder, _head(fleet)):
        time.sleep(0.05)


def many_overlays(folder: Path, server: ControlPlane, etcd: Etcd, *, sites: int) -> None:
    """Measure a first apply and an update of many small sites, one after the other."""
    client = KubeClient(kubeconfig(server.kubeconfig))
    discovery = Discovery(client)
    servers = [server.api_server.pid, etcd.process.pid]
    inventories: dict[str, Inventory] = {}
    targets: dict[str, KubeTarget] = {}
    server.create_namespace("many")
    for turn, word in enumerate(("first apply", "update of all", "nothing to do")):
        for number in range(sites):
            _overlay(folder / "many" / f"site-{number}", number, min(turn, 1))
        began, own = time.monotonic(), _own_cpu()
        theirs = sum(cpu(pid) for pid in servers)
        for number in range(sites):
            name = f"site-{number}"
            resources = [Resource(thing.manifest) for thing in build(str(folder / "many" / name))]
            target = targets.setdefault(name, KubeTarget(client, name, discovery=discovery))
            known = inventories.get(name, Inventory())
            observed = target.observe(resources, known)
            wanted = plan(resources, observed, known, SyncSettings(), site=name)
            outcome = execute(wanted, target, clock=SystemClock(), timeout=30)
            assert outcome.succeeded, outcome.refusals
            inventories[name] = outcome.inventory
        _say(
            f"{sites} overlays x 5 objects, {word}: {time.monotonic() - began:.1f} s"
            f" (processor time: {_own_cpu() - own:.1f} s here,"
            f" {sum(cpu(pid) for pid in servers) - theirs:.1f} s in the servers)"
        )


def _own_cpu() -> float:
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


def _overlay(folder: Path, number: int, turn: int) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    meta = {"namespace": "many"}
    labels = {"app": f"app-{number}"}
    container = {"name": "app", "image": f"registry.example/app:{turn}"}
    pod = {"metadata": {"labels": labels}, "spec": {"containers": [container]}}
    replicas = {"replicas": 0, "selector": {"matchLabels": labels}, "template": pod}
    service = {"ports": [{"port": 80}], "selector": labels}
    contents: list[tuple[str, str, dict[str, object]]] = [
        ("v1", "ConfigMap", {"data": {"v": str(turn)}}),
        ("v1", "Secret", {"stringData": {"v": str(turn)}}),
        ("v1", "ServiceAccount", {}),
        ("v1", "Service", {"spec": service}),
        ("apps/v1", "ReplicaSet", {"spec": replicas}),
    ]
    things = [
        {
            "apiVersion": api_version,
            "kind": kind,
            "metadata": {"name": f"app-{number}", "annotations": {"v": str(turn)}, **meta},
            **content,
        }
        for api_version, kind, content in contents
    ]
    (folder / "objects.yaml").write_text("\n---\n".join(json.dumps(thing) for thing in things))
    (folder / "kustomization.yaml").write_text("resources: [objects.yaml]\n")


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--objects", type=int, default=100, help="objects of the one agent; 0 for none")
    parser.add_argument("--idle", type=float, default=60.0, help="seconds to look at it idle")
    parser.add_argument("--changes", type=int, default=10, help="how many commits are timed")
    parser.add_argument("--signed", action="store_true", help="a third of the objects have signed images")
    parser.add_argument(
        "--sites", type=int, default=100, help="overlays of the other measurement; 0 for none"
    )
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        with api_server(folder) as (server, etcd):
            if options.sites:
                many_overlays(folder, server, etcd, sites=options.sites)
            if options.objects:
                one_agent(
                    folder,
                    server,
                    objects=options.objects,
                    idle=options.idle,
                    changes=options.changes,
                    signed=options.signed,
                )


if __name__ == "__main__":
    main()
