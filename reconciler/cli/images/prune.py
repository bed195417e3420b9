"""`wayside images prune`: evidence that nobody needs any more."""

from __future__ import annotations

import argparse

from reconciler.cli.repository import open_repository
from reconciler.errors import InputError

__all__ = ["add_arguments", "run"]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument(
        "directory", nargs="?", default=".", help="the fleet repository, or a folder in it (default: here)"
    )
    parser.add_argument("--dry-run", action="store_true", help="say what would go, and delete nothing")


def run(options: argparse.Namespace) -> int:
    """Delete evidence that images.lock does not lead to."""
    from reconciler.fleet.lock import load_lock
    from reconciler.locking.prune import prune_evidence

    with open_repository(options.directory) as repository:
        lock, findings = load_lock(repository.tree)
        if findings:  # what a lock leads to is not known while it cannot be read
            first = findings[0]
            raise InputError(first.message, at=first.location, code=first.rule, hint=first.hint)
        left = prune_evidence(repository.root, lock, dry_run=options.dry_run)
    for digest in left:
        print(digest)
    word = "file" if len(left) == 1 else "files"
    done = "would be deleted" if options.dry_run else "deleted"
    print(f"ok: {len(left) or 'no'} evidence {word} {done}")
    return 0
