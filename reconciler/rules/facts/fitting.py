"""Where the pods of a site go, as rules see it."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace
from typing import Any

from reconciler.model.fieldpath import FieldPath, format_field_path
from reconciler.rules.facts.amounts import is_extended
from reconciler.rules.facts.demand import PodDemand, pod_demands
from reconciler.rules.facts.fit import Fit, FitVerdict, NodeUse, fit
from reconciler.rules.facts.node import NodeFacts
from reconciler.rules.facts.plain import dig
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
        demand if _has_home(demand, offered) else replace(demand, pods=0, per_node=False)
        for demand in pod_demands(workloads, nodes)
    ]
    found = fit(demands, nodes)
    stranded = [
        {
            "id": str(workload.id),
            "pods": pods,
            "reason": f"{node}: {reason}",
            "fieldPath": format_field_path((*workload.pod.path, _stranding(reason))),
        }
        for workload in workloads
        for node, pods, reason in workload.stranded
    ]
    return {
        "verdict": FitVerdict.UNSCHEDULABLE.value if stranded else found.verdict.value,
        "unplaced": _unplaced(found, workloads) + stranded,
        "risky": [str(workload) for workload in found.risky],
        "stuck": _stuck(demands, workloads, nodes) if found.verdict is not FitVerdict.UNSCHEDULABLE else [],
        "nodes": [_node(node) for node in found.nodes],
    }


def _stranding(reason: str) -> str:
    return "topologySpreadConstraints" if "to be spread" in reason else "runtimeClassName"


def _has_home(demand: PodDemand, offered: Collection[str]) -> bool:
    return bool(demand.nodes) and not any(is_extended(n) and n not in offered for n in demand.requests)


def _unplaced(found: Fit, workloads: Sequence[WorkloadFacts]) -> list[dict[str, Any]]:
    by_id = {workload.id: workload for workload in workloads}
    return [
        {
            "id": str(item.workload),
            "pods": item.pods,
            "reason": item.reason,
            "fieldPath": format_field_path(_deciding(by_id[item.workload], item.resource)),
        }
        for item in found.unplaced
    ]


def _deciding(workload: WorkloadFacts, resource: str) -> FieldPath:
    """Return the field that asks for most of a resource, or the pod spec."""
    asking = [
        (amount, container)
        for container in workload.pod.containers
        if (amount := container.requests.get(resource, 0))
    ]
    for _, container in sorted(asking, key=lambda pair: -pair[0])[:1]:
        for which in ("requests", "limits"):
            if dig(container.spec, "resources", which, resource) is not None:
                return (*container.field_path, "resources", which, resource)
    if dig(workload.pod.spec, "resources", "requests", resource) is not None:
        return (*workload.pod.path, "resources", "requests", resource)
    return workload.pod.path


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
            stuck += [
                {"id": str(demand.workload), "pods": item.pods, "reason": item.reason}
                for item in found.unplaced[:1]
            ]
    return stuck


def _node(node: NodeUse) -> dict[str, Any]:
    return {
        "name": node.name,
        "allocatable": dict(node.allocatable),
        "used": dict(node.used),
        "pods": [{"id": str(workload), "count": count} for workload, count in node.pods],
    }
