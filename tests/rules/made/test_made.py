"""Rules see what each group of nodes gets, and findings land on the field that set it."""

from __future__ import annotations

import datetime
from typing import Any

import pytest

from reconciler.documents.yaml import Document
from reconciler.model.fieldpath import format_field_path
from reconciler.model.finding import Severity, Violation
from reconciler.model.fleet import Fleet
from reconciler.model.location import Location
from reconciler.model.resource import Resource
from reconciler.rules.pack import RulePack, RuleReview
from reconciler.rules.subjects import SiteSubjects, SubjectMemo
from tests.rules.sites import make_site

NOW = datetime.datetime(2026, 6, 1, tzinfo=datetime.UTC)
FLEET = Fleet(name="f", at=Location("fleet.yaml"), sites={}, manifest={})


def site(platform: str, label: str, *groups: str) -> Any:
    nodes = [
        {
            "name": f"box-{group}",
            "architecture": "linux/arm64",
            "allocatable": {"memory": "2Gi"},
            "labels": {label: group} if group else {},
        }
        for group in groups
    ]
    return make_site(
        {
            "metadata": {"name": "s"},
            "spec": {"platform": platform, "kubernetesVersion": "1.33", "nodes": nodes},
        }
    )


POD = {
    "initContainers": [{"name": "first", "image": "init:1"}],
    "containers": [
        {
            "name": "web",
            "image": "docker.io/acme/web:1",
            "env": [{"name": "MODE", "value": "a"}, {"name": "OLD", "value": "b"}],
            "args": ["--one", "--two"],
            "resources": {"requests": {"memory": "64Mi"}},
        },
        {"name": "side", "image": "side:1"},
    ],
}
TEMPLATE = {
    "spec": {
        "replicas": 1,
        "selector": {"matchLabels": {"app": "web"}},
        "template": {"metadata": {"labels": {"app": "web"}}, "spec": POD},
    }
}


def yurt(*tweaks: Any, **spec: Any) -> Resource:
    workload = {"workloadTemplate": {"deploymentTemplate": TEMPLATE}, "workloadTweaks": list(tweaks)}
    return Resource(
        {
            "apiVersion": "apps.openyurt.io/v1beta1",
            "kind": "YurtAppSet",
            "metadata": {"name": "web", "namespace": "shop"},
            "spec": {"workload": workload, **(spec or {"pools": ["east", "west"]})},
        }
    )


def edge(overriders: Any, *more: Any, group: str = "east", template: Any = TEMPLATE) -> Resource:
    deployment = {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "web", "namespace": "shop"},
        **template,
    }
    scope = {"targetNodeGroups": [{"name": group, "overriders": overriders}]}
    return Resource(
        {
            "apiVersion": "apps.kubeedge.io/v1alpha1",
            "kind": "EdgeApplication",
            "metadata": {"name": "app", "namespace": "shop"},
            "spec": {"workloadTemplate": {"manifests": [deployment, *more]}, "workloadScope": scope},
        }
    )


YURT_SITE = site("openyurt", "apps.openyurt.io/nodepool", "east", "west")
EDGE_SITE = site("kubeedge", "apps.kubeedge.io/belonging-to", "east", "west")


def rule(scope: str, expression: str, path: str = "", each: str = "") -> dict[str, Any]:
    validation = {"expression": expression, "message": "wrong", "fieldPath": path}
    return {
        "apiVersion": "wayside.dev/v1alpha1",
        "kind": "SitePolicy",
        "metadata": {"name": "r"},
        "spec": {"scope": scope, "validations": [validation | ({"forEach": each} if each else {})]},
    }


def review(of: Any, *resources: Resource, by: dict[str, Any] | None = None) -> RuleReview:
    rules = [by or rule("Site", "true")]
    pack = RulePack.load([Document(value, "r.yaml", 0) for value in rules], fleet=FLEET)
    return pack.review(of, resources, lock=None, at=NOW)


def said(violations: tuple[Violation, ...]) -> list[tuple[str, str, str]]:
    return [(v.rule, format_field_path(v.field_path), v.message) for v in violations]


def facts(of: Any, *resources: Resource) -> dict[str, Any]:
    subjects = SiteSubjects(of, resources, fleet=FLEET, lock=None, memo=SubjectMemo())
    return {workload.id.name: workload.values for workload in subjects.workloads}


