"""What a sync will do, as inert data."""

from __future__ import annotations

import enum
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

from reconciler.model.resource import Manifest, Resource, ResourceId

__all__ = [
    "Action",
    "Change",
    "FieldChange",
    "Health",
    "HealthStatus",
    "Hold",
    "Inventory",
    "InventoryEntry",
    "Observed",
    "Plan",
    "Wave",
]

_EMPTY: Mapping[Any, Any] = MappingProxyType({})


class Action(enum.Enum):
    """What happens to one object."""

    CREATE = "create"
    UPDATE = "update"
    DELETE = "delete"
    UNCHANGED = "unchanged"
    SKIP = "skip"


@dataclass(frozen=True, slots=True)
class FieldChange:
    """One field that changes.

    Attributes:
        path: As `spec.template.spec.containers[web].image`.
        before: The value before, as short JSON; None where there was none.
        after: The value after; None where it goes away.
    """

    path: str
    before: str | None
    after: str | None


@dataclass(frozen=True, slots=True)
class Change:
    """One object of a plan.

    Attributes:
        id: The object.
        action: What will be done. An update may turn out, by dry-run, to change nothing.
        resource: The desired object; None for a deletion.
        reason: Why, where the action is a skip, a deletion or the correction of drift.
        wave: Its wave; lower ones come first.
        live: What is there now; None where nothing is.
        after: Objects of the same sync that must be there before this one can even be dry-run.
        force: Whether fields that another manager owns are taken.
        recreate: Whether it may be deleted and made anew where a field cannot be changed.
    """

    id: ResourceId
    action: Action
    resource: Resource | None = None
    reason: str = ""
    wave: int = 0
    live: Manifest | None = field(default=None, repr=False)
    after: tuple[ResourceId, ...] = ()
    force: bool = True
    recreate: bool = False


@dataclass(frozen=True, slots=True)
class Wave:
    """Changes that are applied together, before the next wave begins.

    Attributes:
        number: The wave that the objects ask for.
        changes: In the order of application.
        stage: What must come first inside one wave (a Namespace, a CRD, a dependency) makes stages of it.
    """

    number: int
    changes: tuple[Change, ...]
    stage: int = 0


@dataclass(frozen=True, slots=True)
class Hold:
    """Why nothing of a plan may be executed, and what releases it."""

    code: str
    message: str
    hint: str = ""
    subjects: tuple[ResourceId, ...] = ()


@dataclass(frozen=True, slots=True)
class InventoryEntry:
    """An object that this site's agent put there.

    Attributes:
        id: The object.
        api_version: The version it was applied with.
        digest: `sha256:...` of the manifest last applied; "" where that is not known.
        wave: The wave it was applied in, for pruning in reverse.
        keep: Whether pruning left it there when it was applied; the live object decides.
        fields: `sha256:...` of the set of fields that were ours after the last apply; "" where not known.
    """

    id: ResourceId
    api_version: str
    digest: str
    wave: int = 0
    keep: bool = False
    fields: str = ""


@dataclass(frozen=True, slots=True)
class Inventory:
    """Everything that this site's agent put there and has not removed."""

    entries: Mapping[ResourceId, InventoryEntry] = field(default_factory=lambda: _EMPTY)

    def to_json(self) -> str:
        """Return the inventory as JSON text, in a fixed order."""
        rows = [
            {
                "group": id_.group,
                "kind": id_.kind,
                "namespace": id_.namespace,
                "name": id_.name,
                "apiVersion": entry.api_version,
                "digest": entry.digest,
                "wave": entry.wave,
                "keep": entry.keep,
                "fields": entry.fields,
            }
            for id_, entry in sorted(self.entries.items())
        ]
        return json.dumps({"version": 1, "entries": rows}, separators=(",", ":"))

    @classmethod
    def from_json(cls, text: str | bytes) -> Inventory:
        """Read what `to_json` wrote.

        Raises:
            ValueError: The text is something else.
        """
        document = json.loads(text)
        if not isinstance(document, dict) or document.get("version") != 1:
            raise ValueError("expected an inventory of version 1")
        entries: dict[ResourceId, InventoryEntry] = {}
        try:
            for row in document["entries"]:
                id_ = ResourceId(str(row["group"]), str(row["kind"]), str(row["namespace"]), str(row["name"]))
                entries[id_] = InventoryEntry(
                    id=id_,
                    api_version=str(row["apiVersion"]),
                    digest=str(row["digest"]),
                    wave=int(row["wave"]),
                    keep=bool(row["keep"]),
                    fields=str(row["fields"]),
                )
        except (KeyError, TypeError) as err:
            raise ValueError(f"expected an inventory entry, found one without {err}") from err
        return cls(MappingProxyType(entries))


@dataclass(frozen=True, slots=True)
class Plan:
    """All changes of one sync: applies by wave, then deletions in reverse wave order.

    A plan with `holds` changes nothing.

    Attributes:
        waves: What is applied, in order.
        deletions: What is pruned, in order; skipped deletions among them.
        holds: Why nothing may be done, or empty.
        inventory: What is known to be there by this site's agent before the sync.
    """

    waves: tuple[Wave, ...]
    deletions: tuple[Change, ...] = ()
    holds: tuple[Hold, ...] = ()
    inventory: Inventory = field(default_factory=Inventory, repr=False)

    @property
    def changes(self) -> tuple[Change, ...]:
        """Every change, in the order of execution."""
        return (*(change for wave in self.waves for change in wave.changes), *self.deletions)


@dataclass(frozen=True, slots=True)
class Observed:
    """What is at the target now, of the objects that were asked for.

    Attributes:
        objects: Every object that is there; one that was asked for and is missing here is not there.
        inventory: What this site's agent put there, as the target tells it.
        scopes: (group, kind) to whether its objects live in namespaces, for the kinds the target knows.
    """

    objects: Mapping[ResourceId, Manifest]
    inventory: Inventory = field(default_factory=Inventory)
    scopes: Mapping[tuple[str, str], bool] = field(default_factory=lambda: _EMPTY)


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
