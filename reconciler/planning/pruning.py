"""What leaves a site, in which order, and what stays although it is not wanted any more."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace

from reconciler.model.plan import Action, Change, InventoryEntry, Observed
from reconciler.model.resource import Manifest, Resource, ResourceId
from reconciler.model.site import SyncSettings
from reconciler.planning import conventions
from reconciler.planning.applyset import AGENT_NAMESPACE
from reconciler.planning.guard import guarded
from reconciler.planning.ordering import deletion_key
from reconciler.planning.ownership import foreign_owner
from reconciler.planning.scope import defined_scopes

__all__ = ["Rules", "deletions"]

_CRD = "CustomResourceDefinition"


@dataclass(frozen=True, slots=True)
class Rules:
    """What decides on single objects.

    Attributes:
        policy: The site's settings.
        ours: Ids of the sets that are this site's.
        own: The agent's own objects.
        rollback: Whether this is the way back to what was good.
        resting: Objects over which there is a fight.
    """

    policy: SyncSettings
    ours: frozenset[str]
    own: frozenset[ResourceId]
    rollback: bool = False
    resting: frozenset[ResourceId] = frozenset()


def deletions(
    desired: Mapping[ResourceId, Resource],
    observed: Observed,
    known: Mapping[ResourceId, InventoryEntry],
    rules: Rules,
) -> tuple[Change, ...]:
    """Return a change for everything that is there and ours and not desired, in the order of deletion.

    Args:
        desired: What the site is to have.
        observed: What is at the target.
        known: What of it is ours.
        rules: What decides.
    """
    changes: list[Change] = []
    for id_, entry in known.items():
        if id_ in desired:
            continue
        live = observed.objects[id_]
        wave = entry.wave
        if not entry.digest:
            try:
                wave = conventions.wave(live)
            except ValueError:
                wave = 0
        reason = _kept(id_, live, rules)
        action = Action.SKIP if reason else Action.DELETE
        changes.append(
            Change(id_, action, reason=reason or "no longer among the site's objects", wave=wave, live=live)
        )
    staying = {*desired, *(change.id for change in changes if change.action is Action.SKIP)}
    changes = [_with_its_content(change, staying) for change in changes]
    return tuple(sorted(changes, key=lambda change: deletion_key(change.id, change.wave)))


def _with_its_content(change: Change, staying: Collection[ResourceId]) -> Change:
    """Keep a Namespace or CRD whose deletion would take along what stays."""
    if change.action is not Action.DELETE:
        return change
    inside: list[ResourceId] = []
    if (change.id.group, change.id.kind) == ("", "Namespace"):
        inside = [id_ for id_ in staying if id_.namespace == change.id.name]
    elif change.id.kind == _CRD and change.live is not None:
        defined = defined_scopes([Resource(change.live)])
        inside = [id_ for id_ in staying if (id_.group, id_.kind) in defined]
    if not inside:
        return change
    return replace(change, action=Action.SKIP, reason=f"kept: {min(inside)} stays, and would go with it")


def _kept(
    id_: ResourceId,
    live: Manifest,
    rules: Rules,
) -> str:
    """Return why an object that left the set stays at the target, or ""."""
    agent = id_ in rules.own or (id_.kind, id_.name) in (
        ("Namespace", AGENT_NAMESPACE),
        (_CRD, "sites.wayside.dev"),
    )
    if agent:
        return "kept: the agent itself needs it"
    if foreign := foreign_owner(live, rules.ours):
        return f"kept: it belongs to {foreign}"
    if conventions.keeps(live):
        return "kept: its annotation says that it is not pruned"
    if not rules.policy.prune and not rules.policy.decommission:
        return "kept: spec.sync.prune is false"
    if rules.rollback and guarded(id_):
        return "kept: a revision that failed made it; nothing that may hold data is deleted on the way back"
    return ""
