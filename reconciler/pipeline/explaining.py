"""What a site of a revision uses its resources for."""

from __future__ import annotations

from reconciler.documents.tree import FileTree
from reconciler.errors import InputError
from reconciler.fleet.lock import load_lock
from reconciler.images.pin import Pinner
from reconciler.model.explanation import SiteExplanation
from reconciler.model.fleet import Fleet
from reconciler.model.kinds import workload_kinds
from reconciler.model.site import Site
from reconciler.pipeline.desired import build_desired
from reconciler.render import Renderer
from reconciler.rules.defaults import Defaulter
from reconciler.rules.explaining import explain_site

__all__ = ["explain"]


def explain(site: Site, *, fleet: Fleet, tree: FileTree) -> SiteExplanation:
    """Build a site's desired set, and say what uses its resources and what would still fit.

    Args:
        site: The site.
        fleet: Its fleet.
        tree: The files of the revision.

    Raises:
        InputError: The overlay cannot be built, or `images.lock` cannot be read.
        TreeError: A file that the overlay names cannot be read.
    """
    lock, wrong = load_lock(tree)
    if wrong:
        raise InputError(wrong[0].message, at=wrong[0].location, code=wrong[0].rule, hint=wrong[0].hint)
    pinner = Pinner(lock, kinds=workload_kinds(fleet.manifest), keep_tags=fleet.images.keep_tags)
    desired = build_desired(site=site, renderer=Renderer(tree), pinner=pinner)
    defaulter = Defaulter(site.kubernetes_version)
    seen = tuple(defaulter.apply(resource) for resource in desired.resources)
    return explain_site(site, seen, fleet=fleet, lock=lock)
