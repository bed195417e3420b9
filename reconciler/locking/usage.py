"""Which images the sites of a fleet use."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from reconciler.documents.tree import FileTree, TreeError
from reconciler.errors import InputError
from reconciler.images.fields import image_fields
from reconciler.model.finding import Finding
from reconciler.model.fleet import Fleet
from reconciler.model.image import ImageReference, ImageReferenceError
from reconciler.model.kinds import workload_kinds
from reconciler.model.location import Location
from reconciler.model.registry import kept_tag
from reconciler.model.site import Site
from reconciler.pipeline.desired import build_desired
from reconciler.pipeline.findings import error_finding
from reconciler.render import Renderer

__all__ = ["ImageUse", "Usage", "find_usage"]


@dataclass(frozen=True, slots=True)
class ImageUse:
    """One image that sites use.

    Attributes:
        reference: As it is written; of several ways of writing it, the first in order.
        sites: Names of the sites, sorted.
        wanted: Whether it is to be locked: not where every site keeps its tag.
    """

    reference: ImageReference
    sites: tuple[str, ...]
    wanted: bool

    @property
    def key(self) -> tuple[str, str]:
        """What it is locked by: the whole repository, and its tag or `@` and its digest."""
        reference = self.reference
        version = f"@{reference.digest}" if reference.digest else reference.effective_tag
        return reference.normalized_name, version


@dataclass(frozen=True, slots=True)
class Usage:
    """All images of a fleet.

    Attributes:
        images: In order of their keys.
        findings: Why some site's images are not known; then `images` is not all there is.
    """

    images: tuple[ImageUse, ...]
    findings: tuple[Finding, ...]


def find_usage(
    fleet: Fleet,
    tree: FileTree,
    *,
    sites: Sequence[Site] | None = None,
    progress: Callable[[int, int], None] = lambda *_: None,
) -> Usage:
    """Render every site and collect its image references.

    Args:
        fleet: The fleet.
        tree: Its files.
        sites: The sites; None means all.
        progress: Told how many sites are done, of how many.
    """
    renderer = Renderer(tree)
    kinds = workload_kinds(fleet.manifest)
    found: dict[tuple[str, str], dict[str, ImageReference]] = {}
    wanted: set[tuple[str, str]] = set()
    findings: list[Finding] = []
    chosen = tuple(fleet.sites.values()) if sites is None else sites
    for number, site in enumerate(chosen):
        progress(number, len(chosen))
        try:
            desired = build_desired(site=site, renderer=renderer, pinner=None)
        except (InputError, TreeError) as err:
            at = Location(f"{site.directory}/kustomization.yaml" if site.directory else "kustomization.yaml")
            findings.append(error_finding(err, rule="render", site=site.name, fallback=at))
            continue
        for resource in desired.resources:
            for path, text in image_fields(resource, kinds):
                try:
                    reference = ImageReference.parse(text)
                except ImageReferenceError as err:
                    place = desired.origin(resource.id, path)
                    at = place[0] if place is not None else site.at
                    error = InputError(str(err), at=at)
                    findings.append(error_finding(error, rule="image-reference", site=site.name, fallback=at))
                    continue
                use = ImageUse(reference, (), wanted=False)
                found.setdefault(use.key, {})[site.name] = min(
                    reference, found.get(use.key, {}).get(site.name, reference), key=str
                )
                if site.pin_images and kept_tag(reference, fleet.images.keep_tags) is None:
                    wanted.add(use.key)
    images = tuple(
        ImageUse(min(uses.values(), key=str), tuple(sorted(uses)), wanted=key in wanted)
        for key, uses in sorted(found.items())
    )
    return Usage(images, tuple(findings))
