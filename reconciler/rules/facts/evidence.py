"""What is wrong with the lock and the evidence of the images that a site uses."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from reconciler.model.contents import ImageContents
from reconciler.model.lock import LockedImage, locked_platforms
from reconciler.rules.facts.workload import WorkloadFacts

__all__ = ["lock_values"]


def lock_values(workloads: Sequence[WorkloadFacts]) -> dict[str, Any]:
    """Compute what rules see as `lock`: `problems` of the evidence, and `differences` of entries from it.

    Each has `image`, `message` and `location`, the line of `images.lock`; each image is looked at once.
    """
    seen: dict[tuple[str, str, str], tuple[LockedImage, ImageContents]] = {}
    for workload in workloads:
        for image in workload.images:
            if image.locked is not None and image.contents is not None:
                key = (image.locked.name, image.locked.tag, image.locked.digest)
                seen[key] = (image.locked, image.contents)
    return {
        "problems": [
            _item(entry, each.message) for entry, contents in seen.values() for each in contents.problems
        ],
        "differences": [
            _item(entry, message)
            for entry, contents in seen.values()
            if not contents.problems
            for message in _differences(entry, contents)
        ],
    }


def _item(entry: LockedImage, message: str) -> dict[str, Any]:
    shown = f"{entry.name}:{entry.tag}" if entry.tag else f"{entry.name}@{entry.digest}"
    return {
        "image": shown,
        "message": message,
        "location": str(entry.at) if entry.at is not None else "images.lock:1:1",
    }


def _differences(entry: LockedImage, contents: ImageContents) -> Iterator[str]:
    said = {(each.platform, each.digest): each.size for each in entry.platforms}
    found = {(each.platform, each.digest): each.size for each in locked_platforms(contents)}
    for platform, digest in sorted(said.keys() | found.keys()):
        before, after = said.get((platform, digest)), found.get((platform, digest))
        if before is None:
            yield f"the evidence has {platform} as {digest[:19]}, and images.lock does not say so"
        elif after is None:
            yield f"images.lock says {platform} as {digest[:19]}, and the evidence has no such build"
        elif before != after:
            yield f"images.lock says {before} bytes for {platform}, and the evidence says {after}"
