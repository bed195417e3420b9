"""Replicas that an autoscaler sets, and that a sync leaves to it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from reconciler.model.resource import Manifest, Resource, ResourceId
from reconciler.planning.applyset import FIELD_MANAGER

__all__ = ["left_to_scalers"]


def left_to_scalers(resources: Iterable[Resource], observed: Mapping[ResourceId, Manifest]) -> list[Resource]:
    """Return the objects, without `spec.replicas` where an autoscaler of the same set has taken it over.

    The number that is written is where a new workload begins. Once its autoscaler has changed it, the API
    server records the field as the autoscaler's; to write it again would undo every scaling. Somebody who
    scales by hand what no autoscaler of the set points at is corrected like any other drift.
    """
    found = list(resources)
    scaled = {target for resource in found if (target := _target(resource)) is not None}
    return [
        _without_replicas(resource)
        if (resource.kind, resource.id.namespace, resource.id.name) in scaled
        and _taken_over(observed.get(resource.id))
        else resource
        for resource in found
    ]


def _target(resource: Resource) -> tuple[str, str, str] | None:
    """Return what an autoscaler scales: HorizontalPodAutoscaler, and others that name it in the same way."""
    spec = resource.manifest.get("spec")
    reference = spec.get("scaleTargetRef") if isinstance(spec, Mapping) else None
    if not isinstance(reference, Mapping) or not reference.get("name"):
        return None
    return (str(reference.get("kind") or "Deployment"), resource.id.namespace, str(reference["name"]))


def _taken_over(live: Manifest | None) -> bool:
    """Tell whether the number of replicas of a live object is somebody else's and not ours."""
    owners = {
        str(entry.get("manager"))
        for entry in ((live or {}).get("metadata") or {}).get("managedFields") or ()
        if "f:replicas" in ((entry.get("fieldsV1") or {}).get("f:spec") or {})
    }
    return bool(owners) and FIELD_MANAGER not in owners


def _without_replicas(resource: Resource) -> Resource:
    spec = resource.manifest.get("spec")
    if not isinstance(spec, Mapping) or "replicas" not in spec:
        return resource
    rest = {key: value for key, value in spec.items() if key != "replicas"}
    return Resource({**resource.manifest, "spec": rest})
