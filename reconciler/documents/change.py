"""What differs between two trees of files."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["TreeChange"]


@dataclass(frozen=True, slots=True)
class TreeChange:
    """What differs between a base and a tree.

    Attributes:
        paths: Every path whose content, type or existence differs.
        listing: Every path that is a file in either of them.
        exact: False where a path may show other content although it is not among `paths`: through a symlink,
            a submodule, or a repository inside the repository.
    """

    paths: frozenset[str]
    listing: frozenset[str]
    exact: bool = True
