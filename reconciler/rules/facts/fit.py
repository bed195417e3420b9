"""Whether all pods of a site find a node, whatever order they come in.

The scheduler places one pod after another and never moves one (`pkg/scheduler`), so three answers are
possible: pods fit in any order, they fit in no order, or it depends on the order. The middle answer is proved
by looking at every placement (small sites) or by one resource that is too small; the first by counting how
many nodes the other pods could fill up at worst. What is left depends on the order.

Host ports and "not two on one node" count as resources that a node has once.
"""

from __future__ import annotations

import enum
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from reconciler.model.resource import ResourceId
from reconciler.rules.facts.amounts import Amounts, add, format_amount
from reconciler.rules.facts.demand import ONCE, PodDemand
from reconciler.rules.facts.node import NodeFacts

__all__ = ["Fit", "FitVerdict", "NodeUse", "Unplaced", "fit"]

#: What kubelet allows where nothing is declared (`maxPods`).
_DEFAULT_PODS = 110
#: Resources that are not counted where a node does not declare them; all others are then not there at all.
_OPTIONAL = frozenset({"cpu", "memory", "ephemeral-storage"})
_SEARCH_STEPS = 20_000


class FitVerdict(enum.Enum):
    """Whether the pods of a site find their nodes."""

    FITS = "fits"
    DEPENDS = "depends"
    UNSCHEDULABLE = "unschedulable"


@dataclass(frozen=True, slots=True)
class Unplaced:
    """A pod for which no node is left.

    Attributes:
        workload: Whose pod it is.
        pods: How many of them.
        reason: What each node lacks, in one line.
    """

    workload: ResourceId
    pods: int
    reason: str


@dataclass(frozen=True, slots=True)
class NodeUse:
    """One machine and what stands on it in the placement that was found."""

    name: str
    allocatable: Mapping[str, int]
    used: Mapping[str, int]
    pods: tuple[tuple[ResourceId, int], ...]


@dataclass(frozen=True, slots=True)
class Fit:
    """The answer for one site.

    Attributes:
        verdict: Whether the pods find their nodes.
        unplaced: Pods without a node in the placement that was found, if any.
        risky: Workloads whose pods may find no node in an unlucky order.
        nodes: A placement, as far as there is one.
    """

    verdict: FitVerdict
    unplaced: tuple[Unplaced, ...]
    risky: tuple[ResourceId, ...]
    nodes: tuple[NodeUse, ...]


@dataclass
class _Machine:
    name: str
    group: str
    free: Amounts
    allocatable: Amounts
    pods: dict[int, int] = field(default_factory=dict)

    def lacks(self, demand: PodDemand) -> list[tuple[str, int, int]]:
        """Return (resource, asked, free) of what is missing for one more pod."""
        missing = []
        for name, asked in demand.requests.items():
            if not asked:
                continue
            free = self.free.get(name)
            if free is None:
                if name in _OPTIONAL:
                    continue
                free = 1 if name.startswith(ONCE) else 0
            if asked > free:
                missing.append((name, asked, free))
        return missing

    def take(self, number: int, demand: PodDemand, sign: int = 1) -> None:
        """Place a pod (or, with -1, take it away)."""
        for name, asked in demand.requests.items():
            if name.startswith(ONCE):
                self.free.setdefault(name, 1)
            if name in self.free:
                self.free[name] -= sign * asked
        self.pods[number] = self.pods.get(number, 0) + sign


