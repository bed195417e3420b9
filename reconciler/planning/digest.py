"""Whether an object is still what was applied.

The API server records, for each field manager, the set of fields that it owns. When anybody else changes or
removes a field of ours, the field leaves our set; when we change one ourselves, the set's time changes. So
two digests answer "does it need a write?" without a request: that of the manifest we want, and that of the
set of fields that was ours after the last apply.
"""

from __future__ import annotations

import hashlib
import json
from typing import Any

from reconciler.model.resource import Manifest
from reconciler.planning.applyset import FIELD_MANAGER

__all__ = ["fields_digest", "last_writer", "manifest_digest", "same_object"]


def _digest(value: Any) -> str:
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, default=str)
    return "sha256:" + hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def manifest_digest(manifest: Manifest) -> str:
    """Return the digest of a manifest as it is sent to the target."""
    return _digest(manifest)


def fields_digest(live: Manifest) -> str:
    """Return the digest of the fields that are ours in a live object, or "" where none are.

    It changes with the fields, and with the time at which we last changed a value of one.
    """
    entry = _ours(live)
    return _digest([entry.get("apiVersion"), entry.get("fieldsV1"), entry.get("time")]) if entry else ""


def _ours(live: Manifest) -> dict[str, Any]:
    for entry in (live.get("metadata") or {}).get("managedFields") or ():
        if (
            entry.get("manager") == FIELD_MANAGER
            and entry.get("operation") == "Apply"
            and not entry.get("subresource")
        ):
            return dict(entry)
    return {}


def last_writer(live: Manifest) -> str:
    """Return the field manager, other than us, that wrote to an object last, or "" where there is none.

    Who only writes status is left out.
    """
    others = [
        entry
        for entry in (live.get("metadata") or {}).get("managedFields") or ()
        if not str(entry.get("manager") or "").startswith(FIELD_MANAGER) and not entry.get("subresource")
    ]
    if not others:
        return ""
    return str(max(others, key=lambda entry: str(entry.get("time") or "")).get("manager") or "")


def same_object(live: Manifest, result: Manifest) -> bool:
    """Tell whether the result of a dry-run is what is there already, our ownership of its fields included."""
    fields, others = (_ours(manifest).get("fieldsV1") for manifest in (live, result))
    return fields == others and _content(live) == _content(result)


def _content(manifest: Manifest) -> dict[str, Any]:
    content = {key: value for key, value in manifest.items() if key not in ("metadata", "status")}
    skipped = ("managedFields", "resourceVersion", "generation")
    metadata = manifest.get("metadata") or {}
    content["metadata"] = {key: value for key, value in metadata.items() if key not in skipped}
    return content
