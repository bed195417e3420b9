"""What a site's resources are used for, as values that a report can show."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["BudgetUse", "Consumer", "NodeRoom", "PodsWithoutRoom", "RoomFor", "SiteExplanation"]


@dataclass(frozen=True, slots=True)
class Consumer:
    """One workload's share of a resource.

    Attributes:
        workload: `Kind.group/namespace/name`.
        pods: How many pods it runs.
        each: What one of them asks for, written as Kubernetes writes it.
        total: What all of them ask for.
        share: Of the budget, in percent; -1 where there is none.
    """

    workload: str
    pods: int
    each: str
    total: str
    share: int


@dataclass(frozen=True, slots=True)
class BudgetUse:
    """One resource: what is asked, what there is, and who asks.

    Attributes:
        resource: `cpu`, `memory` or `ephemeral-storage`.
        asked: By all workloads together.
        budget: What the site gives, or "" where it says nothing.
        left: What of it nobody asks for yet, or "".
        declared: Whether the site sets a budget; otherwise the nodes' sum stands in.
        percent: Of the budget that is asked for; -1 where there is none.
        consumers: The biggest first.
    """

    resource: str
    asked: str
    budget: str
    declared: bool
    percent: int
    consumers: tuple[Consumer, ...]
    left: str = ""


@dataclass(frozen=True, slots=True)
class NodeRoom:
    """One node in the placement that was found.

    Attributes:
        name: The node's name; `workers[1]` is the second of a group.
        pods: (workload, number of its pods) there.
        free: (resource, amount) that is left: what would still fit.
    """

    name: str
    pods: tuple[tuple[str, int], ...]
    free: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class RoomFor:
    """How many more pods of a workload would still fit, if nothing else were added.

    Attributes:
        workload: `Kind.group/namespace/name`.
        pods: How many.
        bound: What ends first: `memory of the budget`, `cpu of the nodes` ...
    """

    workload: str
    pods: int
    bound: str


@dataclass(frozen=True, slots=True)
class PodsWithoutRoom:
    """Pods that find no node, and why."""

    workload: str
    pods: int
    reason: str


@dataclass(frozen=True, slots=True)
class SiteExplanation:
    """What a site's resources are used for.

    Attributes:
        site: The site's name.
        verdict: `fits`, `depends` (on the order in which pods come) or `unschedulable`.
    """

    site: str
    verdict: str
    budgets: tuple[BudgetUse, ...]
    nodes: tuple[NodeRoom, ...]
    without_room: tuple[PodsWithoutRoom, ...]
    room_for: tuple[RoomFor, ...] = ()
