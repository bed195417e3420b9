"""`wayside check --watch`: the check is repeated whenever a file is saved."""

from __future__ import annotations

import argparse
import datetime
import importlib.util
import queue
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Literal, NoReturn

from reconciler.cli.repository import Repository, open_repository
from reconciler.documents.tree import WorkingTree
from reconciler.errors import UsageError

if TYPE_CHECKING:
    from reconciler.report.document import CheckReport

__all__ = ["watch"]

#: Milliseconds: changes that come closer to each other than a step belong together, up to the whole.
_TOGETHER, _STEP = 100, 30


def watch(
    options: argparse.Namespace,
    engine: Literal["native", "pure"],
    write: Callable[[CheckReport, Repository], None],
) -> NoReturn:
    """Check, wait for changes, check what they touch, until interrupted.

    Args:
        options: The command's arguments.
        engine: The CEL engine.
        write: Writes a report.

    Raises:
        UsageError: watchfiles is not installed.
    """
    from reconciler.check.runner import CheckSettings
    from reconciler.check.session import CheckSession

    if importlib.util.find_spec("watchfiles") is None:
        raise UsageError(
            "--watch needs watchfiles, which is not installed",
            code="not-installed",
            hint='pip install "wayside[check]"',
        )
    now = datetime.datetime.now(datetime.UTC)
    session = CheckSession(CheckSettings("", now, sites=tuple(options.site), engine=engine))
    with open_repository(options.directory) as repository:
        root = repository.root

        def check(changed: frozenset[str] | None) -> None:
            tree = WorkingTree(root)
            write(session.check(tree, changed), Repository(root, tree))
            sys.stdout.flush()
            if not options.quiet:
                print("watching for changes; Ctrl-C ends", file=sys.stderr, flush=True)

        # The watch begins beside the first check, so that no save falls between the two.
        saves: queue.SimpleQueue[frozenset[str]] = queue.SimpleQueue()
        threading.Thread(target=_listen, args=(root, saves), daemon=True).start()
        check(None)
        while True:
            check(saves.get())


def _listen(root: Path, saves: queue.SimpleQueue[frozenset[str]]) -> None:
    """Put the paths of each round of changes into a queue, as long as the process runs."""
    import watchfiles

    rounds = watchfiles.watch(
        root,
        watch_filter=lambda _, path: "/.git/" not in path,
        debounce=_TOGETHER,
        step=_STEP,
    )
    for changes in rounds:
        saves.put(frozenset(path.removeprefix(f"{root}/") for _, path in changes))
