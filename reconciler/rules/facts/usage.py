"""What all workloads of a site ask for together, beside what the site gives."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import Any

from reconciler.model.site import Budgets
from reconciler.rules.facts.amounts import DEFAULT_PODS, Amounts, add, format_amount, whole
from reconciler.rules.facts.node import NodeFacts
from reconciler.rules.facts.workload import WorkloadFacts

__all__ = ["usage_values"]

_NAMED = 3
_BUDGETED = ("cpu", "memory", "ephemeral-storage", "pods")


def usage_values(
    workloads: Sequence[WorkloadFacts], nodes: Sequence[NodeFacts], budgets: Budgets
) -> dict[str, dict[str, Any]]:
    """Compute, for CPU, memory, ephemeral storage and the number of pods, what is asked and what there is.

    Each entry has `asked` (all pods, once a rollout is done), `surge` (extra pods of all rollouts at once),
    `largestSurge` (of the one rollout that needs most), `budget` (-1 where the site sets none), `allocatable`
    (of all nodes), `declared` (whether a budget is set), and the same as text; `consumers` are the workloads
    that ask for it, the biggest first.
    """
    declared: dict[str, Decimal | None] = {
        "cpu": budgets.cpu,
        "memory": budgets.memory,
        "ephemeral-storage": budgets.ephemeral_storage,
        "pods": None,
    }
    allocatable: Amounts = {}
    for node in nodes:
        add(allocatable, {"pods": DEFAULT_PODS, **node.allocatable}, node.count)
    return {name: _entry(name, workloads, declared[name], allocatable.get(name)) for name in _BUDGETED}


def _entry(
    name: str, workloads: Sequence[WorkloadFacts], declared: Decimal | None, allocatable: int | None
) -> dict[str, Any]:
    asking = sorted(
        ((w, amount) for w in workloads if (amount := _each(name, w) * w.scale.replicas)),
        key=lambda pair: (-pair[1], str(pair[0].id)),
    )
    asked = sum(amount for _, amount in asking)
    surges = [_each(name, w) * w.scale.surge for w in workloads]
    budget = whole(name, declared) if declared is not None else allocatable
    return {
        "asked": asked,
        "askedText": format_amount(name, asked),
        "surge": sum(surges),
        "surgeText": format_amount(name, sum(surges)),
        "largestSurge": max(surges, default=0),
        "largestSurgeText": format_amount(name, max(surges, default=0)),
        "declared": declared is not None,
        "budget": budget if budget is not None else -1,
        "budgetText": format_amount(name, budget) if budget is not None else "nothing",
        "allocatable": allocatable if allocatable is not None else -1,
        "allocatableText": format_amount(name, allocatable) if allocatable is not None else "nothing",
        "overText": format_amount(name, max(asked - (budget or 0), 0)),
        "consumers": [_consumer(name, w, amount) for w, amount in asking],
        "biggest": _biggest([_consumer(name, w, amount)["text"] for w, amount in asking]),
    }


def _each(name: str, workload: WorkloadFacts) -> int:
    return 1 if name == "pods" else workload.pod.requests.get(name, 0)


def _biggest(texts: Sequence[str]) -> str:
    """Name the biggest consumers in one line, and say how many more there are."""
    more = len(texts) - _NAMED
    return ", ".join(texts[:_NAMED]) + (f" and {more} more" if more > 0 else "")


def _consumer(name: str, workload: WorkloadFacts, amount: int) -> dict[str, Any]:
    each = _each(name, workload)
    many = workload.scale.replicas != 1 and name != "pods"
    times = f" ({workload.scale.replicas} x {format_amount(name, each)})" if many else ""
    return {
        "id": str(workload.id),
        "amount": amount,
        "each": each,
        "pods": workload.scale.replicas,
        "text": f"{workload.id.kind}/{workload.id.name} {format_amount(name, amount)}{times}",
    }
