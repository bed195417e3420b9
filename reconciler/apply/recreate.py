"""Objects that have to be deleted and made anew, because a field of theirs cannot be changed."""

from __future__ import annotations

import hashlib

from reconciler.errors import TargetRefused
from reconciler.model.resource import Resource

__all__ = ["immutable", "probe"]

#: What the API server says of a field that cannot be changed, by kind of object.
_WORDS = (
    "field is immutable",
    "is immutable after creation",
    "updates to statefulset spec",
    "may not change once set",
    "pod updates may not change fields",
    "cannot be changed",
)


def immutable(err: TargetRefused) -> bool:
    """Tell whether a refusal is about a field that cannot be changed."""
    return err.status == 422 and any(word in err.message for word in _WORDS)


def probe(resource: Resource) -> Resource:
    """Return the object under another name, to be dry-run: would it be accepted if it were made anew?

    So nothing is deleted that could not be made again.
    """
    manifest = dict(resource.manifest)
    metadata = dict(manifest.get("metadata") or {})
    suffix = hashlib.sha256(str(resource.id).encode()).hexdigest()[:8]
    metadata["name"] = f"{str(metadata.get('name') or '')[:40]}-{suffix}".lower()
    manifest["metadata"] = metadata
    return Resource(manifest)
