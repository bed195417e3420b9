"""`wayside status`: how sites are, from an agent's own state, the cluster that it reports in, or the hub."""

from __future__ import annotations

import argparse
import dataclasses
import json
import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from reconciler.cli.style import Style, columns
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
    parser.add_argument("--hub", default="", metavar="URL", help="a hub that is asked about its sites")
    parser.add_argument(
        "--token-file",
        default="",
        metavar="FILE",
        help="an operator's token for the hub (default: what WAYSIDE_HUB_TOKEN says)",
    )
    parser.add_argument("--ca-file", default="", metavar="FILE", help="certificates that vouch for the hub")
    parser.add_argument(
        "-l",
        "--selector",
        default="",
        metavar="LABELS",
        help="only sites with these labels, as kubectl takes them: region=r3,ring!=canary (with --hub)",
    )
    parser.add_argument(
        "-o", "--format", choices=("text", "json"), default="text", help="how to write it (default: text)"
    )
    parser.add_argument("sites", nargs="*", metavar="SITE", help="all that the hub knows of these sites")


def run(options: argparse.Namespace) -> int:
    """Print the status. The exit code is 1 where a site is degraded, rolled back, held, or offline."""
    if options.hub:
        if options.state or options.kubeconfig:
            raise UsageError("expected either --hub or --state and --kubeconfig, found both", code="usage")
        return _of_hub(options)
    if options.selector or options.sites or options.token_file or options.ca_file:
        raise UsageError(
            "expected --hub URL beside names of sites, --selector, --token-file or --ca-file, found none",
            code="usage",
        )
    from reconciler.agent.status import read_status, status_of_object

    if not options.state and not options.kubeconfig:
        raise UsageError(
            "expected where to look, found neither --hub, --state nor --kubeconfig",
            code="usage",
            hint="on the site: wayside status --state DIR; at its cluster: wayside status --kubeconfig FILE;"
            " of the fleet: wayside status --hub URL",
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


def _of_hub(options: argparse.Namespace) -> int:
    """Print what a hub knows."""
    from reconciler.adapters.hub_api import HubApi
    from reconciler.cli.hub_status import BAD, details, table

    if options.sites and options.selector:
        raise UsageError("expected either names of sites or --selector, found both", code="usage")
    hub = HubApi(options.hub, token=_token(options.token_file), ca_file=options.ca_file)
    found: Sequence[Mapping[str, Any]]
    if options.sites:
        found = [hub.site(name) for name in options.sites]
    else:
        found = list(hub.sites(selector=options.selector))
    if options.format == "json":
        json.dump(found, sys.stdout, indent=2)
        sys.stdout.write("\n")
    else:
        style = Style.for_stream(sys.stdout, os.environ)
        if options.sites:
            lines = [line for site in found for line in details(site, style)]
        else:
            width = columns(os.environ) if sys.stdout.isatty() or "COLUMNS" in os.environ else 1 << 20
            lines = table(found, style, width=width)
        print("\n".join(lines))
    return 1 if any(site["state"] in BAD for site in found) else 0


def _token(path: str) -> str:
    """Return an operator's token.

    Raises:
        UsageError: There is none.
    """
    if path:
        try:
            return Path(path).read_text(encoding="ascii").strip()
        except (OSError, UnicodeDecodeError) as err:
            why = err.strerror if isinstance(err, OSError) else "it is no token"
            raise UsageError(f"the token file {path} cannot be read: {why}", code="bad-token-file") from err
    token = os.environ.get("WAYSIDE_HUB_TOKEN", "").strip()
    if not token:
        raise UsageError(
            "expected an operator's token for the hub, found none",
            code="token-missing",
            hint="name its file with --token-file, or set WAYSIDE_HUB_TOKEN",
        )
    return token


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
