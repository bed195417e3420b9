"""Where the images of an object stand."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from reconciler.model.fieldpath import FieldPath
from reconciler.model.kinds import BUILT_IN, WorkloadKinds
from reconciler.model.resource import Manifest, Resource

__all__ = ["image_fields"]

_CONTAINERS = ("initContainers", "containers", "ephemeralContainers")
_DEEPEST = 12


def image_fields(resource: Resource, kinds: WorkloadKinds = BUILT_IN) -> Iterator[tuple[FieldPath, str]]:
    """Yield path and text of every image reference of an object.

    These are the images of all containers and of `image` volumes (KEP-4639) of a pod spec, or the one image
    of a kind that has no pod spec. In custom resources of kinds that nobody has named, everything that looks
    like a pod spec counts as one: a mapping with a list of containers of which one has an image.

    Args:
        resource: The object.
        kinds: The kinds that run something, built in and named by the fleet.
    """
    group = resource.id.group
    kind = kinds.get((group, resource.kind))
    if kind is None and (resource.kind, group) == ("PodTemplate", ""):
        yield from _pod_images(resource.manifest, ("template", "spec"))
    elif kind is None and "." in group and not group.endswith(".k8s.io"):
        yield from _embedded(resource.manifest, ())
    elif kind is not None and kind.pod_spec:
        yield from _pod_images(resource.manifest, kind.pod_spec)
    elif kind is not None:
        image = _at(resource.manifest, kind.image)
        if isinstance(image, str) and kind.image:
            yield kind.image, image


def _pod_images(manifest: Manifest, at: FieldPath) -> Iterator[tuple[FieldPath, str]]:
    spec = _at(manifest, at)
    if not isinstance(spec, Mapping):
        return
    for field in _CONTAINERS:
        for index, container in enumerate(_items(spec, field)):
            if isinstance(container.get("image"), str):
                yield (*at, field, index, "image"), container["image"]
    for index, volume in enumerate(_items(spec, "volumes")):
        image = volume.get("image")
        if isinstance(image, Mapping) and isinstance(image.get("reference"), str):
            yield (*at, "volumes", index, "image", "reference"), image["reference"]


def _embedded(value: Any, at: FieldPath) -> Iterator[tuple[FieldPath, str]]:
    if len(at) > _DEEPEST:
        return
    if isinstance(value, Mapping):
        if any(isinstance(each.get("image"), str) for each in _items(value, "containers")):
            for path, text in _pod_images(value, ()):
                yield (*at, *path), text
            return
        for key, item in value.items():
            if isinstance(item, Mapping | list):
                yield from _embedded(item, (*at, key))
    elif isinstance(value, list):
        for index, item in enumerate(value):
            if isinstance(item, Mapping | list):
                yield from _embedded(item, (*at, index))


def _at(value: Any, path: FieldPath) -> Any:
    for step in path:
        value = value.get(step) if isinstance(value, Mapping) else None
    return value


def _items(spec: Manifest, field: str) -> list[Mapping[str, Any]]:
    """Return the mappings in a list; anything else there is the schema check's business."""
    values = spec.get(field)
    if not isinstance(values, list):
        return []
    return [value if isinstance(value, Mapping) else {} for value in values]
