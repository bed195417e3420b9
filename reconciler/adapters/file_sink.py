"""A sink that is a file: one JSON array of CloudEvents a line, a line for each batch.

Made for a folder that something else carries away (a share, a USB stick, a syncing tool) and for trials.
A file that cannot be reached now is like a hub that cannot: the events wait.
"""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from pathlib import Path

from reconciler.model.event import Event, Receipt
from reconciler.model.link_use import LinkUse
from reconciler.ports.sink import SinkError

__all__ = ["FileSink"]

_CHUNK = 65536


class FileSink:
    """Appends batches to a file, each event once.

    Args:
        path: The file; its folder must exist. A path that is a folder gets a file named after the site.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self.use = LinkUse()

    def beat(self, site: str) -> None:
        """Say nothing: a line in a file is no sign of life."""
        del site

    def deliver(self, batch: Sequence[Event]) -> Receipt:
        """Append what the file does not have yet, and make it durable.

        Raises:
            SinkError: The file cannot be written.
        """
        epoch = batch[0].epoch
        try:
            path = self._path / f"{batch[0].site}.ndjson" if self._path.is_dir() else self._path
            descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as err:
            raise SinkError(f"the file {self._path} cannot be opened: {err.strerror}", unsent=True) from err
        try:
            try:
                last = self._last(descriptor, epoch)
                new = [event.to_cloudevent() for event in batch if event.sequence > last]
                if new:
                    line = json.dumps(new, separators=(",", ":"), ensure_ascii=False).encode() + b"\n"
                    end = os.lseek(descriptor, 0, os.SEEK_END)
                    written = 0
                    while written < len(line):
                        written += os.pwrite(descriptor, line[written:], end + written)
                    os.fsync(descriptor)
                    self.use.requests += 1
                    self.use.payload += len(line)
                    self.use.sent += len(line)
            finally:
                os.close(descriptor)
        except OSError as err:
            raise SinkError(f"the file {self._path} cannot be written: {err.strerror}") from err
        return Receipt(epoch, max(last, batch[-1].sequence))

    def _last(self, descriptor: int, epoch: str) -> int:
        """Return the number of the epoch's last event in the file, after cutting off a torn line."""
        end = os.fstat(descriptor).st_size
        torn = _newline_before(descriptor, end)
        if torn + 1 != end:
            os.ftruncate(descriptor, torn + 1)
        if torn < 0:
            return 0
        start = _newline_before(descriptor, torn) + 1
        try:
            event = json.loads(os.pread(descriptor, torn - start, start))[-1]
            return int(event["sequence"]) if event["epoch"] == epoch else 0
        except (ValueError, LookupError, TypeError) as err:
            raise SinkError(
                f"the file {self._path} holds something else than events",
                code="sink-not-ours",
                hint="name another file, or move this one away",
            ) from err


def _newline_before(descriptor: int, end: int) -> int:
    """Return the place of the last newline before `end`, or -1."""
    while end > 0:
        start = max(0, end - _CHUNK)
        place = os.pread(descriptor, end - start, start).rfind(b"\n")
        if place >= 0:
            return start + place
        end = start
    return -1
