"""Files of manifests, as k3s and k0s read them.

Each object is one JSON document of a YAML stream. JSON is YAML that every parser reads alike: none of the
words and numbers that YAML dialects disagree about stands in it without quotes.
"""

from __future__ import annotations

import json
import os
import re
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from reconciler.errors import TargetRefused
from reconciler.model.resource import Manifest

__all__ = ["decode", "encode", "remove", "write"]

#: Characters that JSON leaves as they are and that YAML forbids, or takes for the end of a line.
_ESCAPED = re.compile("[\x7f-\x9f\u2028\u2029\ufeff\ufffe\uffff]")
_SEPARATOR = "\n---\n"


def encode(manifests: Iterable[Manifest], *, heading: str) -> bytes:
    """Return the content of a file; without manifests a comment is all there is."""
    documents = [json.dumps(manifest, indent=1, ensure_ascii=False) for manifest in manifests]
    text = _SEPARATOR.join([f"# {heading}", *documents]) + "\n"
    return _ESCAPED.sub(lambda match: f"\\u{ord(match[0]):04x}", text).encode()


def decode(data: bytes, place: Path) -> list[dict[str, Any]]:
    """Return the manifests of a file that `encode` wrote.

    Raises:
        TargetRefused: Somebody else wrote it, or changed it.
    """
    try:
        documents = data.decode().rstrip("\n").split(_SEPARATOR)[1:]
        manifests = [dict(json.loads(document)) for document in documents]
    except (TypeError, ValueError) as err:
        raise TargetRefused(
            f"expected manifests as the agent writes them in {place}, found something else",
            code="file-changed",
            hint="move the file away; the next sync writes it anew",
        ) from err
    return manifests


def write(place: Path, data: bytes) -> bool:
    """Put a file in its place in one step, so that a reader sees the old content or the new one.

    Returns:
        Whether anything was written; a file that has the content already is left alone.
    """
    try:
        if place.read_bytes() == data:
            return False
    except FileNotFoundError:
        pass
    # The name is hidden and has no ending that k3s or k0s would read.
    descriptor, name = tempfile.mkstemp(prefix=f".{place.name.lstrip('.')}.", suffix=".tmp", dir=place.parent)
    temporary = Path(name)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(place)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    _sync(place.parent)
    return True


def remove(place: Path) -> None:
    """Remove a file for good. One that is not there is no error."""
    place.unlink(missing_ok=True)
    _sync(place.parent)


def _sync(directory: Path) -> None:
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
