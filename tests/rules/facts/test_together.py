"""Affinity, anti-affinity and topology spread decide whether pods fit, as far as they can be foreseen."""

from __future__ import annotations

from typing import Any

import pytest

from reconciler.model.fleet import Fleet
from reconciler.model.location import Location
from reconciler.model.resource import Resource
from reconciler.rules.subjects import SiteSubjects, SubjectMemo
from tests.rules.sites import make_site


def workload(name: str, replicas: int, memory: str = "64Mi", **pod: Any) -> Resource:
    containers = [{"name": "c", "image": "i:1", "resources": {"requests": {"memory": memory}}}]
    template = {"metadata": {"labels": {"app": name}}, "spec": {"containers": containers, **pod}}
    return Resource(
        {
            "apiVersion": "apps/v1",
            "kind": "Deployment",
            "metadata": {"name": name, "namespace": "shop"},
            "spec": {"replicas": replicas, "strategy": {"type": "Recreate"}, "template": template},
        }
    )


def affinity(which: str, key: str, app: str) -> dict[str, Any]:
    term = {"topologyKey": key, "labelSelector": {"matchLabels": {"app": app}}}
    return {"affinity": {which: {"requiredDuringSchedulingIgnoredDuringExecution": [term]}}}


def spread(key: str, app: str, **more: Any) -> dict[str, Any]:
    constraint = {"maxSkew": 1, "topologyKey": key, "labelSelector": {"matchLabels": {"app": app}}}
    return {"topologySpreadConstraints": [{**constraint, "whenUnsatisfiable": "DoNotSchedule", **more}]}


def fit(zones: str, *workloads: Resource, memory: str = "4Gi", taints: dict[int, Any] | None = None) -> Any:
    nodes = [
        {
            "name": f"n{index}",
            "architecture": "linux/arm64",
            "allocatable": {"memory": memory},
            "labels": {"zone": zone},
            "taints": [taints[index]] if taints and index in taints else [],
        }
        for index, zone in enumerate(zones)
    ]
    site = make_site(
        {
            "metadata": {"name": "s"},
            "spec": {"platform": "k3s", "kubernetesVersion": "1.33", "nodes": nodes},
        }
    )
    fleet = Fleet(name="f", at=Location("fleet.yaml"), sites={}, manifest={})
    return SiteSubjects(site, workloads, fleet=fleet, lock=None, memo=SubjectMemo()).value("fit")


HOST = "kubernetes.io/hostname"
WASM = {"key": "wasm", "effect": "NoSchedule"}


@pytest.mark.parametrize(
    ("zones", "workloads", "verdict"),
    [
        ("ab", [workload("w", 2, **affinity("podAntiAffinity", "zone", "w"))], "fits"),
        ("ab", [workload("w", 3, **affinity("podAntiAffinity", "zone", "w"))], "unschedulable"),
        ("aab", [workload("w", 3, **affinity("podAntiAffinity", HOST, "w"))], "fits"),
        ("aa", [workload("w", 1, **affinity("podAntiAffinity", HOST, "v")), workload("v", 1)], "fits"),
        (
            "a",
            [workload("w", 1, **affinity("podAntiAffinity", HOST, "v")), workload("v", 1)],
            "unschedulable",
        ),
        ("ab", [workload("w", 4, **spread("zone", "w"))], "fits"),
        ("ab", [workload("w", 2, **spread(HOST, "w", minDomains=3))], "depends"),
        ("ab", [workload("w", 3, **spread(HOST, "w", minDomains=3))], "unschedulable"),
        ("a", [workload("w", 3, **spread(HOST, "w"))], "fits"),
        ("a", [workload("w", 2, **spread(HOST, "w", minDomains=2))], "unschedulable"),
        ("a", [workload("w", 2, **spread(HOST, "w", minDomains=2, maxSkew=2))], "fits"),
        (
            "a",
            [workload("w", 2, **spread(HOST, "w", whenUnsatisfiable="ScheduleAnyway", minDomains=None))],
            "fits",
        ),
        ("a", [workload("w", 2, **affinity("podAffinity", HOST, "w"))], "fits"),
        ("a", [workload("w", 1, **affinity("podAffinity", HOST, "v")), workload("v", 1)], "fits"),
        ("a", [workload("w", 1, **affinity("podAffinity", HOST, "v")), workload("v", 0)], "unschedulable"),
        (
            "a",
            [
                workload("w", 1, **affinity("podAffinity", HOST, "v")),
                workload("v", 1, **affinity("podAffinity", HOST, "w")),
            ],
            "unschedulable",
        ),
        ("a", [workload("w", 1, **affinity("podAffinity", HOST, "elsewhere"))], "depends"),
        ("ab", [workload("w", 2, **affinity("podAffinity", "zone", "w"))], "depends"),
    ],
    ids=[
        "zones-enough",
        "zones-too-few",
        "hosts",
        "apart",
        "apart-on-one-node",
        "spread",
        "too-few-domains-few-pods",
        "too-few-domains",
        "one-node",
        "one-node-two-domains",
        "one-node-skew-2",
        "a-wish-decides-nothing",
        "beside-itself",
        "beside-another",
        "beside-nobody",
        "beside-each-other",
        "beside-a-stranger",
        "beside-itself-in-a-zone",
    ],
)
def test_what_keeps_pods_together_or_apart_decides_the_verdict(
    zones: str, workloads: list[Resource], verdict: str
) -> None:
    assert fit(zones, *workloads)["verdict"] == verdict


def test_a_tainted_node_counts_among_those_over_which_pods_are_spread() -> None:
    spread_out = workload("w", 2, **spread(HOST, "w"))
    honoured = workload("w", 2, **spread(HOST, "w", nodeTaintsPolicy="Honor"))

    assert fit("ab", spread_out, taints={1: WASM})["verdict"] == "unschedulable"
    assert fit("ab", honoured, taints={1: WASM})["verdict"] == "fits"


def test_the_reason_says_who_is_in_the_way() -> None:
    found = fit("a", workload("w", 1, **affinity("podAntiAffinity", HOST, "v")), workload("v", 1))

    assert [item["reason"] for item in found["unplaced"]] == [
        "n0: a pod of Deployment/w is there, and they may not share kubernetes.io/hostname"
    ]


def test_pods_that_wait_for_each_other_are_said_to_wait() -> None:
    found = fit("a", workload("w", 1, **affinity("podAffinity", HOST, "v")), workload("v", 0))

    assert found["unplaced"][0]["reason"] == "its pods may stand only beside pods that never come"


def test_a_daemon_set_that_is_spread_over_a_label_which_its_node_lacks_is_stranded() -> None:
    daemon = workload("d", 1, **spread("rack", "d"))
    made = Resource({**daemon.manifest, "kind": "DaemonSet"})
    found = fit("a", made)

    assert found["verdict"] == "unschedulable"
    assert (
        found["unplaced"][0]["reason"]
        == "n0: the pods are to be spread over rack, the node has no such label"
    )
    assert found["unplaced"][0]["fieldPath"] == "spec.template.spec.topologySpreadConstraints"


def test_a_daemon_set_is_no_more_even_than_the_nodes_are() -> None:
    daemon = workload("d", 1, **spread("zone", "d"))
    counted = workload("d", 1, **spread("zone", "d", nodeAffinityPolicy="Ignore"))

    assert fit("aaab", Resource({**daemon.manifest, "kind": "DaemonSet"}))["verdict"] == "fits"
    assert fit("aaab", Resource({**counted.manifest, "kind": "DaemonSet"}))["verdict"] == "unschedulable"
