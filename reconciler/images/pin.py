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

__all__ = ["pin_images"]


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
    manifest: Any = None
    for path, text in image_fields(resource, kinds):
        pinned = _pin(text, lock, keep_tags)
        if pinned is not None:
            manifest = _with(resource.manifest if manifest is None else manifest, path, pinned)
    return resource if manifest is None else Resource(manifest)


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
