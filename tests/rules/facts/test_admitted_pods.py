"""What the facts mix into a pod is what the API server's own admission mixes into it."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from typing import Any, Final

import pytest

from reconciler.model.resource import Resource
from reconciler.rules.facts.admission import PodAdmission, limit_range_defaults
from reconciler.rules.facts.pod import PodFacts, pod_facts
from reconciler.rules.facts.problem import FactProblem
from tests.cluster.api import APIError
from tests.cluster.cluster import Cluster
from tests.rules.facts.pairs import RUNTIME_CLASSES, make_pair

PODS: Final = 80
LIMITS: Final[dict[str, Any]] = {
    "apiVersion": "v1",
    "kind": "LimitRange",
    "metadata": {"name": "defaults"},
    "spec": {
        "limits": [
            {
                "type": "Container",
                "default": {"memory": "2Gi"},
                "defaultRequest": {"cpu": "20m"},
                "min": {"ephemeral-storage": "1Mi"},
            }
        ]
    },
}


@pytest.fixture
def classes(control_plane: Cluster) -> Iterator[dict[str, dict[str, Any]]]:
    """The runtime classes of the pairs under names of this test's own, by the names that pods use."""
    suffix = secrets.token_hex(3)
    made: dict[str, dict[str, Any]] = {}
    for runtime_class in RUNTIME_CLASSES:
        name = runtime_class["metadata"]["name"]
        made[name] = {**runtime_class, "metadata": {"name": f"{name}-{suffix}"}}
        control_plane.request("POST", "/apis/node.k8s.io/v1/runtimeclasses", made[name])
    yield made
    for runtime_class in made.values():
        path = f"/apis/node.k8s.io/v1/runtimeclasses/{runtime_class['metadata']['name']}"
        control_plane.request("DELETE", path)


def test_the_api_server_admits_pods_as_the_facts_count_them(
    control_plane: Cluster, namespace: str, classes: dict[str, dict[str, Any]]
) -> None:
    control_plane.request("POST", f"/api/v1/namespaces/{namespace}/limitranges", LIMITS)
    admission = PodAdmission(
        limit_range_defaults([Resource(LIMITS)], []),
        {found["metadata"]["name"]: found for found in classes.values()},
    )
    different: list[str] = []
    asked = refused = 0
    for seed in range(1000, 1000 + PODS):
        for workload in make_pair(seed).workloads:
            spec = dict(workload["spec"]["template"]["spec"])
            if "runtimeClassName" in spec:
                spec["runtimeClassName"] = classes[spec["runtimeClassName"]]["metadata"]["name"]
            name = workload["metadata"]["name"]
            problems: list[FactProblem] = []
            mine = pod_facts(spec, ("spec",), admission, problems)
            asked += 1
            try:
                pod = control_plane.request(
                    "POST",
                    f"/api/v1/namespaces/{namespace}/pods",
                    {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name}, "spec": spec},
                    query={"dryRun": "All"},
                )
            except APIError as err:
                refused += 1
                if not problems:
                    different.append(f"{name}: refused: {err}")
                continue
            theirs = pod_facts(pod["spec"], ("spec",), PodAdmission(), [])
            different += [f"{name}: {text}" for text in _differences(mine, theirs)]
            different += [f"{name}: expected a refusal, {problem.message}" for problem in problems]

    assert "\n".join(different) == ""
    assert asked > PODS
    assert refused < asked / 2


def _differences(mine: PodFacts, theirs: PodFacts) -> list[str]:
    found = []
    for what in ("requests", "limits", "overhead"):
        one, other = getattr(mine, what), getattr(theirs, what)
        if {k: v for k, v in one.items() if v} != {k: v for k, v in other.items() if v}:
            found.append(f"{what}: expected {other}, found {one}")
    if mine.spec.get("nodeSelector") != theirs.spec.get("nodeSelector"):
        found.append("nodeSelector")
    kept = theirs.spec.get("tolerations", [])
    lost = [t for t in mine.spec.get("tolerations", []) if not any(_covers(k, t) for k in kept)]
    return found + [f"toleration {t}" for t in lost]


def _covers(one: dict[str, Any], other: dict[str, Any]) -> bool:
    """Tell whether a toleration is the other or, as the API server merges them, one that says more."""
    return one == other or (
        one.get("operator") == "Exists"
        and one.get("key") in {None, other.get("key")}
        and one.get("effect") in {None, other.get("effect")}
    )
