"""Whatever stands in a manifest, every rule gives an answer, and nothing is raised."""

from __future__ import annotations

import datetime
import os
from functools import cache
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from reconciler.model.fleet import Fleet
from reconciler.model.location import Location
from reconciler.model.resource import Resource
from reconciler.rules.builtin import builtin_documents
from reconciler.rules.pack import RulePack
from tests.rules.facts.pairs import LIMIT_RANGE, RUNTIME_CLASSES, make_pair
from tests.rules.sites import make_site

AT = datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC)
FLEET = Fleet(name="f", at=Location("fleet.yaml"), sites={}, manifest={})
SCALARS = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=True)
    | st.sampled_from(["", "x", "-1", "1e3Ki", "128 Mi", "Always", "9" * 80, "sha256:", "a/b:c@d", "\0"])
)
JSON = st.recursive(
    SCALARS,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["name", "key", "image", "resources", "spec", "a/b"]), inner, max_size=3
        )
    ),
    max_leaves=8,
)


def _made_of(workload: dict[str, Any]) -> list[dict[str, Any]]:
    """Objects of which controllers make others, with an override of each sort."""
    deployment = {**workload, "kind": "Deployment"}
    named = {"containerName": "c0", "operator": "add", "value": ["x"]}
    overriders = {
        "replicas": 2,
        "imageOverriders": [
            {"component": "Tag", "operator": "replace", "value": "2"},
            {
                "predicate": {"path": "/spec/template/spec/containers/0/image"},
                "component": "Tag",
                "operator": "remove",
            },
        ],
        "envOverriders": [{**named, "value": [{"name": "A", "value": "b"}]}],
        "commandOverriders": [named],
        "argsOverriders": [named],
        "resourcesOverriders": [{"containerName": "c0", "value": {"requests": {"memory": "1Mi"}}}],
    }
    tweaks = {
        "replicas": 2,
        "containerImages": [{"name": "c0", "targetImage": "x:1"}],
        "patches": [
            {"path": "/spec/template/spec/containers/0/image", "operation": "replace", "value": "y:1"}
        ],
    }
    template = {"deploymentTemplate": {"metadata": {}, "spec": workload["spec"]}}
    where = {"namespace": "n"}
    return [
        {
            "apiVersion": "apps.kubeedge.io/v1alpha1",
            "kind": "EdgeApplication",
            "metadata": {"name": "edge", **where},
            "spec": {
                "workloadTemplate": {"manifests": [deployment]},
                "workloadScope": {"targetNodeGroups": [{"name": "g", "overriders": overriders}]},
            },
        },
        {
            "apiVersion": "apps.kubeedge.io/v1alpha1",
            "kind": "NodeGroup",
            "metadata": {"name": "g"},
            "spec": {"nodes": ["p1-n0"], "matchLabels": {"disk": "ssd"}},
        },
        {
            "apiVersion": "apps.openyurt.io/v1beta1",
            "kind": "YurtAppSet",
            "metadata": {"name": "yurt", **where},
            "spec": {
                "nodepoolSelector": {"matchLabels": {"a": "b"}},
                "pools": ["pool"],
                "workload": {
                    "workloadTemplate": template,
                    "workloadTweaks": [{"pools": ["pool"], "tweaks": tweaks}],
                },
            },
        },
        {
            "apiVersion": "apps.openyurt.io/v1beta2",
            "kind": "NodePool",
            "metadata": {"name": "pool", "labels": {"a": "b"}},
        },
        {
            "apiVersion": "core.spinkube.dev/v1alpha1",
            "kind": "SpinApp",
            "metadata": {"name": "spin", **where},
            "spec": {"image": "x:1", "executor": "e", "podLabels": {"a": "b"}, "checks": {"readiness": {}}},
        },
    ]


def _paths(value: Any, at: tuple[str | int, ...] = ()) -> list[tuple[str | int, ...]]:
    found = [at] if at else []
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, item in items:
        found += _paths(item, (*at, key))
    return found


def _set(value: Any, path: tuple[str | int, ...], new: Any) -> Any:
    if not path:
        return new
    copy: Any = list(value) if isinstance(value, list) else dict(value)
    copy[path[0]] = _set(value[path[0]], path[1:], new)
    return copy


@cache
def _pack() -> RulePack:
    return RulePack.load(builtin_documents(), fleet=FLEET)


@settings(
    max_examples=int(os.environ.get("WAYSIDE_HOSTILE", "150")),
    deadline=None,
    suppress_health_check=list(HealthCheck),
)
@given(seed=st.integers(0, 400), data=st.data())
def test_every_rule_answers_about_manifests_that_are_wrong_anywhere(seed: int, data: st.DataObject) -> None:
    pair = make_pair(seed)
    site = make_site(
        {
            "metadata": {"name": "site"},
            "spec": {"platform": "k3s", "kubernetesVersion": "1.33", "nodes": pair.nodes},
        }
    )
    manifests: list[Any] = [*pair.workloads, *RUNTIME_CLASSES, LIMIT_RANGE, *_made_of(pair.workloads[0])]
    for _ in range(data.draw(st.integers(1, 4))):
        number = data.draw(st.integers(0, len(manifests) - 1))
        paths = [path for path in _paths(manifests[number]) if path[0] not in {"kind", "apiVersion"}]
        if paths:
            manifests[number] = _set(manifests[number], data.draw(st.sampled_from(paths)), data.draw(JSON))

    review = _pack().review(site, [Resource(manifest) for manifest in manifests], lock=None, at=AT)

    assert all(violation.message for violation in review.violations)
