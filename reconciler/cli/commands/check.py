"""`wayside check`: will it run there?"""

from __future__ import annotations

import argparse
import datetime
import os
import sys
from contextlib import ExitStack
from pathlib import Path

from reconciler.cli.repository import open_base, open_repository
from reconciler.cli.style import Style
from reconciler.errors import UsageError
from reconciler.model.finding import Severity

__all__ = ["add_arguments", "run"]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument(
        "directory", nargs="?", default=".", help="the fleet repository, or a folder in it (default: here)"
    )
    parser.add_argument(
        "--site", action="append", default=[], metavar="NAME", help="check this site only; repeatable"
    )
    parser.add_argument(
        "--revision", default="", metavar="REV", help="check a commit instead of the working tree"
    )
    parser.add_argument(
        "--base",
        default="",
        metavar="REF",
        help="list what the change since the merge base with REF takes from the rules",
    )
    parser.add_argument("--format", choices=("text", "json"), default="text", help="how to write the result")
    parser.add_argument(
        "--output", metavar="FILE", help="write the result to a file instead of standard output"
    )
    parser.add_argument(
        "--fail-on",
        choices=[severity.value for severity in Severity],
        default=Severity.ERROR.value,
        help="the severity from which the exit code is 1 (default: error)",
    )
    parser.add_argument(
        "--engine",
        choices=("native", "pure"),
        default=None,
        help="CEL engine (default: the fastest there is)",
    )
    parser.add_argument(
        "--processes", type=_count, default=0, metavar="N", help="how many processes may work"
    )
    parser.add_argument("-v", "--verbose", action="store_true", help="list singly what was not checked")


def _count(text: str) -> int:
    if not text.isdigit() or not 1 <= int(text) <= 256:
        raise argparse.ArgumentTypeError(f"expected a number from 1 to 256, found {text!r}")
    return int(text)


def run(options: argparse.Namespace) -> int:
    """Check the fleet and write what was found."""
    from reconciler.check.runner import CheckSettings, check_fleet
    from reconciler.report.document import to_json
    from reconciler.report.text import format_report
    from reconciler.rules.cel import default_engine

    with ExitStack() as stack:
        repository = stack.enter_context(open_repository(options.directory, options.revision))
        base = stack.enter_context(open_base(repository, options.base)) if options.base else None
        settings = CheckSettings(
            revision=repository.commit,
            at=repository.committed_at or datetime.datetime.now(datetime.UTC),
            base=base.commit if base else "",
            sites=tuple(options.site),
            engine=options.engine or default_engine(),
            processes=options.processes,
        )
        report = check_fleet(
            repository.tree,
            settings=settings,
            base=base.tree if base else None,
            before_fork=repository.release,
        )
        threshold = Severity(options.fail_on)
        stream = sys.stdout
        if options.format == "json":
            text = to_json(report)
        else:
            text = format_report(
                report,
                read_line=repository.read_line,
                ink=Style.for_stream(stream, os.environ) if not options.output else Style(),
                threshold=threshold,
                verbose=options.verbose,
            )
    if options.output:
        try:
            Path(options.output).write_text(text, encoding="utf-8")
        except OSError as err:
            raise UsageError(f"cannot write {options.output}: {err.strerror}", code="output") from err
    else:
        stream.write(text)
    return 1 if report.fails(threshold) else 0
