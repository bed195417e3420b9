"""`wayside explain RULE|SITE`: why a rule is there, or what uses a site's memory and what would still fit."""

from __future__ import annotations

import argparse
import difflib
import os
import sys
from contextlib import ExitStack
from typing import TYPE_CHECKING

from reconciler.cli.style import Style
from reconciler.errors import UsageError

if TYPE_CHECKING:
    from reconciler.cli.repository import Repository
    from reconciler.model.fleet import Fleet
    from reconciler.model.site import Site
    from reconciler.rules.policy import SitePolicy

__all__ = ["add_arguments", "run"]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument(
        "name",
        nargs="?",
        metavar="RULE|SITE",
        help="the rule's id, as findings show it, or a site's name; without one, all rules are listed",
    )
    parser.add_argument(
        "--directory", default=".", help="the fleet whose sites and own rules are meant (default: here)"
    )
    parser.add_argument("--site", action="store_true", help="a site is meant, where a rule has the same name")


def run(options: argparse.Namespace) -> int:
    """Print the rule's documentation, or the site's budgets and placement."""
    from reconciler.rules.builtin import builtin_policies
    from reconciler.rules.catalogue import CHECKS

    style = Style.for_stream(sys.stdout, os.environ)
    with ExitStack() as stack:
        repository = _repository(options.directory, stack)
        if not options.site:
            policies = {p.name: p for p in (*builtin_policies(), *_own(repository))}
            if options.name is None:
                _list(policies)
                return 0
            if options.name in policies:
                print(_page(policies[options.name], style), end="")
                return 0
            if options.name in CHECKS:
                print(f"{style.strong(options.name)}: {CHECKS[options.name]}")
                return 0
            known = [*policies, *CHECKS]
        else:
            known = []
        if options.name is None:
            raise UsageError("expected the name of a site, found none", code="unknown-site")
        if repository is None:
            raise _unknown(options.name, known, [], site_only=options.site)
        _explain_site(options.name, repository, known, site_only=options.site)
    return 0


def _repository(directory: str, stack: ExitStack) -> Repository | None:
    """Open the fleet that the directory is in, or return None where it is in no fleet."""
    from reconciler.cli.repository import open_repository

    try:
        return stack.enter_context(open_repository(directory))
    except UsageError:
        return None


def _explain_site(name: str, repository: Repository, rules: list[str], *, site_only: bool) -> None:
    from reconciler.errors import InputError
    from reconciler.fleet.loading import load_fleet
    from reconciler.pipeline.explaining import explain
    from reconciler.report.explanation import format_explanation

    load = load_fleet(repository.tree)
    names = [*(load.fleet.sites if load.fleet is not None else ()), *(site.name for site in load.broken)]
    if load.fleet is None or name not in load.fleet.sites:
        if load.fleet is None or name in names:
            first = next(f for f in load.findings if load.fleet is None or name in f.sites or not f.sites)
            raise InputError(first.message, at=first.location, code=first.rule, hint=first.hint)
        raise _unknown(name, rules, names, site_only=site_only)
    fleet: Fleet = load.fleet
    site: Site = fleet.sites[name]
    style = Style.for_stream(sys.stdout, os.environ)
    print(format_explanation(explain(site, fleet=fleet, tree=repository.tree), ink=style), end="")


def _unknown(name: str, rules: list[str], sites: list[str], *, site_only: bool) -> UsageError:
    close = difflib.get_close_matches(name, [*rules, *sites], n=1)
    if site_only:
        what, otherwise = (
            "site",
            f"its sites are {', '.join(sites[:8])}" if sites else "there is no fleet here",
        )
    elif sites:
        what, otherwise = "rule and no site", "`wayside explain` lists the rules"
    else:
        what = "rule"
        otherwise = (
            "`wayside explain` lists the rules; sites are known in a fleet, say where: --directory DIR"
        )
    code = "unknown-site" if site_only else "unknown-rule"
    return UsageError(
        f"there is no {what} {name!r}", code=code, hint=f"did you mean {close[0]!r}?" if close else otherwise
    )


def _list(policies: dict[str, SitePolicy]) -> None:
    width = max(map(len, policies))
    for policy in policies.values():
        print(f"{policy.name:<{width}}  {policy.severity.value:<7}  {policy.title}")


def _own(repository: Repository | None) -> list[SitePolicy]:
    """Return the rules of the fleet itself."""
    from reconciler.fleet.loading import load_fleet
    from reconciler.pipeline.rulebook import policy_documents
    from reconciler.rules.parsing import parse_policy
    from reconciler.rules.policy import KIND

    if repository is None:
        return []
    fleet = load_fleet(repository.tree).fleet
    policies = []
    paths = fleet.policy_paths if fleet is not None else ("policies",)
    for document in policy_documents(repository.tree, paths, []):
        if isinstance(document.value, dict) and document.value.get("kind") == KIND:
            policy, _ = parse_policy(document.value, path=document.path, index=document.index)
            if policy is not None:
                policies.append(policy)
    return policies


def _page(policy: SitePolicy, style: Style) -> str:
    lines = [
        f"{style.strong(policy.name)}: {policy.title}",
        f"severity {style.severity(policy.severity, policy.severity.value)},"
        f" asked about {_ASKED[policy.scope.value]}",
    ]
    documentation = policy.documentation
    if documentation.why:
        lines += ["", documentation.why.strip()]
    for heading, example in (("what it finds", documentation.bad), ("what is fine", documentation.good)):
        if example:
            lines += ["", style.strong(f"{heading}:")]
            lines += [f"  {line}" for line in example.strip().splitlines()]
    if policy.parameters:
        lines += ["", style.strong("parameters, set in fleet.yaml under spec.rules.settings:")]
        for parameter in policy.parameters.values():
            lines.append(f"  {parameter.name} ({parameter.type.value}, default {parameter.default!r})")
            if parameter.description:
                lines.append(f"      {parameter.description}")
    return "\n".join(lines) + "\n"


_ASKED = {"Site": "each site", "Resource": "each object", "Workload": "each workload", "Image": "each image"}
