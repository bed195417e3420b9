"""The fleet's own health checks."""

from __future__ import annotations

from typing import Any, Literal

import pytest

from reconciler.model.health_check import HealthCheck
from reconciler.model.plan import HealthStatus
from reconciler.rules.health_checks import HealthChecks, compile_problems

CHECK = HealthCheck(
    group="example.org",
    kind="Database",
    in_progress="status.phase == 'Restoring'",
    failed="status.phase in ['Broken', 'Lost']",
    current="status.phase == 'Serving' && status.replicas == spec.replicas",
)


def database(**status: Any) -> dict[str, Any]:
    return {"apiVersion": "example.org/v1", "kind": "Database", "spec": {"replicas": 2}, "status": status}


@pytest.mark.parametrize("engine", ["native", "pure"])
@pytest.mark.parametrize(
    ("live", "expected"),
    [
        pytest.param(database(phase="Serving", replicas=2), HealthStatus.CURRENT, id="there"),
        pytest.param(database(phase="Serving", replicas=1), HealthStatus.IN_PROGRESS, id="not all of it"),
        pytest.param(database(phase="Restoring"), HealthStatus.IN_PROGRESS, id="on its way"),
        pytest.param(database(phase="Broken"), HealthStatus.FAILED, id="broken"),
        pytest.param(database(), HealthStatus.IN_PROGRESS, id="no status yet"),
        pytest.param({"apiVersion": "v1", "kind": "Database"}, None, id="another group"),
    ],
)
def test_the_first_expression_that_holds_decides(
    live: dict[str, Any], expected: HealthStatus | None, engine: Literal["native", "pure"]
) -> None:
    found = HealthChecks([CHECK], engine=engine).assess(live)
    assert (None if found is None else found.status) is expected


def test_what_does_not_compile_is_named() -> None:
    broken = HealthCheck(group="", kind="Thing", current="status.phase ==")
    assert [check.kind for check, _ in compile_problems([CHECK, broken], engine="native")] == ["Thing"]
