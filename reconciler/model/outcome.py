"""What a sync did, as data."""

from __future__ import annotations

import enum
from dataclasses import dataclass, field

from reconciler.model.plan import Action, FieldChange, Health, HealthStatus, Hold, Inventory
from reconciler.model.resource import ResourceId

__all__ = ["Actuation", "Outcome", "Phase", "Refusal", "Result", "Step"]


class Actuation(enum.Enum):
    """Whether a change was made. Apart from health: an object may be applied and not yet settle."""

    SUCCEEDED = "Succeeded"
    SKIPPED = "Skipped"
    FAILED = "Failed"
    PENDING = "Pending"


@dataclass(frozen=True, slots=True)
class Result:
    """What became of one change.

    Attributes:
        id: The object.
        action: What was done in the end: an update that changed nothing is `UNCHANGED`.
        actuation: Whether it was done; `PENDING` where the sync stopped before it.
        reason: Why it was skipped or why it failed, in the target's own words.
        health: The last health seen, or None where nobody looked.
        awaited: Whether the sync waited for its health, so that it counts as a failure of this revision.
        fields: What changed in it, field by field, as the target's dry-run told; values of Secrets masked.
    """

    id: ResourceId
    action: Action
    actuation: Actuation
    reason: str = ""
    health: Health | None = None
    awaited: bool = False
    fields: tuple[FieldChange, ...] = ()


@dataclass(frozen=True, slots=True)
class Refusal:
    """The target's "no" to one object.

    Attributes:
        id: The object.
        message: The target's own words.
        reason: The machine-readable reason, or "".
        hint: What to do, or "".
    """

    id: ResourceId
    message: str
    reason: str = ""
    hint: str = ""


@dataclass(frozen=True, slots=True)
class Outcome:
    """The end of one sync.

    Attributes:
        results: One for each change of the plan, in its order.
        refusals: Everything that the target refused.
        holds: Why nothing was done at all, or empty.
        inventory: What is at the target now by this site's agent.
        changed: Whether anything at the target was changed.
        timed_out: Whether the time for health ran out.
    """

    results: tuple[Result, ...]
    refusals: tuple[Refusal, ...] = ()
    holds: tuple[Hold, ...] = ()
    inventory: Inventory = field(default_factory=Inventory, repr=False)
    changed: bool = False
    timed_out: bool = False

    @property
    def complete(self) -> bool:
        """Tell whether every change of the plan was made."""
        return (
            not self.holds
            and not self.refusals
            and all(result.actuation in (Actuation.SUCCEEDED, Actuation.SKIPPED) for result in self.results)
        )

    @property
    def unhealthy(self) -> tuple[Result, ...]:
        """Objects that this sync waited for and that did not become Current."""
        return tuple(
            result
            for result in self.results
            if result.awaited
            and result.health is not None
            and result.health.status not in (HealthStatus.CURRENT, HealthStatus.UNKNOWN)
        )

    @property
    def succeeded(self) -> bool:
        """Tell whether every change was made and nothing that was waited for is unhealthy."""
        return self.complete and not self.unhealthy


class Phase(enum.Enum):
    """The parts of a sync, in order."""

    DRY_RUN = "dry-run"
    INVENTORY = "inventory"
    APPLY = "apply"
    HEALTH = "health"
    PRUNE = "prune"


@dataclass(frozen=True, slots=True)
class Step:
    """Something that a sync just did, for progress and logs."""

    phase: Phase
    id: ResourceId | None = None
    action: Action | None = None
    message: str = ""
