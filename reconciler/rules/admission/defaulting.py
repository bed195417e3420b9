"""Objects as admission sees them: with the API server's defaults."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import overload

from reconciler.model.resource import Manifest, Resource
from reconciler.rules.defaults import Defaulter

__all__ = ["defaulted"]

_MINOR = re.compile(r"v?1\.(\d+)")


@overload
def defaulted(manifest: Manifest, kubernetes: str) -> Manifest: ...
@overload
def defaulted(manifest: None, kubernetes: str) -> None: ...
def defaulted(manifest: Manifest | None, kubernetes: str) -> Manifest | None:
    """Return an object with the defaults of a version of Kubernetes; what is no object stays as it is."""
    if not isinstance(manifest, Mapping):
        return manifest
    match = _MINOR.match(kubernetes)
    return Defaulter((1, int(match[1]) if match is not None else 36)).apply(Resource(manifest)).manifest