def test_a_yurt_app_set_is_one_workload_for_each_pool_with_the_pools_tweaks() -> None:
    tweaks = {
        "pools": ["west"],
        "tweaks": {
            "replicas": 3,
            "containerImages": [
                {"name": "web", "targetImage": "web:2"},
                {"name": "first", "targetImage": "init:2"},
            ],
            "patches": [
                {
                    "path": "/spec/template/spec/containers/0/resources/requests/memory",
                    "operation": "replace",
                    "value": "1Gi",
                },
                {"path": "/metadata/labels/pool", "operation": "add", "value": "{{nodepool-name}}"},
            ],
        },
    }
    found = facts(YURT_SITE, yurt(tweaks))

    assert sorted(found) == ["web-east", "web-west"]
    assert (found["web-east"]["replicas"], found["web-west"]["replicas"]) == (1, 3)
    assert (found["web-east"]["nodes"], found["web-west"]["nodes"]) == (["box-east"], ["box-west"])
    assert [image["reference"] for image in found["web-west"]["images"]] == ["init:2", "web:2", "side:1"]
    assert found["web-west"]["requests"]["memory"] == 2**30
    assert found["web-west"]["labels"]["pool"] == "west"


@pytest.mark.parametrize(
    ("by", "field"),
    [
        (
            rule("Image", "image.reference != 'web:2'"),
            "spec.workload.workloadTweaks[0].tweaks.containerImages[0].targetImage",
        ),
        (
            rule("Workload", "workload.replicas < 3", "spec.replicas"),
            "spec.workload.workloadTweaks[0].tweaks.replicas",
        ),
        (
            rule("Image", "image.reference != 'side:1' || workload.replicas < 3"),
            "spec.workload.workloadTemplate.deploymentTemplate.spec.template.spec.containers[1].image",
        ),
        (
            rule("Workload", "workload.hostNamespaces.size() == 0", "pod.hostNetwork"),
            "spec.workload.workloadTweaks[0].tweaks.patches[0].value",
        ),
    ],
    ids=["image", "replicas", "template", "patch"],
)
def test_a_finding_about_a_pool_lands_on_the_field_that_set_the_value(by: dict[str, Any], field: str) -> None:
    tweaks = {
        "pools": ["west"],
        "tweaks": {
            "replicas": 3,
            "containerImages": [{"name": "web", "targetImage": "web:2"}],
            "patches": [{"path": "/spec/template/spec/hostNetwork", "operation": "add", "value": True}],
        },
    }
    [violation] = review(YURT_SITE, yurt(tweaks), by=by).violations

    assert str(violation.resource) == "YurtAppSet.apps.openyurt.io/shop/web"
    assert format_field_path(violation.field_path) == field
    assert violation.message == "wrong (Deployment web-west, for node pool west)"


@pytest.mark.parametrize(
    ("given", "field", "message", "severity"),
    [
        (
            yurt(pools=["east", "north"]),
            "spec.pools[1]",
            "found 'north'; its node pools are east, west",
            "warning",
        ),
        (yurt(pools=["north"]), "spec.pools", "it is for no node pool of this site", "warning"),
        (
            yurt({"pools": ["north"], "tweaks": {"replicas": 2}}),
            "spec.workload.workloadTweaks[0]",
            "the tweaks are for no node pool",
            "warning",
        ),
        (
            yurt({"pools": ["east"], "tweaks": {"containerImages": [{"name": "wbe", "targetImage": "x"}]}}),
            "spec.workload.workloadTweaks[0].tweaks.containerImages[0].name",
            "expected the name of a container of the template, found 'wbe'",
            "warning",
        ),
        (
            yurt(
                {
                    "pools": ["east"],
                    "tweaks": {"patches": [{"path": "/spec/x/y", "operation": "add", "value": 1}]},
                }
            ),
            "spec.workload.workloadTweaks[0].tweaks.patches[0].path",
            "so node pool east gets no workload: there is nothing at /spec/x/y",
            "error",
        ),
        (
            yurt(
                {
                    "pools": ["east"],
                    "tweaks": {"patches": [{"path": "spec", "operation": "move", "value": 1}]},
                }
            ),
            "spec.workload.workloadTweaks[0].tweaks.patches[0].path",
            "expected a path that begins with '/'",
            "error",
        ),
    ],
    ids=["pool", "no-pool", "tweak-without-pool", "container", "patch", "pointer"],
)
def test_an_override_that_targets_nothing_is_a_located_finding(
    given: Resource, field: str, message: str, severity: str
) -> None:
    violations = review(YURT_SITE, given).violations

    assert any(
        v.rule == "overrides"
        and format_field_path(v.field_path) == field
        and message in v.message
        and v.severity is Severity(severity)
        for v in violations
    ), said(violations)


