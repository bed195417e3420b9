"""Whether any file of a fleet differs since its lock was last found current: then nothing has to be read.

As git's index does it, a file counts as the same while its inode, size and times are. What was found is kept
in the user's cache; without it, everything is read again.
"""

from __future__ import annotations

import hashlib
import json
import os
import stat
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from reconciler import __version__
from reconciler.fleet.lock import LOCK_PATH
from reconciler.images.evidence import EVIDENCE_DIRECTORY

__all__ = ["Stamp", "known_current", "remember_current", "settled_stamp", "stamp_of"]

#: Nanoseconds after which a change of a file is sure to change its times.
_TICK = 50_000_000
_OURS = (LOCK_PATH, f"{EVIDENCE_DIRECTORY}/")


@dataclass(frozen=True, slots=True)
class Stamp:
    """What identifies the state of every file of a fleet.

    Attributes:
        files: Path to what its inode, size and times are.
        newest: The latest of the times, in nanoseconds.
    """

    files: Mapping[str, tuple[int, ...]]
    newest: int

    @property
    def digest(self) -> str:
        """A text that differs where any file does."""
        state = repr((__version__, sorted(self.files.items())))
        return hashlib.sha256(state.encode("utf-8", "surrogateescape")).hexdigest()

    def same_inputs(self, other: Stamp) -> bool:
        """Tell whether two stamps differ in nothing but the lock and its evidence."""
        return _inputs(self.files) == _inputs(other.files)


def stamp_of(root: Path) -> Stamp | None:
    """Return the state of a fleet's files, or None where it cannot be told by looking at them alone.

    Args:
        root: The fleet's directory; git's own is left out. A symlink in it may lead to what is not looked at.
    """
    files: dict[str, tuple[int, ...]] = {}
    newest = 0
    waiting = [""]
    try:
        while waiting:
            below = waiting.pop()
            with os.scandir(root / below) as entries:
                for entry in entries:
                    found = entry.stat(follow_symlinks=False)
                    path = f"{below}{entry.name}"
                    if stat.S_ISLNK(found.st_mode):
                        return None
                    if stat.S_ISDIR(found.st_mode):
                        if entry.name != ".git":
                            waiting.append(f"{path}/")
                        continue
                    times = found.st_mtime_ns, found.st_ctime_ns
                    newest = max(newest, *times)
                    files[path] = (found.st_ino, found.st_size, found.st_mode, *times)
    except OSError:
        return None
    return Stamp(files, newest)


def settled_stamp(root: Path) -> Stamp | None:
    """Return the state of files that were just written, once they are old enough to be told apart."""
    time.sleep(_TICK / 1e9)
    return stamp_of(root)


def known_current(cache: Path, root: Path, stamp: Stamp) -> int | None:
    """Return how many images a lock has that was current in this state of the files, or None if nobody knows.

    Args:
        cache: The user's cache directory.
        root: The fleet's directory.
        stamp: The state of its files.
    """
    try:
        known = json.loads(_file(cache, root).read_bytes())
        return int(known["images"]) if known["stamp"] == stamp.digest else None
    except (OSError, ValueError, LookupError, TypeError):
        return None


def remember_current(cache: Path, root: Path, stamp: Stamp, images: int) -> None:
    """Note that a lock is current in this state of the files; where that cannot be noted, nothing is lost."""
    wait = stamp.newest + _TICK - time.time_ns()
    if wait > 0:  # a file could change once more without another time
        return
    file = _file(cache, root)
    try:
        file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        partial = file.with_suffix(f".{os.getpid()}")
        partial.write_text(json.dumps({"stamp": stamp.digest, "images": images}), encoding="utf-8")
        partial.replace(file)
    except OSError:
        return


def _file(cache: Path, root: Path) -> Path:
    name = hashlib.sha256(os.fsencode(root.resolve())).hexdigest()[:24]
    return cache / "wayside" / f"lock-{name}.json"


def _inputs(files: Mapping[str, tuple[int, ...]]) -> dict[str, tuple[int, ...]]:
    return {path: state for path, state in files.items() if not path.startswith(_OURS)}
