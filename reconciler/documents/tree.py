"""Read-only trees of files: the one way by which pure code reads a repository.

Paths are POSIX, relative to the root, without `.` or `..` steps; "" is the root itself.
A `FileTree` never follows anything out of its root, and never turns a failure into "not there".
"""

from __future__ import annotations

import enum
import errno
import hashlib
import os
import posixpath
import stat
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Protocol

from reconciler.errors import SourceError

__all__ = [
    "MAX_FILE_BYTES",
    "EntryType",
    "FileTree",
    "MemoryTree",
    "TreeError",
    "WorkingTree",
    "blob_id",
    "find_root",
    "normalize",
    "walk",
]

#: Files larger than this are refused; a manifest is never this large.
MAX_FILE_BYTES = 16 * 1024 * 1024
_DEEPEST = 64


class TreeError(SourceError):
    """A path of a tree cannot be read.

    `code` is one of `file-missing`, `not-a-file`, `not-a-directory`, `path-outside`,
    `file-too-large`, `file-unreadable`, `submodule`.

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

    def content_id(self, path: str) -> str:
        """Return a text that changes when the content of the file at `path` does; cheap, for memoisation.

        Ids of different trees may name the same content differently, but never different content equally.

        Raises:
            TreeError: There is no such file, or it leaves the tree.
        """


def blob_id(content: bytes) -> str:
    """Return git's name of a file's content."""
    return hashlib.sha1(b"blob %d\0" % len(content) + content, usedforsecurity=False).hexdigest()


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

    def content_id(self, path: str) -> str:
        """Return git's name of the content of the file at `path`."""
        return blob_id(self.read(path))


