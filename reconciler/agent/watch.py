"""Watching a repository that is a local path, so that a push is seen at once."""

from __future__ import annotations

import threading
from contextlib import suppress
from pathlib import Path
from urllib.parse import unquote, urlsplit

from reconciler.agent.wakeup import Signal

__all__ = ["RepositoryWatch", "git_directory", "local_path", "watched_paths"]

#: Milliseconds after which a quiet watch looks whether its folders are still the same.
_PATIENCE = 5_000
#: Seconds between two looks for a repository that is not there.
_RETRY = 2.0
#: Seconds after which a watch that was begun surely watches.
_SETTLING = 1.0


def local_path(url: str) -> Path | None:
    """Return the path that a repository's URL names on this machine, or None."""
    if url.startswith("file://"):
        return Path(unquote(urlsplit(url).path))
    if "://" in url:
        return None
    head, colon, _ = url.partition(":")
    # `host:path` is SSH, unless a slash stands before the colon; git reads it the same way.
    if colon and "/" not in head:
        return None
    return Path(url)


def git_directory(path: Path) -> Path | None:
    """Return the folder with a repository's references: of a work tree, a linked one, or a bare one."""
    inner = path / ".git"
    if inner.is_dir():
        return inner
    if inner.is_file():
        with suppress(OSError, UnicodeDecodeError):
            text = inner.read_text(encoding="utf-8").strip()
            if text.startswith("gitdir:"):
                return _common((path / text.removeprefix("gitdir:").strip()).resolve())
    if (path / "HEAD").is_file() and (path / "objects").is_dir():
        return path
    return None


def watched_paths(git: Path, reference: str) -> tuple[Path, ...]:
    """Return the folders in which something changes when the reference does."""
    name = reference if reference.startswith("refs/") else f"refs/heads/{reference}"
    folders = {git, git / "refs", git / "refs/heads", git / "reftable", *(git / name).parents}
    return tuple(sorted(folder for folder in folders if folder.is_relative_to(git) and folder.is_dir()))


class RepositoryWatch:
    """Sets a signal when a local repository's references may have changed.

    Args:
        path: The repository.
        reference: A branch, a tag, a full reference or the full id of a commit.
        changed: Is set.
    """

    def __init__(self, path: Path, reference: str, changed: Signal) -> None:
        self._path = path
        self._reference = reference
        self._changed = changed
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="watch", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self) -> None:
        """End soon; nobody needs to wait for it."""
        self._stop.set()

    def _run(self) -> None:
        import watchfiles

        while not self._stop.is_set():
            git = git_directory(self._path)
            folders = () if git is None else watched_paths(git, self._reference)
            if not folders:
                self._stop.wait(_RETRY)
                continue
            before = _identities(folders)
            self._look_again_later()
            try:
                for changes in watchfiles.watch(
                    *folders,
                    watch_filter=None,
                    recursive=False,
                    debounce=500,
                    # The watcher wakes this often (in milliseconds), changes or not.
                    step=100,
                    stop_event=self._stop,
                    rust_timeout=_PATIENCE,
                    yield_on_timeout=True,
                    raise_interrupt=False,
                    ignore_permission_denied=True,
                ):
                    if any(not path.endswith(".lock") for _, path in changes):
                        self._changed.set()
                    if git is None or _identities(watched_paths(git, self._reference)) != before:
                        break
            except (OSError, RuntimeError):
                # The folder went away, or the machine has no watches left; polling goes on meanwhile.
                self._stop.wait(_RETRY)

    def _look_again_later(self) -> None:
        """Have another look when the watch that begins now is there; what changes until then is not seen."""
        later = threading.Timer(_SETTLING, self._changed.set)
        later.daemon = True
        later.start()


def _common(git: Path) -> Path:
    """Return the folder with the references that linked work trees share."""
    with suppress(OSError, UnicodeDecodeError):
        return (git / (git / "commondir").read_text(encoding="utf-8").strip()).resolve()
    return git


def _identities(folders: tuple[Path, ...]) -> tuple[tuple[str, int], ...]:
    found = []
    for folder in folders:
        with suppress(OSError):
            found.append((str(folder), folder.stat().st_ino))
    return tuple(found)
