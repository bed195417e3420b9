"""`wayside diff`: what applying a site would change."""

from __future__ import annotations

import argparse
import datetime
import os
import sys

from reconciler.cli.style import Style
from reconciler.errors import InputError

__all__ = ["add_arguments", "run"]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument("site", help="the site's name")
    parser.add_argument(
        "--live", action="store_true", required=True, help="against what is in the site's cluster now"
    )
    parser.add_argument(
        "--target",
        default="",
        metavar="TARGET",
        help="in-cluster, kubeconfig:PATH[#CONTEXT] or directory:PATH (default: what site.yaml says)",
    )
    parser.add_argument(
        "--revision", default="", metavar="REV", help="of a commit instead of the working tree"
    )
    parser.epilog = "The exit code is 1 where something would change or is refused."


def run(options: argparse.Namespace) -> int:
    """Print what would change."""
    from reconciler.agent.settings import parse_target
    from reconciler.agent.targets import open_target_for
    from reconciler.cli.live_diff import compare, lines
    from reconciler.cli.repository import open_repository
    from reconciler.cli.site import evaluate_named

    with open_repository(".", options.revision) as repository:
        at = repository.committed_at or datetime.datetime.now(datetime.UTC)
        site, found = evaluate_named(repository.tree, options.site, at=at)
    if found.resources is None:
        first = found.findings[0]
        raise InputError(first.message, at=first.location, code=first.rule, hint=first.hint)
    facts = parse_target(options.target) if options.target else site.target
    former = tuple(
        name.strip()
        for name in site.annotations.get("wayside.dev/renamed-from", "").split(",")
        if name.strip()
    )
    target = open_target_for(facts, site=site.name, platform=site.platform, former_sites=former)
    plan, changes = compare(found.resources, target, site.sync, site=site.name, former=former)
    style = Style.for_stream(sys.stdout, os.environ)
    print("\n".join(lines(plan, changes, style)))
    return 1 if plan.holds or changes else 0
