"""`wayside images`: what stands behind the images of a fleet. Each of its commands is a module of its own."""

from __future__ import annotations

import argparse
import importlib

__all__ = ["add_arguments", "run"]

_COMMANDS: tuple[tuple[str, str], ...] = (
    ("lock", "ask registries what stands behind image references, and write it to images.lock"),
    ("list", "list the images that sites use"),
    ("prune", "delete evidence that images.lock no longer leads to"),
    ("verify", "verify signatures: of the lock, of single images, or of one bundle"),
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the commands and their arguments."""
    commands = parser.add_subparsers(dest="what", metavar="COMMAND", required=True)
    for name, summary in _COMMANDS:
        module = importlib.import_module(f"reconciler.cli.images.{name}")
        one = commands.add_parser(
            name, help=summary, description=f"{summary[0].upper()}{summary[1:]}.", allow_abbrev=False
        )
        module.add_arguments(one)
        one.set_defaults(module=module)


def run(options: argparse.Namespace) -> int:
    """Carry out the command that was named."""
    return int(options.module.run(options))
