"""What the pods of one workload need of a node, beside its labels and taints."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from reconciler.model.resource import ResourceId
from reconciler.rules.facts.plain import as_list, as_mapping, dig
from reconciler.rules.facts.port import host_ports
from reconciler.rules.facts.selector import selects
from reconciler.rules.facts.workload import WorkloadFacts

__all__ = ["ONCE", "PodDemand", "pod_demands"]

#: Prefix of resources that every node has exactly once, such as a host port.
ONCE = "once:"
_HOSTNAME = "kubernetes.io/hostname"


@dataclass(frozen=True, slots=True)
class PodDemand:
    """What the pods of one workload need.

    Attributes:
        workload: Whose pods they are.
        requests: Of one pod: whole amounts, `pods` 1, and what a node has only once.
        pods: How many there are; ignored where `per_node`.
        per_node: One pod for each node in `nodes`.
        nodes: Names of the nodes (or groups) on which they may be placed.
        ordered: Whether placement depends on where other pods already are (affinity, topology spread).
    """

    workload: ResourceId
    requests: Mapping[str, int]
    pods: int
    per_node: bool
    nodes: tuple[str, ...]
    ordered: bool = False


def pod_demands(workloads: Sequence[WorkloadFacts]) -> list[PodDemand]:
    """Return what the pods of every workload need.

    A host port, and a pod that keeps its own kind off its node, count as resources that a node has once.
    Where pods depend on pods of other workloads, all are marked as ordered, because no order can be foreseen.
    """
    demands = [_demand(workload, workloads) for workload in workloads]
    if any(_reaches_others(workload, workloads) for workload in workloads):
        return [replace(demand, ordered=True) for demand in demands]
    return demands


def _demand(workload: WorkloadFacts, workloads: Sequence[WorkloadFacts]) -> PodDemand:
    requests = {**workload.pod.requests, "pods": 1}
    for port, _ in host_ports(workload):
        requests[f"{ONCE}host port {port}"] = 1
    for term in _anti_affinity(workload):
        if as_mapping(term).get("topologyKey") == _HOSTNAME and _matched(term, workload, workloads) == [
            workload
        ]:
            requests[f"{ONCE}the one pod of {workload.id.kind}/{workload.id.name} that a node may have"] = 1
    machines = sum(node.count for node in workload.candidates)
    return PodDemand(
        workload=workload.id,
        requests=requests,
        pods=workload.scale.replicas,
        per_node=workload.scale.per_node,
        nodes=tuple(node.name for node in workload.candidates),
        ordered=(machines > 1 or workload.scale.per_node) and _spreads(workload),
    )


def _spreads(workload: WorkloadFacts) -> bool:
    """Tell whether topology spread constraints may keep a pod from a node."""
    return any(
        as_mapping(constraint).get("whenUnsatisfiable", "DoNotSchedule") == "DoNotSchedule"
        for constraint in as_list(workload.pod.spec.get("topologySpreadConstraints"))
    )


def _reaches_others(workload: WorkloadFacts, workloads: Sequence[WorkloadFacts]) -> bool:
    """Tell whether a required term depends on pods of other workloads, or on groups of nodes."""
    affinity = "podAffinity", "requiredDuringSchedulingIgnoredDuringExecution"
    if as_list(dig(workload.pod.spec, "affinity", *affinity)):
        return True
    return any(
        as_mapping(term).get("topologyKey") != _HOSTNAME
        or any(other is not workload for other in _matched(term, workload, workloads))
        for term in _anti_affinity(workload)
    )


def _anti_affinity(workload: WorkloadFacts) -> Sequence[Any]:
    return as_list(
        dig(
            workload.pod.spec,
            "affinity",
            "podAntiAffinity",
            "requiredDuringSchedulingIgnoredDuringExecution",
        )
    )


def _matched(term: Any, workload: WorkloadFacts, workloads: Sequence[WorkloadFacts]) -> list[WorkloadFacts]:
    """Return the workloads whose pods a term is about; a namespace selector may mean any namespace."""
    namespaces = set(map(str, as_list(as_mapping(term).get("namespaces"))))
    anywhere = as_mapping(term).get("namespaceSelector") is not None
    if not namespaces and not anywhere:
        namespaces = {workload.id.namespace}
    return [
        other
        for other in workloads
        if (anywhere or other.id.namespace in namespaces)
        and selects(as_mapping(term).get("labelSelector"), other.pod_labels)
    ]
