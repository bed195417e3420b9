"""`wayside test`: runs the tests of rules that stand beside them."""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

from reconciler.cli.style import Style
from reconciler.errors import UsageError

__all__ = ["add_arguments", "run"]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument(
        "paths", nargs="*", default=["policies"], help="files and directories with tests (default: policies)"
    )
    parser.add_argument("--engine", choices=("native", "pure"), default=None, help="CEL engine")
    parser.add_argument("-v", "--verbose", action="store_true", help="list passed cases too")


def run(options: argparse.Namespace) -> int:
    """Run the tests and print what failed."""
    from reconciler.documents.tree import WorkingTree, find_root
    from reconciler.fleet import parse_site
    from reconciler.report.rule_tests import format_rule_tests
    from reconciler.rules.admission.testing import run_admission_tests
    from reconciler.rules.defaults import Defaulter
    from reconciler.rules.testing import find_tests, run_tests

    here = Path.cwd()
    root = find_root(here) or here
    paths = []
    for text in options.paths:
        place = Path(text).resolve()
        if not place.exists():
            raise UsageError(f"there is no file or directory {text!r}", code="no-tests")
        if not place.is_relative_to(root):
            root = place if place.is_dir() else place.parent
        paths.append(place)
    tree = WorkingTree(root)
    default = Defaulter((1, 36)).apply
    inside = ["" if place == root else place.relative_to(root).as_posix() for place in paths]
    results = run_tests(tree, inside, parse_site=parse_site, default=default, engine=options.engine)
    results += run_admission_tests(tree, find_tests(tree, inside), default=default, engine=options.engine)
    results = list(dict.fromkeys(results))
    if not results:
        raise UsageError(
            f"there are no rule tests in {', '.join(options.paths)}",
            code="no-tests",
            hint="a test is a file <rule>.test.yaml beside the rule",
        )
    ink = Style.for_stream(sys.stdout, os.environ)
    sys.stdout.write(format_rule_tests(results, ink=ink, verbose=options.verbose))
    return 0 if all(result.passed for result in results) else 1
