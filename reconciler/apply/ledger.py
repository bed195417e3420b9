"""What is known of a sync while it runs: results, health and the inventory."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from types import MappingProxyType

from reconciler.model.outcome import Actuation, Outcome, Refusal, Result
from reconciler.model.plan import Action, Change, Health, Inventory, InventoryEntry, Plan
from reconciler.model.resource import Manifest, ResourceId
from reconciler.planning import conventions
from reconciler.planning.difference import field_changes
from reconciler.planning.digest import fields_digest, manifest_digest

__all__ = ["Ledger"]


class Ledger:
    """Keeps account of one run of a plan.

    The inventory that it gives always holds at least everything that is at the target by this agent, so it
    can be stored at any moment: an object enters it before it is applied and leaves it after it is gone.

    Args:
        plan: The plan that is carried out.
    """

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        self._entries: dict[ResourceId, InventoryEntry] = dict(plan.inventory.entries)
        self._results = {
            change.id: Result(change.id, change.action, _initial(change), change.reason)
            for change in plan.changes
        }
        self.refusals: list[Refusal] = []
        self.changed = False
        self.timed_out = False

    @property
    def inventory(self) -> Inventory:
        """What is, or may be, at the target now."""
        return Inventory(MappingProxyType(dict(sorted(self._entries.items()))))

    def expect(self, change: Change) -> None:
        """Note that an object is about to be applied.

        Nothing is claimed of what was applied until it is known: an agent that is stopped now, and that then
        wants what was there before, must not take the object for unchanged.
        """
        if change.resource is not None:
            self._entries[change.id] = InventoryEntry(
                change.id,
                change.resource.api_version,
                digest="",
                wave=change.wave,
                keep=conventions.keeps(change.resource.manifest),
            )

    def applied(self, change: Change, live: Manifest) -> None:
        """Note what is there after an apply; the same resource version as before is no change."""
        before = _version(change.live)
        same = bool(before) and before == _version(live)
        self._settle(change, live, Action.UNCHANGED if same else change.action)
        self.changed = self.changed or not same

    def unchanged(self, change: Change, live: Manifest) -> None:
        """Note that an object needs no write."""
        self._settle(change, live, Action.UNCHANGED)

    def _settle(self, change: Change, live: Manifest, action: Action) -> None:
        if change.resource is not None:
            self._entries[change.id] = InventoryEntry(
                change.id,
                change.resource.api_version,
                digest=manifest_digest(change.resource.manifest),
                wave=change.wave,
                keep=conventions.keeps(change.resource.manifest),
                fields=fields_digest(live),
            )
        self._update(change.id, action=action, actuation=Actuation.SUCCEEDED)

    def differs(self, change: Change, result: Manifest) -> None:
        """Note what an object would become, as its dry-run told."""
        fields = field_changes(change.live, result) if change.live is not None else ()
        self._results[change.id] = replace(self._results[change.id], fields=fields)

    def deleting(self, change: Change) -> None:
        """Note that the target was asked to delete an object. It stays in the inventory until it is gone."""
        self.changed = True
        self._update(change.id, actuation=Actuation.PENDING, awaited=True)

    def gone(self, change: Change) -> None:
        """Note that a deleted object is not there any more."""
        self._entries.pop(change.id, None)
        self._results[change.id] = replace(
            self._results[change.id], actuation=Actuation.SUCCEEDED, health=None
        )

    def refuse(self, change: Change, refusal: Refusal) -> None:
        """Note the target's "no"."""
        self.refusals.append(refusal)
        self._update(change.id, actuation=Actuation.FAILED, reason=refusal.message)

    def see(self, id_: ResourceId, health: Health, *, awaited: bool) -> None:
        """Note the health of an object."""
        self._update(id_, health=health, awaited=awaited or self._results[id_].awaited)

    def result(self, id_: ResourceId) -> Result:
        """Return what is known of one change."""
        return self._results[id_]

    def outcome(self) -> Outcome:
        """Return everything, in the order of the plan."""
        results: Mapping[ResourceId, Result] = self._results
        return Outcome(
            results=tuple(results[change.id] for change in self._plan.changes),
            refusals=tuple(self.refusals),
            inventory=self.inventory,
            changed=self.changed,
            timed_out=self.timed_out,
        )

    def _update(
        self,
        id_: ResourceId,
        *,
        action: Action | None = None,
        actuation: Actuation | None = None,
        reason: str | None = None,
        health: Health | None = None,
        awaited: bool | None = None,
    ) -> None:
        old = self._results[id_]
        self._results[id_] = Result(
            id_,
            action or old.action,
            actuation or old.actuation,
            old.reason if reason is None else reason,
            health or old.health,
            old.awaited if awaited is None else awaited,
            old.fields,
        )


def _initial(change: Change) -> Actuation:
    match change.action:
        case Action.SKIP:
            return Actuation.SKIPPED
        case Action.UNCHANGED:
            return Actuation.SUCCEEDED
        case _:
            return Actuation.PENDING


def _version(manifest: Manifest | None) -> str:
    return str(((manifest or {}).get("metadata") or {}).get("resourceVersion") or "")
