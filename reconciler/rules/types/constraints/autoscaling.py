"""Autoscalers: bounds, targets and metrics."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from reconciler.rules.types.constraints.access import items, mapping, text
from reconciler.rules.types.constraints.containers import amount
from reconciler.rules.types.constraints.names import not_empty, path_segment, positive
from reconciler.rules.types.constraints.shape import REQUIRED, Complaint, Constraints, invalid, unsupported

__all__ = ["CONSTRAINTS"]


def _autoscaler(value: Mapping[str, Any], _: int) -> Iterator[Complaint]:
    low, high = value.get("minReplicas"), value.get("maxReplicas") or 0
    if value.get("maxReplicas") is not None and high < 1:
        yield (
            ("maxReplicas",),
            (
                f"{REQUIRED}: must be set and greater than 0"
                if high == 0
                else invalid(high, "must be greater than or equal to 1")
            ),
        )
    if low is not None and high < low:
        yield ("maxReplicas",), invalid(high, "must be greater than or equal to `minReplicas`")
    if low is not None and low < 0:
        yield ("minReplicas",), invalid(low, "must be greater than or equal to 1")


_SOURCES = {
    "ContainerResource": "containerResource",
    "External": "external",
    "Object": "object",
    "Pods": "pods",
    "Resource": "resource",
}


def _metric(value: Mapping[str, Any], _: int) -> Iterator[Complaint]:
    kind = text(value, "type")
    wanted = _SOURCES.get(kind)
    if wanted is None:
        yield ("type",), unsupported(kind, _SOURCES)
        return
    for name in _SOURCES.values():
        if name != wanted and value.get(name) is not None:
            yield (name,), "Forbidden: must populate the given metric source only"
    source = value.get(wanted)
    if source is None:
        yield (wanted,), f"{REQUIRED}: must populate information for the given metric source"
        return
    target = mapping(source, "target")
    has_average = target.get("averageValue") is not None
    has_share = target.get("averageUtilization") is not None
    match wanted:
        case "pods" if not has_average:
            yield (
                (wanted, "target", "averageValue"),
                f"{REQUIRED}: must specify a positive target averageValue",
            )
        case "resource" | "containerResource" if not has_average and not has_share:
            yield (
                (wanted, "target", "averageUtilization"),
                f"{REQUIRED}: must set either a target raw value or a target utilization",
            )
        case "resource" | "containerResource" if has_average and has_share:
            yield (
                (wanted, "target", "averageValue"),
                "Forbidden: may not set both a target raw value and a target utilization",
            )


def _amount(value: Any, _: int) -> str | None:
    return None if amount(value) > 0 else invalid(value, "must be positive")


_KINDS = ("AverageValue", "Utilization", "Value")


def _target_type(value: Any, _: int) -> str | None:
    return None if value in _KINDS else f"{REQUIRED}: must be either Utilization, Value, or AverageValue"


def _policies(value: Mapping[str, Any], _: int) -> Iterator[Complaint]:
    if value.get("policies") == []:
        yield ("policies",), f"{REQUIRED}: must specify at least one Policy"
    for index, each in items(value, "policies"):
        if text(each, "type") not in ("Percent", "Pods"):
            yield ("policies", index, "type"), unsupported(text(each, "type"), ("Percent", "Pods"))
        for name in ("value", "periodSeconds"):
            if (each.get(name) or 0) <= 0:
                yield ("policies", index, name), invalid(each.get(name), "must be greater than zero")
        if (each.get("periodSeconds") or 0) > 1800:
            yield (
                ("policies", index, "periodSeconds"),
                invalid(each["periodSeconds"], "must be less than or equal to 1800"),
            )


_TARGET = Constraints({"kind": not_empty(path_segment), "name": not_empty(path_segment)})

CONSTRAINTS: dict[str, Constraints] = {
    "autoscaling.v2.HorizontalPodAutoscalerSpec": Constraints({}, (_autoscaler,)),
    "autoscaling.v1.HorizontalPodAutoscalerSpec": Constraints(
        {"targetCPUUtilizationPercentage": positive}, (_autoscaler,)
    ),
    "autoscaling.v2.CrossVersionObjectReference": _TARGET,
    "autoscaling.v1.CrossVersionObjectReference": _TARGET,
    "autoscaling.v2.MetricSpec": Constraints({}, (_metric,)),
    "autoscaling.v2.MetricIdentifier": Constraints({"name": not_empty(path_segment)}),
    "autoscaling.v2.MetricTarget": Constraints(
        {"type": _target_type, "value": _amount, "averageValue": _amount, "averageUtilization": positive}
    ),
    "autoscaling.v2.HPAScalingRules": Constraints({}, (_policies,)),
}