def fit(demands: Sequence[PodDemand], nodes: Sequence[NodeFacts], *, any_order: bool = True) -> Fit:
    """Say whether all pods find their nodes.

    Args:
        demands: What the pods of each workload ask for; DaemonSets are `per_node`.
        nodes: The site's nodes.
        any_order: Whether to look at unlucky orders; without, a placement is enough for `FITS`.
    """
    machines = list(_machines(nodes))
    unplaced: list[Unplaced] = []
    proved = True
    for number, demand in enumerate(demands):
        if demand.per_node:
            unplaced += _place_daemons(number, demand, machines)
    single = [(n, d) for n, d in enumerate(demands) if not d.per_node and d.pods > 0]
    order = sorted(single, key=lambda pair: (len(pair[1].nodes), -_weight(pair[1], machines)))
    missing = _place_greedily(order, machines)
    if missing:
        _clear(order, demands, machines)
        found = _Search(order, machines).run()
        if found is True:
            missing = []
        else:
            _clear(order, demands, machines)
            proved = found is False or _needs_too_much(order, machines)
            missing = _place_greedily(order, machines)
    unplaced += missing
    risky = tuple(
        demand.workload
        for number, demand in enumerate(demands)
        if any_order
        and (demand.per_node or demand.pods)
        and not _placed_in_any_order(number, demands, machines)
    )
    if unplaced and (proved or len(unplaced) > len(missing)):
        verdict = FitVerdict.UNSCHEDULABLE
    elif unplaced or risky:
        verdict = FitVerdict.DEPENDS
    else:
        verdict = FitVerdict.FITS
    used = tuple(_use(machine, demands) for machine in machines)
    return Fit(verdict, tuple(unplaced), risky, used)


def _machines(nodes: Sequence[NodeFacts]) -> Iterator[_Machine]:
    for node in nodes:
        allocatable = {"pods": _DEFAULT_PODS, **node.allocatable}
        for index in range(node.count):
            name = node.name if node.count == 1 else f"{node.name}[{index}]"
            yield _Machine(name, node.name, dict(allocatable), allocatable)


def _place_daemons(number: int, demand: PodDemand, machines: Sequence[_Machine]) -> list[Unplaced]:
    """Place a DaemonSet: its pods have one node each, so they do not look for another."""
    lacking = []
    for machine in machines:
        if machine.group not in demand.nodes:
            continue
        if machine.lacks(demand):
            lacking.append(machine)
        else:
            machine.take(number, demand)
    return [Unplaced(demand.workload, len(lacking), _reason(demand, lacking))] if lacking else []


def _place_greedily(order: Sequence[tuple[int, PodDemand]], machines: Sequence[_Machine]) -> list[Unplaced]:
    unplaced = []
    for number, demand in order:
        left = demand.pods
        for _ in range(demand.pods):
            fitting = [m for m in machines if m.group in demand.nodes and not m.lacks(demand)]
            if not fitting:
                break
            best = max(fitting, key=lambda m: (m.free.get("memory", 0), m.free.get("cpu", 0)))
            best.take(number, demand)
            left -= 1
        if left:
            allowed = [m for m in machines if m.group in demand.nodes]
            unplaced.append(Unplaced(demand.workload, left, _reason(demand, allowed)))
    return unplaced


def _clear(
    order: Sequence[tuple[int, PodDemand]], demands: Sequence[PodDemand], machines: Sequence[_Machine]
) -> None:
    numbers = {number for number, _ in order}
    for machine in machines:
        for number, count in list(machine.pods.items()):
            for _ in range(count if number in numbers else 0):
                machine.take(number, demands[number], -1)


class _Search:
    """Looks for a placement of all pods; equal pods and equal machines are tried once."""

    def __init__(self, order: Sequence[tuple[int, PodDemand]], machines: Sequence[_Machine]) -> None:
        self._pods = [(number, demand) for number, demand in order for _ in range(demand.pods)]
        self._machines = machines
        self._steps = 0

    def run(self) -> bool | None:
        """Return whether there is a placement, or None where the search was given up."""
        try:
            return self._place(0, 0)
        except _GaveUp:
            return None

    def _place(self, index: int, first: int) -> bool:
        if index == len(self._pods):
            return True
        self._steps += 1
        if self._steps > _SEARCH_STEPS or index > 200:
            raise _GaveUp
        number, demand = self._pods[index]
        same = index + 1 < len(self._pods) and self._pods[index + 1][0] == number
        tried: set[tuple[object, ...]] = set()
        for at in range(first, len(self._machines)):
            machine = self._machines[at]
            if machine.group not in demand.nodes or machine.lacks(demand):
                continue
            look = (machine.group, tuple(sorted(machine.free.items())))
            if look in tried:
                continue
            tried.add(look)
            machine.take(number, demand)
            if self._place(index + 1, at if same else 0):
                return True
            machine.take(number, demand, -1)
        return False


