"""Why a pod cannot be placed on a node, leaving resources aside."""

from __future__ import annotations

from typing import Any

import pytest

from reconciler.rules.facts.node import NodeFacts, node_facts
from reconciler.rules.facts.placement import refusal
from tests.rules.sites import make_node


def node(**more: Any) -> NodeFacts:
    return node_facts(
        [make_node({"name": "box", "architecture": "linux/arm64", "allocatable": {"memory": "1Gi"}, **more})]
    )[0]


def affinity(*terms: Any) -> dict[str, Any]:
    required = {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": list(terms)}}
    return {"affinity": {"nodeAffinity": required}}


def expression(key: str, operator: str, *values: str) -> dict[str, Any]:
    return {"matchExpressions": [{"key": key, "operator": operator, "values": list(values)}]}


@pytest.mark.parametrize(
    ("pod", "placed"),
    [
        ({}, True),
        ({"nodeName": "box"}, True),
        ({"nodeName": "other"}, False),
        ({"nodeSelector": {"kubernetes.io/arch": "arm64"}}, True),
        ({"nodeSelector": {"kubernetes.io/arch": "amd64"}}, False),
        ({"nodeSelector": {"kubernetes.io/hostname": "box"}}, True),
        ({"nodeSelector": {"disk": "ssd"}}, True),
        ({"nodeSelector": {"disk": "hdd"}}, False),
        (affinity(expression("disk", "In", "ssd", "nvme")), True),
        (affinity(expression("disk", "In", "nvme")), False),
        (affinity(expression("disk", "NotIn", "nvme")), True),
        (affinity(expression("none", "NotIn", "nvme")), True),
        (affinity(expression("disk", "Exists")), True),
        (affinity(expression("disk", "DoesNotExist")), False),
        (affinity(expression("cores", "Gt", "3")), True),
        (affinity(expression("cores", "Lt", "3")), False),
        (affinity(expression("disk", "Gt", "3")), False),
        (affinity(expression("disk", "In", "nvme"), expression("disk", "Exists")), True),
        (affinity({}), False),
        (affinity({"matchFields": [{"key": "metadata.name", "operator": "In", "values": ["box"]}]}), True),
        (affinity({"matchFields": [{"key": "metadata.name", "operator": "In", "values": ["x"]}]}), False),
    ],
)
def test_selectors_and_affinity_are_matched_against_the_nodes_labels(
    pod: dict[str, Any], placed: bool
) -> None:
    assert (refusal(pod, node(labels={"disk": "ssd", "cores": "4"})) == "") is placed


TAINT = {"key": "wasm", "value": "only", "effect": "NoSchedule"}


@pytest.mark.parametrize(
    ("toleration", "placed"),
    [
        (None, False),
        ({"key": "wasm", "operator": "Exists"}, True),
        ({"key": "wasm", "operator": "Exists", "effect": "NoSchedule"}, True),
        ({"key": "wasm", "operator": "Exists", "effect": "NoExecute"}, False),
        ({"key": "wasm", "value": "only"}, True),
        ({"key": "wasm", "operator": "Equal", "value": "other"}, False),
        ({"operator": "Exists"}, True),
        ({"key": "gpu", "operator": "Exists"}, False),
    ],
)
def test_a_taint_keeps_out_what_does_not_tolerate_it(toleration: dict[str, Any] | None, placed: bool) -> None:
    pod = {"tolerations": [toleration]} if toleration else {}

    assert (refusal(pod, node(taints=[TAINT])) == "") is placed


def test_a_preference_keeps_nothing_out() -> None:
    assert refusal({}, node(taints=[{**TAINT, "effect": "PreferNoSchedule"}])) == ""


def test_the_reason_names_the_taint_or_the_label() -> None:
    assert refusal({}, node(taints=[TAINT])) == "taint wasm=only:NoSchedule is not tolerated"
    assert (
        refusal({"nodeSelector": {"disk": "hdd"}}, node(labels={"disk": "ssd"}))
        == "node selector wants disk=hdd, the node has disk=ssd"
    )
    assert refusal({"nodeSelector": {"a": "b"}}, node()) == "node selector wants a=b, the node has no label a"


def test_a_daemon_set_tolerates_an_unschedulable_node_by_itself() -> None:
    cordoned = node(taints=[{"key": "node.kubernetes.io/unschedulable", "effect": "NoSchedule"}])

    assert refusal({}, cordoned, daemon=True) == ""
    assert refusal({}, cordoned) != ""
