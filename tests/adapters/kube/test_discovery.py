"""Which kinds a server has, by each of the ways in which servers tell."""

from __future__ import annotations

from typing import Any, cast

import pytest

from reconciler.adapters.kube.client import KubeClient
from reconciler.adapters.kube.discovery import Discovery
from reconciler.errors import TargetRefused, TargetUnreachable
from reconciler.model.resource import ResourceId

VERBS = ["get", "list", "patch", "delete"]


def row(kind: str, plural: str, *, namespaced: bool = True) -> dict[str, Any]:
    scope = "Namespaced" if namespaced else "Cluster"
    return {"resource": plural, "responseKind": {"kind": kind}, "scope": scope, "verbs": VERBS}


def aggregated(*groups: dict[str, Any]) -> dict[str, Any]:
    return {"kind": "APIGroupDiscoveryList", "items": list(groups)}


def group(name: str, version: str, *rows: dict[str, Any], freshness: str = "Current") -> dict[str, Any]:
    found = {"version": version, "resources": list(rows), "freshness": freshness}
    return {"metadata": {"name": name}, "versions": [found]}


class Script:
    """Answers GET by path; a list of answers is gone through."""

    def __init__(self, answers: dict[str, Any]) -> None:
        self.answers = answers
        self.asked: list[str] = []

    def request(self, method: str, path: str, **settings: Any) -> Any:
        del method, settings
        self.asked.append(path)
        answer = self.answers.get(path)
        if isinstance(answer, list):
            answer = answer.pop(0) if len(answer) > 1 else answer[0]
        if isinstance(answer, Exception):
            raise answer
        return answer if answer is not None else aggregated()


class Time:
    def __init__(self) -> None:
        self.now = 0.0

    def sleep(self, seconds: float) -> None:
        self.now += seconds


def discovery(answers: dict[str, Any]) -> tuple[Discovery, Script, Time]:
    script, clock = Script(answers), Time()
    found = Discovery(cast(KubeClient, script), monotonic=lambda: clock.now, sleep=clock.sleep)
    return found, script, clock


def test_two_requests_tell_of_all_kinds_and_are_not_made_again() -> None:
    found, script, _ = discovery(
        {
            "/api": aggregated(group("", "v1", row("ConfigMap", "configmaps"))),
            "/apis": aggregated(group("apps", "v1", row("Deployment", "deployments"))),
        }
    )
    deployment = found.find("apps", "Deployment", "v1")
    assert deployment is not None
    assert deployment.path("shop", "a/b") == "/apis/apps/v1/namespaces/shop/deployments/a%2Fb"
    config = found.find("", "ConfigMap")
    assert config is not None
    assert config.path() == "/api/v1/configmaps"
    assert script.asked == ["/api", "/apis"]


def test_an_older_server_is_asked_version_by_version() -> None:
    resources = [
        {"name": "deployments", "kind": "Deployment", "namespaced": True, "verbs": VERBS},
        {"name": "deployments/scale", "kind": "Scale", "namespaced": True, "verbs": VERBS},
    ]
    spaces = [{"name": "namespaces", "kind": "Namespace", "namespaced": False, "verbs": VERBS}]
    found, _, _ = discovery(
        {
            "/api": {"kind": "APIVersions", "versions": ["v1"]},
            "/apis": {
                "kind": "APIGroupList",
                "groups": [
                    {
                        "name": "apps",
                        "preferredVersion": {"groupVersion": "apps/v1"},
                        "versions": [{"groupVersion": "apps/v1beta1"}, {"groupVersion": "apps/v1"}],
                    },
                    {"name": "metrics.k8s.io", "versions": [{"groupVersion": "metrics.k8s.io/v1"}]},
                ],
            },
            "/api/v1": {"resources": spaces},
            "/apis/apps/v1": {"resources": resources},
            "/apis/apps/v1beta1": {"resources": resources},
            "/apis/metrics.k8s.io/v1": TargetUnreachable("no answer"),
        }
    )
    preferred = found.find("apps", "Deployment")
    assert preferred is not None
    assert preferred.api_version == "apps/v1"
    assert found.find("apps", "Scale") is None
    assert found.scopes()["", "Namespace"] is False
    with pytest.raises(TargetUnreachable, match=r"metrics\.k8s\.io cannot be asked"):
        found.find("metrics.k8s.io", "NodeMetrics")


def test_a_kind_whose_server_does_not_answer_is_unknown_and_not_missing() -> None:
    found, _, _ = discovery({"/apis": aggregated(group("g.io", "v1", freshness="Stale"))})
    with pytest.raises(TargetUnreachable, match=r"g\.io"):
        found.find("g.io", "Thing")


def test_a_kind_that_was_just_defined_is_waited_for() -> None:
    late = [aggregated(), aggregated(), aggregated(group("g.io", "v1", row("Thing", "things")))]
    found, script, clock = discovery({"/apis": late})
    found.expect("g.io", "Thing")
    assert found.find("g.io", "Thing", "v1") is not None
    assert len(script.asked) == 6
    assert clock.now < 1


def test_a_kind_that_never_comes_is_waited_for_once_and_not_asked_for_in_a_hot_loop() -> None:
    found, script, clock = discovery({})
    found.expect("g.io", "Thing")
    assert found.find("g.io", "Thing") is None
    assert clock.now < 20
    asked = len(script.asked)
    for _ in range(100):
        assert found.find("g.io", "Thing") is None
    assert len(script.asked) == asked
    with pytest.raises(TargetRefused, match=r'no matches for kind "Thing" in version "g\.io/v1"'):
        found.of(ResourceId("g.io", "Thing", "a", "b"), "g.io/v1")
