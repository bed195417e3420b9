"""What cannot be counted is a located problem; it is never counted as nothing in silence."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconciler.model.fieldpath import format_field_path
from reconciler.model.fleet import Fleet
from reconciler.model.location import Location
from reconciler.model.quantity import QuantityError, parse_quantity
from reconciler.model.resource import Resource
from reconciler.rules.facts.amounts import parse_amounts, whole
from reconciler.rules.facts.problem import FactProblem
from reconciler.rules.subjects import SiteSubjects, SubjectMemo
from tests.rules.sites import make_site

SITE = make_site(
    {
        "metadata": {"name": "s"},
        "spec": {
            "platform": "k3s",
            "kubernetesVersion": "1.33",
            "nodes": [{"name": "box", "architecture": "linux/arm64", "allocatable": {"memory": "2Gi"}}],
        },
    }
)
FLEET = Fleet(name="f", at=Location("fleet.yaml"), sites={}, manifest={})
CONTAINER = "spec.template.spec.containers[0]"
_SUFFIXES = (
    "",
    "n",
    "u",
    "m",
    "k",
    "K",
    "M",
    "G",
    "Ki",
    "Mi",
    "Gi",
    "Ti",
    "mi",
    "MI",
    "MB",
    "e3",
    "E3",
    "e3Ki",
    " Mi",
    "%",
)
QUANTITIES = st.one_of(
    st.text(max_size=12),
    st.tuples(
        st.sampled_from(["", "+", "-", " "]),
        st.one_of(st.integers(0, 10**19).map(str), st.decimals(0, 10**6, places=3).map(str), st.just(".5")),
        st.sampled_from(_SUFFIXES),
    ).map("".join),
)


@given(st.sampled_from(["memory", "cpu", "ephemeral-storage", "acme.example/npu"]), QUANTITIES)
def test_a_quantity_is_counted_exactly_or_reported_at_its_field(name: str, text: str) -> None:
    problems: list[FactProblem] = []
    amounts = parse_amounts({name: text}, ("requests",), problems)
    try:
        expected: Decimal | None = parse_quantity(text)
    except QuantityError:
        expected = None

    if expected is None or expected < 0:
        assert amounts == {}
        assert [problem.field_path for problem in problems] == [("requests", name)]
    else:
        assert amounts == {name: whole(name, expected)}
        assert (amounts[name] == 0) is (expected == 0)
        assert problems == []


@given(
    st.one_of(
        st.none(),
        st.booleans(),
        st.lists(st.integers(), max_size=2),
        st.dictionaries(st.text(max_size=3), st.integers(), max_size=2),
    )
)
def test_what_is_no_quantity_at_all_is_reported(value: object) -> None:
    problems: list[FactProblem] = []

    assert parse_amounts({"memory": value}, (), problems) == {}
    assert len(problems) == 1


def deployment(container: dict[str, Any], **spec: Any) -> dict[str, Any]:
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "web", "namespace": "n"},
        "spec": {"template": {"spec": {"containers": [{"name": "c", "image": "i", **container}]}}, **spec},
    }


def scaler(**spec: Any) -> dict[str, Any]:
    target = {"apiVersion": "apps/v1", "kind": "Deployment", "name": "web"}
    return {
        "apiVersion": "autoscaling/v2",
        "kind": "HorizontalPodAutoscaler",
        "metadata": {"name": "h", "namespace": "n"},
        "spec": {"scaleTargetRef": target, **spec},
    }


def requests(memory: Any) -> dict[str, Any]:
    return deployment({"resources": {"requests": {"memory": memory}}})


@pytest.mark.parametrize(
    ("manifests", "field", "message"),
    [
        ([requests("1e3Ki")], f"{CONTAINER}.resources.requests.memory", "found '1e3Ki'"),
        ([requests("-1")], f"{CONTAINER}.resources.requests.memory", "at least 0, found -1"),
        ([requests("128 Mi")], f"{CONTAINER}.resources.requests.memory", "found '128 Mi'"),
        ([requests("")], f"{CONTAINER}.resources.requests.memory", "expected a quantity"),
        ([requests(None)], f"{CONTAINER}.resources.requests.memory", "expected a quantity"),
        ([deployment({"resources": {"limits": "64Mi"}})], f"{CONTAINER}.resources.limits", "expected a map"),
        (
            [deployment({"resources": {"limits": {"memory": "1Mi"}, "requests": {"memory": "2Mi"}}})],
            f"{CONTAINER}.resources",
            "2Mi is requested and the limit is 1Mi",
        ),
        ([deployment({}, replicas=-1)], "spec.replicas", "at least 0, found -1"),
        ([deployment({}, replicas="3")], "spec.replicas", "found '3'"),
        ([deployment({}, replicas=True)], "spec.replicas", "found True"),
        (
            [deployment({}, strategy={"rollingUpdate": {"maxSurge": "half"}})],
            "spec.strategy.rollingUpdate.maxSurge",
            "expected a number or a percentage, found 'half'",
        ),
        ([deployment({}), scaler()], "spec", "has no maxReplicas"),
        ([deployment({}), scaler(maxReplicas="many")], "spec", "has no maxReplicas"),
        ([deployment({"image": "UPPER:::"})], f"{CONTAINER}.image", "UPPER"),
    ],
)
def test_a_wrong_value_is_a_problem_at_its_field(
    manifests: list[dict[str, Any]], field: str, message: str
) -> None:
    resources = [Resource(manifest) for manifest in manifests]
    [workload] = SiteSubjects(SITE, resources, fleet=FLEET, lock=None, memo=SubjectMemo()).workloads

    assert any(
        format_field_path(problem.field_path) == field and message in problem.message
        for problem in workload.problems
    ), workload.problems


def test_a_wrong_default_of_a_limit_range_is_a_problem_of_the_range() -> None:
    limits = {
        "apiVersion": "v1",
        "kind": "LimitRange",
        "metadata": {"name": "l", "namespace": "n"},
        "spec": {"limits": [{"type": "Container", "default": {"memory": "64 Mi"}}]},
    }
    resources = [Resource(deployment({})), Resource(limits)]
    subjects = SiteSubjects(SITE, resources, fleet=FLEET, lock=None, memo=SubjectMemo())

    [(resource, problem)] = subjects.problems
    assert str(resource) == "LimitRange/n/l"
    assert format_field_path(problem.field_path) == "spec.limits[0].default.memory"
