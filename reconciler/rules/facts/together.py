"""Which pods may stand together, by pod affinity, anti-affinity and topology spread.

Sources: the plugins `interpodaffinity` and `podtopologyspread` of `pkg/scheduler/framework/plugins`.
Preferences do not decide and are left out.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from reconciler.rules.facts.node import NodeFacts
from reconciler.rules.facts.placement import mismatch, tolerated
from reconciler.rules.facts.plain import as_list, as_mapping, dig
from reconciler.rules.facts.selector import selects
from reconciler.rules.facts.workload import WorkloadFacts

__all__ = [
    "ANYWHERE",
    "HOSTNAME",
    "Attraction",
    "Spread",
    "Together",
    "domain",
    "is_alone_on_its_node",
    "together",
]

HOSTNAME = "kubernetes.io/hostname"
_REQUIRED = "requiredDuringSchedulingIgnoredDuringExecution"


@dataclass(frozen=True, slots=True)
class Spread:
    """One constraint that spreads pods evenly over the values of a node label.

    Attributes:
        key: The label.
        skew: How many pods more one value may have than the least.
        least: How many values there must be, or the least counts as 0 (`minDomains`).
        counted: Numbers of the workloads whose pods count.
        nodes: Names of the nodes (or groups) whose values count, also those that take no pod.
    """

    key: str
    skew: int
    least: int
    counted: frozenset[int]
    nodes: frozenset[str]


@dataclass(frozen=True, slots=True)
class Attraction:
    """A required pod affinity: beside pods of these workloads, by the value of a node label."""

    key: str
    towards: frozenset[int]


@dataclass(frozen=True, slots=True)
class Together:
    """What decides beside which pods the pods of one workload may stand.

    Attributes:
        repelled: (label, numbers of workloads): never with the same value as a pod of these.
        attracted: Required pod affinity.
        spread: Topology spread that must be kept.
    """

    repelled: tuple[tuple[str, frozenset[int]], ...] = ()
    attracted: tuple[Attraction, ...] = ()
    spread: tuple[Spread, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.repelled or self.attracted or self.spread)


#: Where a workload does not care.
ANYWHERE = Together()


def domain(key: str, machine: str, node: NodeFacts) -> str | None:
    """Return the value of a label at one machine of a group of nodes."""
    return machine if key == HOSTNAME else node.labels.get(key)


def together(workloads: Sequence[WorkloadFacts], nodes: Sequence[NodeFacts]) -> list[Together]:
    """Return for each workload what decides beside which pods its own may stand.

    Two pods of which one does not want the other are kept apart whichever comes first. A workload that does
    not want a second pod of its own on one node is left out here: its pods count as one for each node.
    """
    repelled: list[dict[str, set[int]]] = [{} for _ in workloads]
    for number, workload in enumerate(workloads):
        for term in _terms(workload, "podAntiAffinity"):
            key = str(as_mapping(term).get("topologyKey"))
            for other in _matched(term, workload, workloads):
                if other == number and key == HOSTNAME:
                    continue
                repelled[number].setdefault(key, set()).add(other)
                repelled[other].setdefault(key, set()).add(number)
    return [
        Together(
            tuple((key, frozenset(others)) for key, others in sorted(repelled[number].items())),
            tuple(
                Attraction(
                    str(as_mapping(term).get("topologyKey")), frozenset(_matched(term, workload, workloads))
                )
                for term in _terms(workload, "podAffinity")
            ),
            tuple(_spreads(workload, workloads, nodes)),
        )
        for number, workload in enumerate(workloads)
    ]


def is_alone_on_its_node(workload: WorkloadFacts) -> bool:
    """Tell whether a workload does not want a second pod of its own on one node."""
    return any(
        as_mapping(term).get("topologyKey") == HOSTNAME and _matched(term, workload, [workload])
        for term in _terms(workload, "podAntiAffinity")
    )


def _terms(workload: WorkloadFacts, which: str) -> Sequence[Any]:
    return as_list(dig(workload.pod.spec, "affinity", which, _REQUIRED))


def _matched(term: Any, workload: WorkloadFacts, workloads: Sequence[WorkloadFacts]) -> list[int]:
    """Return the workloads whose pods a term is about; a namespace selector may mean any namespace."""
    namespaces = set(map(str, as_list(as_mapping(term).get("namespaces"))))
    anywhere = as_mapping(term).get("namespaceSelector") is not None
    if not namespaces and not anywhere:
        namespaces = {workload.id.namespace}
    return [
        number
        for number, other in enumerate(workloads)
        if (anywhere or other.id.namespace in namespaces)
        and selects(as_mapping(term).get("labelSelector"), other.pod_labels)
        and _agree(as_mapping(term), workload, other)
    ]


def _agree(term: Mapping[str, Any], workload: WorkloadFacts, other: WorkloadFacts) -> bool:
    """Tell whether two workloads agree in the labels of `matchLabelKeys`, and differ in the others named.

    Labels that a controller adds, such as `pod-template-hash`, agree within one workload alone.
    """
    own, others = workload.pod_labels, other.pod_labels
    for key in map(str, as_list(term.get("matchLabelKeys"))):
        if other is not workload and (key not in own or others.get(key) != own[key]):
            return False
    return all(
        key not in own or others.get(key) != own[key]
        for key in map(str, as_list(term.get("mismatchLabelKeys")))
    )


def _spreads(
    workload: WorkloadFacts, workloads: Sequence[WorkloadFacts], nodes: Sequence[NodeFacts]
) -> Iterator[Spread]:
    constraints = [
        constraint
        for item in as_list(workload.pod.spec.get("topologySpreadConstraints"))
        if (constraint := as_mapping(item)).get("whenUnsatisfiable", "DoNotSchedule") == "DoNotSchedule"
    ]
    keys = {str(constraint.get("topologyKey")) for constraint in constraints}
    for constraint in constraints:
        honoured = constraint.get("nodeAffinityPolicy", "Honor") == "Honor"
        if honoured and workload.scale.per_node:
            continue  # its controller ties each pod to its node, so that no other node counts
        taints = constraint.get("nodeTaintsPolicy", "Ignore") == "Honor"
        counted = [
            node.name
            for node in nodes
            if all(key == HOSTNAME or key in node.labels for key in keys)
            and not (honoured and mismatch(workload.pod.spec, node))
            and not (taints and not tolerated(workload.pod.spec, node))
        ]
        yield Spread(
            key=str(constraint.get("topologyKey")),
            skew=_number(constraint.get("maxSkew")),
            least=_number(constraint.get("minDomains")),
            counted=frozenset(_matched({**constraint, "namespaces": None}, workload, workloads)),
            nodes=frozenset(counted),
        )


def _number(value: Any) -> int:
    return value if isinstance(value, int) and value > 0 else 1
