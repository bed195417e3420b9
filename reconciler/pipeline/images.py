"""What is known of a fleet's images: the lock's entries, and what their evidence says."""

from __future__ import annotations

from dataclasses import replace

from reconciler.images.completeness import read_entry
from reconciler.images.evidence import Evidence
from reconciler.model.contents import ImageContents
from reconciler.model.lock import ImagesLock, LockedImage
from reconciler.model.registry import ImageSettings

__all__ = ["known_images"]


def known_images(lock: ImagesLock | None, settings: ImageSettings, evidence: Evidence) -> ImagesLock:
    """Return a lock whose images are known by their evidence alone: what its entries say does not count.

    Evidence is read when somebody first asks about an image, and an entry is read once.

    Args:
        lock: What `images.lock` says, or None where there is none.
        settings: What the fleet says of images.
        evidence: Where the documents are.
    """
    known: dict[tuple[str, tuple[str, ...]], ImageContents] = {}

    def contents(image: LockedImage) -> ImageContents:
        key = (image.digest, image.signatures)
        found = known.get(key)
        if found is None:
            found = known[key] = read_entry(image, evidence)
        return found

    return replace(lock or ImagesLock({}), keep_tags=settings.keep_tags, contents=contents)