class WorkingTree:
    """The files of a directory as they are now.

    Symlinks that stay inside are followed. Only regular files are read: never a device or a FIFO.

    Args:
        root: The directory.
        limit: The most bytes of one file.
    """

    def __init__(self, root: Path, *, limit: int = MAX_FILE_BYTES) -> None:
        self.root = Path(os.path.realpath(root))
        self._limit = limit
        self._inside = str(self.root).rstrip("/") + "/"
        self._directories: dict[str, str] = {"": str(self.root).rstrip("/")}

    def entry_type(self, path: str) -> EntryType | None:
        """Return what stands at `path` (symlinks inside the tree are followed), or None."""
        found = self._stat(path)
        if found is None:
            return None
        if stat.S_ISDIR(found.st_mode):
            return EntryType.DIRECTORY
        # A device is a file that cannot be read: so it is said aloud, not passed over.
        return EntryType.FILE

    def read(self, path: str) -> bytes:
        """Return the content of the file at `path`."""
        real = self._real(path)
        try:
            descriptor = os.open(real, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
        except OSError as err:
            raise _unreadable(path, err) from None
        try:
            self._check(path, os.fstat(descriptor))
            with open(descriptor, "rb", closefd=False) as file:
                content = file.read(self._limit + 1)
        except OSError as err:
            raise _unreadable(path, err) from None
        finally:
            os.close(descriptor)
        if len(content) > self._limit:  # it grew meanwhile
            raise _too_large(path, len(content), self._limit)
        return content

    def list(self, path: str) -> tuple[str, ...]:
        """Return the sorted names in the directory at `path`, without git's own."""
        try:
            names = [entry.name for entry in os.scandir(self._real(path))]
        except OSError as err:
            raise _unreadable(path, err) from None
        return tuple(sorted(name for name in names if name != ".git"))

    def content_id(self, path: str) -> str:
        """Return a text made of the file's inode, size and times."""
        found = self._stat(path)
        if found is None:
            raise TreeError(f"there is no file {path!r}", path=path, code="file-missing")
        self._check(path, found)
        return (
            f"{found.st_dev:x}-{found.st_ino:x}-{found.st_size:x}-{found.st_mtime_ns:x}-{found.st_ctime_ns:x}"
        )

    def real_path(self, path: str) -> str:
        """Return the path that `path` leads to when its symlinks are followed."""
        return self._real(path)[len(self._inside) :]

    def _stat(self, path: str) -> os.stat_result | None:
        try:
            full = self._located(path)
            found = os.lstat(full)
            return os.lstat(self._inside_root(path, full)) if stat.S_ISLNK(found.st_mode) else found
        except (FileNotFoundError, NotADirectoryError):
            return None
        except OSError as err:
            raise _unreadable(path, err) from None

    def _check(self, path: str, found: os.stat_result) -> None:
        if not stat.S_ISREG(found.st_mode):
            kind = "a directory" if stat.S_ISDIR(found.st_mode) else "a device, pipe or socket"
            raise TreeError(f"expected a file at {path!r}, found {kind}", path=path, code="not-a-file")
        if found.st_size > self._limit:
            raise _too_large(path, found.st_size, self._limit)

    def _real(self, path: str) -> str:
        """Return the absolute path that `path` names: no symlink, and inside the root."""
        return self._followed(path, self._located(path))

    def _located(self, path: str) -> str:
        """Return the absolute path of `path` in its real directory; the last part may be a symlink."""
        parent, _, name = normalize("", path).rpartition("/")
        directory = self._directory(parent)
        return f"{directory}/{name}" if name else str(self.root)

    def _directory(self, path: str) -> str:
        """Return the real path of a directory: each is looked up once, below that of its parent."""
        known = self._directories.get(path)
        if known is None:
            parent, _, name = path.rpartition("/")
            known = self._directories[path] = self._followed(path, f"{self._directory(parent)}/{name}")
        return known

    def _followed(self, path: str, full: str) -> str:
        try:
            is_link = stat.S_ISLNK(os.lstat(full).st_mode)
        except OSError:
            return full  # whoever opens it says what is wrong
        return self._inside_root(path, full) if is_link else full

    def _inside_root(self, path: str, full: str) -> str:
        try:
            real = os.path.realpath(full, strict=True)
        except OSError as err:
            if err.errno == errno.ELOOP:
                raise TreeError(
                    f"the symlink {path!r} leads to itself",
                    path=path,
                    code="path-outside",
                    hint="replace the symlink by the file that it should name",
                ) from None
            real = os.path.realpath(full)
        if not f"{real}/".startswith(self._inside):
            raise TreeError(
                f"the path {path!r} leaves the repository through a symlink",
                path=path,
                code="path-outside",
                hint="replace the symlink by what it names",
            )
        return real


def _too_large(path: str, size: int, limit: int) -> TreeError:
    return TreeError(
        f"expected at most {limit} bytes in {path!r}, found {size}",
        path=path,
        code="file-too-large",
        hint="keep large files out of the repository",
    )


def _unreadable(path: str, err: OSError) -> TreeError:
    if isinstance(err, FileNotFoundError | NotADirectoryError):
        return TreeError(f"there is no file {path!r}", path=path, code="file-missing")
    return TreeError(f"cannot read {path!r}: {err.strerror}", path=path, code="file-unreadable")


def walk(tree: FileTree, path: str = "") -> Iterator[str]:
    """Yield the paths of all files under a directory, in order; symlinks that leave the tree raise.

    Raises:
        TreeError: There is no such directory, or a symlink on the way leaves the tree.
    """
    if path.count("/") > _DEEPEST:
        raise TreeError(
            f"expected at most {_DEEPEST} directories inside each other, found more at {path[:80]!r}",
            path=path,
            code="path-outside",
            hint="remove the symlink that leads back to a directory above it",
        )
    for name in tree.list(path):
        child = f"{path}/{name}" if path else name
        if tree.entry_type(child) is EntryType.DIRECTORY:
            yield from walk(tree, child)
        elif tree.entry_type(child) is EntryType.FILE:
            yield child


def find_root(path: Path) -> Path | None:
    """Return the directory of the fleet that `path` is in, or of the repository, or None.

    The nearest parent with a `fleet.yaml` wins; without one, the nearest with a `.git`.
    """
    start = path.resolve()
    above = (start, *start.parents)
    for mark in ("fleet.yaml", ".git"):
        for directory in above:
            if (directory / mark).exists():
                return directory
    return None
