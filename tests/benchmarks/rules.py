"""How long the built-in rules take for a fleet: `python -m tests.benchmarks.rules [SITES]`.

Sites share three bases of 26 objects, as an overlay leaves them: a replica count, a ConfigMap and the
ownership label differ from site to site. The second measurement gives every object of every site a label of
its own, so that as little as possible is the same. One process, cold: compiling the rules is part of it.
"""

from __future__ import annotations

import copy
import datetime
import sys
import time
from typing import Any

from reconciler.model.fleet import Fleet
from reconciler.model.location import Location
from reconciler.model.lock import ImagesLock, LockedImage, LockedPlatform
from reconciler.model.resource import Resource
from reconciler.model.site import Site
from reconciler.rules.builtin import builtin_documents
from reconciler.rules.pack import RulePack
from tests.rules.sites import make_site

_AT = datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC)
_FLEET = Fleet(name="f", at=Location("fleet.yaml"), sites={}, manifest={})
_BUDGET = 4.0  # seconds for 1,000 sites


def _deployment(name: str, base: int) -> dict[str, Any]:
    container = {
        "name": "main",
        "image": f"ghcr.io/acme/{name}:{base}",
        "resources": {"requests": {"cpu": "50m", "memory": "64Mi"}, "limits": {"memory": "128Mi"}},
        "ports": [{"containerPort": 8080}],
        "readinessProbe": {"tcpSocket": {"port": 8080}},
        "env": [
            {"name": "MODE", "valueFrom": {"configMapKeyRef": {"name": f"{name}-settings", "key": "mode"}}}
        ],
    }
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": name, "namespace": "shop", "labels": {"app": name}},
        "spec": {
            "replicas": 1,
            "selector": {"matchLabels": {"app": name}},
            "template": {"metadata": {"labels": {"app": name}}, "spec": {"containers": [container]}},
        },
    }


def _base(number: int) -> list[dict[str, Any]]:
    names = [f"app-{index}" for index in range(8)]
    objects = [_deployment(name, number) for name in names]
    for name in names:
        where = {"namespace": "shop", "name": name}
        objects.append(
            {
                "apiVersion": "v1",
                "kind": "Service",
                "metadata": where,
                "spec": {"selector": {"app": name}, "ports": [{"port": 80}]},
            }
        )
        settings = {"mode": "fast", "text": "x" * 400}
        objects.append(
            {
                "apiVersion": "v1",
                "kind": "ConfigMap",
                "metadata": {**where, "name": f"{name}-settings"},
                "data": settings,
            }
        )
    agent = _deployment("agent", number)
    agent["kind"] = "DaemonSet"
    agent["spec"].pop("replicas")
    agent["spec"]["template"]["spec"]["containers"][0].pop("env")
    return [*objects, agent, {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "shop"}}]


def _lock() -> ImagesLock:
    images = {}
    for number in range(3):
        for name in ("agent", *(f"app-{index}" for index in range(8))):
            key = (f"ghcr.io/acme/{name}", str(number))
            digest = f"sha256:{abs(hash(key)):064x}"[:71]
            platforms = tuple(LockedPlatform(p, digest, 1) for p in ("linux/amd64", "linux/arm64"))
            images[key] = LockedImage(*key, digest, platforms)
    return ImagesLock(images)


def _sites(count: int, *, own_labels: bool) -> list[tuple[Site, list[Resource]]]:
    bases = [_base(number) for number in range(3)]
    sites = []
    for number in range(count):
        architecture = ("linux/arm64", "linux/amd64")[number % 2]
        node = {"name": "node-0", "architecture": architecture, "allocatable": {"cpu": "4", "memory": "4Gi"}}
        spec = {
            "platform": "k3s",
            "kubernetesVersion": "1.33",
            "nodes": [node],
            "budgets": {"memory": "3Gi"},
            "storageClasses": ["local-path"],
        }
        site = make_site({"metadata": {"name": f"site-{number:05}"}, "spec": spec})
        objects = copy.deepcopy(bases[number % 3])
        objects[0]["spec"]["replicas"] = 1 + number % 4
        objects[9]["data"]["site"] = site.name
        for item in objects:
            labels = item["metadata"].setdefault("labels", {})
            labels["applyset.kubernetes.io/part-of"] = f"applyset-{number}"
            if own_labels:
                labels["site"] = site.name
        sites.append((site, [Resource(item) for item in objects]))
    return sites


def measure(count: int, *, own_labels: bool) -> float:
    """Review a fleet, print what it took, and return the seconds of one core."""
    sites = _sites(count, own_labels=own_labels)
    lock = _lock()
    begin, begin_wall = time.process_time(), time.perf_counter()
    pack = RulePack.load(builtin_documents(), fleet=_FLEET)
    loaded = time.process_time()
    found = sum(len(pack.review(site, seen, lock=lock, at=_AT).violations) for site, seen in sites)
    seconds, wall = time.process_time() - begin, time.perf_counter() - begin_wall
    memo = pack.memo
    sys.stdout.write(
        f"{'own labels' if own_labels else 'shared bases'}: {count} sites x {len(sites[0][1])} objects x "
        f"{len(pack.rules)} rules: {seconds:.2f} s of one core, {wall:.2f} s by the clock "
        f"({loaded - begin:.2f} s to compile, {1000 * (seconds - loaded + begin) / count:.2f} ms a site), "
        f"{found} findings, memo {100 * memo.hits / (memo.hits + memo.misses):.1f}% hits\n"
    )
    return seconds


def main() -> int:
    """Measure both fleets; fail where the first takes longer than the goal."""
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 1000
    seconds = measure(count, own_labels=False)
    measure(max(count // 10, 1), own_labels=True)
    return 0 if seconds <= max(_BUDGET * count / 1000, 1.0) else 1


if __name__ == "__main__":
    sys.exit(main())
