"""Evidence that `images.lock` no longer leads to."""

from __future__ import annotations

from pathlib import Path

from reconciler.documents.tree import WorkingTree
from reconciler.images.evidence import Evidence
from reconciler.locking.plan import referenced_evidence
from reconciler.locking.store import remove_evidence
from reconciler.model.lock import ImagesLock

__all__ = ["prune_evidence"]


def prune_evidence(root: Path, lock: ImagesLock | None, *, dry_run: bool = False) -> tuple[str, ...]:
    """Delete evidence that a lock does not lead to, and return its digests.

    Args:
        root: The fleet's directory.
        lock: What `images.lock` says, read without findings; None where there is none.
        dry_run: Delete nothing.

    Raises:
        UsageError: A file cannot be deleted, or what the lock leads to cannot be followed to its end.
    """
    evidence = Evidence(WorkingTree(root))
    referenced = referenced_evidence(lock, evidence)
    left = tuple(digest for digest in evidence.digests() if digest not in referenced)
    if not dry_run:
        remove_evidence(root, left)
    return left
