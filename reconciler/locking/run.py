"""One run of `wayside images lock`: from the files of a fleet to a new lock, or to the reasons against it."""

from __future__ import annotations

import datetime
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from reconciler.adapters.registry.client import RegistryClient
from reconciler.documents.tree import FileTree, WorkingTree
from reconciler.fleet import load_fleet
from reconciler.fleet.lock import LOCK_PATH, load_lock
from reconciler.images.evidence import Evidence
from reconciler.images.lockfile import format_lock, same_entry
from reconciler.locking.plan import LockPlan, Work, plan_lock
from reconciler.locking.resolve import Failure, Resolution, resolve_all
from reconciler.locking.store import write_evidence, write_lock
from reconciler.locking.usage import Usage, find_usage
from reconciler.model.finding import Finding
from reconciler.model.fleet import Fleet
from reconciler.model.lock import ImagesLock, LockedImage

__all__ = ["Change", "LockState", "Outcome", "lock_images", "read_state"]


@dataclass(frozen=True, slots=True)
class LockState:
    """A fleet with its lock, as the files are now.

    Attributes:
        fleet: The fleet, or None where it is not valid.
        lock: What `images.lock` says, or None.
        usage: The images that sites use.
        findings: What is wrong; while there is any, nothing may be written.
        text: `images.lock`, byte for byte.
    """

    fleet: Fleet | None
    lock: ImagesLock | None
    usage: Usage
    findings: tuple[Finding, ...]
    text: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Change:
    """One entry that differs: `before` is None for a new one, `after` for one that goes."""

    before: LockedImage | None
    after: LockedImage | None


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a run did, or would do.

    Attributes:
        changes: Entries that differ, in order of the file.
        failures: Images that could not be resolved; with any, nothing is written.
        pending: What a dry run would ask registries for.
        unchanged: How many entries stay as they are.
        images: How many entries the lock has then.
        evidence: How many evidence files were written.
        current: Whether nothing is to be done at all.
    """

    changes: tuple[Change, ...] = ()
    failures: tuple[Failure, ...] = ()
    pending: tuple[Work, ...] = ()
    unchanged: int = 0
    images: int = 0
    evidence: int = 0
    current: bool = True


def read_state(tree: FileTree, *, progress: Callable[[int, int], None] = lambda *_: None) -> LockState:
    """Read a fleet, its lock and what its sites use.

    Args:
        tree: The fleet's files.
        progress: Told how many sites are rendered, of how many.
    """
    loaded = load_fleet(tree)
    lock, findings = load_lock(tree)
    text = tree.read(LOCK_PATH) if tree.entry_type(LOCK_PATH) is not None and not findings else b""
    if loaded.fleet is None or loaded.broken:
        return LockState(loaded.fleet, lock, Usage((), ()), (*loaded.findings, *findings), text)
    usage = find_usage(loaded.fleet, tree, progress=progress)
    return LockState(loaded.fleet, lock, usage, (*loaded.findings, *findings, *usage.findings), text)


def lock_images(
    root: Path,
    state: LockState,
    connect: Callable[[Fleet], RegistryClient],
    *,
    at: datetime.datetime,
    update: Sequence[str] | None = None,
    check: bool = False,
    jobs: int = 16,
    progress: Callable[[int, int], None] = lambda *_: None,
) -> Outcome:
    """Resolve what is not locked yet, and write lock and evidence.

    Nothing is written unless every image could be resolved: evidence first, the lock last and in one step.

    Args:
        root: The fleet's directory.
        state: What `read_state` returned, without findings.
        connect: Returns a client; called where registries have to be asked.
        at: When, for entries that change.
        update: Names or patterns whose tags are resolved again; () means all, None none.
        check: Write nothing. Registries are asked only for what is to be updated.
        jobs: How many images are asked for at once.
        progress: Told how many images are resolved, of how many.

    Raises:
        UsageError: A name to update fits no image, or a file cannot be written.
    """
    assert state.fleet is not None, "a fleet that is not valid is not locked"  # noqa: S101 - the caller's part
    evidence = Evidence(WorkingTree(root))
    plan = plan_lock(state.usage.images, state.lock, evidence, update=update)
    works = plan.work
    pending: tuple[Work, ...] = ()
    if check:
        pending = tuple(work for work in works if work.before is None or work.digest)
        works = tuple(work for work in works if work not in pending)
    resolution = Resolution((), (), {})
    if works:
        resolution = resolve_all(works, connect(state.fleet), evidence, at=at, jobs=jobs, progress=progress)
    changes = _changes(plan, works, resolution)
    entries = [*plan.kept, *resolution.images]
    known = tuple(state.lock.images.values()) if state.lock is not None else ()
    text = format_lock(entries, before=state.text, known=known) if entries or known else b""
    current = not (changes or pending or resolution.failures or text != state.text)
    written = 0
    if not check and not resolution.failures:
        written = write_evidence(root, resolution.blobs)
        if text != state.text:
            write_lock(root, text)
    return Outcome(
        changes=changes,
        failures=resolution.failures,
        pending=pending,
        unchanged=len(entries) - sum(change.after is not None for change in changes),
        images=len(entries),
        evidence=written,
        current=current and not written,
    )


def _changes(plan: LockPlan, works: Sequence[Work], resolution: Resolution) -> tuple[Change, ...]:
    failed = {id(failure.work) for failure in resolution.failures}
    done = [work for work in works if id(work) not in failed]
    changes = [
        Change(work.before, entry)
        for work, entry in zip(done, resolution.images, strict=True)
        if work.before is None or not same_entry(work.before, entry)
    ]
    changes += [Change(entry, None) for entry in plan.unused]
    return tuple(sorted(changes, key=lambda change: _order(change.after or change.before)))


def _order(image: LockedImage | None) -> tuple[str, str]:
    return ("", "") if image is None else (image.name, image.tag or image.digest)
