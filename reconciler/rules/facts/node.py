"""Nodes as a scheduler sees them, from the nodes of `site.yaml`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from reconciler.model.platform import Platform, parse_platform
from reconciler.model.site import Node, Taint
from reconciler.rules.facts.amounts import Amounts, whole

__all__ = ["NodeFacts", "node_facts"]


@dataclass(frozen=True)
class NodeFacts:
    """One node, or `count` equal nodes.

    Attributes:
        name: The node's name, or the group's.
        platform: The node's OCI platform.
        labels: As declared, with those that every kubelet sets.
        allocatable: Whole amounts; CPU in thousandths of a core.
    """

    name: str
    count: int
    platform: Platform
    labels: Mapping[str, str]
    taints: tuple[Taint, ...]
    allocatable: Amounts
    devices: tuple[str, ...]
    runtime_classes: tuple[str, ...]

    def values(self) -> dict[str, Any]:
        """Return the facts as plain values."""
        return {
            "name": self.name,
            "count": self.count,
            "platform": str(self.platform),
            "os": self.platform.os,
            "architecture": self.platform.architecture,
            "variant": self.platform.variant,
            "labels": dict(self.labels),
            "taints": [{"key": t.key, "value": t.value, "effect": t.effect} for t in self.taints],
            "allocatable": dict(self.allocatable),
            "devices": list(self.devices),
            "runtimeClasses": list(self.runtime_classes),
        }


def node_facts(nodes: Sequence[Node]) -> tuple[NodeFacts, ...]:
    """Compute the facts of a site's nodes.

    `kubernetes.io/os`, `kubernetes.io/arch` and, for a single node, `kubernetes.io/hostname` are what a
    kubelet sets by itself (k8s.io/api/core/v1 well-known labels); a declared value wins.
    """
    return tuple(_facts(node) for node in nodes)


def _facts(node: Node) -> NodeFacts:
    platform = parse_platform(node.architecture)
    labels = {
        "kubernetes.io/os": platform.os,
        "kubernetes.io/arch": platform.architecture,
        "beta.kubernetes.io/os": platform.os,
        "beta.kubernetes.io/arch": platform.architecture,
    }
    if node.count == 1:
        labels["kubernetes.io/hostname"] = node.name
    labels.update(node.labels)
    return NodeFacts(
        name=node.name,
        count=node.count,
        platform=platform,
        labels=labels,
        taints=node.taints,
        allocatable={name: whole(name, amount) for name, amount in node.allocatable.items()},
        devices=node.devices,
        runtime_classes=node.runtime_classes,
    )
