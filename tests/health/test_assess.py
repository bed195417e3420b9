"""Health by the rules of kstatus, and its words for people."""

from __future__ import annotations

from typing import Any

import pytest

from reconciler.health import assess
from reconciler.model.plan import HealthStatus

CURRENT, PROGRESS = HealthStatus.CURRENT, HealthStatus.IN_PROGRESS
FAILED, TERMINATING = HealthStatus.FAILED, HealthStatus.TERMINATING


def obj(
    kind: str, spec: dict[str, Any] | None = None, status: dict[str, Any] | None = None, **meta: Any
) -> Any:
    api_version, _, name = kind.rpartition("/")
    found: dict[str, Any] = {"apiVersion": api_version, "kind": name, "metadata": {"name": "x", **meta}}
    if spec is not None:
        found["spec"] = spec
    if status is not None:
        found["status"] = status
    return found


def cond(kind: str, status: str = "True", reason: str = "", message: str = "") -> dict[str, str]:
    return {"type": kind, "status": status, "reason": reason, "message": message}


def conditions(*entries: dict[str, str], **status: Any) -> dict[str, Any]:
    return {"conditions": list(entries), **status}


ROLLED = conditions(
    cond("Progressing", reason="NewReplicaSetAvailable"),
    cond("Available"),
    observedGeneration=2,
    replicas=2,
    updatedReplicas=2,
    readyReplicas=2,
    availableReplicas=2,
)
TWO = {"replicas": 2, "progressDeadlineSeconds": 600}
STATEFUL = {
    "observedGeneration": 1,
    "replicas": 2,
    "readyReplicas": 2,
    "currentReplicas": 2,
    "updatedReplicas": 2,
    "currentRevision": "a",
    "updateRevision": "a",
}
DAEMON = {
    "observedGeneration": 1,
    "desiredNumberScheduled": 3,
    "currentNumberScheduled": 3,
    "updatedNumberScheduled": 3,
    "numberAvailable": 3,
    "numberReady": 3,
}
CRASH = {
    "phase": "Running",
    "containerStatuses": [
        {
            "name": "web",
            "state": {"waiting": {"reason": "CrashLoopBackOff", "message": "back-off 5m0s"}},
            "lastState": {"terminated": {"exitCode": 137, "reason": "OOMKilled"}},
        }
    ],
}


