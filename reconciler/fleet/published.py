"""The published JSON Schemas of the documents that people write; editors use them through a modeline."""

from __future__ import annotations

import json
from functools import lru_cache
from pathlib import Path
from typing import Any

from reconciler.documents.schema import Schema

__all__ = ["compiled", "schemas"]

_DIRECTORY = Path(__file__).parent / "schemas"
NAMES = ("fleet", "images-lock", "site", "siteclass")


@lru_cache(maxsize=len(NAMES))
def _document(name: str) -> Any:
    return json.loads((_DIRECTORY / f"{name}.json").read_bytes())


@lru_cache(maxsize=len(NAMES))
def compiled(name: str) -> Schema:
    """Return one schema, ready to be asked: `fleet`, `images-lock`, `site` or `siteclass`."""
    return Schema(_document(name))


def schemas() -> dict[str, Any]:
    """Return all schemas by name, as `wayside export schemas` writes them to `NAME.json`."""
    return {name: json.loads((_DIRECTORY / f"{name}.json").read_bytes()) for name in NAMES}
