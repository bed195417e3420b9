"""The facts of one image in one workload: what it is, and on which nodes it would run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from reconciler.model.contents import Build, ImageContents
from reconciler.model.fieldpath import FieldPath, format_field_path
from reconciler.model.image import ImageReference, ImageReferenceError
from reconciler.model.lock import LockedImage
from reconciler.model.platform import accepts, parse_platform
from reconciler.rules.facts.locked import LockIndex
from reconciler.rules.facts.node import NodeFacts
from reconciler.rules.facts.problem import FactProblem
from reconciler.rules.facts.signature import signature_values

__all__ = ["ImageFacts", "image_facts"]


@dataclass(frozen=True)
class ImageFacts:
    """One image where one container, or one image volume, uses it.

    Attributes:
        field_path: Where it stands in the workload.
        facts: The plain values that rules see.
        reference: As written, digest included.
        locked: Its entry in the lock, or None.
        contents: What it is made of, or None where it is not locked.
        builds: Of these, what the reference may mean: all, or the one that its digest names.
    """

    field_path: FieldPath
    facts: Mapping[str, Any]
    reference: ImageReference
    locked: LockedImage | None = None
    contents: ImageContents | None = None
    builds: tuple[Build, ...] = ()


def image_facts(
    text: str,
    *,
    container: str,
    path: FieldPath,
    pull_policy: str,
    nodes: Sequence[NodeFacts],
    runtime_class: str,
    lock: LockIndex,
    problems: list[FactProblem],
) -> ImageFacts:
    """Compute the facts of one image.

    Args:
        text: The reference as written, after the lock's digests were put in.
        container: The container's name, or the volume's.
        path: Where it stands in the workload.
        pull_policy: `imagePullPolicy`, or "".
        nodes: The nodes that the workload may be placed on.
        runtime_class: The pod's RuntimeClass, or ""; with one, a WebAssembly build runs anywhere.
        lock: What is known of images.
        problems: Receives a reference that cannot be parsed.
    """
    try:
        reference = ImageReference.parse(text)
    except ImageReferenceError as err:
        problems.append(FactProblem(str(err), path))
        reference = ImageReference(text)
    locked = lock.find(reference)
    contents = lock.contents(locked.image) if locked.image is not None else None
    builds = contents.builds if contents is not None else ()
    wanted = reference.digest or (locked.image.digest if locked.image is not None else "")
    if locked.image is not None and wanted != locked.image.digest:
        builds = tuple(build for build in builds if build.digest == wanted)
    # A volume may hold an artifact, which is built for no platform and is right on every node.
    anywhere = contents is not None and contents.artifact and path[-1:] == ("reference",)
    platforms = tuple(build for build in builds if build.platform)
    parsed = [parse_platform(build.platform) for build in platforms]
    lacking: dict[str, list[str]] = {}
    for node in nodes:
        if not anywhere and not any(accepts(node.platform, p) or (p.wasm and runtime_class) for p in parsed):
            lacking.setdefault(str(node.platform), []).append(node.name)
    facts = {
        "reference": text,
        # For messages: a digest beside a tag says nothing to people.
        "shown": f"{reference.name}:{reference.tag}" if reference.tag else text,
        "name": reference.name,
        "fullName": reference.normalized_name,
        "registry": reference.normalized_name.partition("/")[0],
        "repository": reference.normalized_name.partition("/")[2],
        "tag": reference.tag,
        "digest": reference.digest,
        "pullPolicy": pull_policy or ("Always" if _pulls_latest(reference) else "IfNotPresent"),
        "container": container,
        "fieldPath": format_field_path(path),
        "locked": locked.image is not None,
        "lockedDigest": locked.image.digest if locked.image is not None else locked.mismatch,
        "platforms": [str(platform) for platform in parsed],
        "sizes": {str(p): platform.size for p, platform in zip(parsed, platforms, strict=True)},
        "artifact": contents is not None and contents.artifact,
        "evidenceProblems": [each.message for each in contents.problems] if contents is not None else [],
        "keptTag": lock.kept_reason(reference),
        "nodes": [node.name for node in nodes],
        "missing": [{"platform": name, "nodes": names} for name, names in lacking.items()]
        if locked.image is not None
        else [],
    }
    facts |= signature_values(lock.trust(reference, locked.image))
    return ImageFacts(path, facts, reference, locked.image, contents, builds)


def _pulls_latest(reference: ImageReference) -> bool:
    """Tell whether a pull policy that is left open becomes Always (`SetDefaults_Container`)."""
    return reference.tag == "latest" or not (reference.tag or reference.digest)
