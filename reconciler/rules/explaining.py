"""From a site and its desired set to what its resources are used for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from reconciler.model.explanation import (
    BudgetUse,
    Consumer,
    NodeRoom,
    PodsWithoutRoom,
    RoomFor,
    SiteExplanation,
)
from reconciler.model.fleet import Fleet
from reconciler.model.kinds import workload_kinds
from reconciler.model.lock import ImagesLock
from reconciler.model.resource import Resource
from reconciler.model.site import Site
from reconciler.rules.facts.amounts import format_amount
from reconciler.rules.facts.demand import ONCE, pod_demands
from reconciler.rules.facts.workload import WorkloadFacts
from reconciler.rules.subjects import SiteSubjects, SubjectMemo

__all__ = ["explain_site"]

#: Resources that are not counted where a node does not say how much it has.
_COUNTED = frozenset({"cpu", "memory", "ephemeral-storage", "pods"})


def explain_site(
    site: Site, resources: Sequence[Resource], *, fleet: Fleet, lock: ImagesLock | None
) -> SiteExplanation:
    """Say what uses a site's resources, where each pod goes, and what would still fit.

    Args:
        site: The site.
        resources: Its desired set, with the API server's defaults.
        fleet: The fleet.
        lock: The fleet's images.lock, or None.
    """
    subjects = SiteSubjects(
        site,
        resources,
        fleet=fleet,
        lock=lock,
        memo=SubjectMemo(),
        kinds=workload_kinds(fleet.manifest),
    )
    fit, usage = subjects.value("fit"), subjects.value("usage")
    nowhere = [
        PodsWithoutRoom(
            str(workload.id),
            workload.scale.replicas,
            "; ".join(f"{node}: {reason}" for node, reason in workload.refusals),
        )
        for workload in subjects.workloads
        if workload.scale.replicas and not workload.candidates and not workload.scale.per_node
    ]
    unplaced = [PodsWithoutRoom(item["id"], item["pods"], item["reason"]) for item in fit["unplaced"]]
    return SiteExplanation(
        site=site.name,
        verdict="unschedulable" if nowhere else fit["verdict"],
        budgets=tuple(_budget(name, entry) for name, entry in usage.items() if name != "pods"),
        nodes=tuple(_node(node) for node in fit["nodes"]),
        without_room=tuple(nowhere + unplaced),
        room_for=tuple(_room_for(workload, fit["nodes"], usage) for workload in _growing(subjects)),
    )


def _growing(subjects: SiteSubjects) -> list[WorkloadFacts]:
    """Return the workloads of which there could be more, each that has a node and asks for something."""
    return [
        workload
        for workload in subjects.workloads
        if workload.candidates and not workload.scale.per_node and any(workload.pod.requests.values())
    ]


def _room_for(
    workload: WorkloadFacts, nodes: Sequence[Mapping[str, Any]], usage: Mapping[str, Mapping[str, Any]]
) -> RoomFor:
    """Count the pods that the nodes take beside what stands there, as far as the budgets go."""
    groups = {node.name for node in workload.candidates}
    once = {
        name for demand in pod_demands([workload], ()) for name in demand.requests if name.startswith(ONCE)
    }
    pods, ends = 0, ""
    for node in nodes:
        if node["name"].partition("[")[0] not in groups:
            continue
        fitting, lacking = _most(workload.pod.requests, node["allocatable"], node["used"])
        if once and fitting:
            here = any(item["id"] == str(workload.id) for item in node["pods"])
            fitting, lacking = 0 if here else 1, "what a node has once"
        pods, ends = pods + fitting, lacking or ends
    bound = f"{ends} of the nodes" if ends in _COUNTED else ends
    for name, entry in usage.items():
        each = workload.pod.requests.get(name, 0)
        if each and entry["declared"]:
            left = max(entry["budget"] - entry["asked"], 0) // each
            if left < pods:
                pods, bound = left, f"{name} of the budget"
    return RoomFor(str(workload.id), pods, bound)


def _most(requests: Mapping[str, int], has: Mapping[str, int], used: Mapping[str, int]) -> tuple[int, str]:
    """Return how many more pods one node takes, and the resource that ends first."""
    found = [
        (max(has.get(name, 0) - used.get(name, 0), 0) // each, name)
        for name, each in {**requests, "pods": 1}.items()
        if each and (name in has or name not in _COUNTED)
    ]
    return min(found)


def _budget(name: str, entry: Mapping[str, Any]) -> BudgetUse:
    budget = entry["budget"]
    return BudgetUse(
        resource=name,
        asked=entry["askedText"],
        budget=entry["budgetText"] if budget >= 0 else "",
        declared=entry["declared"],
        percent=_percent(entry["asked"], budget),
        consumers=tuple(
            Consumer(
                workload=item["id"],
                pods=item["pods"],
                each=format_amount(name, item["each"]),
                total=format_amount(name, item["amount"]),
                share=_percent(item["amount"], budget),
            )
            for item in entry["consumers"]
        ),
        left=format_amount(name, max(budget - entry["asked"], 0)) if budget >= 0 else "",
    )


def _percent(amount: int, of: int) -> int:
    return round(100 * amount / of) if of > 0 else -1


def _node(node: Mapping[str, Any]) -> NodeRoom:
    return NodeRoom(
        name=node["name"],
        pods=tuple((item["id"], item["count"]) for item in node["pods"]),
        free=tuple(
            (name, format_amount(name, max(amount - node["used"].get(name, 0), 0)))
            for name, amount in sorted(node["allocatable"].items())
        ),
    )
