"""Where built parts are kept, and how two test runs share that place."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


def cache_directory() -> Path:
    """Return the cache's directory, outside the tree: `$WAYSIDE_CACHE`, else one under the user's cache."""
    if chosen := os.environ.get("WAYSIDE_CACHE"):
        return Path(chosen).absolute()
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "wayside" / "testcluster"


@contextmanager
def exclusive(entry: Path) -> Iterator[None]:
    """Hold the lock of one cache entry; it is freed when the process ends, however it ends."""
    entry.parent.mkdir(parents=True, exist_ok=True)
    with entry.with_name(f"{entry.name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
