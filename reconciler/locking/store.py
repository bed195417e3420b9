"""Writing evidence and the lock into a working tree: each file whole or not at all."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterable, Mapping
from pathlib import Path

from reconciler.documents.tree import WorkingTree
from reconciler.errors import UsageError
from reconciler.fleet.lock import LOCK_PATH
from reconciler.images.evidence import EVIDENCE_DIRECTORY, Evidence, EvidenceError, evidence_path

__all__ = ["remove_evidence", "write_evidence", "write_lock"]


def write_evidence(root: Path, blobs: Mapping[str, bytes]) -> int:
    """Write evidence that is not there yet, or is not what its name says, and return how many files.

    Args:
        root: The fleet's directory.
        blobs: Digest to content; the contents have these digests.

    Raises:
        UsageError: A file cannot be written, or the directory leads out of the fleet.
    """
    directory = _inside(root, EVIDENCE_DIRECTORY)
    evidence = Evidence(WorkingTree(root))
    written = 0
    try:
        directory.mkdir(parents=True, exist_ok=True)
        for digest, content in blobs.items():
            if not _is_there(evidence, digest):
                _replace(root / evidence_path(digest), content)
                written += 1
    except OSError as err:
        raise _unwritable(directory, err) from err
    return written


def write_lock(root: Path, content: bytes) -> None:
    """Put a new `images.lock` in the place of the old one, in one step.

    Raises:
        UsageError: It cannot be written, or leads out of the fleet.
    """
    file = _inside(root, LOCK_PATH)
    try:
        _replace(file, content, durable=True)
    except OSError as err:
        raise _unwritable(file, err) from err


def remove_evidence(root: Path, digests: Iterable[str]) -> None:
    """Delete evidence files.

    Raises:
        UsageError: One cannot be deleted, or the directory leads out of the fleet.
    """
    directory = _inside(root, EVIDENCE_DIRECTORY)
    try:
        for digest in digests:
            (root / evidence_path(digest)).unlink(missing_ok=True)
    except OSError as err:
        raise _unwritable(directory, err) from err


def _is_there(evidence: Evidence, digest: str) -> bool:
    try:
        evidence.read(digest)
    except EvidenceError:
        return False
    return True


def _inside(root: Path, path: str) -> Path:
    """Return where a path of the fleet really is; one that a symlink leads out of it is refused."""
    real = Path(os.path.realpath(root / path))
    if not real.is_relative_to(os.path.realpath(root)):
        raise UsageError(f"{path} leads out of the fleet, to {real}", code="output")
    return real


def _replace(file: Path, content: bytes, *, durable: bool = False) -> None:
    descriptor, name = tempfile.mkstemp(prefix=".wayside-", dir=file.parent)
    temporary = Path(name)
    try:
        with os.fdopen(descriptor, "wb") as target:
            target.write(content)
            if durable:
                target.flush()
                os.fsync(target.fileno())
        temporary.chmod(0o644)
        temporary.replace(file)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def _unwritable(path: Path, err: OSError) -> UsageError:
    return UsageError(f"cannot write {err.filename or path}: {err.strerror}", code="output")
