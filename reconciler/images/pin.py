"""Tags become digests: what `images.lock` says is what every site pulls."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from reconciler.images.fields import image_fields
from reconciler.model.fieldpath import FieldPath
from reconciler.model.image import ImageReference, ImageReferenceError
from reconciler.model.kinds import BUILT_IN, WorkloadKinds
from reconciler.model.lock import ImagesLock
from reconciler.model.registry import KeptTag, kept_tag
from reconciler.model.resource import Resource

__all__ = ["Pinner", "pin_images"]

#: Beyond so many specs it begins anew: by then most are of one site each.
_REMEMBERED = 16384


def pin_images(
    resource: Resource,
    lock: ImagesLock,
    *,
    kinds: WorkloadKinds = BUILT_IN,
    keep_tags: Sequence[KeptTag] = (),
) -> Resource:
    """Return the object with `repo:tag` written as `repo:tag@sha256:...` wherever the lock knows it.

    A reference that has a digest already, that keeps its tag for a reason, or that the lock does not know,
    stays as it is: the rules `digest-pinned` and `image-platforms` speak of it.

    Args:
        resource: The object.
        lock: What `images.lock` says.
        kinds: The kinds that run something, built in and named by the fleet.
        keep_tags: Images that are not pinned.
    """
    return Pinner(lock, kinds=kinds, keep_tags=keep_tags).pin(resource)


class Pinner:
    """Pins the images of many objects by one lock; a spec that many sites share is pinned once.

    Args:
        lock: What `images.lock` says, or None where there is none: then nothing is pinned.
        kinds: The kinds that run something, built in and named by the fleet.
        keep_tags: Images that are not pinned.
    """

    def __init__(
        self,
        lock: ImagesLock | None,
        *,
        kinds: WorkloadKinds = BUILT_IN,
        keep_tags: Sequence[KeptTag] = (),
    ) -> None:
        self._lock = lock
        self._kinds = kinds
        self._keep_tags = keep_tags
        # Keyed by identity; the key objects are kept alive beside their results.
        self._specs: dict[tuple[int, str, str], tuple[object, object]] = {}

    def pin(self, resource: Resource) -> Resource:
        """Return the object with its images pinned, as `pin_images` says."""
        lock = self._lock
        if lock is None:
            return resource
        kind = self._kinds.get((resource.id.group, resource.id.kind))
        if kind is None or (kind.pod_spec or kind.image)[:1] != ("spec",):
            return self._pinned(resource, lock)
        spec = resource.manifest.get("spec")
        key = (id(spec), resource.id.group, resource.id.kind)
        known = self._specs.get(key)
        if known is None:
            if len(self._specs) >= _REMEMBERED:
                self._specs.clear()
            known = self._specs[key] = (spec, self._pinned(resource, lock).manifest.get("spec"))
        return resource if known[1] is spec else resource.of({**resource.manifest, "spec": known[1]})

    def _pinned(self, resource: Resource, lock: ImagesLock) -> Resource:
        manifest: Any = None
        for path, text in image_fields(resource, self._kinds):
            pinned = _pin(text, lock, self._keep_tags)
            if pinned is not None:
                manifest = _with(resource.manifest if manifest is None else manifest, path, pinned)
        return resource if manifest is None else resource.of(manifest)


def _pin(text: str, lock: ImagesLock, keep_tags: Sequence[KeptTag]) -> str | None:
    try:
        reference = ImageReference.parse(text)
    except ImageReferenceError:
        return None
    if reference.digest or kept_tag(reference, keep_tags) is not None:
        return None
    locked = lock.find(reference)
    return None if locked is None else str(reference.pinned(locked.digest))


def _with(value: Any, path: FieldPath, leaf: str) -> Any:
    """Return a copy of nested dicts and lists that differs in one leaf and shares the rest."""
    if not path:
        return leaf
    copy = value.copy()
    copy[path[0]] = _with(value[path[0]], path[1:], leaf)
    return copy
