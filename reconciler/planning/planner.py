"""From what is wanted and what is there to what is to be done."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from types import MappingProxyType

from reconciler.model.plan import Action, Change, Hold, Inventory, InventoryEntry, Observed, Plan, Wave
from reconciler.model.resource import Manifest, Resource, ResourceId
from reconciler.model.site import SyncSettings
from reconciler.planning import conventions
from reconciler.planning.applyset import applyset_id, part_of, with_label
from reconciler.planning.digest import fields_digest, last_writer, manifest_digest
from reconciler.planning.drift_rules import drift_action, leave_to_others
from reconciler.planning.guard import guard
from reconciler.planning.normal import normal
from reconciler.planning.ordering import Order, kind_rank, order
from reconciler.planning.ownership import foreign_owner
from reconciler.planning.pruning import Rules, deletions
from reconciler.planning.scaling import left_to_scalers
from reconciler.planning.scope import defined_scopes, scoped

__all__ = ["plan"]

_CRD = "CustomResourceDefinition"


def plan(
    desired: Sequence[Resource],
    observed: Observed,
    inventory: Inventory,
    policy: SyncSettings,
    *,
    site: str,
    former_sites: Collection[str] = (),
    own: Collection[ResourceId] = (),
    rollback: bool = False,
    resting: Collection[ResourceId] = (),
) -> Plan:
    """Return what a sync would do.

    An empty `desired` is taken at its word: the caller answers for having loaded the set whole. The prune
    guard holds what looks like an accident.

    Args:
        desired: The site's objects; they are made members of the site's ApplySet here.
        observed: What is at the target.
        inventory: What the agent's own state says is there.
        policy: The site's `spec.sync`.
        site: The site's name.
        former_sites: Names that the site had before; what they put there is taken over, not deleted.
        own: Objects that the agent itself consists of: applied last, never deleted.
        rollback: Whether `desired` is what was good before a revision that failed. Then nothing holds the way
            back: what belongs to somebody else by now, and what the guard would hold, is left as it is.
        resting: Objects over which there is a fight, and whose drift is not corrected for now.

    Returns:
        The plan. What is wrong with the set or must not happen by mistake stands in its `holds`.
    """
    owner = applyset_id(site)
    ours = frozenset({owner, *(applyset_id(name) for name in former_sites)})
    wanted = () if policy.decommission else desired
    scopes = {**defined_scopes(wanted), **observed.scopes}
    resources = [with_label(scoped(normal(resource), scopes), owner) for resource in wanted]
    resources = left_to_scalers(resources, observed.objects)
    resources, holds = leave_to_others(resources, observed.objects, policy.drift_rules)
    holds.extend(_malformed(resources))
    rules = Rules(policy, ours, frozenset(own), rollback=rollback, resting=frozenset(resting))
    known = _known(observed, inventory, ours)
    by_id = {resource.id: resource for resource in resources}
    ordered = order(tuple(by_id.values()))
    holds.extend(ordered.holds)

    changes: dict[ResourceId, Change] = {}
    for id_, resource in by_id.items():
        change, hold = _change(
            resource, observed.objects.get(id_), known.get(id_), rules, wave=ordered.positions[id_][0]
        )
        changes[id_] = change
        if hold and not rollback:
            holds.append(hold)
    changes = _staged(changes, ordered)
    pruned = deletions(by_id, observed, known, rules)
    if not policy.decommission and not rollback:
        doomed = [change.id for change in pruned if change.action is Action.DELETE]
        holds.extend(guard(doomed, size=len(known), desired=by_id, confirmed=policy.confirm_deletes))
    return Plan(
        waves=_waves(changes.values(), ordered, rules.own),
        deletions=pruned,
        holds=tuple(holds),
        inventory=Inventory(MappingProxyType(known)),
    )


def _malformed(resources: Iterable[Resource]) -> list[Hold]:
    """Return a hold for each object without a full identity, and for each identity that comes twice."""
    holds: list[Hold] = []
    seen: set[ResourceId] = set()
    for resource in resources:
        id_ = resource.id
        missing = [
            field
            for field, value in (
                ("apiVersion", resource.api_version),
                ("kind", id_.kind),
                ("metadata.name", id_.name),
            )
            if not value
        ]
        if missing:
            message = f"{id_}: expected {' and '.join(missing)}, found none"
            holds.append(Hold("resource-incomplete", message, subjects=(id_,)))
        elif id_ in seen:
            message = f"{id_} comes more than once in the site's objects"
            hint = "give one of them another name or namespace, or remove it"
            holds.append(Hold("resource-duplicate", message, hint, (id_,)))
        seen.add(id_)
    return holds


def _known(
    observed: Observed, inventory: Inventory, ours: frozenset[str]
) -> dict[ResourceId, InventoryEntry]:
    """Return what is really there and ours, by the agent's own state and by the target's.

    What the state knows but is gone, or has been given to another set, is not ours to delete any more.
    """
    known: dict[ResourceId, InventoryEntry] = {}
    for id_ in sorted({*inventory.entries, *observed.inventory.entries}):
        live = observed.objects.get(id_)
        entry = inventory.entries.get(id_) or observed.inventory.entries[id_]
        if live is not None and part_of(live) in ours:
            known[id_] = entry
    return known


def _change(
    resource: Resource,
    live: Manifest | None,
    entry: InventoryEntry | None,
    rules: Rules,
    *,
    wave: int,
) -> tuple[Change, Hold | None]:
    """Return what happens to one desired object, and why it may not."""
    id_ = resource.id
    force = conventions.conflicts(resource.manifest, rules.policy.conflicts) != "report"
    recreate = conventions.recreates(resource.manifest)
    hold: Hold | None = None
    reason = ""
    if key := conventions.ignored(resource.manifest):
        action, reason = Action.SKIP, f"left alone by its annotation {key}"
    elif live is None:
        action = Action.CREATE
    elif foreign := foreign_owner(live, rules.ours):
        action, reason = Action.UPDATE, f"taken over from {foreign}"
        if not conventions.adopts(resource.manifest):
            action, reason = Action.SKIP, f"belongs to {foreign}"
            message = f"{id_} is there already and belongs to {foreign}"
            hint = "rename it, remove it from the overlay, or annotate it with wayside.dev/adopt: enabled"
            hold = Hold("foreign-owner", message, hint, (id_,))
    elif conventions.create_only(resource.manifest):
        action, reason = Action.UNCHANGED, "made once and left alone by its annotation"
    elif part_of(live) not in rules.ours and entry is None:
        action, reason = Action.UPDATE, "was there before and belonged to nobody"
    else:
        action, reason = _difference(resource, live, entry, rules)
    change = Change(
        id_, action, resource, reason=reason, wave=wave, live=live, force=force, recreate=recreate
    )
    return change, hold


def _difference(
    resource: Resource, live: Manifest, entry: InventoryEntry | None, rules: Rules
) -> tuple[Action, str]:
    """Return whether an object of ours needs a write, and why."""
    manifest = resource.manifest
    if (live.get("metadata") or {}).get("deletionTimestamp"):
        return Action.UPDATE, "being deleted: made anew when it is gone"
    if not (live.get("metadata") or {}).get("managedFields"):
        # A target without field managers keeps what it was given.
        return (Action.UNCHANGED, "") if live == manifest else (Action.UPDATE, "")
    if entry is None or not entry.digest or not entry.fields or entry.digest != manifest_digest(manifest):
        return Action.UPDATE, ""
    if entry.fields == fields_digest(live):
        return Action.UNCHANGED, ""
    who = last_writer(live) or "somebody else"
    if resource.id in rules.resting:
        return Action.SKIP, f"drifted: {who} changes it again and again, so it rests for a while"
    default = drift_action(resource.id, rules.policy.drift_rules, rules.policy.drift)
    match conventions.drift(manifest, default):
        case "ignore":
            return Action.UNCHANGED, ""
        case "report":
            return Action.SKIP, f"drifted: {who} changed fields of it, and drift is only reported"
        case _:
            return Action.UPDATE, f"drifted: {who} changed fields of it"


def _staged(changes: Mapping[ResourceId, Change], ordered: Order) -> dict[ResourceId, Change]:
    """Note on each change what of the same sync it cannot be dry-run without.

    That is what will be made, and a CRD that will be changed: its schema decides on its objects.
    """
    staged: dict[ResourceId, Change] = {}
    for id_, change in changes.items():
        after = tuple(
            needed
            for needed in ordered.prerequisites.get(id_, ())
            if changes[needed].action is Action.CREATE
            or (needed.kind == _CRD and changes[needed].action is Action.UPDATE)
        )
        staged[id_] = replace(change, after=after) if after else change
    return staged


def _waves(changes: Iterable[Change], ordered: Order, own: Collection[ResourceId]) -> tuple[Wave, ...]:
    groups: dict[tuple[bool, int, int], list[Change]] = {}
    for change in changes:
        wave, stage = ordered.positions[change.id]
        groups.setdefault((change.id in own, wave, stage), []).append(change)
    return tuple(
        Wave(
            number=wave,
            changes=tuple(sorted(group, key=lambda change: (kind_rank(change.id.kind), change.id))),
            stage=stage,
        )
        for (_, wave, stage), group in sorted(groups.items())
    )
