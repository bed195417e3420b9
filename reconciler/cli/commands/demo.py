"""`wayside demo`: three sites checked and synced before your eyes."""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from pathlib import Path

from reconciler.cli.style import Style
from reconciler.errors import UsageError

__all__ = ["add_arguments", "run"]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument(
        "--directory", metavar="DIR", help="where to play; kept afterwards (default: a new temporary folder)"
    )
    parser.add_argument(
        "--kubeconfig",
        default="",
        metavar="FILE",
        help="sync to this cluster instead of auto-deploy folders; makes the namespaces demo-*",
    )
    parser.add_argument(
        "--pause", type=float, default=0.0, metavar="SECONDS", help="wait after each scene, to read along"
    )


def run(options: argparse.Namespace) -> int:
    """Play the demonstration."""
    from reconciler.cli.commands.init import write_template
    from reconciler.cli.demo.stage import Stage
    from reconciler.cli.demo.story import Story

    if options.kubeconfig and not Path(options.kubeconfig).is_file():
        raise UsageError(f"there is no kubeconfig file {options.kubeconfig!r}", code="no-kubeconfig")
    root = Path(options.directory or tempfile.mkdtemp(prefix="wayside-demo-")).absolute()
    if root.exists() and any(root.iterdir()):
        raise UsageError(f"{root} is not empty", code="directory-not-empty", hint="choose a new directory")
    write_template(root / "fleet", name="corner-shops")
    sites = tuple(sorted(path.name for path in (root / "fleet" / "sites").iterdir()))
    stage = Stage(root, sites, kubeconfig=options.kubeconfig)
    if options.kubeconfig:
        stage.fit_to_cluster()
    stage.open_server()
    try:
        Story(stage, Style.for_stream(sys.stdout, os.environ), pause=options.pause).play()
    finally:
        stage.stop()
    return 0
