"""Sigstore's public trusted root, as it was when this version of Wayside was made.

Nothing refreshes it: a fleet that follows the public service keeps its own copy under `trust/`, where a
change of it is reviewed like any other.
"""

from __future__ import annotations

from functools import cache
from importlib import resources

__all__ = ["public_good_root"]


@cache
def public_good_root() -> bytes:
    """Return the trusted root as JSON."""
    return resources.files(__package__).joinpath("public_good_root.json").read_bytes()
