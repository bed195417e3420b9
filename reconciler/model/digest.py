"""Content digests of values."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any

__all__ = ["ObjectTexts", "canonical", "digest_bytes", "digest_text", "digest_value"]

_ENCODER = json.JSONEncoder(sort_keys=True, separators=(",", ":"), ensure_ascii=False, default=str)
#: Beyond so many parts they are written anew: by then most are of one site each.
_REMEMBERED = 4096


def digest_bytes(data: bytes) -> str:
    """Return `sha256:<hex>` of bytes."""
    return "sha256:" + hashlib.sha256(data).hexdigest()


def canonical(value: Any) -> str:
    """Return a JSON value in its canonical form: keys sorted, no white space."""
    return _ENCODER.encode(value)


def digest_text(text: str) -> str:
    """Return `sha256:<hex>` of a text in UTF-8."""
    return digest_bytes(text.encode("utf-8", "surrogatepass"))


def digest_value(value: Any) -> str:
    """Return `sha256:<hex>` of a JSON value in its canonical form, in UTF-8."""
    return digest_text(canonical(value))


class ObjectTexts:
    """The canonical form of objects; parts that many of them share, such as a spec, are written once."""

    def __init__(self) -> None:
        # Keyed by identity; the parts are kept alive beside their texts.
        self._parts: dict[int, tuple[Any, str]] = {}

    def of(self, manifest: Mapping[str, Any]) -> str:
        """Return what `canonical` returns of an object."""
        if not all(name.__class__ is str for name in manifest):
            return canonical(manifest)
        fields = (f"{canonical(name)}:{self._part(name, manifest[name])}" for name in sorted(manifest))
        return f"{{{','.join(fields)}}}"

    def _part(self, name: str, part: Any) -> str:
        if name == "metadata" or part.__class__ not in (dict, list):
            return canonical(part)  # it differs from object to object
        known = self._parts.get(id(part))
        if known is None:
            if len(self._parts) >= _REMEMBERED:
                self._parts.clear()
            known = self._parts[id(part)] = (part, canonical(part))
        return known[1]
