"""Where the images of an object stand."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from reconciler.model.fieldpath import FieldPath
from reconciler.model.resource import Manifest, Resource

__all__ = ["image_fields", "pod_template_path"]

_POD_TEMPLATES: Mapping[tuple[str, str], FieldPath] = {
    ("", "Pod"): (),
    ("", "PodTemplate"): ("template",),
    ("", "ReplicationController"): ("spec", "template"),
    ("apps", "DaemonSet"): ("spec", "template"),
    ("apps", "Deployment"): ("spec", "template"),
    ("apps", "ReplicaSet"): ("spec", "template"),
    ("apps", "StatefulSet"): ("spec", "template"),
    ("batch", "CronJob"): ("spec", "jobTemplate", "spec", "template"),
    ("batch", "Job"): ("spec", "template"),
}
_CONTAINERS = ("initContainers", "containers", "ephemeralContainers")


def pod_template_path(resource: Resource) -> FieldPath | None:
    """Return where the object's pod template stands, or None where its kind has none."""
    return _POD_TEMPLATES.get((resource.id.group, resource.kind))


def image_fields(resource: Resource) -> Iterator[tuple[FieldPath, str]]:
    """Yield path and text of every image reference of an object.

    These are the images of all containers and of `image` volumes (KEP-4639).
    """
    template_path = pod_template_path(resource)
    if template_path is None:
        return
    template: Any = resource.manifest
    for step in template_path:
        template = template.get(step) if isinstance(template, Mapping) else None
    spec: Any = template.get("spec") if isinstance(template, Mapping) else None
    if not isinstance(spec, Mapping):
        return
    at: FieldPath = (*template_path, "spec")
    for field in _CONTAINERS:
        for index, container in enumerate(_items(spec, field)):
            if isinstance(container.get("image"), str):
                yield (*at, field, index, "image"), container["image"]
    for index, volume in enumerate(_items(spec, "volumes")):
        image = volume.get("image")
        if isinstance(image, Mapping) and isinstance(image.get("reference"), str):
            yield (*at, "volumes", index, "image", "reference"), image["reference"]


def _items(spec: Manifest, field: str) -> list[Mapping[str, Any]]:
    """Return the mappings in a list; anything else there is the schema check's business."""
    values = spec.get(field)
    if not isinstance(values, list):
        return []
    return [value if isinstance(value, Mapping) else {} for value in values]
