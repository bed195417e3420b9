"""What `images.lock` knows of an image reference."""

from __future__ import annotations

from dataclasses import dataclass

from reconciler.model.contents import ImageContents
from reconciler.model.image import ImageReference, ImageReferenceError
from reconciler.model.lock import ImagesLock, LockedImage
from reconciler.model.registry import kept_tag
from reconciler.model.trust import ImageTrust, TrustJudge

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
        trust: Judges signatures of images; None where nobody does.
    """

    def __init__(self, lock: ImagesLock | None, trust: TrustJudge | None = None) -> None:
        self._trust = trust
        self.exists = lock is not None
        self._lock = lock or ImagesLock({})
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

    def contents(self, image: LockedImage) -> ImageContents:
        """Return what an image of the lock is made of."""
        return self._lock.contents_of(image)

    def kept_reason(self, reference: ImageReference) -> str:
        """Return why an image keeps its tag, or ""."""
        kept = kept_tag(reference, self._lock.keep_tags)
        return kept.reason if kept is not None else ""

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

    def trust(self, reference: ImageReference, image: LockedImage | None) -> ImageTrust:
        """Return what is known of an image's signatures."""
        return ImageTrust() if self._trust is None else self._trust.judge(reference, image)
