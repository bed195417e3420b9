"""Equal parts of objects become one: what is computed of a part is then computed once for all sites."""

from __future__ import annotations

import marshal
from collections.abc import Mapping
from hashlib import blake2b
from typing import Any

__all__ = ["Interner"]

_MARSHAL_VERSION = 2  # the last without references, so that equal values give equal bytes
#: Beyond so many parts it begins anew: by then most are of one site each.
_REMEMBERED = 65536


class Interner:
    """Shares the parts of finished objects, such as a spec or data, by content.

    Overlays that change a base alike, or not at all, give equal parts and not the same ones. Types and the
    order of fields count, so that an object with shared parts is printed as before.
    """

    def __init__(self) -> None:
        self._by_content: dict[bytes, Any] = {}
        self._shared: dict[int, Any] = {}

    def share(self, manifest: Mapping[str, Any]) -> Mapping[str, Any]:
        """Return an object with its parts shared; metadata stays, which differs by site."""
        changed: dict[str, Any] | None = None
        for name, part in manifest.items():
            if name == "metadata" or part.__class__ not in (dict, list) or id(part) in self._shared:
                continue
            found = self._one(part)
            if found is not part:
                changed = changed or dict(manifest)
                changed[name] = found
        return manifest if changed is None else changed

    def _one(self, part: Any) -> Any:
        try:
            key = blake2b(marshal.dumps(part, _MARSHAL_VERSION), digest_size=16).digest()
        except ValueError:
            return part  # it holds values of types of our own
        if len(self._shared) >= _REMEMBERED:
            self._by_content.clear()
            self._shared.clear()
        found = self._by_content.setdefault(key, part)
        self._shared[id(found)] = found
        return found
