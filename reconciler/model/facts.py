"""What a cluster really is, as far as `site.yaml` speaks of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal

from reconciler.model.site import Taint

__all__ = ["LiveFacts", "LiveNode"]


@dataclass(frozen=True, slots=True)
class LiveNode:
    """One node of a cluster.

    Attributes:
        name: Its name.
        architecture: `os/architecture`, without a variant: clusters do not tell it.
        allocatable: Resource name to amount, in base units.
        labels: Its labels.
        taints: Its taints.
        ready: Whether it says that it is ready.
    """

    name: str
    architecture: str
    allocatable: Mapping[str, Decimal]
    labels: Mapping[str, str] = field(default_factory=dict)
    taints: tuple[Taint, ...] = ()
    ready: bool = True


@dataclass(frozen=True, slots=True)
class LiveFacts:
    """A cluster. A part that the agent may not read is None, and is not compared.

    Attributes:
        version: (major, minor) of its API server.
        nodes: Its nodes.
        runtime_classes: Names of its RuntimeClasses.
        storage_classes: Names of its StorageClasses.
    """

    version: tuple[int, int]
    nodes: tuple[LiveNode, ...] | None
    runtime_classes: frozenset[str] | None
    storage_classes: frozenset[str] | None

    @property
    def unread(self) -> tuple[str, ...]:
        """What the agent may not read, so that it cannot be compared."""
        parts = (
            ("nodes", self.nodes),
            ("runtime classes", self.runtime_classes),
            ("storage classes", self.storage_classes),
        )
        return tuple(name for name, value in parts if value is None)
