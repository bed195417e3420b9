"""Manifests that a command line names: files, or standard input."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from pathlib import Path

from reconciler.documents.yaml import Document, load
from reconciler.errors import UsageError

__all__ = ["Sources"]


class Sources:
    """Files that were read, with their lines for messages."""

    def __init__(self) -> None:
        self._data: dict[str, bytes] = {}

    def documents(self, names: Iterable[str]) -> list[Document]:
        """Return the documents of files; `-` is standard input, a directory stands for its YAML files.

        Raises:
            UsageError: A file cannot be read.
            DocumentError: A file is not YAML.
        """
        found: list[Document] = []
        for name in names:
            place = Path(name)
            if name != "-" and place.is_dir():
                inside = sorted(p for p in place.iterdir() if p.suffix in {".yaml", ".yml", ".json"})
                found += self.documents(str(p) for p in inside if ".test." not in p.name)
            else:
                found += load(self._read(name), name)
        return found

    def read(self, name: str) -> bytes:
        """Return the content of a file that was read before."""
        return self._data[name]

    def read_line(self, name: str, line: int) -> str | None:
        """Return a line of a file, counted from 1, or None where there is none."""
        lines = self._data.get(name, b"").decode("utf-8", "replace").splitlines()
        return lines[line - 1] if 0 < line <= len(lines) else None

    def _read(self, name: str) -> bytes:
        if name not in self._data:
            try:
                self._data[name] = sys.stdin.buffer.read() if name == "-" else Path(name).read_bytes()
            except OSError as err:
                raise UsageError(f"cannot read {name}: {err.strerror}", code="file-missing") from err
        return self._data[name]
