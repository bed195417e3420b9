"""Which pods may stand beside which, on machines that are being filled."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Protocol

from reconciler.rules.facts.demand import PodDemand
from reconciler.rules.facts.node import NodeFacts
from reconciler.rules.facts.together import HOSTNAME, Spread, domain

__all__ = ["Filled", "Neighbours", "never_attracted"]


class Filled(Protocol):
    """One machine and what stands on it."""

    @property
    def name(self) -> str:
        """Its name."""

    @property
    def node(self) -> NodeFacts:
        """The node, or the group of equal nodes, that it is of."""

    @property
    def pods(self) -> Mapping[int, int]:
        """How many pods of each demand stand on it, by the demand's number."""


class Neighbours:
    """The demands of a site that care beside which pods they stand.

    Args:
        demands: All demands.
        machines: The machines that are being filled.
    """

    def __init__(self, demands: Sequence[PodDemand], machines: Sequence[Filled]) -> None:
        self._demands = demands
        self._machines = machines
        self.any = any(demand.together for demand in demands)
        keys = {key for demand in demands for key, _ in demand.together.repelled}
        keys |= {spread.key for demand in demands for spread in demand.together.spread}
        keys |= {one.key for demand in demands for one in demand.together.attracted}
        self._keys = tuple(sorted(keys - {HOSTNAME}))

    def look(self, machine: Filled) -> tuple[object, ...]:
        """Return what makes two machines with equal room the same for all demands."""
        if not self.any:
            return ()
        labels = tuple(domain(key, machine.name, machine.node) for key in self._keys)
        return (labels, tuple(sorted(item for item in machine.pods.items() if item[1])))

    def refusal(self, number: int, machine: Filled, *, skew: bool) -> str:
        """Say why a pod may not stand on a machine as things are; "" where it may.

        Args:
            number: Of the pod's demand.
            machine: The machine.
            skew: Whether topology spread counts; it may be made good by pods that come later.
        """
        if not self.any:
            return ""
        together = self._demands[number].together
        for key, others in together.repelled:
            value = domain(key, machine.name, machine.node)
            if value is not None:
                for other in sorted(others):
                    if self._count(key, value, (other,)):
                        rid = self._demands[other].workload
                        return f"a pod of {rid.kind}/{rid.name} is there, and they may not share {key}"
        if skew:
            for spread in together.spread:
                value = domain(spread.key, machine.name, machine.node)
                counts = self._spread_counts(spread)
                own = number in spread.counted
                if value is None or counts.get(value, 0) + own - self._least(spread, counts) > spread.skew:
                    return f"the pods are to be spread over {spread.key}, and more are here than elsewhere"
        return ""

    def settled(self) -> bool:
        """Tell whether what stands on the machines could have come there: evenly, and beside its like."""
        if not self.any:
            return True
        return all(
            self._is_even(number, demand) and self._is_near(number, demand)
            for number, demand in enumerate(self._demands)
            if demand.together and any(machine.pods.get(number) for machine in self._machines)
        )

    def _is_even(self, number: int, demand: PodDemand) -> bool:
        for spread in demand.together.spread:
            counts = self._spread_counts(spread)
            most = max(
                (
                    counts.get(domain(spread.key, machine.name, machine.node) or "", 0)
                    for machine in self._machines
                    if machine.pods.get(number)
                ),
                default=0,
            )
            # Where others count too, they may have come later, and need not have kept the balance.
            if spread.counted == {number} and most - self._least(spread, counts) > spread.skew:
                return False
        return True

    def _is_near(self, number: int, demand: PodDemand) -> bool:
        for attraction in demand.together.attracted:
            for machine in self._machines:
                if not machine.pods.get(number):
                    continue
                value = domain(attraction.key, machine.name, machine.node)
                if value is None:
                    return False
                if attraction.towards and not self._count(attraction.key, value, attraction.towards):
                    return False
        return True

    def _spread_counts(self, spread: Spread) -> dict[str, int]:
        counts: dict[str, int] = {}
        for machine in self._machines:
            if machine.node.name in spread.nodes:
                value = domain(spread.key, machine.name, machine.node) or ""
                counts[value] = counts.get(value, 0) + sum(
                    machine.pods.get(number, 0) for number in spread.counted
                )
        return counts

    @staticmethod
    def _least(spread: Spread, counts: Mapping[str, int]) -> int:
        return min(counts.values(), default=0) if len(counts) >= spread.least else 0

    def _count(self, key: str, value: str, numbers: Iterable[int]) -> int:
        chosen = tuple(numbers)
        return sum(
            machine.pods.get(number, 0)
            for machine in self._machines
            if domain(key, machine.name, machine.node) == value
            for number in chosen
        )


def never_attracted(demands: Sequence[PodDemand]) -> frozenset[int]:
    """Return the demands that wait for each other for ever, wherever their pods might stand.

    A pod with required affinity is placed beside pods that are there, or, where none are and it fits its own
    terms, as the first. An affinity towards no pod of the overlay is left out: they may come from elsewhere.
    """
    attracted = {
        number: demand.together.attracted
        for number, demand in enumerate(demands)
        if demand.together.attracted
    }
    present = {
        n for n, demand in enumerate(demands) if n not in attracted and (demand.pods or demand.per_node)
    }
    waiting = {n for n in attracted if demands[n].pods or demands[n].per_node}
    while True:
        coming = {
            number
            for number in waiting
            if all(not one.towards or one.towards & present for one in attracted[number])
            or (
                all(number in one.towards for one in attracted[number])
                and not any(one.towards & present for one in attracted[number])
            )
        }
        if not coming:
            return frozenset(waiting)
        present |= coming
        waiting -= coming
