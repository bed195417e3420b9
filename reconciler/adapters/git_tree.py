"""The files of a git revision, without a checkout: one listing and one `git cat-file --batch`."""

from __future__ import annotations

import contextlib
import datetime
import os
import selectors
import signal
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

from reconciler.documents.tree import MAX_FILE_BYTES, EntryType, TreeError, normalize
from reconciler.errors import SourceError

__all__ = ["GitTree"]

_LINK, _SUBMODULE = "120000", "160000"
_MOST_LINKS = 40
_CHUNK = 1 << 16
_IN_CI = "in CI, clone with its history (GitHub fetch-depth: 0, GitLab GIT_DEPTH: 0)"
_UNSHALLOW = f"git fetch --unshallow; {_IN_CI}"


class GitTree:
    """The files of one revision of a repository. Close it, or use it in a `with`; not for several threads.

    In a partial clone git fetches what is missing when it is read, within `timeout`.

    Args:
        repository: The repository, or a directory in it.
        revision: A commit, branch, tag or anything else that git resolves to a commit.
        directory: The directory of the repository that is the tree's root; "" for its top.
        limit: The most bytes of one file.
        timeout: Seconds that one answer of git may take.
        listed: False for a revision of which no files are read.
        fetch: Brings objects of a partial clone that are missing, by their ids; None leaves that to git.

    Raises:
        SourceError: There is no such repository or revision, or git does not work.
    """

    def __init__(
        self,
        repository: Path,
        revision: str,
        *,
        directory: str = "",
        limit: int = MAX_FILE_BYTES,
        timeout: float = 60.0,
        listed: bool = True,
        fetch: Callable[[Sequence[str]], None] | None = None,
    ) -> None:
        self._fetch = fetch
        self._repository = repository
        self._limit = limit
        self._timeout = timeout
        self._batch: subprocess.Popen[bytes] | None = None
        self._received = b""
        self._entries: dict[str, tuple[str, str]] = {}
        self._names: dict[str, set[str]] = {"": set()}
        self._targets: dict[str, str] = {}
        self.commit = self._resolve_revision(revision)
        if listed:
            self._list_files(normalize("", directory))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """End git's process. The tree can still be used; it starts another."""
        process, self._batch, self._received = self._batch, None, b""
        if process is None:
            return
        for pipe in (process.stdin, process.stdout):
            if pipe is not None:
                with contextlib.suppress(OSError):
                    pipe.close()
        try:
            process.wait(timeout=2)
        except subprocess.TimeoutExpired:
            _kill(process)

    def __del__(self) -> None:
        if getattr(self, "_batch", None) is not None:
            self.close()

    @property
    def committed_at(self) -> datetime.datetime:
        """The committer's time, in UTC: the time by which waivers and keys expire."""
        out = self._run("show", "--no-patch", "--no-show-signature", "--format=%ct", self.commit)
        if out is None or not out.strip().lstrip(b"-").isdigit():
            raise SourceError(
                f"expected the time of the commit {self.commit[:12]}, found none", code="revision-missing"
            )
        return datetime.datetime.fromtimestamp(int(out), datetime.UTC)

    @property
    def entries(self) -> Mapping[str, tuple[str, str]]:
        """Every file's path, with git's mode and object id; symlinks and submodules are entries, too."""
        return self._entries

    def run_in(self, directory: Path, *arguments: str) -> bytes | None:
        """Return what git prints in a directory, or None where it fails for a reason of the revision."""
        return self._run("-C", str(directory), *arguments)

    def merge_base(self, other: str) -> str:
        """Return the newest commit that this revision and another have in common.

        Raises:
            SourceError: The other revision is not here, or there is no such commit.
        """
        commit = self._resolve_revision(other)
        out = self._run("merge-base", self.commit, commit)
        if out is not None and out.strip():
            return out.decode().split()[0]
        raise SourceError(
            f"expected a common ancestor of {other!r} and {self.commit[:12]}, found none",
            code="no-merge-base",
            hint=f"this clone is shallow: {_UNSHALLOW}"
            if self._is_shallow()
            else "the two have no history in common; name another base",
        )

    def _is_shallow(self) -> bool:
        return (self._run("rev-parse", "--is-shallow-repository") or b"").strip() == b"true"

    def _how_to_fetch(self, revision: str) -> str:
        remote, slash, branch = revision.partition("/")
        known = (self._run("remote") or b"").decode(errors="replace").split()
        if slash and remote in known:
            return f"fetch it first: git fetch {remote} {branch}; {_IN_CI}"
        if self._is_shallow():
            return f"this clone is shallow: {_UNSHALLOW}"
        return f"fetch it first; {_IN_CI}"

    def entry_type(self, path: str) -> EntryType | None:
        """Return what stands at `path` (symlinks inside the tree are followed), or None."""
        place = self._follow(path)
        if place in self._entries:
            return EntryType.FILE
        return EntryType.DIRECTORY if place in self._names else None

    def read(self, path: str) -> bytes:
        """Return the content of the file at `path`."""
        return self._blob(self.content_id(path), path)

    def list(self, path: str) -> tuple[str, ...]:
        """Return the sorted names in the directory at `path`."""
        names = self._names.get(self._follow(path))
        if names is None:
            raise TreeError(f"there is no directory {path!r}", path=path, code="file-missing")
        return tuple(sorted(names))

    def content_id(self, path: str) -> str:
        """Return git's name of the content of the file at `path`."""
        place = self._follow(path)
        entry = self._entries.get(place)
        if entry is None:
            if place in self._names:
                raise TreeError(
                    f"expected a file at {path!r}, found a directory", path=path, code="not-a-file"
                )
            raise TreeError(f"there is no file {path!r}", path=path, code="file-missing")
        return entry[1]

    def blobs(self) -> dict[str, str]:
        """Return path to git's name of the content, for every file and symlink."""
        return {path: name for path, (mode, name) in self._entries.items() if mode != _SUBMODULE}

    def read_blob_at(self, path: str) -> bytes:
        """Return the content at a path that `blobs` names; of a symlink, where it leads."""
        return self._blob(self._entries[path][1], path)

    def _follow(self, path: str) -> str:
        """Return the place that `path` names after all symlinks, whether something stands there or not."""
        place = normalize("", path)
        entry = self._entries.get(place)
        if (entry is not None and entry[0] not in (_LINK, _SUBMODULE)) or place in self._names:
            return place
        links = 0
        done, rest = "", place.split("/") if place else []
        while rest:
            step, *rest = rest
            done = normalize(done, step)
            mode = self._entries.get(done, ("", ""))[0]
            if mode == _SUBMODULE:
                raise TreeError(
                    f"the path {path!r} is in the submodule {done!r}, which is not read",
                    path=path,
                    code="submodule",
                    hint="copy what is needed into the repository",
                )
            if mode == _LINK:
                links += 1
                if links > _MOST_LINKS:
                    raise TreeError(
                        f"the symlink {path!r} leads to itself",
                        path=path,
                        code="path-outside",
                        hint="replace the symlink by the file that it should name",
                    )
                target = self._target(done, path)
                rest = [*target.split("/"), *rest]
                done = done.rpartition("/")[0]
                rest = [part for part in rest if part not in ("", ".")]
        return done

    def _target(self, link: str, path: str) -> str:
        """Return what a symlink names, which must be inside the tree."""
        target = self._targets.get(link)
        if target is None:
            target = self._blob(self._entries[link][1], path).decode(errors="surrogateescape")
            self._targets[link] = target
        try:
            normalize(link.rpartition("/")[0], target)
        except TreeError:
            raise TreeError(
                f"the path {path!r} leaves the repository through a symlink",
                path=path,
                code="path-outside",
                hint="replace the symlink by what it names",
            ) from None
        return target

    def _resolve_revision(self, revision: str) -> str:
        out = self._run("rev-parse", "--verify", "--quiet", "--end-of-options", f"{revision}^{{commit}}")
        if out is None:
            raise SourceError(
                f"expected a revision of the repository, found {revision!r}",
                code="revision-missing",
                hint=self._how_to_fetch(revision),
            )
        return out.decode().strip()

    def _list_files(self, directory: str) -> None:
        treeish = f"{self.commit}:{directory}" if directory else self.commit
        out = self._run("ls-tree", "-r", "-z", "--full-tree", treeish)
        if out is None:
            raise SourceError(
                f"cannot list {directory or 'the files'!r} in the revision {self.commit[:12]}",
                code="revision-missing",
            )
        names_of: dict[str, set[str]] = self._names
        for line in out.decode(errors="surrogateescape").split("\0"):
            if not line:
                continue
            head, _, path = line.partition("\t")
            mode, _, object_id = head.split(" ")
            self._entries[path] = (mode, object_id)
            child = path
            while child:
                parent, _, name = child.rpartition("/")
                names = names_of.get(parent)
                if names is not None:
                    names.add(name)
                    break
                names_of[parent] = {name}
                child = parent

    def _command(self, *arguments: str) -> tuple[str, ...]:
        return ("git", "-C", str(self._repository), "--no-replace-objects", *arguments)

    def _run(self, *arguments: str) -> bytes | None:
        """Return what git prints, or None where it fails for a reason of the revision."""
        try:
            process = subprocess.Popen(  # noqa: S603 - a list; revisions follow --end-of-options
                self._command(*arguments),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                env=_environment(),
                start_new_session=True,
            )
        except FileNotFoundError:
            raise SourceError(
                "expected git on the PATH, found none", code="git", hint="install git"
            ) from None
        with process:
            try:
                out, errors = process.communicate(timeout=self._timeout)
            except subprocess.TimeoutExpired:
                _kill(process)
                message = f"git gave no answer in {self._timeout:g} s"
                raise SourceError(message, code="git-timeout") from None
        if process.returncode == 0:
            return out
        said = errors.decode(errors="replace").strip()
        if "not a git repository" in said or "dubious ownership" in said or "cannot change to" in said:
            raise SourceError(
                f"expected a git repository at {str(self._repository)!r}: {said.splitlines()[0]}", code="git"
            )
        return None

    def _blob(self, object_id: str, path: str) -> bytes:
        """Read one object through the running `git cat-file --batch`."""
        try:
            size, content = self._ask_or_fetch(object_id)
        except OSError as err:
            self._abort()
            raise SourceError(f"git stopped while {path!r} was read: {err.strerror}", code="git") from None
        except SourceError:
            self._abort()  # what it still says would be taken for the next answer
            raise
        if size < 0:
            raise TreeError(
                f"cannot read {path!r}: git has no object {object_id[:12]}",
                path=path,
                code="file-unreadable",
                hint="fetch it: the clone is partial or damaged",
            )
        if size > self._limit:
            raise TreeError(
                f"expected at most {self._limit} bytes in {path!r}, found {size}",
                path=path,
                code="file-too-large",
                hint="keep large files out of the repository",
            )
        return content

    def _ask_or_fetch(self, object_id: str) -> tuple[int, bytes]:
        """Return an object's size and content; where it is missing, have it fetched once."""
        if self._fetch is None:
            return self._ask(object_id, time.monotonic() + self._timeout)
        with contextlib.suppress(OSError, SourceError):
            size, content = self._ask(object_id, time.monotonic() + self._timeout)
            if size >= 0:
                return size, content
        # Where an object is missing git ends, since it is not told where to fetch; a new one finds it.
        self._abort()
        self._fetch([object_id])
        return self._ask(object_id, time.monotonic() + self._timeout)

    def _ask(self, object_id: str, deadline: float) -> tuple[int, bytes]:
        """Return an object's size (-1 without such a blob) and content (none above the limit)."""
        process = self._process()
        assert process.stdin is not None  # noqa: S101 - it was made with a pipe
        process.stdin.write(object_id.encode() + b"\n")
        process.stdin.flush()
        while b"\n" not in self._received:
            self._receive(deadline)
        head, _, self._received = self._received.partition(b"\n")
        words = head.split()
        if len(words) != 3:
            return -1, b""
        size = int(words[2])
        content = bytearray()
        rest = size + 1  # git ends the content with a line feed
        while rest:
            if not self._received:
                self._receive(deadline)
            part, self._received = self._received[:rest], self._received[rest:]
            rest -= len(part)
            if size <= self._limit:
                content += part
        return (size if words[1] == b"blob" else -1), bytes(content[:-1])

    def _abort(self) -> None:
        """End git at once, with what it has started to fetch a missing object."""
        if self._batch is not None:
            _kill(self._batch)
        self.close()

    def _process(self) -> subprocess.Popen[bytes]:
        if self._batch is None:
            self._batch = subprocess.Popen(  # noqa: S603 - a fixed command
                self._command("cat-file", "--batch"),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                env=_environment(),
                start_new_session=True,
            )
        return self._batch

    def _receive(self, deadline: float) -> None:
        """Wait for more of git's answer."""
        assert self._batch is not None  # noqa: S101 - asked for before
        assert self._batch.stdout is not None  # noqa: S101 - it was made with a pipe
        descriptor = self._batch.stdout.fileno()
        with selectors.DefaultSelector() as selector:
            selector.register(descriptor, selectors.EVENT_READ)
            if not selector.select(max(0.0, deadline - time.monotonic())):
                raise SourceError(f"git gave no answer in {self._timeout:g} s", code="git-timeout")
        part = os.read(descriptor, _CHUNK)
        if not part:
            raise SourceError("git ended before its answer did", code="git")
        self._received += part


def _kill(process: subprocess.Popen[bytes]) -> None:
    """Kill a git that was started in a session of its own, with its children, and wait for it."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def _environment() -> dict[str, str]:
    """Return the environment for git: no questions, no locks, and not the repository of a hook that calls."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith("GIT_")
        or name.startswith(("GIT_CONFIG", "GIT_SSH", "GIT_SSL", "GIT_ALTERNATE", "GIT_OBJECT"))
    }
    return kept | {"LC_ALL": "C", "GIT_TERMINAL_PROMPT": "0", "GIT_OPTIONAL_LOCKS": "0"}
