"""What the facts say of a site is what the real scheduler does with it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any, Final

import pytest

from reconciler.model.fleet import Fleet
from reconciler.model.location import Location
from reconciler.model.resource import Resource
from reconciler.rules.facts.fit import FitVerdict
from reconciler.rules.subjects import SiteSubjects, SubjectMemo
from tests.cluster.cluster import Cluster
from tests.cluster.errors import PartFailed
from tests.cluster.node import is_schedulable
from tests.cluster.node import node as make_cluster_node
from tests.cluster.process import wait_until
from tests.rules.facts.pairs import LIMIT_RANGE, RUNTIME_CLASSES, Pair, make_pair
from tests.rules.sites import make_site

PAIRS: Final = int(os.environ.get("WAYSIDE_SCHEDULER_PAIRS", "24"))
FIRST: Final = int(os.environ.get("WAYSIDE_SCHEDULER_FIRST", "0"))
BATCH: Final = 12
_PLURALS: Final = {"Deployment": "deployments", "StatefulSet": "statefulsets", "DaemonSet": "daemonsets"}


@dataclass(frozen=True)
class Expectation:
    """What the facts say of a pair.

    Attributes:
        verdict: Whether all pods find their nodes.
        pods: How many pods each workload makes.
        refused: Workloads whose pods the API server does not take.
    """

    verdict: FitVerdict
    pods: dict[str, int]
    refused: frozenset[str]


def expect(pair: Pair, namespace: str) -> Expectation:
    site = make_site(
        {
            "metadata": {"name": "site"},
            "spec": {"platform": "kubernetes", "kubernetesVersion": "1.36", "nodes": pair.nodes},
        }
    )
    objects = [_in(namespace, workload) for workload in pair.workloads] + RUNTIME_CLASSES
    if pair.limited:
        objects.append(_in(namespace, LIMIT_RANGE))
    fleet = Fleet(name="f", at=Location("fleet.yaml"), sites={}, manifest={})
    subjects = SiteSubjects(site, [Resource(o) for o in objects], fleet=fleet, lock=None, memo=SubjectMemo())
    refused = {w.id.name for w in subjects.workloads if w.problems}
    verdict = FitVerdict(subjects.value("fit")["verdict"])
    names = {name for node in subjects.nodes for name in node.allocatable}
    for workload in subjects.workloads:
        if workload.scale.replicas and not workload.candidates and not workload.scale.per_node:
            verdict = FitVerdict.UNSCHEDULABLE
        if workload.scale.replicas and not set(filter(_extended, workload.pod.requests)) <= names:
            verdict = FitVerdict.UNSCHEDULABLE
    if refused:
        verdict = FitVerdict.DEPENDS  # on what is not there
    pods = {w.id.name: 0 if w.id.name in refused else w.scale.replicas for w in subjects.workloads}
    return Expectation(verdict, pods, frozenset(refused))


def _extended(name: str) -> bool:
    return name.startswith("acme.example/")


def _in(namespace: str, manifest: dict[str, Any]) -> dict[str, Any]:
    return {**manifest, "metadata": {**manifest["metadata"], "namespace": namespace}}


@pytest.fixture(scope="module")
def namespaces(control_plane: Cluster) -> Iterator[dict[bool, str]]:
    found = {False: "scheduler-plain", True: "scheduler-limited"}
    for name in found.values():
        control_plane.create_namespace(name)
    control_plane.request("POST", "/api/v1/namespaces/scheduler-limited/limitranges", LIMIT_RANGE)
    for runtime_class in RUNTIME_CLASSES:
        control_plane.request("POST", "/apis/node.k8s.io/v1/runtimeclasses", runtime_class)
    control_plane.add_node("scheduler-first")  # brings the nodes' side up
    yield found
    control_plane.delete_node("scheduler-first")
    for runtime_class in RUNTIME_CLASSES:
        name = runtime_class["metadata"]["name"]
        control_plane.request("DELETE", f"/apis/node.k8s.io/v1/runtimeclasses/{name}")
    for name in found.values():
        control_plane.delete_namespace(name)


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_what_fits_is_scheduled_and_what_does_not_fit_is_not(
    control_plane: Cluster, namespaces: dict[bool, str]
) -> None:
    wrong: list[str] = []
    verdicts: list[str] = []
    for start in range(FIRST, FIRST + PAIRS, BATCH):
        batch = [make_pair(seed) for seed in range(start, min(start + BATCH, FIRST + PAIRS))]
        for pair, scheduled, waiting in _ask(control_plane, batch, namespaces):
            expected = expect(pair, namespaces[pair.limited])
            kind = "refused" if expected.refused else expected.verdict.value
            verdicts.append(f"{kind}:{'all' if not waiting else 'some'}")
            found = FitVerdict.FITS if not waiting else FitVerdict.UNSCHEDULABLE
            if expected.verdict not in {found, FitVerdict.DEPENDS}:
                wrong.append(f"{pair.name}: expected {expected.verdict.value}, but waiting: {waiting}")
            counted = {name: scheduled.get(name, 0) + waiting.get(name, 0) for name in expected.pods}
            if counted != expected.pods:
                wrong.append(f"{pair.name}: expected pods {expected.pods}, found {counted}")
    summary = {verdict: verdicts.count(verdict) for verdict in sorted(set(verdicts))}

    assert wrong == [], summary
    assert len(verdicts) == PAIRS
    print(summary)  # noqa: T201 - shown by `pytest -s`, for the record


def _ask(
    cluster: Cluster, batch: list[Pair], namespaces: dict[bool, str]
) -> list[tuple[Pair, dict[str, int], dict[str, int]]]:
    """Let the real scheduler place the workloads of some pairs, all at once; their nodes keep them apart."""
    nodes = [node for pair in batch for node in pair.nodes]
    try:
        _add_nodes(cluster, nodes)
        for pair in batch:
            for workload in pair.workloads:
                path = f"/apis/apps/v1/namespaces/{namespaces[pair.limited]}/{_PLURALS[workload['kind']]}"
                cluster.request("POST", path, workload)
        wanted = {pair.name: expect(pair, namespaces[pair.limited]).pods for pair in batch}
        pods = _settled(cluster, namespaces, wanted)
    finally:
        for pair in batch:
            for workload in pair.workloads:
                path = f"/apis/apps/v1/namespaces/{namespaces[pair.limited]}/{_PLURALS[workload['kind']]}"
                cluster.request("DELETE", f"{path}/{workload['metadata']['name']}")
        _remove_pods(cluster, namespaces)
        for node in nodes:
            cluster.delete_node(node["name"])
    answers = []
    for pair in batch:
        scheduled: dict[str, int] = {}
        waiting: dict[str, int] = {}
        for pod in pods:
            app = pod["metadata"]["labels"]["app"]
            if app.rpartition("-")[0] == pair.name:
                into = scheduled if pod["spec"].get("nodeName") else waiting
                into[app] = into.get(app, 0) + 1
        answers.append((pair, scheduled, waiting))
    return answers


def _add_nodes(cluster: Cluster, nodes: list[dict[str, Any]]) -> None:
    for node in nodes:
        allocatable = node["allocatable"]
        made = make_cluster_node(
            node["name"],
            architecture=node["architecture"],
            memory=allocatable["memory"],
            cpu=allocatable["cpu"],
            pods=allocatable["pods"],
            labels=node["labels"],
            taints=node["taints"],
            extended={name: allocatable[name] for name in allocatable if _extended(name)},
        )
        cluster.request("POST", "/api/v1/nodes", made)
    for node in nodes:
        path = f"/api/v1/nodes/{node['name']}"
        wait_until(partial(_ready, cluster, path), what=f"node {node['name']} is ready")


def _ready(cluster: Cluster, path: str) -> bool:
    return is_schedulable(cluster.request("GET", path))


def _pods(cluster: Cluster, namespaces: dict[bool, str]) -> list[dict[str, Any]]:
    return [
        pod
        for namespace in namespaces.values()
        for pod in cluster.request("GET", f"/api/v1/namespaces/{namespace}/pods")["items"]
    ]


def _settled(
    cluster: Cluster, namespaces: dict[bool, str], wanted: dict[str, dict[str, int]]
) -> list[dict[str, Any]]:
    """Wait until the scheduler has answered for every pod, and the answers no longer change."""
    total = sum(sum(pods.values()) for pods in wanted.values())
    last: list[object] = []

    def settled() -> bool:
        pods = _pods(cluster, namespaces)
        answers = sorted((p["metadata"]["name"], p["spec"].get("nodeName", "")) for p in pods if _answered(p))
        still = len(pods) >= total and len(answers) == len(pods) and answers == last
        last[:] = answers
        return still

    def found() -> dict[str, dict[str, int]]:
        counts: dict[str, dict[str, int]] = {}
        for pod in _pods(cluster, namespaces):
            app = pod["metadata"]["labels"]["app"]
            of = counts.setdefault(app.rpartition("-")[0], {})
            of[app] = of.get(app, 0) + 1
        return counts

    try:
        wait_until(settled, timeout=60, every=0.4, what="the scheduler to answer for every pod")
    except PartFailed:
        differ = {
            name: (pods, found().get(name, {}))
            for name, pods in wanted.items()
            if {k: v for k, v in pods.items() if v} != found().get(name, {})
        }
        pytest.fail(f"expected and found pods: {differ}")
    return _pods(cluster, namespaces)


def _answered(pod: dict[str, Any]) -> bool:
    if pod["spec"].get("nodeName"):
        return True
    conditions = pod.get("status", {}).get("conditions", [])
    return any(c["type"] == "PodScheduled" and c.get("reason") == "Unschedulable" for c in conditions)


def _remove_pods(cluster: Cluster, namespaces: dict[bool, str]) -> None:
    for namespace in namespaces.values():
        cluster.request(
            "DELETE",
            f"/api/v1/namespaces/{namespace}/pods",
            {"kind": "DeleteOptions", "apiVersion": "v1", "gracePeriodSeconds": 0},
        )
    wait_until(lambda: not _pods(cluster, namespaces), timeout=90, every=0.2, what="all pods to be gone")


def test_nodes_of_pairs_are_made_as_the_facts_see_them() -> None:
    node = make_pair(1).nodes[0]
    made = make_cluster_node(node["name"], memory=node["allocatable"]["memory"])

    assert made["status"]["allocatable"]["ephemeral-storage"] == node["allocatable"]["ephemeral-storage"]
