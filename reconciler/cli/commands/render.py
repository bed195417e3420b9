"""`wayside render`: what an overlay, or a site, renders to."""

from __future__ import annotations

import argparse
import datetime
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from reconciler.errors import InputError, UsageError

if TYPE_CHECKING:
    from reconciler.cli.repository import Repository
    from reconciler.model.finding import Finding

__all__ = ["add_arguments", "run"]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument(
        "what",
        help="a directory with a kustomization (prints what `kustomize build` would), or a site's name "
        "(prints what its agent would apply)",
    )
    parser.add_argument(
        "--revision", default="", metavar="REV", help="for a site: of a commit, not the working tree"
    )
    parser.add_argument(
        "--origins",
        action="store_true",
        help="for a directory: print where each field comes from (file:line:column), from the base to the "
        "last change, instead of the objects",
    )
    parser.epilog = (
        "A name that is both a directory and a site is taken as the directory; write ./NAME to be sure."
    )


def run(options: argparse.Namespace) -> int:
    """Print the rendered objects as YAML."""
    if Path(options.what).is_dir():
        if options.revision:
            raise UsageError(
                f"--revision goes with a site's name, and {options.what!r} is a directory", code="usage"
            )
        from reconciler.render import build

        built = build(options.what)
        if options.origins:
            from reconciler.cli.origins import origin_lines

            sys.stdout.writelines(f"{line}\n" for line in origin_lines(built))
        else:
            sys.stdout.write(built.to_yaml())
        return 0
    if options.origins:
        raise UsageError(
            f"--origins goes with the directory of an overlay, and {options.what!r} is none",
            code="usage",
            hint=f"name the site's directory, for example sites/{options.what}",
        )
    sys.stdout.write(_site(options.what, options.revision))
    return 0


def _site(name: str, revision: str) -> str:
    from reconciler.cli.repository import open_repository

    try:
        with open_repository(".", revision) as repository:
            return _render(repository, name)
    except UsageError as err:
        if err.code != "no-fleet":
            raise
        raise UsageError(
            f"there is no directory {name!r}, and no fleet here that could have a site of that name",
            code="no-directory",
        ) from err


def _render(repository: Repository, name: str) -> str:
    from reconciler.fleet import load_fleet
    from reconciler.pipeline.evaluate import evaluate_site
    from reconciler.pipeline.rulebook import Rulebook
    from reconciler.render import Renderer
    from reconciler.render.emitter import to_yaml
    from reconciler.rules.cel import default_engine

    load = load_fleet(repository.tree)
    if load.fleet is None:
        raise _broken(load.findings[0])
    site = load.fleet.sites.get(name)
    if site is None:
        raise UsageError(
            f"there is no directory and no site {name!r}",
            code="unknown-site",
            hint=f"the fleet's sites are {', '.join([*load.fleet.sites][:8])}",
        )
    found = evaluate_site(
        site=site,
        tree=repository.tree,
        renderer=Renderer(repository.tree),
        rulebook=Rulebook.compile(fleet=load.fleet, tree=repository.tree, engine=default_engine()),
        at=repository.committed_at or datetime.datetime.now(datetime.UTC),
    )
    if found.resources is None:
        raise _broken(found.findings[0])
    return to_yaml(resource.manifest for resource in found.resources)


def _broken(finding: Finding) -> InputError:
    return InputError(finding.message, at=finding.location, code=finding.rule, hint=finding.hint)
