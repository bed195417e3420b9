"""`wayside sites`: the sites of a fleet, as its repository says."""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

from reconciler.cli.style import Style, columns

if TYPE_CHECKING:
    from reconciler.fleet.loading import BrokenSite
    from reconciler.model.site import Site

__all__ = ["add_arguments", "run"]

_HEADS = ("NAME", "PLATFORM", "VERSION", "NODES", "ARCH", "MEMORY", "CLASS", "LABELS")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument(
        "directory", nargs="?", default=".", help="the fleet repository, or a folder in it (default: here)"
    )
    parser.add_argument(
        "-l",
        "--selector",
        default="",
        metavar="LABELS",
        help="only sites with these labels: region=north,ring!=canary,retired,!lab",
    )
    parser.add_argument(
        "--revision", default="", metavar="REV", help="of a commit instead of the working tree"
    )
    parser.add_argument(
        "--format", choices=("text", "json", "name"), default="text", help="how to write them"
    )


def run(options: argparse.Namespace) -> int:
    """Print the sites that fit."""
    from reconciler.cli.labels import parse_selector
    from reconciler.cli.repository import open_repository
    from reconciler.fleet import load_fleet

    fits = parse_selector(options.selector)
    with open_repository(options.directory, options.revision) as repository:
        load = load_fleet(repository.tree)
    sites = [site for site in (load.fleet.sites.values() if load.fleet else ()) if fits(site.labels)]
    match options.format:
        case "json":
            print(json.dumps([_document(site) for site in sites], indent=2, ensure_ascii=False))
        case "name":
            print("".join(f"{site.name}\n" for site in sites), end="")
        case _:
            _table(sites)
    for broken in load.broken:
        print(f"wayside: the site {broken.name} is not valid and left out: {_why(broken)}", file=sys.stderr)
    return 2 if load.fleet is None else 0


def _why(broken: BrokenSite) -> str:
    return f"`wayside check` says why ({broken.path})"


def _document(site: Site) -> dict[str, object]:
    return {
        "name": site.name,
        "directory": site.directory,
        "platform": site.platform,
        "kubernetesVersion": f"{site.kubernetes_version[0]}.{site.kubernetes_version[1]}",
        "class": site.class_name,
        "labels": dict(site.labels),
        "nodes": sum(node.count for node in site.nodes),
        "architectures": sorted({node.architecture for node in site.nodes}),
        "memory": int(sum(node.allocatable["memory"] * node.count for node in site.nodes)),
    }


def _table(sites: Sequence[Site]) -> None:
    from reconciler.model.quantity import format_bytes

    rows = [_HEADS]
    for site in sites:
        memory = sum((node.allocatable["memory"] * node.count for node in site.nodes), start=0)
        row = (
            site.name,
            site.platform,
            f"{site.kubernetes_version[0]}.{site.kubernetes_version[1]}",
            str(sum(node.count for node in site.nodes)),
            ",".join(sorted({node.architecture.removeprefix("linux/") for node in site.nodes})),
            format_bytes(int(memory)),
            site.class_name or "-",
            ",".join(f"{key}={value}" for key, value in sorted(site.labels.items())) or "-",
        )
        rows.append(row)
    kept = _fitting(rows)
    widths = [max(len(row[number]) for row in rows) for number in range(kept)]
    style = Style.for_stream(sys.stdout, os.environ)
    for position, row in enumerate(rows):
        line = "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=False)).rstrip()
        print(style.strong(line) if position == 0 else line)


def _fitting(rows: Sequence[Sequence[str]]) -> int:
    """Return how many columns of the table fit the terminal; a file or pipe gets all."""
    if not sys.stdout.isatty() and "COLUMNS" not in os.environ:
        return len(_HEADS)
    room = columns(os.environ)
    kept = 0
    for number in range(len(_HEADS)):
        room -= max(len(row[number]) for row in rows) + 2
        if room < -2 and kept:
            break
        kept += 1
    return kept
