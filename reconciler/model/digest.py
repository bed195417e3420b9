"""Content digests of values."""

from __future__ import annotations

import hashlib
import json
from typing import Any

__all__ = ["digest_bytes", "digest_value"]


def digest_bytes(data: bytes) -> str:
    """Return `sha256:<hex>` of bytes."""
    return "sha256:" + hashlib.sha256(data).hexdigest()


def digest_value(value: Any) -> str:
    """Return `sha256:<hex>` of a JSON value in its canonical form: keys sorted, no white space, UTF-8."""
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, default=str)
    return digest_bytes(text.encode("utf-8", "surrogatepass"))
