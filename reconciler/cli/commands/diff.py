"""`wayside diff`: what does a change do where?"""

from __future__ import annotations

import argparse
import datetime
import os
import sys
from contextlib import ExitStack
from functools import partial
from typing import TYPE_CHECKING

from reconciler.cli.outputs import Output, add_output_arguments, chosen_outputs, write_output
from reconciler.cli.repository import changes, open_base, open_repository
from reconciler.cli.style import Style
from reconciler.errors import InputError, UsageError

if TYPE_CHECKING:
    from reconciler.model.difference import FleetDifference

__all__ = ["add_arguments", "run"]

_FORMATS = ("text", "json", "markdown")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument(
        "what",
        nargs="?",
        default=".",
        help="the fleet repository, or a folder in it (default: here); with --live the name of a site",
    )
    parser.add_argument(
        "--live",
        action="store_true",
        help="compare a site with what is in its cluster now, by the server's dry-run",
    )
    parser.add_argument(
        "--target",
        default="",
        metavar="TARGET",
        help="with --live: in-cluster, kubeconfig:PATH[#CONTEXT] or directory:PATH (default: what site.yaml "
        "says)",
    )
    parser.add_argument(
        "--base",
        default="HEAD",
        metavar="REF",
        help="compare with the merge base with REF (default: HEAD, which shows what is not committed)",
    )
    parser.add_argument(
        "--revision", default="", metavar="REV", help="compare a commit instead of the working tree"
    )
    parser.add_argument(
        "--site", action="append", default=[], metavar="NAME", help="compare this site only; repeatable"
    )
    add_output_arguments(parser, _FORMATS)
    parser.add_argument("--processes", type=int, default=0, metavar="N", help="how many processes may work")


def run(options: argparse.Namespace) -> int:
    """Compare, and write what differs."""
    if options.live:
        if options.what == ".":
            raise UsageError("--live needs the name of a site", code="usage", hint="wayside diff SITE --live")
        return _live(options)
    if options.target:
        raise UsageError("--target goes with --live", code="usage")
    from reconciler.check.baseline import Base
    from reconciler.check.differ import DiffSettings, diff_fleet

    outputs = chosen_outputs(options, _FORMATS[0])
    with ExitStack() as stack:
        repository = stack.enter_context(open_repository(options.what, options.revision))
        before = stack.enter_context(open_base(repository, options.base))

        def before_fork() -> None:
            repository.release()
            before.release()

        difference = diff_fleet(
            repository.tree,
            Base(before.tree, changes(before, repository)),
            settings=DiffSettings(
                before.commit, repository.commit, tuple(options.site), max(options.processes, 0)
            ),
            before_fork=before_fork,
        )
    for output in outputs:
        write_output(output, partial(_formatted, difference, output))
    return 0


def _live(options: argparse.Namespace) -> int:
    """Print what applying a site would change at its cluster."""
    from reconciler.agent.settings import parse_target
    from reconciler.agent.targets import open_target_for
    from reconciler.cli.live_diff import compare, lines
    from reconciler.cli.site import evaluate_named

    with open_repository(".", options.revision) as repository:
        at = repository.committed_at or datetime.datetime.now(datetime.UTC)
        site, found = evaluate_named(repository.tree, options.what, at=at)
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


def _formatted(difference: FleetDifference, output: Output) -> str:
    match output.format:
        case "json":
            from reconciler.report.difference_markdown import difference_json

            return difference_json(difference)
        case "markdown":
            from reconciler.report.difference_markdown import difference_markdown

            return difference_markdown(difference)
        case _:
            from reconciler.report.difference import format_difference

            ink = Style.for_stream(sys.stdout, os.environ) if output.is_stdout else Style()
            return format_difference(difference, ink=ink)
