"""What `images.lock` says of images."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from reconciler.model.contents import Build, ImageContents, Layer
from reconciler.model.image import ImageReference, ImageReferenceError
from reconciler.model.location import Location
from reconciler.model.registry import KeptTag

__all__ = ["ImagesLock", "LockedImage", "LockedPlatform", "locked_platforms", "normalized"]


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
    """All locked images, by (name, tag) as they are written in manifests.

    An entry without a tag is of a reference by digest alone; its key has `@` and the digest for a tag.

    Attributes:
        images: The entries.
        keep_tags: Images of the fleet that are not pinned.
        contents: Computes from evidence what an image is made of; None where nobody has evidence, as in tests
            of rules: then what the entries say counts.
    """

    images: Mapping[tuple[str, str], LockedImage]
    keep_tags: tuple[KeptTag, ...] = ()
    contents: Callable[[LockedImage], ImageContents] | None = field(default=None, compare=False)
    _by_tag: dict[tuple[str, str], LockedImage] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        by_tag: dict[tuple[str, str], LockedImage] = {}
        for image in self.images.values():
            if image.tag:
                by_tag.setdefault((normalized(image.name), image.tag), image)
        object.__setattr__(self, "_by_tag", by_tag)

    def find(self, reference: ImageReference) -> LockedImage | None:
        """Return the entry of the tag that a reference names, however its repository is written, or None."""
        return self._by_tag.get((reference.normalized_name, reference.effective_tag or reference.tag))

    def contents_of(self, image: LockedImage) -> ImageContents:
        """Return what an image of this lock is made of."""
        if self.contents is not None:
            return self.contents(image)
        builds = (
            Build(each.platform, each.digest, "", (Layer(f"{image.digest} {each.platform}", each.size),))
            for each in image.platforms
        )
        return ImageContents(image.digest, tuple(builds))


def locked_platforms(contents: ImageContents) -> tuple[LockedPlatform, ...]:
    """Return what `images.lock` is to say of an image's platforms, sorted."""
    found = (
        LockedPlatform(each.platform, each.digest, each.size) for each in contents.builds if each.platform
    )
    return tuple(sorted(found, key=lambda each: (each.platform, each.digest)))


def normalized(name: str) -> str:
    """Return a repository's whole name, or the text itself where it is none."""
    try:
        return ImageReference.parse(name).normalized_name
    except ImageReferenceError:
        return name
