"""What the pods of one workload need of a node, beside its labels and taints."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from reconciler.model.resource import ResourceId
from reconciler.rules.facts.node import NodeFacts
from reconciler.rules.facts.port import host_ports
from reconciler.rules.facts.together import ANYWHERE, Together, is_alone_on_its_node, together
from reconciler.rules.facts.workload import WorkloadFacts

__all__ = ["ONCE", "PodDemand", "pod_demands"]

#: Prefix of resources that every node has exactly once, such as a host port.
ONCE = "once:"


@dataclass(frozen=True, slots=True)
class PodDemand:
    """What the pods of one workload need.

    Attributes:
        workload: Whose pods they are.
        requests: Of one pod: whole amounts, `pods` 1, and what a node has only once.
        pods: How many there are; ignored where `per_node`.
        per_node: One pod for each node in `nodes`.
        nodes: Names of the nodes (or groups) on which they may be placed.
        together: Beside which other pods they may stand; numbers are those of the list of demands.
    """

    workload: ResourceId
    requests: Mapping[str, int]
    pods: int
    per_node: bool
    nodes: tuple[str, ...]
    together: Together = ANYWHERE


def pod_demands(workloads: Sequence[WorkloadFacts], nodes: Sequence[NodeFacts]) -> list[PodDemand]:
    """Return what the pods of every workload need.

    A host port, and a pod that keeps its own kind off its node, count as resources that a node has once.
    """
    rules = together(workloads, nodes)
    return [_demand(workload, rule) for workload, rule in zip(workloads, rules, strict=True)]


def _demand(workload: WorkloadFacts, rule: Together) -> PodDemand:
    requests = {**workload.pod.requests, "pods": 1}
    for port, _ in host_ports(workload):
        requests[f"{ONCE}host port {port}"] = 1
    if is_alone_on_its_node(workload):
        requests[f"{ONCE}the one pod of {workload.id.kind}/{workload.id.name} that a node may have"] = 1
    return PodDemand(
        workload=workload.id,
        requests=requests,
        pods=workload.scale.replicas,
        per_node=workload.scale.per_node,
        nodes=tuple(node.name for node in workload.candidates),
        together=rule,
    )
