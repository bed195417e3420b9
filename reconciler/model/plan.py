"""What a sync will do, as inert data."""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from reconciler.model.resource import Manifest, Resource, ResourceId

__all__ = [
    "Action",
    "Change",
    "Health",
    "HealthStatus",
    "Hold",
    "Inventory",
    "InventoryEntry",
    "Observed",
    "Plan",
    "Wave",
]


class Action(enum.Enum):
    """What happens to one object."""

    CREATE = "create"
    UPDATE = "update"
    DELETE = "delete"
    UNCHANGED = "unchanged"
    SKIP = "skip"


@dataclass(frozen=True, slots=True)
class Change:
    """One object of a plan.

    Attributes:
        id: The object.
        action: What will be done.
        resource: The desired object; None for a deletion.
        reason: Why, where the action is a skip or a deletion.
        wave: Its wave; lower ones come first.
    """

    id: ResourceId
    action: Action
    resource: Resource | None = None
    reason: str = ""
    wave: int = 0


@dataclass(frozen=True, slots=True)
class Wave:
    """Changes that are applied together, before the next wave begins."""

    number: int
    changes: tuple[Change, ...]


@dataclass(frozen=True, slots=True)
class Hold:
    """Why nothing of a plan may be executed, and what releases it."""

    code: str
    message: str
    hint: str = ""
    subjects: tuple[ResourceId, ...] = ()


@dataclass(frozen=True, slots=True)
class Plan:
    """All changes of one sync: applies by wave, then deletions in reverse wave order.

    A plan with `holds` changes nothing.
    """

    waves: tuple[Wave, ...]
    deletions: tuple[Change, ...] = ()
    holds: tuple[Hold, ...] = ()

    @property
    def changes(self) -> tuple[Change, ...]:
        """Every change, in the order of execution."""
        return (*(change for wave in self.waves for change in wave.changes), *self.deletions)


@dataclass(frozen=True, slots=True)
class InventoryEntry:
    """An object that this site's agent put there.

    Attributes:
        id: The object.
        api_version: The version it was applied with.
        digest: `sha256:...` of the manifest last applied.
        wave: The wave it was applied in, for pruning in reverse.
        keep: Whether pruning leaves it there.
    """

    id: ResourceId
    api_version: str
    digest: str
    wave: int = 0
    keep: bool = False


@dataclass(frozen=True, slots=True)
class Inventory:
    """Everything that this site's agent put there and has not removed."""

    entries: Mapping[ResourceId, InventoryEntry] = field(default_factory=lambda: MappingProxyType({}))


@dataclass(frozen=True, slots=True)
class Observed:
    """What is at the target now, of the objects that were asked for.

    Attributes:
        objects: Every object that is there; one that was asked for and is missing here is not there.
        inventory: What this site's agent put there.
    """

    objects: Mapping[ResourceId, Manifest]
    inventory: Inventory = field(default_factory=Inventory)


class HealthStatus(enum.Enum):
    """Health of an object, by kstatus semantics."""

    CURRENT = "Current"
    IN_PROGRESS = "InProgress"
    FAILED = "Failed"
    TERMINATING = "Terminating"
    NOT_FOUND = "NotFound"
    UNKNOWN = "Unknown"


@dataclass(frozen=True, slots=True)
class Health:
    """The health of one object, with the reason for people."""

    status: HealthStatus
    message: str = ""
