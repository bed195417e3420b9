"""Groups of nodes, and what an object makes for each of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from reconciler.model.fieldpath import FieldPath
from reconciler.model.finding import Severity
from reconciler.model.resource import Resource
from reconciler.rules.facts.node import NodeFacts
from reconciler.rules.facts.plain import as_list, as_mapping, dig
from reconciler.rules.made.sown import Sown

__all__ = [
    "BELONGING",
    "GROUP_KINDS",
    "Made",
    "MadeProblem",
    "Making",
    "group_values",
    "in_node_groups",
    "made",
    "named",
    "without",
]

#: Objects that say something of groups of nodes, or of how apps run there.
GROUP_KINDS = frozenset({"NodeGroup", "NodePool", "SpinAppExecutor"})
#: The label by which KubeEdge marks the nodes of a NodeGroup.
BELONGING = "apps.kubeedge.io/belonging-to"


@dataclass(frozen=True)
class Made:
    """One object that a controller makes.

    Attributes:
        resource: The object as it is made.
        source: The same with the field of the origin that set each value.
        group: The group of nodes that it is for, or "".
    """

    resource: Resource
    source: Sown
    group: str = ""


@dataclass(frozen=True, slots=True)
class MadeProblem:
    """An override that misses, or a group that is not there."""

    message: str
    field_path: FieldPath
    severity: Severity = Severity.WARNING
    hint: str = ""


@dataclass(frozen=True)
class Making:
    """What is made of one object.

    Attributes:
        made: The objects.
        problems: What is wrong with how they are made.
        not_checked: Why nothing, or not all, could be made here, or "".
    """

    made: tuple[Made, ...] = ()
    problems: tuple[MadeProblem, ...] = ()
    not_checked: str = ""


def made(source: Sown, group: str = "") -> Made:
    """Return a made object."""
    return Made(Resource(source.plain()), source, group)


def named(values: Sequence[str], what: str) -> str:
    """Say which there are: `its node pools are a, b`."""
    return (
        f"{what} are {', '.join(sorted(values))}" if values else f"there are no {what.removeprefix('its ')}"
    )


def group_values(nodes: Sequence[NodeFacts], label: str) -> set[str]:
    """Return the groups that the nodes are in by a label."""
    return {node.labels[label] for node in nodes if label in node.labels}


def in_node_groups(nodes: tuple[NodeFacts, ...], resources: Sequence[Resource]) -> tuple[NodeFacts, ...]:
    """Label nodes with the NodeGroups of the overlay that they belong to, as KubeEdge's controller does.

    Source: `cloud/pkg/controllermanager/nodegroup`: by name in `spec.nodes`, or by all of `spec.matchLabels`.
    """
    groups = [r for r in resources if r.kind == "NodeGroup" and r.id.group == "apps.kubeedge.io"]
    return tuple(_labelled(node, groups) for node in nodes) if groups else nodes


def _labelled(node: NodeFacts, groups: Sequence[Resource]) -> NodeFacts:
    for group in groups:
        spec = as_mapping(group.manifest.get("spec"))
        wanted = as_mapping(spec.get("matchLabels"))
        by_labels = bool(wanted) and all(node.labels.get(key) == value for key, value in wanted.items())
        if node.name in as_list(spec.get("nodes")) or by_labels:
            return replace(node, labels={**node.labels, BELONGING: group.id.name})
    return node


def without(value: Any, *fields: str) -> Mapping[str, Any]:
    """Return a mapping without some fields; anything else as an empty one."""
    return {key: item for key, item in as_mapping(value).items() if key not in fields}


def container_names(template: Mapping[str, Any], *lists: str) -> set[str]:
    """Return the names of containers in the pod spec of a template."""
    spec = dig(template, "spec", "template", "spec")
    return {
        str(as_mapping(container).get("name"))
        for field in lists
        for container in as_list(as_mapping(spec).get(field))
    }
