"""Rules for built-in kinds that run containers.

Every count is compared with what `spec` asks for, so that a rollout is Current when all of it has arrived and
none of the old is left.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from reconciler.health.conditions import condition, current, failed, in_progress, number, section, text
from reconciler.model.plan import Health
from reconciler.model.resource import Manifest

__all__ = ["daemon_set", "deployment", "job", "pod", "replica_set", "stateful_set"]

#: The value that the API server takes for "no deadline".
_NO_DEADLINE = 2**31 - 1


def deployment(live: Manifest) -> Health:
    """Return the health of a Deployment: Failed once its progress deadline has passed."""
    spec, status = section(live, "spec"), section(live, "status")
    progressing, available = condition(live, "Progressing"), condition(live, "Available")
    if progressing and progressing.get("reason") == "ProgressDeadlineExceeded":
        return failed(text(progressing))
    failure = condition(live, "ReplicaFailure")
    why = f" ({text(failure)})" if failure and failure.get("status") == "True" else ""
    wanted = number(spec, "replicas", 1)
    there, updated = number(status, "replicas"), number(status, "updatedReplicas")
    ready, usable = number(status, "readyReplicas"), number(status, "availableReplicas")
    if "observedGeneration" not in status:
        return in_progress("its controller has not seen it yet")
    if there < wanted:
        return in_progress(f"{there} of {wanted} replicas exist{why}")
    if updated < wanted:
        return in_progress(f"{updated} of {wanted} replicas are updated{why}")
    if there > wanted:
        return in_progress(f"{there - wanted} old replicas are still there")
    if usable < updated:
        return in_progress(f"{usable} of {updated} updated replicas are available{why}")
    if ready < wanted:
        return in_progress(f"{ready} of {wanted} replicas are ready{why}")
    deadline = number(spec, "progressDeadlineSeconds", _NO_DEADLINE)
    done = progressing and progressing.get("status") == "True"
    arrived = done and progressing and progressing.get("reason") == "NewReplicaSetAvailable"
    if deadline != _NO_DEADLINE and not arrived:
        return in_progress("its new ReplicaSet is not available yet")
    if not available or available.get("status") != "True":
        return in_progress(text(available) if available else "it is not available yet")
    return current(f"{ready} of {wanted} replicas are ready")


def replica_set(live: Manifest) -> Health:
    """Return the health of a ReplicaSet or ReplicationController."""
    spec, status = section(live, "spec"), section(live, "status")
    failure = condition(live, "ReplicaFailure")
    if failure and failure.get("status") == "True":
        return in_progress(text(failure))
    wanted = number(spec, "replicas", 1)
    for name, word in (
        ("fullyLabeledReplicas", "labelled"),
        ("availableReplicas", "available"),
        ("readyReplicas", "ready"),
    ):
        if (count := number(status, name)) < wanted:
            return in_progress(f"{count} of {wanted} replicas are {word}")
    if (there := number(status, "replicas")) > wanted:
        return in_progress(f"{there - wanted} replicas too many are still there")
    return current(f"{wanted} of {wanted} replicas are ready")


def stateful_set(live: Manifest) -> Health:
    """Return the health of a StatefulSet. With OnDelete a person rolls it, so it is never waited for."""
    spec, status = section(live, "spec"), section(live, "status")
    strategy = section(spec, "updateStrategy")
    if strategy.get("type") == "OnDelete":
        return current("its pods are updated when they are deleted")
    if "observedGeneration" not in status:
        return in_progress("its controller has not seen it yet")
    wanted, there = number(spec, "replicas", 1), number(status, "replicas")
    if there < wanted:
        return in_progress(f"{there} of {wanted} replicas exist")
    if (ready := number(status, "readyReplicas")) < wanted:
        return in_progress(f"{ready} of {wanted} replicas are ready")
    if there > wanted:
        return in_progress(f"{there - wanted} replicas too many are still there")
    updated = number(status, "updatedReplicas")
    partition = number(section(strategy, "rollingUpdate"), "partition")
    if partition > 0:
        if updated < wanted - partition:
            return in_progress(f"{updated} of {wanted - partition} replicas of the partition are updated")
        return current(f"{updated} replicas of the partition are updated")
    if (still := number(status, "currentReplicas")) < wanted:
        return in_progress(f"{still} of {wanted} replicas are of the current revision")
    if status.get("currentRevision") != status.get("updateRevision"):
        return in_progress(f"{updated} of {wanted} replicas are updated")
    return current(f"{ready} of {wanted} replicas are ready")


def daemon_set(live: Manifest) -> Health:
    """Return the health of a DaemonSet: every node that should run it does."""
    status = section(live, "status")
    if "observedGeneration" not in status or "desiredNumberScheduled" not in status:
        return in_progress("its controller has not seen it yet")
    wanted = number(status, "desiredNumberScheduled")
    counts = (
        ("currentNumberScheduled", "have its pod"),
        ("updatedNumberScheduled", "have the updated pod"),
        ("numberAvailable", "have it available"),
        ("numberReady", "have it ready"),
    )
    on_delete = section(section(live, "spec"), "updateStrategy").get("type") == "OnDelete"
    for name, words in counts:
        if on_delete and name == "updatedNumberScheduled":
            continue
        if (count := number(status, name)) < wanted:
            return in_progress(f"{count} of {wanted} nodes {words}")
    return current(f"{wanted} of {wanted} nodes have it ready")


def job(live: Manifest) -> Health:
    """Return the health of a Job: Current while it runs and when it is done, as kstatus has it."""
    spec, status = section(live, "spec"), section(live, "status")
    succeeded, wanted = (
        number(status, "succeeded"),
        number(spec, "completions", number(spec, "parallelism", 1)),
    )
    for kind in ("Complete", "Failed", "Suspended"):
        found = condition(live, kind)
        if found and found.get("status") == "True":
            if kind == "Failed":
                return failed(text(found))
            return current(f"{succeeded} of {wanted} completions" if kind == "Complete" else "suspended")
    if not status.get("startTime"):
        return in_progress("it has not started yet")
    active, bad = number(status, "active"), number(status, "failed")
    return current(f"running: {succeeded} of {wanted} completions, {active} active, {bad} failed")


def pod(live: Manifest) -> Health:
    """Return the health of a Pod. One that cannot be scheduled is waited for: nodes come and go."""
    status = section(live, "status")
    match status.get("phase"):
        case "Succeeded":
            return current("it has completed")
        case "Failed":
            return failed(
                _terminated(status) or str(status.get("message") or status.get("reason") or "failed")
            )
        case "Running":
            ready = condition(live, "Ready")
            if ready and ready.get("status") == "True":
                return current("it is ready")
            if crashing := _waiting(status, "CrashLoopBackOff"):
                last = _terminated(status)
                return failed(f"{crashing}: {last}" if last else crashing)
            return in_progress(text(ready) if ready else "it is running and not ready yet")
        case "Pending":
            scheduled = condition(live, "PodScheduled")
            if scheduled and scheduled.get("status") == "False":
                return in_progress(text(scheduled))
            return in_progress(_waiting(status) or "it is pending")
        case _:
            return in_progress("no node has seen it yet")


def _statuses(status: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    rows: list[Mapping[str, Any]] = []
    for name in ("initContainerStatuses", "containerStatuses"):
        found = status.get(name)
        rows.extend(row for row in (found if isinstance(found, list) else ()) if isinstance(row, Mapping))
    return rows


def _waiting(status: Mapping[str, Any], reason: str = "") -> str:
    """Return why the first container that waits does so: "container web: ErrImagePull: ..."."""
    for row in _statuses(status):
        waiting = section(section(row, "state"), "waiting")
        if waiting.get("reason") and reason in ("", waiting["reason"]):
            return f"container {row.get('name')}: {text(waiting)}"
    return ""


def _terminated(status: Mapping[str, Any]) -> str:
    """Return how the last container ended that did not end well: "exit 137, OOMKilled"."""
    for row in reversed(_statuses(status)):
        for place in ("state", "lastState"):
            ended = section(section(row, place), "terminated")
            if number(ended, "exitCode"):
                reason = f", {ended['reason']}" if ended.get("reason") else ""
                return f"container {row.get('name')}: exit {ended['exitCode']}{reason}"
    return ""
