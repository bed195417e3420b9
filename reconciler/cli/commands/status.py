"""`wayside status`: how sites are, from an agent's own state, or from the cluster that it reports in."""

from __future__ import annotations

import argparse
import dataclasses
import json
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from reconciler.cli.style import Style
from reconciler.errors import UsageError

if TYPE_CHECKING:
    from reconciler.agent.status import SiteStatus

__all__ = ["add_arguments", "run"]

_GOOD = {"Ready"}
_BAD = {"Degraded", "RolledBack", "Held"}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument(
        "--state",
        action="append",
        default=[],
        metavar="DIR",
        help="the state folder of a site's agent; repeatable",
    )
    parser.add_argument(
        "--kubeconfig",
        action="append",
        default=[],
        metavar="FILE[#CONTEXT]",
        help="a cluster whose agents are asked about; repeatable",
    )
    parser.add_argument("--format", choices=("text", "json"), default="text", help="how to write it")


def run(options: argparse.Namespace) -> int:
    """Print the status. The exit code is 1 where a site is degraded, rolled back or held."""
    from reconciler.agent.status import read_status, status_of_object

    if not options.state and not options.kubeconfig:
        raise UsageError(
            "expected where to look, found neither --state nor --kubeconfig",
            code="usage",
            hint="on the site: wayside status --state DIR; at its cluster: wayside status --kubeconfig FILE",
        )
    found = [read_status(Path(state)) for state in options.state]
    if options.kubeconfig:
        from reconciler.adapters.kube import kubeconfig
        from reconciler.adapters.kube.sites import list_sites

        for name in options.kubeconfig:
            path, _, context = name.partition("#")
            found += [status_of_object(live) for live in list_sites(kubeconfig(path, context))]
    found.sort(key=lambda status: status.site)
    if options.format == "json":
        json.dump([dataclasses.asdict(status) for status in found], sys.stdout, indent=2)
        sys.stdout.write("\n")
    else:
        style = Style.for_stream(sys.stdout, os.environ)
        for status in found:
            print("\n".join(_lines(status, style)))
    return 1 if any(status.state in _BAD for status in found) else 0


def _lines(status: SiteStatus, style: Style) -> list[str]:
    paint = style.good if status.state in _GOOD else style.error if status.state in _BAD else style.warning
    since = f" since {status.since}" if status.since else ""
    lines = [f"{style.strong(status.site)}: {paint(status.state)}{since} ({status.reason}: {status.message})"]
    if status.applied:
        lines.append(f"  applied:   {status.applied[:12]} at {status.applied_at}")
    else:
        lines.append("  applied:   nothing yet")
    if status.attempted and status.attempted != status.applied:
        lines.append(f"  attempted: {status.attempted[:12]}, {status.attempt}")
    lines += [f"  {name}: {fault}" for name, fault in sorted(status.faults.items())]
    lines += [f"  facts:     {text}" for text in status.differences]
    if status.pending:
        events = "event waits" if status.pending == 1 else "events wait"
        lines.append(f"  reports:   {status.pending} {events} to be delivered")
    return lines