def test_pools_are_chosen_by_the_labels_of_their_node_pool_objects() -> None:
    pool = {
        "apiVersion": "apps.openyurt.io/v1beta2",
        "kind": "NodePool",
        "metadata": {"name": "east", "labels": {"size": "big"}},
    }
    chosen = yurt(nodepoolSelector={"matchLabels": {"size": "big"}})

    assert list(facts(YURT_SITE, chosen, Resource(pool))) == ["web-east"]
    assert list(facts(YURT_SITE, yurt(nodepoolSelector={}))) == ["web-east", "web-west"]
    [item] = review(YURT_SITE, chosen, Resource(pool)).not_checked
    assert (item.rule, str(item.resource)) == ("overrides", "YurtAppSet.apps.openyurt.io/shop/web")
    assert "labels of some are not known" in item.reason


def test_an_edge_application_is_its_manifests_and_each_deployment_once_for_every_group() -> None:
    config = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "c"}, "data": {"a": "b"}}
    overriders = {
        "replicas": 4,
        "imageOverriders": [
            {"component": "Registry", "operator": "replace", "value": "harbour:5000"},
            {
                "predicate": {"path": "/spec/template/spec/containers/0/image"},
                "component": "Tag",
                "operator": "replace",
                "value": "2",
            },
        ],
        "envOverriders": [
            {"containerName": "web", "operator": "replace", "value": [{"name": "MODE", "value": "z"}]},
            {"containerName": "web", "operator": "remove", "value": [{"name": "OLD"}]},
            {"containerName": "side", "operator": "add", "value": [{"name": "NEW", "value": "n"}]},
        ],
        "commandOverriders": [{"containerName": "side", "operator": "add", "value": ["run"]}],
        "argsOverriders": [{"containerName": "web", "operator": "remove", "value": ["--one"]}],
        "resourcesOverriders": [{"containerName": "web", "value": {"requests": {"memory": "512Mi"}}}],
    }
    found = facts(EDGE_SITE, edge(overriders, config))
    web = found["web-east"]

    assert list(found) == ["web-east"]
    assert (web["replicas"], web["nodes"], web["requests"]["memory"]) == (4, ["box-east"], 512 * 2**20)
    first, side = web["pod"]["containers"]
    assert (first["image"], side["image"]) == ("harbour:5000/acme/web:2", "harbour:5000/side:1")
    assert first["env"] == [{"name": "MODE", "value": "z"}]
    assert side["env"] == [{"name": "NEW", "value": "n"}]
    assert (side["command"], first["args"]) == (["run"], ["--two"])
    assert web["pod"]["nodeSelector"] == {"apps.kubeedge.io/belonging-to": "east"}


@pytest.mark.parametrize(
    ("overrider", "image"),
    [
        ({"component": "Registry", "operator": "remove"}, "acme/web:1"),
        ({"component": "Registry", "operator": "add", "value": ":5000"}, "docker.io:5000/acme/web:1"),
        ({"component": "Repository", "operator": "replace", "value": "b/c"}, "docker.io/b/c:1"),
        ({"component": "Tag", "operator": "add", "value": "-arm"}, "docker.io/acme/web:1-arm"),
        ({"component": "Tag", "operator": "remove"}, "docker.io/acme/web"),
        (
            {"component": "Tag", "operator": "replace", "value": "@sha256:" + "a" * 64},
            "docker.io/acme/web@sha256:" + "a" * 64,
        ),
    ],
)
def test_an_image_overrider_changes_one_part_of_an_image(overrider: dict[str, str], image: str) -> None:
    web = facts(EDGE_SITE, edge({"imageOverriders": [overrider]}))["web-east"]

    assert web["pod"]["containers"][0]["image"] == image


def test_a_finding_about_a_node_group_lands_on_the_overrider_or_the_manifest() -> None:
    overriders = {
        "resourcesOverriders": [{"containerName": "web", "value": {"requests": {"memory": "9Gi"}}}],
        "envOverriders": [
            {"containerName": "web", "operator": "add", "value": [{"name": "P", "value": "x"}]}
        ],
    }
    scope = "spec.workloadScope.targetNodeGroups[0].overriders"
    memory = rule(
        "Workload",
        "workload.total.memory < 1000",
        "requests",
        "workload.containers.filter(c, c.name == 'web')",
    )
    memory["spec"]["validations"][0]["fieldPath"] = "resources.requests.memory"
    variable = rule("Workload", "false", "env[2].value", "workload.containers.filter(c, c.name == 'web')")
    config = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "c"}, "data": {"a": "b"}}
    inside = rule("Resource", "object.kind != 'Secret'", "data.a")
    fields = [
        format_field_path(violation.field_path)
        for by in (memory, variable, inside)
        for violation in review(EDGE_SITE, edge(overriders, config), by=by).violations
    ]

    assert fields == [
        f"{scope}.resourcesOverriders[0].value.requests.memory",
        f"{scope}.envOverriders[0].value[0].value",
        "spec.workloadTemplate.manifests[1].data.a",
    ]


