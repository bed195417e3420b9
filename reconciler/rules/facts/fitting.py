"""Where the pods of a site go, as rules see it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from reconciler.rules.facts.amounts import is_extended
from reconciler.rules.facts.demand import PodDemand, pod_demands
from reconciler.rules.facts.fit import Fit, FitVerdict, NodeUse, fit
from reconciler.rules.facts.node import NodeFacts
from reconciler.rules.facts.workload import WorkloadFacts

__all__ = ["fit_values"]


def fit_values(workloads: Sequence[WorkloadFacts], nodes: Sequence[NodeFacts]) -> dict[str, Any]:
    """Compute where pods go.

    `verdict` is `fits`, `depends` (on the order in which pods come) or `unschedulable`; `unplaced` are the
    workloads with pods for which no node is left, `risky` those that an unlucky order leaves without, `stuck`
    those whose rollout waits for ever for room for one pod more, `nodes` a placement. A workload that no node
    takes by labels and taints, or that asks for a device that no node declares, is left out: that is another
    question, with another answer.
    """
    offered = {name for node in nodes for name in node.allocatable}
    demands = [
        demand
        for demand in pod_demands(workloads)
        if demand.nodes and not any(is_extended(n) and n not in offered for n in demand.requests)
    ]
    found = fit(demands, nodes)
    stranded = [
        {"id": str(workload.id), "pods": pods, "reason": f"{node}: {reason}"}
        for workload in workloads
        for node, pods, reason in workload.stranded
    ]
    return {
        "verdict": FitVerdict.UNSCHEDULABLE.value if stranded else found.verdict.value,
        "unplaced": _unplaced(found) + stranded,
        "risky": [str(workload) for workload in found.risky],
        "stuck": _stuck(demands, workloads, nodes) if found.verdict is not FitVerdict.UNSCHEDULABLE else [],
        "nodes": [_node(node) for node in found.nodes],
    }


def _unplaced(found: Fit) -> list[dict[str, Any]]:
    return [{"id": str(item.workload), "pods": item.pods, "reason": item.reason} for item in found.unplaced]


def _stuck(
    demands: Sequence[PodDemand], workloads: Sequence[WorkloadFacts], nodes: Sequence[NodeFacts]
) -> list[dict[str, Any]]:
    """Return the Deployments that must start a new pod before they stop an old one, and have no room."""
    scales = {workload.id: workload.scale for workload in workloads}
    waiting = [
        number
        for number, demand in enumerate(demands)
        if scales[demand.workload].surge and not scales[demand.workload].unavailable
    ]
    together = [replace(d, pods=d.pods + (n in waiting)) for n, d in enumerate(demands)]
    if not waiting or fit(together, nodes, any_order=False).verdict is FitVerdict.FITS:
        return []
    stuck: list[dict[str, Any]] = []
    for number in waiting:
        demand = demands[number]
        more = [*demands[:number], replace(demand, pods=demand.pods + 1), *demands[number + 1 :]]
        found = fit(more, nodes, any_order=False)
        if found.verdict is FitVerdict.UNSCHEDULABLE:
            stuck += [{**item, "id": str(demand.workload)} for item in _unplaced(found)[:1]]
    return stuck


def _node(node: NodeUse) -> dict[str, Any]:
    return {
        "name": node.name,
        "allocatable": dict(node.allocatable),
        "used": dict(node.used),
        "pods": [{"id": str(workload), "count": count} for workload, count in node.pods],
    }
