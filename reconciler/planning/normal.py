"""Manifests as they are sent: without forms that the API server takes in and does not keep."""

from __future__ import annotations

import base64

from reconciler.model.resource import Resource

__all__ = ["normal"]


def normal(resource: Resource) -> Resource:
    """Return the object with a Secret's `stringData` written as `data`.

    The API server does that itself and forgets whose fields they were, so a change made by somebody else
    would not be seen.
    """
    manifest = resource.manifest
    texts = manifest.get("stringData")
    if (resource.api_version, resource.kind) != ("v1", "Secret") or not isinstance(texts, dict):
        return resource
    if not all(isinstance(text, str) for text in texts.values()):
        return resource  # the API server says what is wrong with it
    data = {name: base64.b64encode(text.encode()).decode() for name, text in texts.items()}
    plain = {key: value for key, value in manifest.items() if key != "stringData"}
    return Resource({**plain, "data": {**(manifest.get("data") or {}), **data}})
