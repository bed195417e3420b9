"""Why a workload does not come up, in a line."""

from __future__ import annotations

from typing import Any

import pytest

from reconciler.health.reasons import event_reason, pod_reason


def pod(*statuses: dict[str, Any], phase: str = "Running", **status: Any) -> dict[str, Any]:
    limits = {"resources": {"limits": {"memory": "64Mi"}}}
    return {
        "metadata": {"name": "web-1"},
        "spec": {"containers": [{"name": "web", **limits}]},
        "status": {"phase": phase, "containerStatuses": list(statuses), **status},
    }


BACK_OFF = {"waiting": {"reason": "CrashLoopBackOff", "message": "back-off 5m0s"}}


@pytest.mark.parametrize(
    ("given", "told"),
    [
        pytest.param(
            pod(
                {
                    "name": "web",
                    "state": BACK_OFF,
                    "lastState": {"terminated": {"exitCode": 137, "reason": "OOMKilled"}},
                }
            ),
            "CrashLoopBackOff: exit 137, OOMKilled, limit 64Mi (container web of pod web-1)",
            id="killed for memory",
        ),
        pytest.param(
            pod(
                {
                    "name": "web",
                    "state": BACK_OFF,
                    "lastState": {
                        "terminated": {"exitCode": 1, "reason": "Error", "message": "x\nno such table: users"}
                    },
                }
            ),
            "CrashLoopBackOff: exit 1, no such table: users (container web of pod web-1)",
            id="its own last words",
        ),
        pytest.param(
            pod({"name": "web", "state": {"waiting": {"reason": "ErrImagePull", "message": "not found"}}}),
            "ErrImagePull: not found (container web of pod web-1)",
            id="image",
        ),
        pytest.param(
            pod(
                phase="Pending",
                conditions=[
                    {
                        "type": "PodScheduled",
                        "status": "False",
                        "reason": "Unschedulable",
                        "message": "0/1 nodes are available: 1 Insufficient memory.",
                    }
                ],
            ),
            "Unschedulable: 0/1 nodes are available: 1 Insufficient memory. (pod web-1)",
            id="no room",
        ),
        pytest.param(pod({"name": "web", "state": {"running": {}}}), "", id="nothing wrong"),
        pytest.param(
            pod({"name": "web", "state": {"waiting": {"reason": "ContainerCreating"}}}), "", id="on its way"
        ),
    ],
)
def test_a_pod_tells_why(given: dict[str, Any], told: str) -> None:
    assert pod_reason([given]) == told


def test_the_newest_warning_counts() -> None:
    rows = [
        {
            "type": "Warning",
            "reason": "FailedMount",
            "message": "old",
            "lastTimestamp": "2026-01-01T00:00:00Z",
        },
        {
            "type": "Warning",
            "reason": "FailedCreate",
            "message": "new",
            "lastTimestamp": "2026-01-02T00:00:00Z",
        },
        {"type": "Normal", "reason": "Fine", "message": "-", "lastTimestamp": "2026-01-03T00:00:00Z"},
    ]
    assert event_reason(rows) == "FailedCreate: new"
    assert event_reason([]) == ""
