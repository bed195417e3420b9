"""Read-only trees of files: the one way by which pure code reads a repository.

Paths are POSIX, relative to the root, without `.` or `..` steps; "" is the root itself.
A `FileTree` never follows anything out of its root, and never turns a failure into "not there".
"""

from __future__ import annotations

import enum
import posixpath
from collections.abc import Mapping
from typing import Protocol

from reconciler.errors import SourceError

__all__ = ["EntryType", "FileTree", "MemoryTree", "TreeError", "normalize"]

#: Files larger than this are refused; a manifest is never this large.
MAX_FILE_BYTES = 16 * 1024 * 1024


class TreeError(SourceError):
    """A path of a tree cannot be read.

    `code` is one of `file-missing`, `not-a-file`, `not-a-directory`, `path-outside`,
    `file-too-large`, `file-unreadable`.

    Args:
        message: What is wrong.
        path: The path that was asked for.
    """

    def __init__(self, message: str, *, path: str, code: str, hint: str = "") -> None:
        super().__init__(message, code=code, hint=hint)
        self.path = path


class EntryType(enum.Enum):
    """What stands at a path."""

    FILE = "file"
    DIRECTORY = "directory"


class FileTree(Protocol):
    """The files of one revision, or of a working tree."""

    def entry_type(self, path: str) -> EntryType | None:
        """Return what stands at `path` (symlinks inside the tree are followed), or None.

        Raises:
            TreeError: The path, or a symlink on it, leaves the tree.
        """

    def read(self, path: str) -> bytes:
        """Return the content of the file at `path`.

        Raises:
            TreeError: There is no such file, it leaves the tree, or it is too large.
        """

    def list(self, path: str) -> tuple[str, ...]:
        """Return the sorted names in the directory at `path`.

        Raises:
            TreeError: There is no such directory, or it leaves the tree.
        """


def normalize(base: str, path: str) -> str:
    """Join a relative path to a directory and resolve `.` and `..` in the text alone.

    Raises:
        TreeError: The path is absolute, holds a NUL, or leaves the tree.
    """
    if "\0" in path:
        raise TreeError("expected a path, found a NUL character in it", path=path, code="path-outside")
    if path.startswith("/"):
        raise TreeError(
            f"expected a path relative to the repository, found the absolute path {path!r}",
            path=path,
            code="path-outside",
            hint="write the path relative to the file that names it",
        )
    joined = posixpath.normpath(posixpath.join(base, path))
    if joined == ".":
        return ""
    if joined == ".." or joined.startswith("../"):
        raise TreeError(
            f"the path {path!r} leaves the repository",
            path=path,
            code="path-outside",
            hint="keep everything that a site needs in the repository",
        )
    return joined


class MemoryTree:
    """A tree of files in memory.

    Args:
        files: Path to content.
    """

    def __init__(self, files: Mapping[str, bytes]) -> None:
        self._files = dict(files)
        self._directories: dict[str, set[str]] = {"": set()}
        for path in self._files:
            child = path
            while child:
                parent, _, name = child.rpartition("/")
                self._directories.setdefault(parent, set()).add(name)
                child = parent

    def entry_type(self, path: str) -> EntryType | None:
        """Return what stands at `path`, or None."""
        if path in self._files:
            return EntryType.FILE
        return EntryType.DIRECTORY if path in self._directories else None

    def read(self, path: str) -> bytes:
        """Return the content of the file at `path`."""
        try:
            return self._files[path]
        except KeyError:
            raise TreeError(f"there is no file {path!r}", path=path, code="file-missing") from None

    def list(self, path: str) -> tuple[str, ...]:
        """Return the sorted names in the directory at `path`."""
        try:
            return tuple(sorted(self._directories[path]))
        except KeyError:
            raise TreeError(f"there is no directory {path!r}", path=path, code="file-missing") from None
