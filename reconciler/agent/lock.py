"""One agent for each state folder."""

from __future__ import annotations

import contextlib
import fcntl
import os
import time
from collections.abc import Iterator
from pathlib import Path

from reconciler.errors import StateError, UsageError

__all__ = ["hold"]

_PATIENCE = 3.0


@contextlib.contextmanager
def hold(directory: Path, *, patience: float = _PATIENCE) -> Iterator[int]:
    """Hold the state folder's lock; the descriptor is handed on to the worker.

    The lock of an agent that was killed lasts until its worker has ended too, which takes moments.

    Args:
        directory: The state folder; made where it is missing.
        patience: Seconds to wait for another agent to end.

    Raises:
        UsageError: Another agent runs on this folder.
        StateError: The folder cannot be written.
    """
    try:
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor = os.open(directory / "agent.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as err:
        raise StateError(
            f"the state folder {directory} cannot be used: {err.strerror}",
            code="state-unusable",
            hint="--state names a folder that the agent may write",
        ) from err
    try:
        deadline = time.monotonic() + patience
        while True:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() > deadline:
                    raise UsageError(
                        f"another agent runs on the state folder {directory}",
                        code="state-in-use",
                        hint="stop it, or give this agent a state folder of its own",
                    ) from None
                time.sleep(0.05)
        yield descriptor
    finally:
        os.close(descriptor)
