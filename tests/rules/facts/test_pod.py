"""What a pod asks for, by the scheduler's formula and after admission."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconciler.model.resource import Resource
from reconciler.rules.facts.admission import PodAdmission, limit_range_defaults
from reconciler.rules.facts.amounts import format_amount, parse_amounts
from reconciler.rules.facts.pod import PodFacts, pod_facts
from reconciler.rules.facts.problem import FactProblem

MI = 2**20


def container(requests: Any = None, limits: Any = None, **more: Any) -> dict[str, Any]:
    resources = {"requests": requests, "limits": limits}
    return {"name": "c", "image": "i", "resources": {k: v for k, v in resources.items() if v}, **more}


def facts(spec: dict[str, Any], admission: PodAdmission = PodAdmission()) -> PodFacts:  # noqa: B008 - frozen
    problems: list[FactProblem] = []
    result = pod_facts(spec, ("spec",), admission, problems)
    assert problems == []
    return result


def memory(value: str) -> dict[str, str]:
    return {"memory": value}


SIDECAR = {"restartPolicy": "Always"}


@pytest.mark.parametrize(
    ("spec", "megabytes"),
    [
        ({"containers": [container(memory("10Mi")), container(memory("20Mi"))]}, 30),
        ({"containers": [container(limits=memory("10Mi"))]}, 10),
        ({"containers": [container(memory("5Mi"), memory("10Mi"))]}, 5),
        (
            {
                "containers": [container(memory("10Mi"))],
                "initContainers": [container(memory("15Mi")), container(memory("40Mi"))],
            },
            40,
        ),
        (
            {
                "containers": [container(memory("10Mi"))],
                "initContainers": [container(memory("5Mi"), **SIDECAR), container(memory("4Mi"))],
            },
            15,
        ),
        (
            {
                "containers": [container(memory("10Mi"))],
                "initContainers": [container(memory("5Mi"), **SIDECAR), container(memory("20Mi"))],
            },
            25,
        ),
        (
            {
                "containers": [container(memory("10Mi"))],
                "initContainers": [container(memory("20Mi")), container(memory("5Mi"), **SIDECAR)],
            },
            20,
        ),
        (
            {
                "containers": [container(memory("10Mi"))],
                "resources": {"requests": memory("64Mi")},
            },
            64,
        ),
        (
            {
                "containers": [container()],
                "resources": {"limits": memory("64Mi")},
            },
            64,
        ),
        (
            {
                "containers": [container(memory("10Mi"))],
                "resources": {"limits": memory("64Mi")},
            },
            10,
        ),
        ({"containers": [container(memory("10Mi"))], "overhead": memory("7Mi")}, 17),
        ({"containers": [container()], "ephemeralContainers": [container(memory("10Mi"))]}, 0),
    ],
    ids=[
        "sum",
        "request-from-limit",
        "request-wins",
        "init-maximum",
        "sidecar-adds",
        "init-beside-sidecar",
        "init-before-sidecar",
        "pod-level-request",
        "pod-level-limit",
        "pod-level-limit-beside-container-request",
        "overhead",
        "ephemeral-does-not-count",
    ],
)
def test_requests_are_counted_as_the_scheduler_counts_them(spec: dict[str, Any], megabytes: int) -> None:
    assert facts(spec).requests.get("memory", 0) == megabytes * MI


def test_a_limit_exists_only_where_every_container_that_runs_has_one() -> None:
    half = {"containers": [container(limits=memory("10Mi")), container()]}
    whole = {"containers": [container(limits=memory("10Mi")), container(limits=memory("5Mi"))]}

    assert "memory" not in facts(half).limits
    assert facts(whole).limits == {"memory": 15 * MI}


def limit_range(**item: Any) -> Resource:
    return Resource(
        {
            "apiVersion": "v1",
            "kind": "LimitRange",
            "metadata": {"name": "l", "namespace": "n"},
            "spec": {"limits": [{"type": "Container", **item}]},
        }
    )


@pytest.mark.parametrize(
    ("item", "request_", "limit"),
    [
        ({"defaultRequest": memory("10Mi")}, 10, None),
        ({"default": memory("20Mi")}, 20, 20),
        ({"default": memory("20Mi"), "defaultRequest": memory("10Mi")}, 10, 20),
        ({"max": memory("30Mi")}, 30, 30),
        ({"min": memory("5Mi")}, 5, None),
        ({"type": "Pod", "max": memory("30Mi")}, None, None),
    ],
    ids=["request", "limit", "both", "maximum", "minimum", "of-pods"],
)
def test_a_limit_range_fills_what_a_container_leaves_open(
    item: dict[str, Any], request_: int | None, limit: int | None
) -> None:
    admission = PodAdmission(limit_range_defaults([limit_range(**item)], []))
    found = facts({"containers": [container()]}, admission).containers[0]

    assert found.requests.get("memory") == (None if request_ is None else request_ * MI)
    assert found.limits.get("memory") == (None if limit is None else limit * MI)


def test_a_limit_range_leaves_alone_what_a_container_says() -> None:
    admission = PodAdmission(limit_range_defaults([limit_range(default=memory("20Mi"))], []))
    found = facts({"containers": [container(memory("1Mi"), memory("2Mi"))]}, admission).containers[0]

    assert (found.requests["memory"], found.limits["memory"]) == (1 * MI, 2 * MI)


def test_a_runtime_class_adds_its_overhead_and_its_node_selector() -> None:
    runtime_class = {
        "overhead": {"podFixed": {"memory": "8Mi", "cpu": "10m"}},
        "scheduling": {
            "nodeSelector": {"wasm": "yes"},
            "tolerations": [{"key": "wasm", "operator": "Exists"}],
        },
    }
    admission = PodAdmission(runtime_class_objects={"wasmtime": runtime_class})
    found = facts({"runtimeClassName": "wasmtime", "containers": [container(memory("2Mi"))]}, admission)

    assert found.requests == {"memory": 10 * MI, "cpu": 10}
    assert found.spec["nodeSelector"] == {"wasm": "yes"}
    assert found.spec["tolerations"] == [{"key": "wasm", "operator": "Exists"}]


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ("128 Mi", "expected a quantity"),
        ("1e3Ki", "expected a quantity"),
        ("-1", "expected an amount of at least 0, found -1"),
        (True, "expected a quantity"),
        (["1"], "expected a quantity"),
    ],
)
def test_what_is_not_an_amount_is_a_problem_at_its_field_and_never_a_zero(value: Any, message: str) -> None:
    problems: list[FactProblem] = []
    found = parse_amounts({"memory": value}, ("spec",), problems)

    assert found == {}
    assert message in problems[0].message
    assert problems[0].field_path == ("spec", "memory")


@given(st.integers(0, 2**50))
def test_an_amount_of_memory_is_written_so_that_it_reads_back_as_itself(amount: int) -> None:
    assert parse_amounts({"memory": format_amount("memory", amount)}, (), []) == {"memory": amount}


@given(st.integers(0, 10**6))
def test_an_amount_of_cpu_is_written_so_that_it_reads_back_as_itself(amount: int) -> None:
    assert parse_amounts({"cpu": format_amount("cpu", amount)}, (), []) == {"cpu": amount}