@pytest.mark.parametrize(
    ("given", "field", "message"),
    [
        (
            edge({}, group="north"),
            "spec.workloadScope.targetNodeGroups[0].name",
            "expected a node group of the site, found 'north'; its node groups are east, west",
        ),
        (
            edge({"envOverriders": [{"containerName": "wbe", "operator": "add", "value": []}]}),
            "spec.workloadScope.targetNodeGroups[0].overriders.envOverriders[0].containerName",
            "expected the name of a container, found 'wbe'; its containers are side, web",
        ),
        (
            edge(
                {
                    "imageOverriders": [
                        {"predicate": {"path": "/spec/no"}, "component": "Tag", "operator": "remove"}
                    ]
                }
            ),
            "spec.workloadScope.targetNodeGroups[0].overriders.imageOverriders[0].predicate.path",
            "there is no text at /spec/no",
        ),
    ],
    ids=["group", "container", "predicate"],
)
def test_an_overrider_that_targets_nothing_is_a_located_finding(
    given: Resource, field: str, message: str
) -> None:
    violations = review(EDGE_SITE, given).violations

    assert any(format_field_path(v.field_path) == field and message in v.message for v in violations), said(
        violations
    )


def test_a_node_group_of_the_overlay_puts_nodes_into_the_group() -> None:
    group = {
        "apiVersion": "apps.kubeedge.io/v1alpha1",
        "kind": "NodeGroup",
        "metadata": {"name": "harbour"},
        "spec": {"nodes": ["box-"]},
    }
    bare = site("kubeedge", "unused", "")
    found = facts(bare, edge({}, group="harbour"), Resource(group))

    assert found["web-harbour"]["nodes"] == ["box-"]
    assert review(bare, edge({}, group="harbour"), Resource(group)).violations == ()


def test_nodes_may_be_chosen_by_labels_too() -> None:
    app = edge({})
    scope = {
        "targetNodeLabels": [
            {
                "labelSelector": {"matchLabels": {"apps.kubeedge.io/belonging-to": "west"}},
                "overriders": {"replicas": 2},
            }
        ]
    }
    spec = {**app.manifest["spec"], "workloadScope": scope}
    [web] = facts(EDGE_SITE, Resource({**app.manifest, "spec": spec})).values()

    assert (web["nodes"], web["replicas"]) == (["box-west"], 2)


def test_a_spin_app_is_a_deployment_with_the_class_of_its_executor() -> None:
    executor = {
        "apiVersion": "core.spinkube.dev/v1alpha1",
        "kind": "SpinAppExecutor",
        "metadata": {"name": "fast", "namespace": "shop"},
        "spec": {"deploymentConfig": {"runtimeClassName": "wasmtime-fast"}},
    }
    app = Resource(
        {
            "apiVersion": "core.spinkube.dev/v1alpha1",
            "kind": "SpinApp",
            "metadata": {"name": "cart", "namespace": "shop"},
            "spec": {
                "image": "cart:1",
                "executor": "fast",
                "replicas": 2,
                "resources": {"requests": {"memory": "8Mi"}},
                "variables": [{"name": "DB_PASSWORD", "value": "x"}],
                "volumes": [{"name": "v", "persistentVolumeClaim": {"claimName": "data"}}],
            },
        }
    )
    cart = facts(EDGE_SITE, app, Resource(executor))["cart"]
    [violation] = review(EDGE_SITE, app, by=rule("Image", "false")).violations

    assert (cart["runtimeClass"], cart["replicas"], cart["total"]) == ("wasmtime-fast", 2, {"memory": 2**24})
    assert cart["claims"][0]["name"] == "data"
    assert facts(EDGE_SITE, app)["cart"]["runtimeClass"] == "wasmtime-spin-v2"
    assert (str(violation.resource), violation.field_path) == (
        "SpinApp.core.spinkube.dev/shop/cart",
        ("spec", "image"),
    )


def test_an_argo_rollout_is_known_without_any_setting() -> None:
    rollout = Resource(
        {
            "apiVersion": "argoproj.io/v1alpha1",
            "kind": "Rollout",
            "metadata": {"name": "web", "namespace": "shop"},
            "spec": {"replicas": 2, "template": {"spec": POD}},
        }
    )

    assert facts(YURT_SITE, rollout)["web"]["replicas"] == 2


def test_an_older_yurt_app_set_is_said_to_be_not_checked() -> None:
    old = yurt().manifest
    found = review(YURT_SITE, Resource({**old, "apiVersion": "apps.openyurt.io/v1alpha1"}))

    assert "apps.openyurt.io/v1alpha1 are not looked into" in found.not_checked[0].reason
