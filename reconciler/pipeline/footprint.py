"""What a site's desired set needs: memory that its pods request, and images that must be there."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from reconciler.images.fields import image_fields
from reconciler.model.difference import Footprint
from reconciler.model.fleet import Fleet
from reconciler.model.image import ImageReference, ImageReferenceError
from reconciler.model.kinds import workload_kinds
from reconciler.model.lock import ImagesLock, LockedImage
from reconciler.model.resource import Resource
from reconciler.model.site import Site
from reconciler.rules.defaults import Defaulter
from reconciler.rules.facts.locked import LockIndex
from reconciler.rules.subjects import SiteSubjects, SubjectMemo

__all__ = ["FootprintMeter", "SiteImages", "footprint"]


@dataclass(frozen=True, slots=True)
class SiteImages:
    """The images of a site: digest of a manifest, or the reference, to bytes (-1 where unknown)."""

    sizes: Mapping[str, int]

    def pulled_after(self, before: SiteImages) -> tuple[int, int]:
        """Return the bytes of images that were not there before, and how many have no known size."""
        new = [size for name, size in self.sizes.items() if name not in before.sizes]
        return sum(size for size in new if size >= 0), sum(1 for size in new if size < 0)


class FootprintMeter:
    """Measures the sites of one revision; what they share is computed once.

    Args:
        fleet: The fleet.
        lock: Its `images.lock`, or None.
    """

    def __init__(self, fleet: Fleet, lock: ImagesLock | None) -> None:
        self._fleet = fleet
        self._lock = lock
        self._index = LockIndex(lock)
        self._memo = SubjectMemo()
        self._defaulters: dict[tuple[int, int], Defaulter] = {}

    def memory(self, site: Site, resources: Sequence[Resource]) -> int:
        """Return the bytes of memory that all pods of a site request, once a rollout is done."""
        version = site.kubernetes_version
        defaulter = self._defaulters.setdefault(version, Defaulter(version))
        seen = tuple(defaulter.apply(resource) for resource in resources)
        subjects = SiteSubjects(
            site,
            seen,
            fleet=self._fleet,
            lock=self._lock,
            memo=self._memo,
            kinds=workload_kinds(self._fleet.manifest),
        )
        return int(subjects.value("usage")["memory"]["asked"])

    def images(self, site: Site, resources: Sequence[Resource]) -> SiteImages:
        """Return the images that a site pulls, once for each of its platforms, with their compressed size.

        Layers that images share are counted with each of them, so a sum is the most that is pulled.
        """
        platforms = sorted({node.architecture for node in site.nodes})
        sizes: dict[str, int] = {}
        for resource in resources:
            for _, text in image_fields(resource):
                try:
                    entry = self._index.find(ImageReference.parse(text)).image
                except ImageReferenceError:
                    entry = None
                sizes.update(_of(entry, platforms) if entry is not None else {text: -1})
        return SiteImages(sizes)


def _of(entry: LockedImage, platforms: Sequence[str]) -> dict[str, int]:
    return {each.digest: each.size for each in entry.platforms if each.platform in platforms}


def footprint(memory: int, images: SiteImages, before: SiteImages) -> Footprint:
    """Return what a site needs, beside what it has."""
    download, unknown = images.pulled_after(before)
    return Footprint(memory, download, unknown)