class _GaveUp(Exception):
    """The search took too many steps."""


def _needs_too_much(order: Sequence[tuple[int, PodDemand]], machines: Sequence[_Machine]) -> bool:
    """Tell whether some resource is too small in sum, or some pod fits on no empty node."""
    asked: Amounts = {}
    for _, demand in order:
        add(asked, demand.requests, demand.pods)
        if not any(m.group in demand.nodes and not m.lacks(demand) for m in machines):
            return True
    for name, amount in asked.items():
        if name in _OPTIONAL and any(name not in machine.free for machine in machines):
            continue
        default = 1 if name.startswith(ONCE) else 0
        if amount > sum(machine.free.get(name, default) for machine in machines):
            return True
    return False


def _placed_in_any_order(number: int, demands: Sequence[PodDemand], machines: Sequence[_Machine]) -> bool:
    """Tell whether a pod finds its node even if all others were placed to be in its way.

    To keep a pod from a node, others must fill at least one of its resources beyond what the pod leaves. With
    a given amount in all, at most so many nodes can be filled; if that is fewer than there are, one is left.
    A DaemonSet's pod has one node only.
    """
    demand = demands[number]
    if demand.ordered:
        return False
    if len(machines) == 1:
        return True  # all of them were placed here, and there is nowhere else to be in the way
    allowed = [machine for machine in machines if machine.group in demand.nodes]
    fillable = 0
    for name, asked in demand.requests.items():
        if not asked:
            continue
        others = sum(
            other.requests.get(name, 0) * (other.pods - (index == number))
            for index, other in enumerate(demands)
            if not other.per_node and not set(other.nodes).isdisjoint(demand.nodes)
        )
        own = asked if demand.per_node else 0  # a daemon's own share is part of what its node has set aside
        counted = [m for m in allowed if name in m.allocatable or name not in _OPTIONAL]
        for needed in sorted(_room(machine, name, demands) + own - asked + 1 for machine in counted):
            others -= max(needed, 0)
            if others < 0:
                break
            fillable += 1
    return fillable == 0 if demand.per_node else fillable < len(allowed)


def _room(machine: _Machine, name: str, demands: Sequence[PodDemand]) -> int:
    """Return what a machine has of a resource once DaemonSets have theirs."""
    daemons = sum(
        demands[number].requests.get(name, 0) * count
        for number, count in machine.pods.items()
        if demands[number].per_node
    )
    return machine.allocatable.get(name, 1 if name.startswith(ONCE) else 0) - daemons


def _weight(demand: PodDemand, machines: Sequence[_Machine]) -> float:
    """Return how big a pod is beside the biggest node, by the resource of which it needs most."""
    shares = [0.0]
    for name, asked in demand.requests.items():
        most = max((machine.allocatable.get(name, 0) for machine in machines), default=0)
        if most:
            shares.append(asked / most)
    return max(shares)


def _reason(demand: PodDemand, machines: Sequence[_Machine]) -> str:
    """Say for each node what it lacks; nodes that lack the same are named together."""
    lacking: dict[str, list[str]] = {}
    for machine in machines:
        parts = [_lack(name, asked, free) for name, asked, free in machine.lacks(demand)]
        lacking.setdefault(" and ".join(parts) or "nothing", []).append(machine.name)
    return "; ".join(f"{', '.join(names)}: {text}" for text, names in lacking.items())


def _lack(name: str, asked: int, free: int) -> str:
    if name.startswith(ONCE):
        return f"{name.removeprefix(ONCE)} is taken"
    if name == "pods":
        return "no pod more is allowed"
    return f"{name} {format_amount(name, asked)} asked, {format_amount(name, free)} free"


def _use(machine: _Machine, demands: Sequence[PodDemand]) -> NodeUse:
    used: Amounts = {}
    for number, count in machine.pods.items():
        add(used, demands[number].requests, count)
    pods = tuple((demands[n].workload, count) for n, count in sorted(machine.pods.items()) if count)
    shown = {name: amount for name, amount in used.items() if not name.startswith(ONCE)}
    return NodeUse(machine.name, machine.allocatable, shown, pods)
