"""`wayside images list`: what sites run, on which platforms, how large, by whom signed, how old."""

from __future__ import annotations

import argparse
import datetime
import json
import sys
from typing import Any

from reconciler.cli.images.lock import print_findings
from reconciler.cli.images.progress import Progress
from reconciler.cli.repository import open_repository
from reconciler.model.bytecount import format_bytes

__all__ = ["add_arguments", "run"]

_SHOWN_SITES = 3


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument(
        "directory", nargs="?", default=".", help="the fleet repository, or a folder in it (default: here)"
    )
    parser.add_argument("--site", default="", metavar="NAME", help="list the images of this site alone")
    parser.add_argument("--format", choices=("text", "json"), default="text", help="how to write the list")


def run(options: argparse.Namespace) -> int:
    """List the images of a fleet."""
    from reconciler.locking.inventory import inventory
    from reconciler.locking.run import read_state

    with open_repository(options.directory) as repository:
        with Progress("rendering sites") as progress:
            state = read_state(repository.tree, progress=progress)
        if state.findings:
            return print_findings(state, repository)
        now = datetime.datetime.now(datetime.UTC)
        rows = inventory(state, repository.tree, at=now, site=options.site)
    if options.format == "json":
        print(json.dumps([row.to_document() for row in rows], indent=2))
        return 0
    table = [("IMAGE", "SITES", "PLATFORMS", "SIZE", "SIGNERS", "AGE")]
    for row in rows:
        sizes = [size for _, size in row.platforms]
        table.append(
            (
                row.image,
                _sites(row.sites),
                ", ".join(platform for platform, _ in row.platforms) or row.unknown or "none",
                format_bytes(max(sizes)) if sizes else "-",
                ", ".join(row.signers) or (f"none of {row.signatures} trusted" if row.signatures else "-"),
                _age(row.resolved_at, now),
            )
        )
    widths = [max(len(line[column]) for line in table) for column in range(len(table[0]))]
    for line in table:
        text = "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True))
        sys.stdout.write(f"{text.rstrip()}\n")
    return 0


def _sites(names: Any) -> str:
    shown = ", ".join(names[:_SHOWN_SITES])
    return shown if len(names) <= _SHOWN_SITES else f"{shown} and {len(names) - _SHOWN_SITES} more"


def _age(text: str, now: datetime.datetime) -> str:
    try:
        then = datetime.datetime.fromisoformat(text)
    except ValueError:
        return "-"
    if then.tzinfo is None:
        then = then.replace(tzinfo=datetime.UTC)
    seconds = max(0, int((now - then).total_seconds()))
    for unit, length in (("d", 86400), ("h", 3600), ("m", 60)):
        if seconds >= length:
            return f"{seconds // length}{unit}"
    return f"{seconds}s"
