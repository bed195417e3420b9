"""What a rollback cannot take back: work that was done, and data that was written."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from reconciler.model.resource import Resource, ResourceId

__all__ = ["lasting"]

_CLAIM = "PersistentVolumeClaim"


def lasting(changed: Iterable[Resource], kept: Mapping[ResourceId, str]) -> tuple[str, ...]:
    """Return a sentence for everything that stays as a revision left it, although the site goes back.

    Args:
        changed: What the revision wrote, as it wants it.
        kept: What it made and the way back does not delete, and why.
    """
    found = [f"{id_}: {reason}" for id_, reason in sorted(kept.items())]
    for resource in sorted(changed, key=lambda resource: resource.id):
        if resource.kind == "Job":
            found.append(f"{resource.id}: what it has done stays done")
        found += [
            f"{claim}: what {resource.id} may have written to it stays"
            for claim in sorted(set(_claims(resource)))
        ]
    return tuple(found)


def _claims(resource: Resource) -> Iterator[str]:
    """Yield the claims that the pods of a workload mount."""
    spec = _mapping(resource.manifest.get("spec"))
    if resource.kind == "CronJob":
        spec = _mapping(_mapping(spec.get("jobTemplate")).get("spec"))
    pod = spec if resource.kind == "Pod" else _mapping(_mapping(spec.get("template")).get("spec"))
    place = f"{_CLAIM}/{resource.id.namespace}" if resource.id.namespace else _CLAIM
    for volume in _mappings(pod.get("volumes")):
        if name := _mapping(volume.get("persistentVolumeClaim")).get("claimName"):
            yield f"{place}/{name}"
    for template in _mappings(spec.get("volumeClaimTemplates")):
        if name := _mapping(template.get("metadata")).get("name"):
            yield f"{place}/{name}-{resource.id.name}-*"


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _mappings(value: Any) -> Iterator[Mapping[str, Any]]:
    return (item for item in (value if isinstance(value, list) else ()) if isinstance(item, Mapping))
