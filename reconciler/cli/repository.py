"""The fleet repository that a command works on: its working tree, or one revision of it."""

from __future__ import annotations

import datetime
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from reconciler.documents.tree import EntryType, FileTree, TreeError, WorkingTree
from reconciler.errors import UsageError

if TYPE_CHECKING:
    from reconciler.adapters.git_tree import GitTree
    from reconciler.documents.change import TreeChange

__all__ = ["Repository", "changes", "open_base", "open_repository"]


@dataclass(frozen=True, slots=True)
class Repository:
    """An open fleet repository.

    Attributes:
        root: The directory that has `fleet.yaml`.
        tree: Its files.
        commit: The commit that `tree` holds, or "" for the working tree.
        committed_at: The commit's time, or None for the working tree and for a base.
    """

    root: Path
    tree: FileTree
    commit: str = ""
    committed_at: datetime.datetime | None = None
    _lines: dict[str, list[str]] = field(default_factory=dict, repr=False)

    def read_line(self, path: str, line: int) -> str | None:
        """Return a line of a file, counted from 1, or None where it cannot be shown."""
        if path not in self._lines:
            try:
                text = self.tree.read(path).decode("utf-8", "replace")
            except TreeError:
                text = ""
            self._lines[path] = text.splitlines()
        lines = self._lines[path]
        return lines[line - 1] if 0 < line <= len(lines) else None

    @property
    def prefix(self) -> str:
        """The fleet's directory within its git repository, with a slash at its end; "" for its top."""
        top = _git_top(self.root)
        inside = self.root.relative_to(top).as_posix() if top is not None else "."
        return "" if inside == "." else f"{inside}/"

    def release(self) -> None:
        """End what the tree keeps running, before this process is forked. The tree can still be used."""
        close = getattr(self.tree, "close", None)
        if close is not None:
            close()


@contextmanager
def open_repository(directory: str, revision: str = "") -> Iterator[Repository]:
    """Open the fleet that a directory is in.

    Args:
        directory: The fleet's directory, or one below it.
        revision: A commit, branch or tag; "" for the working tree.

    Raises:
        UsageError: There is no such directory, or no fleet around it.
        SourceError: The revision cannot be read.
    """
    start = Path(directory)
    if not start.is_dir():
        raise UsageError(f"there is no directory {directory!r}", code="no-directory")
    root = _fleet_root(start.resolve())
    if not revision:
        yield Repository(root, WorkingTree(root))
        return
    with _tree(root, revision) as tree:
        if tree.entry_type("fleet.yaml") is not EntryType.FILE:
            raise UsageError(f"the revision {revision!r} has no fleet.yaml there", code="no-fleet")
        yield Repository(root, tree, tree.commit, tree.committed_at)


@contextmanager
def open_base(repository: Repository, base: str) -> Iterator[Repository]:
    """Open what a pull request is compared with: the merge base of the revision (or HEAD) and `base`.

    Raises:
        UsageError: The fleet is not in a git repository.
        SourceError: There is no such revision, or no merge base; in a shallow clone, says what to fetch.
    """
    with _tree(repository.root, repository.commit or "HEAD", listed=False) as tree:
        commit = tree.merge_base(base)
    with _tree(repository.root, commit) as tree:
        yield Repository(repository.root, tree, tree.commit)


def changes(base: Repository, head: Repository) -> TreeChange:
    """Return what differs between a base that `open_base` opened and a repository.

    Raises:
        SourceError: Git cannot tell.
    """
    from reconciler.adapters.git_changes import revision_changes, working_changes
    from reconciler.adapters.git_tree import GitTree

    assert isinstance(base.tree, GitTree)  # noqa: S101 - a base is always a revision
    if isinstance(head.tree, GitTree):
        return revision_changes(base.tree, head.tree)
    return working_changes(base.tree, head.root)


def _tree(root: Path, revision: str, *, listed: bool = True) -> GitTree:
    from reconciler.adapters.git_tree import GitTree

    top = _git_top(root)
    if top is None:
        raise UsageError(
            f"{root} is not in a git repository, so it has no revision {revision!r}",
            code="no-git",
            hint="without --revision and --base, the files are checked as they are",
        )
    inside = root.relative_to(top).as_posix()
    return GitTree(top, revision, directory="" if inside == "." else inside, listed=listed)


def _git_top(root: Path) -> Path | None:
    return next((place for place in (root, *root.parents) if (place / ".git").exists()), None)


def _fleet_root(start: Path) -> Path:
    for place in (start, *start.parents):
        if (place / "fleet.yaml").is_file():
            return place
    raise UsageError(
        f"there is no fleet.yaml in {start} or above it",
        code="no-fleet",
        hint="`wayside init DIR` makes a fleet; or say where it is: wayside check DIR",
    )
