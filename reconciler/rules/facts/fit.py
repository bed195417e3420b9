"""Whether all pods of a site find a node, whatever order they come in.

The scheduler places one pod after another and never moves one (`pkg/scheduler`), so three answers are
possible: pods fit in any order, they fit in no order, or it depends on the order. The middle answer is proved
by looking at every placement (small sites) or by one resource that is too small; the first by counting how
many nodes the other pods could fill up at worst. What is left depends on the order.

Host ports and "not two on one node" count as resources that a node has once. Pod affinity, anti-affinity and
topology spread rule placements out; where one is left, little can be proved beyond a single machine.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from reconciler.model.resource import ResourceId
from reconciler.rules.facts.amounts import Amounts, add
from reconciler.rules.facts.demand import ONCE, PodDemand
from reconciler.rules.facts.machine import COUNTED_IF_SAID, Machine, Unplaced, make_machines, unplaced
from reconciler.rules.facts.neighbours import Neighbours, never_attracted
from reconciler.rules.facts.node import NodeFacts
from reconciler.rules.facts.together import domain

__all__ = ["Fit", "FitVerdict", "NodeUse", "Unplaced", "fit"]

_SEARCH_STEPS = 20_000
_WAITING = "its pods may stand only beside pods that never come"


class FitVerdict(enum.Enum):
    """Whether the pods of a site find their nodes."""

    FITS = "fits"
    DEPENDS = "depends"
    UNSCHEDULABLE = "unschedulable"


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


def fit(demands: Sequence[PodDemand], nodes: Sequence[NodeFacts], *, any_order: bool = True) -> Fit:
    """Say whether all pods find their nodes.

    Args:
        demands: What the pods of each workload ask for; DaemonSets are `per_node`.
        nodes: The site's nodes.
        any_order: Whether to look at unlucky orders; without, a placement is enough for `FITS`.
    """
    machines = list(make_machines(nodes))
    neighbours = Neighbours(demands, machines)
    without: list[Unplaced] = []
    proved = True
    never = never_attracted(demands) if neighbours.any else frozenset()
    for number, demand in enumerate(demands):
        if number in never:
            pods = len([m for m in machines if m.group in demand.nodes]) if demand.per_node else demand.pods
            without.append(Unplaced(demand.workload, pods, _WAITING))
        elif demand.per_node:
            without += _place_daemons(number, demands, machines, neighbours)
    single = [(n, d) for n, d in enumerate(demands) if not d.per_node and d.pods > 0 and n not in never]
    order = sorted(single, key=lambda pair: (len(pair[1].nodes), -_weight(pair[1], machines)))
    missing = _place_greedily(order, demands, machines, neighbours)
    if missing or not neighbours.settled():
        _clear(order, demands, machines)
        found = _Search(order, machines, neighbours).run()
        if found is True:
            missing = []
        else:
            _clear(order, demands, machines)
            proved = found is False or _needs_too_much(order, machines)
            missing = _place_greedily(order, demands, machines, neighbours) or [_apart(demands)]
    without += missing
    risky = tuple(
        demand.workload
        for number, demand in enumerate(demands)
        if any_order
        and (demand.per_node or demand.pods)
        and not _placed_in_any_order(number, demands, machines)
    )
    if without and (proved or len(without) > len(missing)):
        verdict = FitVerdict.UNSCHEDULABLE
    elif without or risky:
        verdict = FitVerdict.DEPENDS
    else:
        verdict = FitVerdict.FITS
    used = tuple(_use(machine, demands) for machine in machines)
    return Fit(verdict, tuple(without), risky, used)


def _apart(demands: Sequence[PodDemand]) -> Unplaced:
    """Return a workload that stands where its neighbours do not allow it, where no placement is better."""
    first = next(demand for demand in demands if demand.together.attracted or demand.together.spread)
    reason = "no placement keeps the required affinity and topology spread of all pods"
    return Unplaced(first.workload, 1, reason)


def _place_daemons(
    number: int,
    demands: Sequence[PodDemand],
    machines: Sequence[Machine],
    neighbours: Neighbours,
) -> list[Unplaced]:
    """Place a DaemonSet: its pods have one node each, so they do not look for another."""
    demand = demands[number]
    lacking = []
    for machine in machines:
        if machine.group not in demand.nodes:
            continue
        if machine.lacks(demand) or neighbours.refusal(number, machine, skew=False):
            lacking.append(machine)
        else:
            machine.take(number, demand)
    return [unplaced(number, len(lacking), demands, lacking, neighbours)] if lacking else []


def _place_greedily(
    order: Sequence[tuple[int, PodDemand]],
    demands: Sequence[PodDemand],
    machines: Sequence[Machine],
    neighbours: Neighbours,
) -> list[Unplaced]:
    missing = []
    for number, demand in order:
        left = demand.pods
        for _ in range(demand.pods):
            fitting = [
                machine
                for machine in machines
                if machine.group in demand.nodes
                and not machine.lacks(demand)
                and not neighbours.refusal(number, machine, skew=True)
            ]
            if not fitting:
                break
            best = max(fitting, key=lambda m: (m.free.get("memory", 0), m.free.get("cpu", 0)))
            best.take(number, demand)
            left -= 1
        if left:
            allowed = [m for m in machines if m.group in demand.nodes]
            missing.append(unplaced(number, left, demands, allowed, neighbours))
    return missing


def _clear(
    order: Sequence[tuple[int, PodDemand]], demands: Sequence[PodDemand], machines: Sequence[Machine]
) -> None:
    numbers = {number for number, _ in order}
    for machine in machines:
        for number, count in list(machine.pods.items()):
            for _ in range(count if number in numbers else 0):
                machine.take(number, demands[number], -1)


class _Search:
    """Looks for a placement of all pods; equal pods and equal machines are tried once."""

    def __init__(
        self, order: Sequence[tuple[int, PodDemand]], machines: Sequence[Machine], neighbours: Neighbours
    ) -> None:
        self._neighbours = neighbours
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
            return self._neighbours.settled()
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
            if self._neighbours.refusal(number, machine, skew=False):
                continue
            look = (machine.group, tuple(sorted(machine.free.items())), self._neighbours.look(machine))
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


def _needs_too_much(order: Sequence[tuple[int, PodDemand]], machines: Sequence[Machine]) -> bool:
    """Tell whether some resource is too small in sum, or some pod fits on no empty node."""
    asked: Amounts = {}
    for _, demand in order:
        add(asked, demand.requests, demand.pods)
        if not any(m.group in demand.nodes and not m.lacks(demand) for m in machines):
            return True
    for name, amount in asked.items():
        if name in COUNTED_IF_SAID and any(name not in machine.free for machine in machines):
            continue
        default = 1 if name.startswith(ONCE) else 0
        if amount > sum(machine.free.get(name, default) for machine in machines):
            return True
    return False


def _placed_in_any_order(number: int, demands: Sequence[PodDemand], machines: Sequence[Machine]) -> bool:
    """Tell whether a pod finds its node even if all others were placed to be in its way.

    To keep a pod from a node, others must fill at least one of its resources beyond what the pod leaves. With
    a given amount in all, at most so many nodes can be filled; if that is fewer than there are, one is left.
    A DaemonSet's pod has one node only.
    """
    demand = demands[number]
    if len(machines) == 1:
        # All of them were placed here, and there is nowhere else to be in the way.
        return not any(not one.towards for one in demand.together.attracted)
    allowed = [machine for machine in machines if machine.group in demand.nodes]
    if not demand.together:
        return _has_room(number, demands, allowed)
    return _has_room_apart(number, demands, machines, allowed)


def _has_room_apart(
    number: int, demands: Sequence[PodDemand], machines: Sequence[Machine], allowed: Sequence[Machine]
) -> bool:
    """Tell whether a pod that is spread, or kept apart from others, finds a node in any order.

    It does if it would find room in each value of the label by itself, and others cannot take all values: the
    value with the fewest pods may always have one more.
    """
    demand = demands[number]
    together = demand.together
    if together.attracted or demand.per_node or len(together.repelled) + len(together.spread) > 1:
        return False
    key = together.spread[0].key if together.spread else together.repelled[0][0]
    values: dict[str, list[Machine]] = {}
    for machine in allowed:
        value = domain(key, machine.name, machine.node)
        if value is not None:
            values.setdefault(value, []).append(machine)
    if not all(_has_room(number, demands, found) for found in values.values()):
        return False
    if together.repelled:
        others = sum(
            len(machines) if demands[n].per_node else demands[n].pods - (n == number)
            for n in together.repelled[0][1]
        )
        return others < len(values)
    spread = together.spread[0]
    counted = {
        domain(key, machine.name, machine.node) for machine in machines if machine.node.name in spread.nodes
    }
    return counted == values.keys() and len(values) >= spread.least


def _has_room(number: int, demands: Sequence[PodDemand], allowed: Sequence[Machine]) -> bool:
    """Tell whether all other pods together leave room for a pod on one of some machines."""
    demand = demands[number]
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
        counted = [m for m in allowed if name in m.allocatable or name not in COUNTED_IF_SAID]
        for needed in sorted(_room(machine, name, demands) + own - asked + 1 for machine in counted):
            others -= max(needed, 0)
            if others < 0:
                break
            fillable += 1
    return fillable == 0 if demand.per_node else fillable < len(allowed)


def _room(machine: Machine, name: str, demands: Sequence[PodDemand]) -> int:
    """Return what a machine has of a resource once DaemonSets have theirs."""
    daemons = sum(
        demands[number].requests.get(name, 0) * count
        for number, count in machine.pods.items()
        if demands[number].per_node
    )
    return machine.allocatable.get(name, 1 if name.startswith(ONCE) else 0) - daemons


def _weight(demand: PodDemand, machines: Sequence[Machine]) -> float:
    """Return how big a pod is beside the biggest node, by the resource of which it needs most."""
    shares = [0.0]
    for name, asked in demand.requests.items():
        most = max((machine.allocatable.get(name, 0) for machine in machines), default=0)
        if most:
            shares.append(asked / most)
    return max(shares)


def _use(machine: Machine, demands: Sequence[PodDemand]) -> NodeUse:
    used: Amounts = {}
    for number, count in machine.pods.items():
        add(used, demands[number].requests, count)
    pods = tuple((demands[n].workload, count) for n, count in sorted(machine.pods.items()) if count)
    shown = {name: amount for name, amount in used.items() if not name.startswith(ONCE)}
    return NodeUse(machine.name, machine.allocatable, shown, pods)
