"""What `images.lock` knows of an image reference."""

from __future__ import annotations

from dataclasses import dataclass

from reconciler.model.image import ImageReference, ImageReferenceError
from reconciler.model.lock import ImagesLock, LockedImage

__all__ = ["LockIndex", "Locked"]


@dataclass(frozen=True, slots=True)
class Locked:
    """What the lock says of one reference.

    Attributes:
        image: The entry, or None where there is none.
        mismatch: The locked digest, where the reference names another one; otherwise "".
    """

    image: LockedImage | None
    mismatch: str = ""


class LockIndex:
    """A lock, found by the names that a runtime would resolve: `nginx` is `docker.io/library/nginx`.

    Args:
        lock: The lock, or None where the fleet has none.
    """

    def __init__(self, lock: ImagesLock | None) -> None:
        self.exists = lock is not None
        self._by_tag: dict[tuple[str, str], LockedImage] = {}
        self._by_digest: dict[tuple[str, str], LockedImage] = {}
        for image in lock.images.values() if lock is not None else ():
            try:
                name = ImageReference.parse(image.name).normalized_name
            except ImageReferenceError:
                name = image.name
            if image.tag or not image.digest:
                self._by_tag.setdefault((name, image.tag), image)
            for digest in (image.digest, *(platform.digest for platform in image.platforms)):
                self._by_digest.setdefault((name, digest), image)

    def find(self, reference: ImageReference) -> Locked:
        """Find a reference; one with a digest must agree with the entry of its tag."""
        name = reference.normalized_name
        entry = self._by_tag.get((name, reference.effective_tag))
        if not reference.digest:
            return Locked(entry)
        by_digest = self._by_digest.get((name, reference.digest))
        if by_digest is not None:
            return Locked(by_digest)
        return Locked(None, mismatch=entry.digest if entry is not None else "")
