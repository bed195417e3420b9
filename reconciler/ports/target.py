"""What a site's resources are applied to: a cluster, or an auto-deploy folder."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Protocol

from reconciler.model.plan import Health, Inventory, Observed
from reconciler.model.resource import Manifest, Resource, ResourceId

__all__ = ["Observed", "Target"]


class Target(Protocol):
    """Carries out single actions. Every method raises `TargetUnreachable` where nothing answers."""

    def observe(self, resources: Iterable[Resource]) -> Observed:
        """Return the inventory, and the live state of its objects and of `resources`."""

    def dry_run(self, resource: Resource) -> Manifest | None:
        """Return what applying would make of the object, or None where the target cannot tell.

        Raises:
            TargetRefused: The target would refuse the object; the message is its own.
        """

    def apply(self, resource: Resource) -> Manifest:
        """Apply one object and return what is there afterwards."""

    def delete(self, id: ResourceId, api_version: str) -> None:  # noqa: A002 - the field's word
        """Delete one object. An object that is not there is no error."""

    def health(self, resource: Resource) -> Health:
        """Return the health of an applied object; `UNKNOWN` where the target cannot tell."""

    def save_inventory(self, inventory: Inventory) -> None:
        """Store the inventory at the target."""

    def describe(self) -> Mapping[str, Any]:
        """Return what this target is, for reports: type, place, version."""
