"""Asking registries for many images at once."""

from __future__ import annotations

import datetime
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

from reconciler.adapters.registry.client import RegistryClient
from reconciler.adapters.registry.resolver import ResolvedImage, resolve_image
from reconciler.errors import RegistryError, WaysideError
from reconciler.images.evidence import Evidence, EvidenceError
from reconciler.images.manifest import ManifestError
from reconciler.locking.plan import Work
from reconciler.model.lock import LockedImage, locked_platforms, normalized

__all__ = ["Failure", "Resolution", "resolve_all"]


@dataclass(frozen=True, slots=True)
class Failure:
    """An image that could not be resolved, and why."""

    work: Work
    error: WaysideError


@dataclass(frozen=True, slots=True)
class Resolution:
    """What registries answered.

    Attributes:
        images: The new entries, in the order of the work.
        failures: What could not be resolved, in that order.
        blobs: Digest to content of all new evidence.
    """

    images: tuple[LockedImage, ...]
    failures: tuple[Failure, ...]
    blobs: dict[str, bytes] = field(repr=False)


def resolve_all(
    works: Sequence[Work],
    client: RegistryClient,
    evidence: Evidence,
    *,
    at: datetime.datetime,
    jobs: int = 16,
    progress: Callable[[int, int], None] = lambda *_: None,
) -> Resolution:
    """Resolve images, several at once. The answer does not depend on which of them was first.

    Args:
        works: What is to be asked for.
        client: Speaks with registries.
        evidence: What is at hand already and is not fetched again.
        at: When, for `resolvedAt` of entries that changed.
        jobs: How many images are asked for at once.
        progress: Told how many are done, of how many; in this thread.
    """

    def known(digest: str) -> bytes | None:
        try:
            return evidence.read(digest)
        except EvidenceError:
            return None

    def ask(work: Work) -> ResolvedImage | WaysideError:
        name = normalized(work.name)
        try:
            reference = work.digest or work.tag
            if work.before is not None and not work.digest:
                # A tag that has not moved costs one question without an answer's body.
                reference = client.tag_digest(name, work.tag)
            return resolve_image(client, name, reference, known=known)
        except (RegistryError, ManifestError) as err:
            return err

    images: list[LockedImage] = []
    failures: list[Failure] = []
    blobs: dict[str, bytes] = {}
    with ThreadPoolExecutor(max_workers=max(1, min(jobs, len(works)))) as pool:
        try:
            for number, (work, found) in enumerate(zip(works, pool.map(ask, works), strict=True)):
                progress(number + 1, len(works))
                if isinstance(found, WaysideError):
                    failures.append(Failure(work, found))
                    continue
                images.append(_entry(work, found, at))
                blobs |= found.blobs
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise
    return Resolution(tuple(images), tuple(failures), blobs)


def _entry(work: Work, found: ResolvedImage, at: datetime.datetime) -> LockedImage:
    before = work.before
    moved = before is None or before.digest != found.digest or not before.resolved_at
    return LockedImage(
        name=work.name,
        tag=work.tag,
        digest=found.digest,
        platforms=locked_platforms(found.contents),
        signatures=found.signatures,
        resolved_at=at.astimezone(datetime.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        if before is None or moved
        else before.resolved_at,
    )
