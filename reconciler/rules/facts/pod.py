"""What one pod asks for, by the scheduler's own formula.

Sources: `k8s.io/component-helpers/resource` (`PodRequests`, `PodLimits`: init containers, restartable init
containers, pod-level resources, overhead), `pkg/apis/core/v1/defaults.go` (requests from limits, both of
containers and of pods), `plugin/pkg/admission/limitranger` and `plugin/pkg/admission/runtimeclass`.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from reconciler.model.fieldpath import FieldPath
from reconciler.rules.facts.admission import PodAdmission
from reconciler.rules.facts.amounts import Amounts, add, format_amount, maximum, parse_amounts
from reconciler.rules.facts.plain import as_list, as_mapping
from reconciler.rules.facts.problem import FactProblem

__all__ = ["Container", "ContainerType", "PodFacts", "pod_facts"]

_POD_LEVEL = frozenset({"cpu", "memory"})


class ContainerType(enum.Enum):
    """How a container of a pod runs."""

    CONTAINER = "container"
    INIT = "init"
    SIDECAR = "sidecar"
    EPHEMERAL = "ephemeral"


@dataclass(frozen=True)
class Container:
    """One container, after admission.

    Attributes:
        field_path: Where it stands in the workload.
        spec: The container as written.
        requests: With defaults from limits and LimitRanges.
        limits: With defaults from LimitRanges.
    """

    name: str
    type: ContainerType
    field_path: FieldPath
    spec: Mapping[str, Any]
    requests: Amounts
    limits: Amounts

    @property
    def image(self) -> str:
        """The image as written, or ""."""
        return str(self.spec.get("image") or "")


@dataclass(frozen=True)
class PodFacts:
    """One pod, after admission.

    Attributes:
        spec: The pod spec, with what a RuntimeClass adds.
        path: Where the pod spec stands in the workload.
        requests: What the scheduler counts.
        limits: What the pod may use at most; a resource that some container leaves open is not in it.
        overhead: The RuntimeClass's share of `requests`.
    """

    spec: Mapping[str, Any]
    path: FieldPath
    containers: tuple[Container, ...]
    requests: Amounts
    limits: Amounts
    overhead: Amounts


def pod_facts(
    spec: Mapping[str, Any], path: FieldPath, admission: PodAdmission, problems: list[FactProblem]
) -> PodFacts:
    """Compute the facts of one pod.

    Args:
        spec: The pod spec of a workload's template.
        path: Where it stands in the workload.
        admission: The namespace's LimitRanges and the RuntimeClasses.
        problems: Receives what is not a quantity, and classes that are not known.
    """
    admitted, overhead = admission.runtime_class(spec, path, problems)
    containers: list[Container] = []
    for field, plain in (
        ("initContainers", ContainerType.INIT),
        ("containers", ContainerType.CONTAINER),
        ("ephemeralContainers", ContainerType.EPHEMERAL),
    ):
        for index, item in enumerate(as_list(spec.get(field))):
            body = as_mapping(item)
            sidecar = plain is ContainerType.INIT and body.get("restartPolicy") == "Always"
            kind = ContainerType.SIDECAR if sidecar else plain
            containers.append(_container(body, kind, (*path, field, index), admission, problems))
    requests = _requests(containers)
    limits = _sum([c.limits for c in containers if c.type is not ContainerType.EPHEMERAL], containers)
    pod_limits = _pod_level(spec, path, "limits", problems)
    pod_requests = _pod_level(spec, path, "requests", problems)
    if pod_limits or pod_requests:
        problems.extend(_too_small(pod_requests, pod_limits, requests, containers, path))
        for name, amount in requests.items():
            if _is_pod_level(name):
                pod_requests.setdefault(name, amount)
        for name, amount in pod_limits.items():
            pod_requests.setdefault(name, amount)
        requests.update(pod_requests)
        limits.update(pod_limits)
    add(requests, overhead)
    for name in limits:
        if limits[name]:
            limits[name] += overhead.get(name, 0)
    return PodFacts(admitted, path, tuple(containers), requests, limits, overhead)


def _container(
    body: Mapping[str, Any],
    kind: ContainerType,
    path: FieldPath,
    admission: PodAdmission,
    problems: list[FactProblem],
) -> Container:
    resources = as_mapping(body.get("resources"))
    at = (*path, "resources")
    limits = parse_amounts(resources.get("limits"), (*at, "limits"), problems)
    requests = parse_amounts(resources.get("requests"), (*at, "requests"), problems)
    if kind is not ContainerType.EPHEMERAL:
        for name, amount in limits.items():
            requests.setdefault(name, amount)
        for default_requests, default_limits in admission.container_defaults:
            for name, amount in default_requests.items():
                requests.setdefault(name, amount)
            for name, amount in default_limits.items():
                limits.setdefault(name, amount)
        problems.extend(
            FactProblem(
                f"{name}: {format_amount(name, amount)} is requested and the limit is "
                f"{format_amount(name, limits[name])}, so the API server refuses the pod",
                at,
            )
            for name, amount in requests.items()
            if amount > limits.get(name, amount)
        )
    return Container(str(body.get("name") or ""), kind, path, body, requests, limits)


def _requests(containers: Sequence[Container]) -> Amounts:
    """Sum requests as `AggregateContainerRequests` does."""
    total: Amounts = {}
    sidecars: Amounts = {}
    initial: Amounts = {}
    for container in containers:
        match container.type:
            case ContainerType.CONTAINER:
                add(total, container.requests)
            case ContainerType.SIDECAR:
                add(total, container.requests)
                add(sidecars, container.requests)
                maximum(initial, sidecars)
            case ContainerType.INIT:
                during = dict(sidecars)
                add(during, container.requests)
                maximum(initial, during)
            case ContainerType.EPHEMERAL:
                pass
    maximum(total, initial)
    return total


def _sum(limits: Sequence[Amounts], containers: Sequence[Container]) -> Amounts:
    """Sum limits of what runs together; a resource that one container leaves open has no limit."""
    running = [c for c in containers if c.type in {ContainerType.CONTAINER, ContainerType.SIDECAR}]
    total: Amounts = {}
    for container in running:
        add(total, container.limits)
    for container in containers:
        if container.type is ContainerType.INIT:
            maximum(total, container.limits)
    names = {name for amounts in limits for name in amounts}
    return {name: total[name] for name in sorted(names) if all(name in c.limits for c in running)}


def _is_pod_level(name: str) -> bool:
    return name in _POD_LEVEL or name.startswith("hugepages-")


def _too_small(
    requests: Amounts, limits: Amounts, asked: Amounts, containers: Sequence[Container], path: FieldPath
) -> list[FactProblem]:
    """Return what the API server refuses of pod-level resources (`validatePodResourceConsistency`)."""
    problems = [
        FactProblem(
            f"{name}: the pod requests {format_amount(name, amount)} and its containers together "
            f"{format_amount(name, asked[name])}, so the API server refuses the pod",
            (*path, "resources", "requests", name),
        )
        for name, amount in requests.items()
        if asked.get(name, 0) > amount
    ]
    problems += [
        FactProblem(
            f"{name}: the limit of container {container.name} is "
            f"{format_amount(name, container.limits[name])}, that of the pod {format_amount(name, amount)}, "
            "so the API server refuses the pod",
            (*container.field_path, "resources", "limits", name),
        )
        for name, amount in limits.items()
        for container in containers
        if container.limits.get(name, 0) > amount
    ]
    return problems


def _pod_level(spec: Mapping[str, Any], path: FieldPath, which: str, problems: list[FactProblem]) -> Amounts:
    resources = as_mapping(spec.get("resources"))
    amounts = parse_amounts(resources.get(which), (*path, "resources", which), problems)
    return {name: amount for name, amount in amounts.items() if _is_pod_level(name)}
