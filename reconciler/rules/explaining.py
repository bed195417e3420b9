"""From a site and its desired set to what its resources are used for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from reconciler.model.explanation import BudgetUse, Consumer, NodeRoom, PodsWithoutRoom, SiteExplanation
from reconciler.model.fleet import Fleet
from reconciler.model.kinds import workload_kinds
from reconciler.model.lock import ImagesLock
from reconciler.model.resource import Resource
from reconciler.model.site import Site
from reconciler.rules.facts.amounts import format_amount
from reconciler.rules.subjects import SiteSubjects, SubjectMemo

__all__ = ["explain_site"]


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
        budgets=tuple(_budget(name, entry) for name, entry in usage.items()),
        nodes=tuple(_node(node) for node in fit["nodes"]),
        without_room=tuple(nowhere + unplaced),
    )


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
