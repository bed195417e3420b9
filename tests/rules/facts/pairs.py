"""Random pairs of a site and workloads, from a seed: what the real scheduler is asked about too."""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

RUNTIME_CLASSES: list[dict[str, Any]] = [
    {
        "apiVersion": "node.k8s.io/v1",
        "kind": "RuntimeClass",
        "metadata": {"name": "wayside-heavy"},
        "handler": "heavy",
        "overhead": {"podFixed": {"memory": "300Mi", "cpu": "100m"}},
    },
    {
        "apiVersion": "node.k8s.io/v1",
        "kind": "RuntimeClass",
        "metadata": {"name": "wayside-placed"},
        "handler": "placed",
        "scheduling": {
            "nodeSelector": {"disk": "ssd"},
            "tolerations": [{"key": "wasm", "operator": "Exists", "effect": "NoSchedule"}],
        },
    },
]
LIMIT_RANGE: dict[str, Any] = {
    "apiVersion": "v1",
    "kind": "LimitRange",
    "metadata": {"name": "defaults"},
    "spec": {
        "limits": [{"type": "Container", "default": {"memory": "600Mi"}, "defaultRequest": {"cpu": "300m"}}]
    },
}
_PAIR_LABEL = "wayside.dev/pair"


@dataclass(frozen=True)
class Pair:
    """A site's nodes and the workloads for it.

    Attributes:
        name: Unique; nodes and workloads begin with it.
        nodes: As in `site.yaml`, each a single node.
        workloads: Manifests without a namespace; they can go to these nodes only.
        limited: Whether they go to the namespace with the LimitRange.
    """

    name: str
    nodes: list[dict[str, Any]]
    workloads: list[dict[str, Any]]
    limited: bool


def make_pair(seed: int) -> Pair:
    rng = random.Random(seed)  # noqa: S311 - the same pairs in every run are wanted
    name = f"p{seed}"
    nodes = [_node(rng, f"{name}-n{index}", name) for index in range(rng.choice([1, 1, 1, 2, 2, 3]))]
    workloads = [_workload(rng, f"{name}-w{index}", name) for index in range(rng.choice([1, 2, 2, 3, 4]))]
    return Pair(name, nodes, workloads, limited=rng.random() < 0.15)


def _node(rng: random.Random, name: str, pair: str) -> dict[str, Any]:
    labels = {_PAIR_LABEL: pair, "disk": rng.choice(["ssd", "ssd", "hdd"]), "cores": rng.choice(["2", "8"])}
    if rng.random() < 0.5:
        labels["zone"] = rng.choice(["a", "b"])
    allocatable = {
        "memory": rng.choice(["2Gi", "4Gi", "8Gi", "16Gi"]),
        "cpu": rng.choice(["2", "4", "8"]),
        "ephemeral-storage": "64Gi",
        "pods": rng.choice(["110", "110", "110", "110", "4"]),
    }
    if rng.random() < 0.3:
        allocatable["acme.example/npu"] = rng.choice(["1", "2"])
    taints = []
    if rng.random() < 0.12:
        taints.append(
            {"key": "wasm", "value": "only", "effect": rng.choice(["NoSchedule", "PreferNoSchedule"])}
        )
    architecture = rng.choice(["linux/arm64", "linux/amd64"])
    return {
        "name": name,
        "architecture": architecture,
        "allocatable": allocatable,
        "labels": labels,
        "taints": taints,
    }


def _requests(rng: random.Random) -> dict[str, Any]:
    requests: dict[str, str] = {}
    if rng.random() < 0.85:
        requests["memory"] = rng.choice(["64Mi", "128Mi", "256Mi", "512Mi", "700Mi", "1500Mi"])
    if rng.random() < 0.6:
        requests["cpu"] = rng.choice(["50m", "100m", "250m", "0.5", "1500m"])
    if rng.random() < 0.1:
        requests["ephemeral-storage"] = rng.choice(["10Gi", "40Gi"])
    which = "limits" if rng.random() < 0.2 else "requests"
    found: dict[str, Any] = {which: requests} if requests else {}
    if rng.random() < 0.05:
        found.setdefault("limits", {})["acme.example/npu"] = "1"
    return found


def _container(rng: random.Random, name: str, **more: Any) -> dict[str, Any]:
    return {"name": name, "image": "registry.invalid/none:1", "resources": _requests(rng), **more}


