"""How many pods a workload runs, and how many more during a rollout."""

from __future__ import annotations

from typing import Any

import pytest

from reconciler.rules.facts.problem import FactProblem
from reconciler.rules.facts.scale import Autoscaler, scale_of


@pytest.mark.parametrize(
    ("kind", "spec", "pods", "surge"),
    [
        ("Pod", {}, 1, 0),
        ("Deployment", {}, 1, 1),
        ("Deployment", {"replicas": 4}, 4, 1),
        ("Deployment", {"replicas": 5}, 5, 2),
        ("Deployment", {"replicas": 4, "strategy": {"type": "Recreate"}}, 4, 0),
        ("Deployment", {"replicas": 4, "strategy": {"rollingUpdate": {"maxSurge": 3}}}, 4, 3),
        ("Deployment", {"replicas": 4, "strategy": {"rollingUpdate": {"maxSurge": "100%"}}}, 4, 4),
        ("Deployment", {"replicas": 0}, 0, 0),
        ("StatefulSet", {"replicas": 3}, 3, 0),
        ("DaemonSet", {}, 7, 0),
        ("DaemonSet", {"updateStrategy": {"rollingUpdate": {"maxSurge": "10%"}}}, 7, 1),
        ("Job", {}, 1, 0),
        ("Job", {"parallelism": 4}, 4, 0),
        ("Job", {"parallelism": 4, "completions": 2}, 2, 0),
        ("Job", {"parallelism": 4, "suspend": True}, 0, 0),
        ("CronJob", {"jobTemplate": {"spec": {"parallelism": 2}}}, 2, 0),
        (
            "CronJob",
            {"schedule": "*/5 * * * *", "jobTemplate": {"spec": {"activeDeadlineSeconds": 900}}},
            3,
            0,
        ),
        (
            "CronJob",
            {
                "schedule": "*/5 * * * *",
                "concurrencyPolicy": "Forbid",
                "jobTemplate": {"spec": {"activeDeadlineSeconds": 900}},
            },
            1,
            0,
        ),
        ("CronJob", {"suspend": True, "jobTemplate": {"spec": {"parallelism": 2}}}, 0, 0),
    ],
)
def test_pods_are_counted_as_the_controllers_make_them(
    kind: str, spec: dict[str, Any], pods: int, surge: int
) -> None:
    scale = scale_of({"spec": spec}, kind, matching_nodes=7, autoscaler=None, problems=[])

    assert (scale.replicas, scale.surge) == (pods, surge)


@pytest.mark.parametrize(("replicas", "pods"), [(1, 9), (20, 9), (0, 0)])
def test_an_autoscalers_maximum_replaces_replicas_unless_it_is_switched_off(replicas: int, pods: int) -> None:
    manifest = {"spec": {"replicas": replicas}}
    scale = scale_of(manifest, "Deployment", matching_nodes=1, autoscaler=Autoscaler("h", 9), problems=[])

    assert scale.replicas == pods


@pytest.mark.parametrize(
    ("spec", "autoscaler", "message"),
    [
        ({"replicas": "3"}, None, "replicas: expected a number of at least 0, found '3'"),
        ({"replicas": -1}, None, "replicas: expected a number of at least 0, found -1"),
        ({"strategy": {"rollingUpdate": {"maxSurge": "many"}}}, None, "found 'many'"),
        ({}, Autoscaler("h", None), "has no maxReplicas, so its size has no bound"),
    ],
)
def test_what_is_not_a_count_is_a_problem_and_never_a_zero(
    spec: dict[str, Any], autoscaler: Autoscaler | None, message: str
) -> None:
    problems: list[FactProblem] = []
    scale = scale_of({"spec": spec}, "Deployment", matching_nodes=1, autoscaler=autoscaler, problems=problems)

    assert message in problems[0].message
    assert scale.replicas == 1
