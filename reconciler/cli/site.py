"""One site of the fleet that a command line names, evaluated as its agent would."""

from __future__ import annotations

import datetime
from typing import TYPE_CHECKING

from reconciler.errors import InputError, UsageError

if TYPE_CHECKING:
    from reconciler.documents.tree import FileTree
    from reconciler.model.site import Site
    from reconciler.pipeline.evaluate import Evaluation

__all__ = ["evaluate_named"]


def evaluate_named(tree: FileTree, name: str, *, at: datetime.datetime) -> tuple[Site, Evaluation]:
    """Render and judge one site.

    Args:
        tree: The fleet's files.
        name: The site's name.
        at: The time by which expiry is judged.

    Raises:
        InputError: The fleet cannot be read.
        UsageError: There is no such site.
    """
    from reconciler.fleet import load_fleet
    from reconciler.pipeline.evaluate import evaluate_site
    from reconciler.pipeline.rulebook import Rulebook
    from reconciler.render import Renderer
    from reconciler.rules.cel import default_engine

    load = load_fleet(tree)
    if load.fleet is None:
        first = load.findings[0]
        raise InputError(first.message, at=first.location, code=first.rule, hint=first.hint)
    site = load.fleet.sites.get(name)
    if site is None:
        raise UsageError(
            f"there is no site {name!r} in this fleet",
            code="unknown-site",
            hint=f"the fleet's sites are {', '.join([*load.fleet.sites][:8]) or 'none'}",
        )
    found = evaluate_site(
        site=site,
        tree=tree,
        renderer=Renderer(tree),
        rulebook=Rulebook.compile(fleet=load.fleet, tree=tree, engine=default_engine()),
        at=at,
    )
    return site, found