@pytest.mark.parametrize(
    ("live", "status", "words"),
    [
        pytest.param(None, HealthStatus.NOT_FOUND, "not there", id="missing"),
        pytest.param(obj("v1/ConfigMap"), CURRENT, "", id="says-nothing"),
        pytest.param(
            obj("v1/ConfigMap", deletionTimestamp="t", finalizers=["a.io/b"]),
            TERMINATING,
            "a.io/b",
            id="deleted",
        ),
        pytest.param(
            obj("g.io/v1/Thing", {}, {"observedGeneration": 1}, generation=2),
            PROGRESS,
            "1 of 2",
            id="old-generation",
        ),
        pytest.param(
            obj("g.io/v1/Thing", {}, conditions(cond("Reconciling", "True", "Busy", "at it"))),
            *(PROGRESS, "Busy: at it"),
            id="reconciling",
        ),
        pytest.param(
            obj("g.io/v1/Thing", {}, conditions(cond("Stalled", "True", "Bad"), cond("Ready"))),
            *(FAILED, "Bad"),
            id="stalled-before-ready",
        ),
        pytest.param(obj("g.io/v1/Thing", {}, conditions(cond("Ready"))), CURRENT, "", id="ready"),
        pytest.param(
            obj("g.io/v1/Thing", {}, conditions(cond("Ready", "False", "Why"))),
            PROGRESS,
            "Why",
            id="not-ready",
        ),
        pytest.param(obj("g.io/v1/Thing", {}, {"conditions": "nonsense"}), CURRENT, "", id="odd-status"),
        pytest.param(obj("g.io/v1/Thing", {}, None) | {"status": "Up"}, CURRENT, "", id="text-status"),
        pytest.param(
            obj("apps/v1/Deployment", TWO, ROLLED, generation=2), CURRENT, "2 of 2", id="rolled-out"
        ),
        pytest.param(obj("apps/v1/Deployment", TWO), PROGRESS, "not seen", id="deployment-unseen"),
        pytest.param(
            obj("apps/v1/Deployment", TWO, ROLLED | {"updatedReplicas": 1}),
            PROGRESS,
            "1 of 2",
            id="half-updated",
        ),
        pytest.param(
            obj("apps/v1/Deployment", TWO, ROLLED | {"replicas": 3}), PROGRESS, "1 old", id="old-replica-left"
        ),
        pytest.param(
            obj("apps/v1/Deployment", TWO, ROLLED | {"availableReplicas": 0}),
            PROGRESS,
            "0 of 2",
            id="unavailable",
        ),
        pytest.param(
            obj(
                "apps/v1/Deployment",
                TWO,
                conditions(cond("Progressing", "False", "ProgressDeadlineExceeded", "too slow"), replicas=2),
            ),
            *(FAILED, "too slow"),
            id="deadline",
        ),
        pytest.param(
            obj(
                "apps/v1/Deployment",
                TWO,
                conditions(cond("ReplicaFailure", "True", "FailedCreate", "quota"), observedGeneration=1),
            ),
            *(PROGRESS, "FailedCreate: quota"),
            id="pods-refused",
        ),
        pytest.param(
            obj(
                "apps/v1/Deployment",
                TWO | {"replicas": 0},
                ROLLED
                | dict.fromkeys(("replicas", "updatedReplicas", "readyReplicas", "availableReplicas"), 0),
            ),
            *(CURRENT, "0 of 0"),
            id="scaled-to-zero",
        ),
        pytest.param(obj("apps/v1/StatefulSet", {"replicas": 2}, STATEFUL), CURRENT, "2 of 2", id="stateful"),
        pytest.param(
            obj(
                "apps/v1/StatefulSet",
                {"replicas": 2},
                STATEFUL | {"updateRevision": "b", "updatedReplicas": 1},
            ),
            *(PROGRESS, "1 of 2"),
            id="stateful-rolling",
        ),
        pytest.param(
            obj(
                "apps/v1/StatefulSet",
                {"replicas": 2, "updateStrategy": {"rollingUpdate": {"partition": 1}}},
                STATEFUL | {"updatedReplicas": 1, "updateRevision": "b"},
            ),
            *(CURRENT, "partition"),
            id="stateful-partition",
        ),
        pytest.param(
            obj("apps/v1/StatefulSet", {"updateStrategy": {"type": "OnDelete"}}),
            CURRENT,
            "deleted",
            id="on-delete",
        ),
        pytest.param(obj("apps/v1/DaemonSet", {}, DAEMON), CURRENT, "3 of 3", id="daemon"),
        pytest.param(
            obj("apps/v1/DaemonSet", {}, DAEMON | {"numberReady": 1}),
            PROGRESS,
            "1 of 3 nodes",
            id="daemon-short",
        ),
        pytest.param(obj("apps/v1/DaemonSet", {}, {}), PROGRESS, "not seen", id="daemon-unseen"),
        pytest.param(
            obj("apps/v1/ReplicaSet", {"replicas": 1}, {"fullyLabeledReplicas": 1}),
            PROGRESS,
            "available",
            id="rs",
        ),
        pytest.param(obj("batch/v1/Job", {}, {}), PROGRESS, "not started", id="job-new"),
        pytest.param(
            obj("batch/v1/Job", {}, {"startTime": "t", "active": 1}), CURRENT, "1 active", id="job-runs"
        ),
        pytest.param(obj("batch/v1/Job", {}, conditions(cond("Complete"))), CURRENT, "", id="job-done"),
        pytest.param(
            obj("batch/v1/Job", {}, conditions(cond("Failed", "True", "BackoffLimitExceeded"))),
            *(FAILED, "BackoffLimitExceeded"),
            id="job-failed",
        ),
        pytest.param(
            obj("v1/Pod", {}, conditions(cond("Ready"), phase="Running")), CURRENT, "ready", id="pod-ready"
        ),
        pytest.param(obj("v1/Pod", {}, CRASH), FAILED, "exit 137, OOMKilled", id="pod-crash-loop"),
        pytest.param(
            obj(
                "v1/Pod",
                {},
                conditions(cond("PodScheduled", "False", "Unschedulable", "0/1"), phase="Pending"),
            ),
            *(PROGRESS, "Unschedulable: 0/1"),
            id="pod-unschedulable",
        ),
        pytest.param(obj("v1/Pod", {}, {"phase": "Succeeded"}), CURRENT, "completed", id="pod-done"),
        pytest.param(
            obj("v1/Pod", {}, {"phase": "Failed", "reason": "Evicted"}), FAILED, "Evicted", id="evicted"
        ),
        pytest.param(obj("v1/Service", {"type": "LoadBalancer"}), PROGRESS, "cluster IP", id="lb-new"),
        pytest.param(
            obj("v1/Service", {"type": "LoadBalancer", "clusterIP": "1.2.3.4"}), CURRENT, "", id="lb"
        ),
        pytest.param(obj("v1/Service", {}), CURRENT, "", id="service"),
        pytest.param(
            obj("v1/PersistentVolumeClaim", {}, {"phase": "Pending"}), PROGRESS, "Pending", id="pvc-new"
        ),
        pytest.param(obj("v1/PersistentVolumeClaim", {}, {"phase": "Bound"}), CURRENT, "", id="pvc"),
        pytest.param(obj("v1/PersistentVolumeClaim", {}, {"phase": "Lost"}), FAILED, "lost", id="pvc-lost"),
        pytest.param(obj("v1/Namespace", {}, {"phase": "Active"}), CURRENT, "", id="namespace"),
        pytest.param(
            obj("v1/Namespace", {}, {"phase": "Terminating"}), TERMINATING, "", id="namespace-going"
        ),
        pytest.param(obj("policy/v1/PodDisruptionBudget", {}, {}), PROGRESS, "not seen", id="pdb-new"),
        pytest.param(
            obj("apiextensions.k8s.io/v1/CustomResourceDefinition", {}, conditions(cond("Established"))),
            *(CURRENT, ""),
            id="crd",
        ),
        pytest.param(
            obj(
                "apiextensions.k8s.io/v1/CustomResourceDefinition",
                {},
                conditions(
                    cond("NamesAccepted", "False", "Conflict", "taken"), cond("Established", "False", "x")
                ),
            ),
            *(FAILED, "Conflict: taken"),
            id="crd-name-taken",
        ),
        pytest.param(
            obj("apiregistration.k8s.io/v1/APIService", {}, conditions(cond("Available", "False", "Down"))),
            *(PROGRESS, "Down"),
            id="api-service",
        ),
    ],
)
def test_an_object_is_judged_by_what_it_says(live: Any, status: HealthStatus, words: str) -> None:
    found = assess(live)
    assert found.status is status
    assert words in found.message
