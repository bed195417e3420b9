"""What should be at a site: overlay, vars, image lock and ownership label, in this order."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from reconciler.images.pin import pin_images
from reconciler.model.fieldpath import FieldPath
from reconciler.model.finding import Violation
from reconciler.model.kinds import BUILT_IN, WorkloadKinds
from reconciler.model.location import Location
from reconciler.model.lock import ImagesLock
from reconciler.model.registry import KeptTag
from reconciler.model.resource import Resource, ResourceId
from reconciler.model.site import Site
from reconciler.planning.applyset import applyset_id, with_label
from reconciler.render import Renderer, ResourceSet
from reconciler.render.vars import SubstitutionError, site_variables, substitute

__all__ = ["Desired", "build_desired"]


@dataclass(frozen=True, slots=True)
class Desired:
    """The desired set of one site, and the way back to the lines that made it.

    Attributes:
        site: The site.
        resources: What is to be applied, in kustomize's order.
        rendered: What the overlay rendered to, object by object the origin of `resources`.
        violations: What building it found worth a warning.
    """

    site: Site
    resources: tuple[Resource, ...]
    rendered: ResourceSet
    violations: tuple[Violation, ...] = ()

    def origin(self, subject: ResourceId, field: FieldPath) -> tuple[Location, tuple[Location, ...]] | None:
        """Return the line that set a field, and the lines that led to it, or None for an unknown object."""
        for resource, source in zip(self.resources, self.rendered, strict=True):
            if resource.id == subject:
                origin = self.rendered.origin(source, field)
                return origin.location, tuple(step.location for step in origin.chain[:-1])
        return None


def build_desired(
    *,
    site: Site,
    renderer: Renderer,
    lock: ImagesLock | None,
    kinds: WorkloadKinds = BUILT_IN,
    keep_tags: Sequence[KeptTag] = (),
) -> Desired:
    """Build a site's desired set from the files of a revision.

    Args:
        site: The site; its directory holds the overlay.
        renderer: Renders overlays of the revision's tree.
        lock: The revision's `images.lock`, or None where it has none.
        kinds: The kinds that run something, built in and named by the fleet.
        keep_tags: Images that are not pinned.

    Raises:
        RenderError: The overlay cannot be built, or a variable is missing. Nothing is returned in part.
        DocumentError: A file that the overlay reads is not YAML.
        TreeError: A file that the overlay names cannot be read.
    """
    rendered = renderer.build(site.directory)
    resources = tuple(rendered)
    violations: tuple[Violation, ...] = ()
    if site.vars is not None:
        try:
            resources, violations = substitute(resources, site_variables(site), hashed=rendered.hashed)
        except SubstitutionError as err:
            found = Desired(site, resources, rendered).origin(err.resource, err.field_path)
            err.at = found[0] if found is not None else None
            raise
    if lock is not None and site.pin_images:
        resources = tuple(
            pin_images(resource, lock, kinds=kinds, keep_tags=keep_tags) for resource in resources
        )
    owner = applyset_id(site.name)
    return Desired(site, tuple(with_label(r, owner) for r in resources), rendered, violations)
