"""Patterns of paths: `sites/*/site.yaml`."""

from __future__ import annotations

import re
from fnmatch import translate

from reconciler.documents.tree import EntryType, FileTree, TreeError, normalize

__all__ = ["expand"]


def expand(tree: FileTree, pattern: str) -> tuple[list[str], list[TreeError]]:
    """Return the sorted paths of the files that a pattern names, and what could not be looked at.

    Each step may hold `*`, `?` and `[...]`, which do not match a leading dot; `**` is not known.
    """
    errors: list[TreeError] = []

    def keep(paths: list[str], wanted: EntryType) -> list[str]:
        kept = []
        for path in paths:
            try:
                if tree.entry_type(path) is wanted:
                    kept.append(path)
            except TreeError as err:
                errors.append(err)
        return kept

    try:
        *steps, last = normalize("", pattern).split("/")
    except TreeError as err:
        return [], [err]
    places = [""]
    for step in steps:
        places = keep([path for place in places for path in _matches(tree, place, step)], EntryType.DIRECTORY)
    found = keep([path for place in places for path in _matches(tree, place, last)], EntryType.FILE)
    return sorted(found), errors


def _matches(tree: FileTree, place: str, step: str) -> list[str]:
    prefix = f"{place}/" if place else ""
    if not any(sign in step for sign in "*?["):
        return [prefix + step]
    match = re.compile(translate(step)).match
    hidden = step.startswith(".")
    return [
        prefix + name for name in tree.list(place) if match(name) and (hidden or not name.startswith("."))
    ]
