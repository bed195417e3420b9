"""Which objects are made of an object, and what is wrong with how they are made."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType

from reconciler.model.kinds import BUILT_IN, WorkloadKinds
from reconciler.model.resource import Resource, ResourceId
from reconciler.rules.facts.node import NodeFacts
from reconciler.rules.made import edgeapplication, spinapp, yurtappset
from reconciler.rules.made.group import Making

__all__ = ["is_made_of", "make"]

_MAKERS: Mapping[tuple[str, str], Callable[[Resource, Sequence[NodeFacts], Sequence[Resource]], Making]] = (
    MappingProxyType(
        {
            ("apps.openyurt.io", "YurtAppSet"): yurtappset.make,
            ("apps.kubeedge.io", "EdgeApplication"): edgeapplication.make,
            ("core.spinkube.dev", "SpinApp"): spinapp.make,
        }
    )
)


def is_made_of(resource_id: ResourceId, kinds: WorkloadKinds) -> bool:
    """Tell whether other objects are made of one; a kind that the fleet itself names is taken by its word."""
    key = (resource_id.group, resource_id.kind)
    return key in _MAKERS and kinds.get(key) is BUILT_IN.get(key)


def make(resource: Resource, *, nodes: Sequence[NodeFacts], resources: Sequence[Resource]) -> Making:
    """Make what the controller of an object's kind makes of it.

    Args:
        resource: An object of which `is_made_of` holds.
        nodes: The nodes of the site.
        resources: The other objects of the site, among which are groups of nodes.
    """
    return _MAKERS[resource.id.group, resource.id.kind](resource, nodes, resources)
