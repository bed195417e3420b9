"""What a site's resources are applied to: a cluster, or an auto-deploy folder."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Protocol

from reconciler.model.plan import Health, Inventory, Observed
from reconciler.model.resource import Manifest, Resource, ResourceId

__all__ = ["Observed", "Target"]


class Target(Protocol):
    """Carries out single actions. Every method raises `TargetUnreachable` where nothing answers."""

    @property
    def parallel(self) -> int:
        """How many dry-runs, or applies, it takes at a time, from as many threads; 1 where one by one."""

    def observe(self, resources: Iterable[Resource], known: Inventory, *, newest: bool = False) -> Observed:
        """Return the inventory, and the live state of its objects and of `resources`.

        Args:
            resources: The desired objects.
            known: What the agent's own state says is there.
            newest: Whether what others have just changed must be in it too. What was written through this
                target always is.

        Raises:
            TargetRefused: Something may not be read. Never answered by leaving it out.
        """

    def dry_run(self, resource: Resource, *, force: bool) -> Manifest | None:
        """Return what applying would make of the object, or None where the target cannot tell.

        Args:
            resource: The desired object.
            force: Whether fields of other managers are taken; otherwise they are refused.

        Raises:
            TargetRefused: The target would refuse the object; the message is its own.
        """

    def apply(self, resource: Resource, *, force: bool) -> Manifest:
        """Apply one object and return what is there afterwards.

        Raises:
            TargetRefused: The target refuses the object; nothing was changed.
        """

    def read(self, id: ResourceId, api_version: str) -> Manifest | None:  # noqa: A002 - the field's word
        """Return one object, or None where it is not there."""

    def delete(self, id: ResourceId, api_version: str, *, uid: str = "") -> None:  # noqa: A002 - the field's word
        """Ask for the deletion of one object. An object that is not there is no error.

        Args:
            id: The object.
            api_version: A version it can be reached by.
            uid: Delete only this very object and not one of the same name made since; "" for any.

        Raises:
            TargetRefused: It may not be deleted.
        """

    def assess(self, live: Manifest | None) -> Health:
        """Return the health of an object as it was read, without a request.

        `UNKNOWN` where the target cannot tell.
        """

    def diagnose(self, live: Manifest) -> str:
        """Return why an object does not become healthy, for people, or "" where nothing tells."""

    def save_inventory(self, inventory: Inventory) -> None:
        """Store the inventory at the target; no write where it is stored already."""

    def describe(self) -> Mapping[str, Any]:
        """Return what this target is, for reports: type, place, version."""
