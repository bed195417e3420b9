"""Workloads: selectors that match, strategies that move, restart policies that fit the kind."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from reconciler.rules.types.constraints.access import items, mapping, text
from reconciler.rules.types.constraints.metadata import labels, matches, selector_is_empty
from reconciler.rules.types.constraints.names import dns_label, non_negative, rule
from reconciler.rules.types.constraints.pods import missing_volumes
from reconciler.rules.types.constraints.schedules import schedule, time_zone
from reconciler.rules.types.constraints.shape import (
    REQUIRED,
    Complaint,
    Constraints,
    WholeRule,
    invalid,
    unsupported,
)

__all__ = ["CONSTRAINTS"]

_PERCENT = re.compile(r"[0-9]+%\Z")
_POD_SPEC = ("template", "spec")
_MISMATCH = "`selector` does not match template `labels`"


def int_or_percent(value: Any, _: int) -> str | None:
    """Judge a count or a percentage, which is at most 100%."""
    if isinstance(value, str):
        if not _PERCENT.match(value):
            return invalid(
                value,
                "a valid percent string must be a numeric string followed by an ending '%' (e.g. "
                "'1%',  or '93%', "
                "regex used for validation is '[0-9]+%')",
            )
        return None
    return None if value >= 0 else invalid(value, "must be greater than or equal to 0")


def at_most_all(value: Any, minor: int) -> str | None:
    """Judge a count or a percentage of at most 100%."""
    wrong = int_or_percent(value, minor)
    if wrong is None and isinstance(value, str) and int(value[:-1]) > 100:
        return invalid(value, "must not be greater than 100%")
    return wrong


def _is_zero(value: Any) -> bool:
    return value in (0, "0%") or (isinstance(value, str) and value.rstrip("%").strip("0") == "")


def _controller(kind: str, *, own_volumes: bool = False) -> WholeRule:
    """Make the rule of a kind that keeps pods running by a selector."""

    def judge(value: Mapping[str, Any], _: int) -> Iterator[Complaint]:
        selector, template = value.get("selector"), mapping(value, "template")
        found = mapping(mapping(template, "metadata"), "labels")
        if selector is not None:
            if selector_is_empty(selector):
                yield ("selector",), invalid(selector, f"empty selector is invalid for {kind}")
            elif not matches(selector, found):
                yield ("template", "metadata", "labels"), invalid(dict(found), _MISMATCH)
        more: frozenset[str] = frozenset()
        if own_volumes:
            more = frozenset(
                text(mapping(each, "metadata"), "name") for _, each in items(value, "volumeClaimTemplates")
            )
        yield from _always(mapping(template, "spec"), kind, more)

    return judge


def _always(spec: Mapping[str, Any], kind: str, more: frozenset[str] = frozenset()) -> Iterator[Complaint]:
    policy = text(spec, "restartPolicy")
    if policy not in ("", "Always"):
        yield (*_POD_SPEC, "restartPolicy"), unsupported(policy, ("Always",))
    if spec.get("activeDeadlineSeconds") is not None:
        name = {"statefulset": "StatefulSet", "daemonset": "DaemonSet", "deployment": "ReplicaSet"}
        yield (
            (*_POD_SPEC, "activeDeadlineSeconds"),
            f"Forbidden: activeDeadlineSeconds in {name.get(kind, 'ReplicaSet')} is not Supported",
        )
    for path, message in missing_volumes(spec, more):
        yield (*_POD_SPEC, *path), message


def _replication_controller(value: Mapping[str, Any], _: int) -> Iterator[Complaint]:
    template = mapping(value, "template")
    if value.get("template") is None:
        yield ("template",), REQUIRED
        return
    found = mapping(mapping(template, "metadata"), "labels")
    # Without a selector, the labels of the template are taken.
    selector = value.get("selector") or found
    if not selector:
        yield ("selector",), REQUIRED
    elif not matches({"matchLabels": selector}, found):
        yield ("template", "metadata", "labels"), invalid(dict(found), _MISMATCH)
    yield from _always(mapping(template, "spec"), "replicationcontroller")


def _deployment(value: Mapping[str, Any], _: int) -> Iterator[Complaint]:
    deadline = value.get("progressDeadlineSeconds")
    if (600 if deadline is None else deadline) <= (value.get("minReadySeconds") or 0):
        yield ("progressDeadlineSeconds",), invalid(deadline, "must be greater than minReadySeconds")


def _deployment_strategy(value: Mapping[str, Any], _: int) -> Iterator[Complaint]:
    rolling = value.get("rollingUpdate")
    if rolling is None:
        return
    if value.get("type") == "Recreate":
        yield (
            ("rollingUpdate",),
            "Forbidden: may not be specified when strategy `type` is 'Recreate'",
        )
        return
    surge, gone = rolling.get("maxSurge"), rolling.get("maxUnavailable")
    if gone is not None and surge is not None and _is_zero(gone) and _is_zero(surge):
        yield (
            ("rollingUpdate", "maxUnavailable"),
            invalid(gone, "may not be 0 when `maxSurge` is 0"),
        )


def _daemon_strategy(value: Mapping[str, Any], _: int) -> Iterator[Complaint]:
    rolling = mapping(value, "rollingUpdate")
    if value.get("type") == "OnDelete":
        return
    surge, gone = rolling.get("maxSurge"), rolling.get("maxUnavailable")
    moves_surge = surge is not None and not _is_zero(surge)
    moves_gone = gone is None or not _is_zero(gone)
    if moves_surge and moves_gone:
        yield (
            ("rollingUpdate", "maxSurge"),
            invalid(surge, "may not be set when maxUnavailable is non-zero"),
        )
    elif not moves_surge and not moves_gone:
        yield (
            ("rollingUpdate", "maxUnavailable"),
            f"{REQUIRED}: cannot be 0 when maxSurge is 0",
        )


def _stateful_strategy(value: Mapping[str, Any], _: int) -> Iterator[Complaint]:
    if value.get("type") == "OnDelete" and value.get("rollingUpdate") is not None:
        yield (
            ("rollingUpdate",),
            invalid(value["rollingUpdate"], "only allowed for updateStrategy 'RollingUpdate'"),
        )


def _job(value: Mapping[str, Any], _: int) -> Iterator[Complaint]:
    template = mapping(value, "template")
    spec = mapping(template, "spec")
    policy = text(spec, "restartPolicy")
    if policy in ("", "Always"):
        yield (*_POD_SPEC, "restartPolicy"), f'{REQUIRED}: valid values: "OnFailure", "Never"'
    elif value.get("podFailurePolicy") is not None and policy != "Never":
        yield (
            (*_POD_SPEC, "restartPolicy"),
            invalid(policy, 'only "Never" is supported when podFailurePolicy is specified'),
        )
    if value.get("manualSelector") is True:
        selector = value.get("selector")
        if selector is None:
            yield ("selector",), REQUIRED
        elif not matches(selector, mapping(mapping(template, "metadata"), "labels")):
            yield (
                ("template", "metadata", "labels"),
                invalid(dict(mapping(mapping(template, "metadata"), "labels")), _MISMATCH),
            )
    elif value.get("selector") is not None:
        yield ("selector",), invalid(value["selector"], "`selector` not auto-generated")
    if value.get("completionMode") == "Indexed":
        if value.get("completions") is None and value.get("parallelism") is not None:
            yield ("completions",), f"{REQUIRED}: when completion mode is Indexed"
    else:
        for field in ("backoffLimitPerIndex", "maxFailedIndexes"):
            if value.get(field) is not None:
                yield (field,), invalid(value[field], "requires indexed completion mode")
        if value.get("successPolicy") is not None:
            yield ("successPolicy",), invalid(value["successPolicy"], "requires indexed completion mode")
    for path, message in missing_volumes(spec):
        yield (*_POD_SPEC, *path), message


def _pod(value: Mapping[str, Any], _: int) -> Iterator[Complaint]:
    for path, message in missing_volumes(mapping(value, "spec")):
        yield ("spec", *path), message


def _pod_template(value: Mapping[str, Any], _: int) -> Iterator[Complaint]:
    for path, message in missing_volumes(mapping(mapping(value, "template"), "spec")):
        yield (*_POD_SPEC, *path), message


def _budget(value: Mapping[str, Any], _: int) -> Iterator[Complaint]:
    if value.get("minAvailable") is not None and value.get("maxUnavailable") is not None:
        yield (), invalid(value, "minAvailable and maxUnavailable cannot be both set")


_COUNTS = {"replicas": non_negative, "minReadySeconds": non_negative, "revisionHistoryLimit": non_negative}

CONSTRAINTS: dict[str, Constraints] = {
    "apps.v1.DeploymentSpec": Constraints(
        {**_COUNTS, "progressDeadlineSeconds": non_negative}, (_controller("deployment"), _deployment)
    ),
    "apps.v1.DeploymentStrategy": Constraints({}, (_deployment_strategy,)),
    "apps.v1.RollingUpdateDeployment": Constraints(
        {"maxSurge": int_or_percent, "maxUnavailable": at_most_all}
    ),
    "apps.v1.ReplicaSetSpec": Constraints(_COUNTS, (_controller("deployment"),)),
    "apps.v1.DaemonSetSpec": Constraints(_COUNTS, (_controller("daemonset"),)),
    "apps.v1.DaemonSetUpdateStrategy": Constraints({}, (_daemon_strategy,)),
    "apps.v1.RollingUpdateDaemonSet": Constraints({"maxSurge": at_most_all, "maxUnavailable": at_most_all}),
    "apps.v1.StatefulSetSpec": Constraints(
        {"replicas": non_negative, "minReadySeconds": non_negative, "serviceName": rule(dns_label)},
        (_controller("statefulset", own_volumes=True),),
    ),
    "apps.v1.StatefulSetUpdateStrategy": Constraints({}, (_stateful_strategy,)),
    "apps.v1.RollingUpdateStatefulSetStrategy": Constraints({"partition": non_negative}),
    "core.v1.ReplicationControllerSpec": Constraints(
        {"replicas": non_negative, "minReadySeconds": non_negative, "selector": labels},
        (_replication_controller,),
    ),
    "core.v1.Pod": Constraints({}, (_pod,)),
    "core.v1.PodTemplate": Constraints({}, (_pod_template,)),
    "batch.v1.JobSpec": Constraints(
        dict.fromkeys(
            (
                "parallelism",
                "completions",
                "activeDeadlineSeconds",
                "backoffLimit",
                "ttlSecondsAfterFinished",
                "backoffLimitPerIndex",
                "maxFailedIndexes",
            ),
            non_negative,
        ),
        (_job,),
    ),
    "batch.v1.CronJobSpec": Constraints(
        {
            "schedule": schedule,
            "timeZone": time_zone,
            "startingDeadlineSeconds": non_negative,
            "successfulJobsHistoryLimit": non_negative,
            "failedJobsHistoryLimit": non_negative,
        }
    ),
    "policy.v1.PodDisruptionBudgetSpec": Constraints(
        {"minAvailable": at_most_all, "maxUnavailable": at_most_all}, (_budget,)
    ),
}
