"""What differs between a revision and another one, or the files as they are now."""

from __future__ import annotations

import os
import stat
from pathlib import Path

from reconciler.adapters.git_tree import GitTree
from reconciler.documents.change import TreeChange
from reconciler.errors import SourceError

__all__ = ["revision_changes", "working_changes"]

_LINKS = frozenset({"120000", "160000"})


def revision_changes(base: GitTree, head: GitTree) -> TreeChange:
    """Return what differs between two revisions."""
    before, after = base.entries, head.entries
    paths = {path for path, entry in after.items() if before.get(path) != entry}
    paths.update(path for path in before if path not in after)
    modes = {mode for entries in (before, after) for mode, _ in entries.values()}
    return TreeChange(frozenset(paths), frozenset(before.keys() | after.keys()), exact=not modes & _LINKS)


def working_changes(base: GitTree, root: Path) -> TreeChange:
    """Return what differs between a revision and the files in its directory, untracked and ignored ones too.

    Args:
        base: The revision.
        root: The directory that `base` shows.

    Raises:
        SourceError: Git cannot tell.
    """
    modes = {mode for mode, _ in base.entries.values()}
    paths: set[str] = set()
    raw = _ask(
        base, root, "diff", "--raw", "-z", "--no-renames", "--no-ext-diff", "--relative", base.commit, "--"
    )
    fields = iter(raw)
    for head in fields:
        paths.add(next(fields))
        modes.add(head.split(" ")[1])
    for name in _ask(base, root, "ls-files", "-z", "--others", "--", "."):
        paths.add(name.rstrip("/"))
        if name.endswith("/") or _is_link(root / name):
            modes.add("120000")
    return TreeChange(frozenset(paths), frozenset(base.entries.keys() | paths), exact=not modes & _LINKS)


def _ask(base: GitTree, root: Path, *arguments: str) -> list[str]:
    out = base.run_in(root, *arguments)
    if out is None:
        raise SourceError(
            f"cannot compare the files in {str(root)!r} with the revision {base.commit[:12]}", code="git"
        )
    return [part for part in out.decode(errors="surrogateescape").split("\0") if part]


def _is_link(path: Path) -> bool:
    try:
        return stat.S_ISLNK(os.lstat(path).st_mode)
    except OSError:
        return False
