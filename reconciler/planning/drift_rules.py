"""What happens to changes that others make, by kind, object and field: `spec.sync.driftRules`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from reconciler.model.plan import Hold
from reconciler.model.resource import Manifest, Resource, ResourceId
from reconciler.model.site import DriftRule
from reconciler.planning.applyset import FIELD_MANAGER

__all__ = ["drift_action", "leave_to_others"]


def drift_action(id_: ResourceId, rules: Iterable[DriftRule], default: str) -> str:
    """Return `correct`, `report` or `ignore` for a whole object: the first rule that names it decides."""
    return next((rule.action for rule in rules if not rule.fields and _names(rule, id_)), default)


def leave_to_others(
    resources: Iterable[Resource], observed: Mapping[ResourceId, Manifest], rules: Sequence[DriftRule]
) -> tuple[list[Resource], list[Hold]]:
    """Return the objects without the fields that a rule leaves to others and that others have taken.

    A field is written when its object is made, and stays ours until somebody else sets it.
    """
    found: list[Resource] = []
    holds: list[Hold] = []
    for resource in resources:
        left = resource
        for rule in rules:
            if not rule.fields or not _names(rule, resource.id):
                continue
            for pointer in rule.fields:
                path = _steps(pointer)
                try:
                    if _taken(observed.get(resource.id), path):
                        left = Resource(_without(left.manifest, path))
                    else:
                        _without(left.manifest, path)
                except TypeError:
                    message = (
                        f"{resource.id}: {pointer} leads through a list, and list items have no fixed place"
                    )
                    hint = "name the whole list in spec.sync.driftRules"
                    holds.append(Hold("drift-rule-invalid", message, hint, (resource.id,)))
        found.append(left)
    return found, holds


def _names(rule: DriftRule, id_: ResourceId) -> bool:
    return (
        rule.kind == id_.kind
        and rule.group in (None, id_.group)
        and rule.namespace in ("", id_.namespace)
        and rule.name in ("", id_.name)
    )


def _steps(pointer: str) -> list[str]:
    return [step.replace("~1", "/").replace("~0", "~") for step in pointer.split("/")[1:]]


def _taken(live: Manifest | None, path: Sequence[str]) -> bool:
    """Tell whether somebody else owns a field, or something in it, and we own nothing of it."""
    entries = ((live or {}).get("metadata") or {}).get("managedFields") or ()
    owners = {str(entry.get("manager")) for entry in entries if _owned(entry.get("fieldsV1") or {}, path)}
    return bool(owners) and FIELD_MANAGER not in owners


def _owned(fields: Mapping[str, Any], path: Sequence[str]) -> bool:
    for step in path:
        below = fields.get(f"f:{step}")
        if not isinstance(below, Mapping):
            return False
        fields = below
    return True


def _without(manifest: Mapping[str, Any], path: Sequence[str]) -> dict[str, Any]:
    """Return a mapping without one field.

    Raises:
        TypeError: The path leads through a list.
    """
    head, *rest = path
    if head not in manifest:
        return dict(manifest)
    if not rest:
        return {key: value for key, value in manifest.items() if key != head}
    below = manifest[head]
    if isinstance(below, list):
        raise TypeError
    if not isinstance(below, Mapping):
        return dict(manifest)
    return {**manifest, head: _without(below, rest)}
