"""What `images.lock` says of images."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from reconciler.model.location import Location

__all__ = ["ImagesLock", "LockedImage", "LockedPlatform"]


@dataclass(frozen=True, slots=True)
class LockedPlatform:
    """One platform of an image: its OCI platform, manifest digest and compressed size in bytes."""

    platform: str
    digest: str
    size: int


@dataclass(frozen=True, slots=True)
class LockedImage:
    """One locked image reference.

    Attributes:
        name: The repository as written, for example `ghcr.io/acme/pos`.
        tag: The tag as written, or "" where the reference has only a digest.
        digest: `sha256:...` of the index, or of the manifest where there is none.
        signatures: Digests of signature evidence.
        resolved_at: RFC 3339 time of resolution, or "".
    """

    name: str
    tag: str
    digest: str
    platforms: tuple[LockedPlatform, ...]
    signatures: tuple[str, ...] = ()
    resolved_at: str = ""
    at: Location | None = None


@dataclass(frozen=True, slots=True)
class ImagesLock:
    """All locked images, by (name, tag) as they are written in manifests."""

    images: Mapping[tuple[str, str], LockedImage]

    def find(self, name: str, tag: str) -> LockedImage | None:
        """Return the entry for a reference, or None."""
        return self.images.get((name, tag))

    def find_digest(self, name: str, digest: str) -> LockedImage | None:
        """Return the entry of a repository that resolves to a digest, or None."""
        for (known, _), image in self.images.items():
            if known == name and image.digest == digest:
                return image
        return None
