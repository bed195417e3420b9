"""`wayside check`: will it run there?"""

from __future__ import annotations

import argparse
import datetime
import os
import sys
from contextlib import ExitStack, nullcontext
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from reconciler.cli.ahead import imported_ahead
from reconciler.cli.outputs import Output, add_output_arguments, chosen_outputs, write_output
from reconciler.cli.progress import Progress
from reconciler.cli.repository import Repository, changes, open_base, open_repository
from reconciler.cli.style import Style, columns
from reconciler.errors import UsageError
from reconciler.model.finding import Severity

if TYPE_CHECKING:
    from reconciler.report.document import CheckReport

__all__ = ["FORMATS", "add_arguments", "run"]

FORMATS = ("text", "json", "sarif", "github", "gitlab", "junit", "markdown")
_NATIVE = "reconciler.rules.cel.native"
_SUMMARY_LIMIT = 900_000  # GitHub takes 1 MiB for a step


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
        help="compare with the merge base with REF: check only sites that the change touches, count only "
        "findings that are new, and list what the change takes from the rules",
    )
    add_output_arguments(parser, FORMATS)
    parser.add_argument(
        "--fail-on",
        choices=[severity.value for severity in Severity],
        default=Severity.ERROR.value,
        help="the severity from which the exit code is 1 (default: error)",
    )
    parser.add_argument(
        "--watch", action="store_true", help="check again whenever a file changes, until interrupted"
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
    parser.add_argument("--compact", action="store_true", help="text: one line for each finding")
    parser.add_argument(
        "-q", "--quiet", action="store_true", help="text: nothing but findings; no progress on the terminal"
    )
    parser.add_argument(
        "-v",
        "--verbose",
        action="store_true",
        help="text: list also findings that the base has too, and singly what was not checked",
    )


def _count(text: str) -> int:
    if not text.isdigit() or not 1 <= int(text) <= 256:
        raise argparse.ArgumentTypeError(f"expected a number from 1 to 256, found {text!r}")
    return int(text)


def run(options: argparse.Namespace) -> int:
    """Check the fleet and write what was found."""
    outputs = chosen_outputs(options, FORMATS[0])
    if options.watch:
        if options.revision or options.base:
            raise UsageError(
                "--watch goes with the files as they are, not with --revision or --base", code="usage"
            )
        from reconciler.cli.watching import watch

        watch(options, _engine(options), partial(write_report, options=options, outputs=outputs))
    with ExitStack() as stack:
        base = None
        # Git takes as long to say what a change touches as these take to be imported.
        needed = ["reconciler.check.runner", *([] if options.engine == "pure" else [_NATIVE])]
        with imported_ahead(*needed) if options.base or options.revision else nullcontext():
            repository = stack.enter_context(open_repository(options.directory, options.revision))
            before = stack.enter_context(open_base(repository, options.base)) if options.base else None
            change = changes(before, repository) if before else None

        from reconciler.check.baseline import Base
        from reconciler.check.runner import CheckSettings, check_fleet

        if before is not None and change is not None:
            base = Base(before.tree, change)

        def before_fork() -> None:
            repository.release()
            if before is not None:
                before.release()

        settings = CheckSettings(
            revision=repository.commit,
            at=repository.committed_at or datetime.datetime.now(datetime.UTC),
            base=before.commit if before else "",
            sites=tuple(options.site),
            engine=_engine(options),
            processes=options.processes,
        )
        with Progress.on(sys.stderr, os.environ, "checking", quiet=options.quiet) as progress:
            report = check_fleet(
                repository.tree,
                settings=settings,
                base=base,
                before_fork=before_fork,
                progress=progress.show,
            )
        write_report(report, repository, options=options, outputs=outputs)
    return 1 if report.fails(Severity(options.fail_on)) else 0


def _engine(options: argparse.Namespace) -> Literal["native", "pure"]:
    from reconciler.rules.cel import default_engine

    engine: Literal["native", "pure"] = options.engine or default_engine()
    return engine


def write_report(
    report: CheckReport, repository: Repository, *, options: argparse.Namespace, outputs: list[Output]
) -> None:
    """Write a report in every format that is asked for."""
    for output in outputs:
        write_output(output, partial(_formatted, report, repository, options, output))
    summary = os.environ.get("GITHUB_STEP_SUMMARY")
    if summary and any(output.format == "github" for output in outputs):
        from reconciler.report.markdown import to_markdown

        threshold = Severity(options.fail_on)
        text = to_markdown(report, read_line=repository.read_line, threshold=threshold, most=_SUMMARY_LIMIT)
        try:
            with Path(summary).open("a", encoding="utf-8") as file:
                file.write(text)
        except OSError as err:
            raise UsageError(
                f"cannot write the step summary {summary}: {err.strerror}", code="output"
            ) from err


def _formatted(
    report: CheckReport, repository: Repository, options: argparse.Namespace, output: Output
) -> str:
    threshold = Severity(options.fail_on)
    read_line = repository.read_line
    match output.format:
        case "json":
            from reconciler.report.document import to_json

            return to_json(report)
        case "sarif":
            from reconciler import __version__
            from reconciler.check.help import DOCUMENTATION
            from reconciler.report.sarif import to_sarif

            return to_sarif(
                report,
                read_line=read_line,
                version=__version__,
                prefix=repository.prefix,
                home=f"{DOCUMENTATION}/",
            )
        case "github":
            from reconciler.report.github import to_github

            return to_github(report, read_line=read_line, threshold=threshold, prefix=repository.prefix)
        case "gitlab":
            from reconciler.report.gitlab import to_gitlab

            return to_gitlab(report, prefix=repository.prefix)
        case "junit":
            from reconciler.report.junit import to_junit

            return to_junit(report, threshold=threshold)
        case "markdown":
            from reconciler.report.markdown import to_markdown

            return to_markdown(report, read_line=read_line, threshold=threshold)
        case _:
            from reconciler.report.text import TextStyle, format_report

            to_terminal = output.is_stdout and sys.stdout.isatty()
            style = TextStyle(
                ink=Style.for_stream(sys.stdout, os.environ) if output.is_stdout else Style(),
                width=columns(os.environ) if to_terminal or os.environ.get("COLUMNS") else 0,
                compact=options.compact,
                quiet=options.quiet,
                verbose=options.verbose,
                rules=report.rules,
            )
            return format_report(report, read_line=read_line, threshold=threshold, style=style)
