"""`wayside explain RULE`: why a rule is there, what it refuses and what it accepts."""

from __future__ import annotations

import argparse
import difflib
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from reconciler.cli.style import Style
from reconciler.errors import UsageError

if TYPE_CHECKING:
    from reconciler.rules.policy import SitePolicy

__all__ = ["add_arguments", "run"]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument(
        "rule", nargs="?", help="the rule's id, as findings show it; without one, all are listed"
    )
    parser.add_argument(
        "--directory", default=".", help="a fleet whose own rules are known too (default: here)"
    )


def run(options: argparse.Namespace) -> int:
    """Print the rule's documentation."""
    from reconciler.rules.builtin import builtin_policies

    policies = {policy.name: policy for policy in (*builtin_policies(), *_own(Path(options.directory)))}
    style = Style.for_stream(sys.stdout, os.environ)
    if options.rule is None:
        width = max(map(len, policies))
        for policy in policies.values():
            print(f"{policy.name:<{width}}  {policy.severity.value:<7}  {policy.title}")
        return 0
    if options.rule not in policies:
        close = difflib.get_close_matches(options.rule, policies, n=1)
        raise UsageError(
            f"there is no rule {options.rule!r}",
            code="unknown-rule",
            hint=f"did you mean {close[0]!r}?" if close else "`wayside explain` lists the rules",
        )
    print(_page(policies[options.rule], style), end="")
    return 0


def _own(directory: Path) -> list[SitePolicy]:
    """Return the rules of the fleet that the directory is in; none where it is in no fleet."""
    from reconciler.cli.repository import open_repository
    from reconciler.errors import InputError
    from reconciler.pipeline.rulebook import policy_documents
    from reconciler.rules.parsing import parse_policy
    from reconciler.rules.policy import KIND

    policies = []
    try:
        with open_repository(str(directory)) as repository:
            for document in policy_documents(repository.tree, ("policies",), []):
                if isinstance(document.value, dict) and document.value.get("kind") == KIND:
                    policy, _ = parse_policy(document.value, path=document.path, index=document.index)
                    if policy is not None:
                        policies.append(policy)
    except (UsageError, InputError):
        return policies
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


_ASKED = {"Site": "each site", "Workload": "each workload", "Image": "each image"}
