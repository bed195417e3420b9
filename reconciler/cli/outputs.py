"""Which formats a report is written in, and where each of them goes."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from reconciler.errors import UsageError

__all__ = ["Output", "add_output_arguments", "chosen_outputs", "write_output"]


@dataclass(slots=True)
class Output:
    """One format and its file; "" or `-` is standard output."""

    format: str
    file: str = ""

    @property
    def is_stdout(self) -> bool:
        """Whether it goes to standard output."""
        return self.file in ("", "-")


class _Format(argparse.Action):
    """`--format F` or `--format F=FILE`, as often as wanted."""

    def __call__(
        self, parser: argparse.ArgumentParser, namespace: argparse.Namespace, values: Any, _: Any = None
    ) -> None:
        name, _, file = str(values).partition("=")
        known = self.metavar_choices
        if name not in known:
            parser.error(f"argument --format: expected one of {', '.join(known)}, found {name!r}")
        outputs = list(getattr(namespace, self.dest) or ())
        if len(outputs) == 1 and not outputs[0].format:
            outputs[0].format, file = name, file or outputs[0].file  # --output stood before
            outputs[0].file = file
        else:
            outputs.append(Output(name, file))
        setattr(namespace, self.dest, outputs)

    @property
    def metavar_choices(self) -> Sequence[str]:
        return self.const  # type: ignore[no-any-return] # what add_output_arguments gave


class _File(argparse.Action):
    """`--output FILE`: where the format named before it goes."""

    def __call__(
        self, parser: argparse.ArgumentParser, namespace: argparse.Namespace, values: Any, _: Any = None
    ) -> None:
        outputs = list(getattr(namespace, self.dest) or ())
        if not outputs:
            outputs.append(Output(""))
        if outputs[-1].file:
            parser.error(
                f"argument --output: {outputs[-1].format or 'the report'} already goes to {outputs[-1].file}"
            )
        outputs[-1].file = str(values)
        setattr(namespace, self.dest, outputs)


def add_output_arguments(parser: argparse.ArgumentParser, formats: Sequence[str]) -> None:
    """Declare `--format` and `--output`.

    Args:
        parser: The command's.
        formats: The formats there are, the default first.
    """
    parser.add_argument(
        "--format",
        action=_Format,
        dest="outputs",
        const=tuple(formats),
        metavar="F[=FILE]",
        help=f"how to write the result: {', '.join(formats)} (default: {formats[0]}); repeatable, each with "
        "a file of its own after `=`, or by --output after it",
    )
    parser.add_argument(
        "--output",
        action=_File,
        dest="outputs",
        metavar="FILE",
        help="write the format named before it to a file instead of standard output",
    )


def chosen_outputs(options: argparse.Namespace, default: str) -> list[Output]:
    """Return what is to be written.

    Raises:
        UsageError: Two formats go to one file.
    """
    outputs: list[Output] = list(options.outputs or [Output(default)])
    for output in outputs:
        output.format = output.format or default
    files = [output.file for output in outputs if not output.is_stdout]
    for file in files:
        if files.count(file) > 1:
            raise UsageError(f"expected a file for each format, found {file!r} twice", code="usage")
    return outputs


def write_output(output: Output, make: Callable[[], str]) -> None:
    """Write one format where it goes.

    Raises:
        UsageError: The file cannot be written.
    """
    text = make()
    if output.is_stdout:
        sys.stdout.write(text)
        return
    try:
        Path(output.file).write_text(text, encoding="utf-8")
    except OSError as err:
        raise UsageError(f"cannot write {output.file}: {err.strerror}", code="output") from err
