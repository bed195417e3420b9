"""Reading `images.lock`."""

from __future__ import annotations

from typing import Any

from reconciler.documents.tree import FileTree, TreeError
from reconciler.documents.yaml import Positions, load
from reconciler.errors import DocumentError
from reconciler.fleet.explain import document_finding, finding, schema_finding
from reconciler.fleet.published import compiled
from reconciler.model.finding import Finding
from reconciler.model.location import Location
from reconciler.model.lock import ImagesLock, LockedImage, LockedPlatform

__all__ = ["LOCK_PATH", "load_lock"]

LOCK_PATH = "images.lock"
_RULE = "lock-schema"


def load_lock(tree: FileTree) -> tuple[ImagesLock | None, tuple[Finding, ...]]:
    """Return what `images.lock` says, and what is wrong with it; (None, ()) where there is no such file."""
    try:
        if tree.entry_type(LOCK_PATH) is None:
            return None, ()
        data = tree.read(LOCK_PATH)
        documents = load(data, LOCK_PATH)
    except (DocumentError, TreeError) as err:
        return None, (document_finding(_RULE, err, LOCK_PATH),)
    if len(documents) != 1:
        message = f"expected one document in {LOCK_PATH}, found {len(documents)}"
        return None, (finding(_RULE, message, Location(LOCK_PATH)),)
    value, index = documents[0].value, documents[0].index
    positions = Positions(data, LOCK_PATH)
    problems = compiled("images-lock").problems(value)
    if problems:
        return None, tuple(schema_finding(_RULE, each, positions, index=index) for each in problems)
    images: dict[tuple[str, str], LockedImage] = {}
    findings: list[Finding] = []
    for number, entry in enumerate(value["images"]):
        at = positions.locate(("images", number), index=index)
        image = _image(entry, at)
        # References by digest have no tag: several digests of one name may stand beside each other.
        key = (image.name, image.tag or f"@{image.digest}")
        if key in images:
            known = images[key].at
            message = f"expected {image.name}:{image.tag or image.digest} once, found it again"
            findings.append(finding(_RULE, message, at, hint=f"remove one; the first is at {known}"))
            continue
        images[key] = image
    return (None if findings else ImagesLock(images)), tuple(findings)


def _image(entry: Any, at: Location) -> LockedImage:
    return LockedImage(
        name=entry["name"],
        tag=entry.get("tag", ""),
        digest=entry["digest"],
        platforms=tuple(
            LockedPlatform(platform=each["platform"], digest=each["digest"], size=int(each["size"]))
            for each in entry["platforms"]
        ),
        signatures=tuple(entry.get("signatures", ())),
        resolved_at=entry.get("resolvedAt", ""),
        at=at,
    )
