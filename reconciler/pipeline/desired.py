"""What should be at a site: overlay, vars, image lock and ownership label, in this order."""

from __future__ import annotations

from dataclasses import dataclass

from reconciler.images.pin import Pinner
from reconciler.model.fieldpath import FieldPath
from reconciler.model.finding import Violation
from reconciler.model.location import Location
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
    pinner: Pinner | None,
) -> Desired:
    """Build a site's desired set from the files of a revision.

    Args:
        site: The site; its directory holds the overlay.
        renderer: Renders overlays of the revision's tree.
        pinner: Pins images by the revision's `images.lock`; None to leave tags as they are.

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
    if pinner is not None and site.pin_images:
        resources = tuple(map(pinner.pin, resources))
    owner = applyset_id(site.name)
    return Desired(site, tuple(with_label(r, owner) for r in resources), rendered, violations)
