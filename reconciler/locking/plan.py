"""What is to be asked of registries: the difference between what sites use and what is locked."""

from __future__ import annotations

import enum
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase

from reconciler.errors import UsageError
from reconciler.images.completeness import read_entry
from reconciler.images.evidence import Evidence
from reconciler.locking.usage import ImageUse
from reconciler.model.lock import ImagesLock, LockedImage, locked_platforms, normalized

__all__ = ["LockPlan", "Why", "Work", "plan_lock", "referenced_evidence"]


class Why(enum.Enum):
    """Why an image is asked for."""

    NEW = "is not in images.lock"
    EVIDENCE = "has evidence that is missing or altered"
    DIFFERS = "has other platforms or sizes in images.lock than its evidence says"
    UPDATE = "is to be resolved again"


@dataclass(frozen=True, slots=True)
class Work:
    """One image to ask for.

    Attributes:
        name: The repository as it is to be written.
        tag: The tag, or "" for a reference by digest.
        digest: The digest to ask for, or "" where the tag is to be resolved.
        why: Why it is asked for.
        before: The entry that there is, or None.
    """

    name: str
    tag: str
    digest: str
    why: Why
    before: LockedImage | None = None

    @property
    def shown(self) -> str:
        """The reference for messages."""
        return f"{self.name}:{self.tag}" if self.tag else f"{self.name}@{self.digest}"


@dataclass(frozen=True, slots=True)
class LockPlan:
    """What a run of `images lock` has to do.

    Attributes:
        work: What is to be asked for, in order.
        kept: Entries that stay.
        unused: Entries that no site uses any more.
    """

    work: tuple[Work, ...]
    kept: tuple[LockedImage, ...]
    unused: tuple[LockedImage, ...]


def plan_lock(
    uses: Sequence[ImageUse],
    lock: ImagesLock | None,
    evidence: Evidence,
    *,
    update: Sequence[str] | None = None,
) -> LockPlan:
    """Compare what is used with what is locked and with its evidence.

    Args:
        uses: What the sites use, all of it.
        lock: What `images.lock` says, or None where there is none.
        evidence: The evidence that there is.
        update: Names or patterns of images whose tags are resolved again; () means all, None none.

    Raises:
        UsageError: A name fits no image.
    """
    entries = {_key(entry): entry for entry in (lock.images.values() if lock is not None else ())}
    chosen = _chosen(uses, update)
    work: list[Work] = []
    kept: list[LockedImage] = []
    used: set[tuple[str, str]] = set()
    for use in uses:
        entry = entries.get(use.key)
        if entry is None and not use.wanted:
            continue
        used.add(use.key)
        name, digest = use.reference.name, use.reference.digest
        tag = "" if digest else use.reference.effective_tag
        if entry is None:
            work.append(Work(name, tag, digest, Why.NEW))
        elif use.key in chosen and not digest:
            work.append(Work(entry.name, tag, "", Why.UPDATE, entry))
        else:
            why = _problem(entry, evidence)
            if why is None:
                kept.append(entry)
            else:
                work.append(Work(entry.name, tag, entry.digest, why, entry))
    unused = tuple(entry for key, entry in entries.items() if key not in used)
    return LockPlan(tuple(work), tuple(kept), unused)


def referenced_evidence(lock: ImagesLock | None, evidence: Evidence) -> frozenset[str]:
    """Return the digests of all evidence that a lock leads to.

    Raises:
        UsageError: Some of it is missing or altered, so that nobody knows what it leads to.
    """
    found: set[str] = set()
    for entry in lock.images.values() if lock is not None else ():
        contents = read_entry(entry, evidence)
        if contents.problems:
            name = f"{entry.name}:{entry.tag}" if entry.tag else f"{entry.name}@{entry.digest}"
            raise UsageError(
                f"expected all evidence of {name}, found less: {contents.problems[0].message}",
                code="evidence-complete",
                hint="run `wayside images lock` first; nothing was deleted",
            )
        found.update(contents.evidence, (entry.digest,), entry.signatures)
    return frozenset(found)


def _problem(entry: LockedImage, evidence: Evidence) -> Why | None:
    contents = read_entry(entry, evidence)
    if contents.problems:
        return Why.EVIDENCE
    platforms = tuple(sorted(entry.platforms, key=lambda each: (each.platform, each.digest)))
    return None if platforms == locked_platforms(contents) else Why.DIFFERS


def _key(entry: LockedImage) -> tuple[str, str]:
    return normalized(entry.name), entry.tag or f"@{entry.digest}"


def _chosen(uses: Iterable[ImageUse], names: Sequence[str] | None) -> frozenset[tuple[str, str]]:
    if names is None:
        return frozenset()
    by_text: Mapping[tuple[str, str], tuple[str, ...]] = {use.key: _texts(use) for use in uses}
    if not names:
        return frozenset(by_text)
    found: set[tuple[str, str]] = set()
    for name in names:
        fitting = {key for key, texts in by_text.items() if any(fnmatchcase(text, name) for text in texts)}
        if not fitting:
            raise UsageError(
                f"no site uses an image {name!r}",
                code="unknown-image",
                hint="`wayside images list` lists them; write a repository, repository:tag or a pattern",
            )
        found |= fitting
    return frozenset(found)


def _texts(use: ImageUse) -> tuple[str, ...]:
    """Return all ways in which a person may name an image."""
    reference = use.reference
    names = dict.fromkeys((reference.name, reference.normalized_name))
    return tuple(text for name in names for text in (name, f"{name}:{reference.effective_tag}"))