def _pod(rng: random.Random, name: str, pair: str) -> dict[str, Any]:
    containers = [_container(rng, f"c{index}") for index in range(rng.choice([1, 1, 2]))]
    if rng.random() < 0.15:
        containers[0]["ports"] = [{"containerPort": 8080, "hostPort": rng.choice([8080, 8081])}]
    spec: dict[str, Any] = {"nodeSelector": {_PAIR_LABEL: pair}, "containers": containers}
    initial = []
    if rng.random() < 0.2:
        initial.append(_container(rng, "side", restartPolicy="Always"))
    if rng.random() < 0.25:
        initial.insert(rng.randint(0, len(initial)), _container(rng, "first"))
    if initial:
        spec["initContainers"] = initial
    if rng.random() < 0.08:
        spec["nodeSelector"]["disk"] = rng.choice(["ssd", "hdd"])
    if rng.random() < 0.06:
        spec["nodeSelector"]["kubernetes.io/arch"] = rng.choice(["arm64", "amd64"])
    if rng.random() < 0.3:
        spec["tolerations"] = [rng.choice(_TOLERATIONS)]
    affinity: dict[str, Any] = {}
    if rng.random() < 0.12:
        affinity["nodeAffinity"] = {
            "requiredDuringSchedulingIgnoredDuringExecution": {
                "nodeSelectorTerms": [{"matchExpressions": [rng.choice(_EXPRESSIONS)]}]
            }
        }
    for which, often in (("podAntiAffinity", 0.2), ("podAffinity", 0.06)):
        if rng.random() < often:
            term = {
                "topologyKey": rng.choice(["kubernetes.io/hostname", "kubernetes.io/hostname", "zone"]),
                "labelSelector": {
                    "matchLabels": {"app": rng.choice([name, name, f"{pair}-w0", f"{pair}-w1"])}
                },
            }
            affinity[which] = {"requiredDuringSchedulingIgnoredDuringExecution": [term]}
    if affinity:
        spec["affinity"] = affinity
    if rng.random() < 0.1:
        spec["runtimeClassName"] = rng.choice(["wayside-heavy", "wayside-placed"])
    if rng.random() < 0.15:
        spec["topologySpreadConstraints"] = [
            {
                "maxSkew": rng.choice([1, 1, 2]),
                "topologyKey": rng.choice(["zone", "kubernetes.io/hostname"]),
                "whenUnsatisfiable": rng.choice(["DoNotSchedule", "ScheduleAnyway"]),
                "labelSelector": {"matchLabels": {"app": name}},
            }
        ]
        constraint = spec["topologySpreadConstraints"][0]
        if constraint["whenUnsatisfiable"] == "DoNotSchedule" and rng.random() < 0.3:
            constraint["minDomains"] = rng.choice([2, 3])
        if rng.random() < 0.2:
            constraint["nodeTaintsPolicy"] = "Honor"
        if rng.random() < 0.2:
            constraint["matchLabelKeys"] = ["pod-template-hash"]
    if rng.random() < 0.1:
        spec["resources"] = {"requests": {"memory": rng.choice(["1600Mi", "3Gi"])}}
        for container in [*containers, *initial]:
            container["resources"].pop("limits", None)
            container["resources"].pop("requests", None)
    return spec


_TOLERATIONS: list[Mapping[str, str]] = [
    {"key": "wasm", "operator": "Exists"},
    {"key": "wasm", "operator": "Equal", "value": "only", "effect": "NoSchedule"},
    {"key": "wasm", "operator": "Equal", "value": "other"},
    {"operator": "Exists"},
]
_EXPRESSIONS: list[Mapping[str, Any]] = [
    {"key": "disk", "operator": "In", "values": ["ssd"]},
    {"key": "disk", "operator": "NotIn", "values": ["ssd"]},
    {"key": "zone", "operator": "Exists"},
    {"key": "zone", "operator": "DoesNotExist"},
    {"key": "cores", "operator": "Gt", "values": ["4"]},
    {"key": "cores", "operator": "Lt", "values": ["4"]},
]


def _workload(rng: random.Random, name: str, pair: str) -> dict[str, Any]:
    kind = rng.choice(["Deployment", "Deployment", "StatefulSet", "DaemonSet"])
    spec: dict[str, Any] = {
        "selector": {"matchLabels": {"app": name}},
        "template": {"metadata": {"labels": {"app": name}}, "spec": _pod(rng, name, pair)},
    }
    if kind != "DaemonSet":
        spec["replicas"] = rng.choice([1, 1, 2, 3])
    if kind == "StatefulSet":
        spec |= {"serviceName": name, "podManagementPolicy": "Parallel"}
    return {"apiVersion": "apps/v1", "kind": kind, "metadata": {"name": name}, "spec": spec}
