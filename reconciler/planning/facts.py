"""Whether a site is what `site.yaml` says: rules that are fed with wrong facts are worse than none."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from reconciler.model.facts import LiveFacts, LiveNode
from reconciler.model.quantity import format_bytes, parse_quantity
from reconciler.model.site import Node, Taint

__all__ = ["DeclaredFacts", "differences"]

#: Taints that come and go with a node's state, and say nothing of what it is.
_PASSING = "node.kubernetes.io/"
#: What a node has less than declared by no more than this part is a matter of its kernel's mood.
_TOLERANCE = Decimal("0.02")


@dataclass(frozen=True, slots=True)
class DeclaredFacts:
    """What `site.yaml` says of the cluster.

    Attributes:
        version: (major, minor).
        nodes: Nodes, and groups of equal nodes.
        storage_classes: Names, or None where it does not say.
    """

    version: tuple[int, int]
    nodes: tuple[Node, ...]
    storage_classes: tuple[str, ...] | None = None

    @classmethod
    def of(cls, spec: Mapping[str, Any]) -> DeclaredFacts:
        """Read the `spec` of a `site.yaml` that fits its schema, its class merged in."""
        major, _, minor = str(spec["kubernetesVersion"]).partition(".")
        nodes = tuple(
            Node(
                name=str(node.get("name") or f"node-{number}"),
                architecture=str(node["architecture"]),
                allocatable={
                    str(name): parse_quantity(str(amount)) for name, amount in node["allocatable"].items()
                },
                count=int(node.get("count", 1)),
                labels=node.get("labels") or {},
                taints=tuple(
                    Taint(taint["key"], taint["effect"], taint.get("value", ""))
                    for taint in node.get("taints", ())
                ),
                runtime_classes=tuple(node.get("runtimeClasses", ())),
            )
            for number, node in enumerate(spec["nodes"])
        )
        classes = spec.get("storageClasses")
        return cls((int(major), int(minor)), nodes, None if classes is None else tuple(classes))


def differences(declared: DeclaredFacts, live: LiveFacts) -> tuple[str, ...]:
    """Return one sentence for each declared fact that the cluster contradicts, in a fixed order.

    More of something than declared is no difference: rules then only are more careful than they must be. But
    for a node that nobody declared, and a taint: pods meet both.
    """
    found: list[str] = []
    if declared.version != live.version:
        found.append(
            f"kubernetesVersion: declared {_version(declared.version)}, the API server is"
            f" {_version(live.version)}"
        )
    if live.nodes is not None:
        found += _nodes(declared.nodes, live.nodes)
    if live.runtime_classes is not None:
        wanted = {name for node in declared.nodes for name in node.runtime_classes}
        found += _missing("runtimeClass", wanted, live.runtime_classes)
    if live.storage_classes is not None and declared.storage_classes is not None:
        found += _missing("storageClass", declared.storage_classes, live.storage_classes)
    return tuple(found)


def _missing(what: str, wanted: Iterable[str], live: frozenset[str]) -> list[str]:
    return [f"{what} {name}: declared, but the cluster has none" for name in sorted(set(wanted) - live)]


def _nodes(declared: tuple[Node, ...], live: tuple[LiveNode, ...]) -> list[str]:
    found: list[str] = []
    left = {node.name: node for node in live}
    groups: list[Node] = []
    for node in declared:
        same = left.pop(node.name, None) if node.count == 1 else None
        if same is None:
            groups.append(node)
        else:
            found += _node(node, same)
    for group in groups:
        # The nodes of a group have names of their own: those that fit best are taken for its members.
        ranked = sorted(left.values(), key=lambda one: (len(_node(group, one)), one.name))
        members = [one for one in ranked if one.architecture == _os_and_architecture(group.architecture)]
        members = members[: group.count]
        for member in members:
            del left[member.name]
            found += _node(group, member)
        if len(members) < group.count:
            found.append(
                f"node {group.name}: declared {group.count} of {_os_and_architecture(group.architecture)},"
                f" the cluster has {len(members)}"
            )
    found += [f"node {name}: in the cluster, but not declared" for name in sorted(left)]
    return found


def _node(declared: Node, live: LiveNode) -> list[str]:
    found: list[str] = []
    place = f"node {live.name}"
    wanted = _os_and_architecture(declared.architecture)
    if wanted != live.architecture:
        found.append(f"{place}: architecture: declared {wanted}, the node is {live.architecture}")
    for name, amount in sorted(declared.allocatable.items()):
        has = live.allocatable.get(name, Decimal(0))
        if has < amount * (1 - _TOLERANCE):
            found.append(
                f"{place}: allocatable {name}: declared {_amount(amount, name)},"
                f" the node has {_amount(has, name)}"
            )
    for key, value in sorted(declared.labels.items()):
        if (has_label := live.labels.get(key)) != value:
            told = "none" if has_label is None else repr(has_label)
            found.append(f"{place}: label {key}: declared {value!r}, the node has {told}")
    known = {(taint.key, taint.effect) for taint in declared.taints}
    found += [
        f"{place}: taint {_taint(taint)}: on the node, but not declared"
        for taint in live.taints
        if taint.effect in ("NoSchedule", "NoExecute")
        and not taint.key.startswith(_PASSING)
        and (taint.key, taint.effect) not in known
    ]
    return found


def _amount(amount: Decimal, name: str) -> str:
    if name in ("memory", "ephemeral-storage") or name.startswith("hugepages-"):
        return format_bytes(amount)
    return f"{amount.normalize():f}"


def _taint(taint: Taint) -> str:
    value = f"={taint.value}" if taint.value else ""
    return f"{taint.key}{value}:{taint.effect}"


def _os_and_architecture(platform: str) -> str:
    return "/".join(platform.split("/")[:2])


def _version(version: tuple[int, int]) -> str:
    return f"{version[0]}.{version[1]}"
