"""One machine of a site while pods are placed on it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from reconciler.model.resource import ResourceId
from reconciler.rules.facts.amounts import DEFAULT_PODS, Amounts, format_amount
from reconciler.rules.facts.demand import ONCE, PodDemand
from reconciler.rules.facts.neighbours import Neighbours
from reconciler.rules.facts.node import NodeFacts

__all__ = ["COUNTED_IF_SAID", "Machine", "Unplaced", "make_machines", "unplaced"]

#: Resources that are not counted where a node does not declare them; all others are then not there at all.
COUNTED_IF_SAID = frozenset({"cpu", "memory", "ephemeral-storage"})
#: How many of the biggest consumers of a node are named.
_NAMED = 3


@dataclass(frozen=True, slots=True)
class Unplaced:
    """A pod for which no node is left.

    Attributes:
        workload: Whose pod it is.
        pods: How many of them.
        reason: What each node lacks, in one line.
        resource: The resource that is too small, or "" where something else is in the way.
    """

    workload: ResourceId
    pods: int
    reason: str
    resource: str = ""


@dataclass
class Machine:
    """A machine, what is free on it, and how many pods of each demand stand there."""

    name: str
    node: NodeFacts
    free: Amounts
    allocatable: Amounts
    pods: dict[int, int] = field(default_factory=dict)

    @property
    def group(self) -> str:
        """The name of the node, or of the group of equal nodes, that it is of."""
        return self.node.name

    def lacks(self, demand: PodDemand) -> list[tuple[str, int, int]]:
        """Return (resource, asked, free) of what is missing for one more pod."""
        missing = []
        for name, asked in demand.requests.items():
            if not asked:
                continue
            free = self.free.get(name)
            if free is None:
                if name in COUNTED_IF_SAID:
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


def make_machines(nodes: Sequence[NodeFacts]) -> Iterator[Machine]:
    """Yield every machine of a site, empty."""
    for node in nodes:
        allocatable = {"pods": DEFAULT_PODS, **node.allocatable}
        for index in range(node.count):
            name = node.name if node.count == 1 else f"{node.name}[{index}]"
            yield Machine(name, node, dict(allocatable), allocatable)


def unplaced(
    number: int,
    pods: int,
    demands: Sequence[PodDemand],
    machines: Sequence[Machine],
    neighbours: Neighbours,
) -> Unplaced:
    """Say for each node what it lacks; nodes that lack the same are named together."""
    demand = demands[number]
    lacking: dict[str, list[str]] = {}
    resources = []
    for machine in machines:
        missing = machine.lacks(demand)
        resources += [name for name, _, _ in missing if name != "pods" and not name.startswith(ONCE)]
        parts = [_lack(name, asked, free, machine, demands) for name, asked, free in missing]
        parts = parts or [neighbours.refusal(number, machine, skew=True) or "it is taken by others"]
        lacking.setdefault(" and ".join(parts), []).append(machine.name)
    reason = "; ".join(f"{', '.join(names)}: {text}" for text, names in lacking.items())
    return Unplaced(demand.workload, pods, reason, resources[0] if resources else "")


def _lack(name: str, asked: int, free: int, machine: Machine, demands: Sequence[PodDemand]) -> str:
    if name.startswith(ONCE):
        return f"{name.removeprefix(ONCE)} is taken"
    if name == "pods":
        return f"no pod more is allowed than {machine.allocatable.get(name, 0)}"
    text = f"{name} {format_amount(name, asked)} asked, {format_amount(name, free)} free"
    there = sorted(
        (
            (demands[number].requests.get(name, 0) * count, demands[number].workload)
            for number, count in machine.pods.items()
        ),
        key=lambda item: (-item[0], str(item[1])),
    )
    biggest = [f"{rid.kind}/{rid.name} {format_amount(name, amount)}" for amount, rid in there if amount]
    return f"{text} beside {', '.join(biggest[:_NAMED])}" if biggest else text
