"""Rendering many overlays of one tree: files are parsed once, bases are built once."""

from __future__ import annotations

import os
from pathlib import Path

from reconciler.documents.tree import FileTree, WorkingTree
from reconciler.errors import RenderError
from reconciler.render.build import Build, Memo
from reconciler.render.result import ResourceSet
from reconciler.render.sources import Sources

__all__ = ["Renderer", "build"]


class Renderer:
    """Builds directories of one tree.

    Args:
        tree: The tree.
        prefix: What is put before paths in messages.
    """

    def __init__(self, tree: FileTree, *, prefix: str = "") -> None:
        self._sources = Sources(tree, prefix=prefix)
        self._memo: Memo = {}

    def build(self, directory: str) -> ResourceSet:
        """Return the resources of a directory.

        Raises:
            InputError: It cannot be built; says where and why.
        """
        reads = self._sources.begin()
        try:
            items = Build(self._sources, self._memo).run(directory.strip("/"))
        except RecursionError:
            raise RenderError(
                "expected fewer levels of nesting, found too many", code="yaml-too-deep"
            ) from None
        finally:
            self._sources.end()
        return ResourceSet.of(items, frozenset(reads.files))


def build(directory: str | os.PathLike[str], tree: FileTree | None = None) -> ResourceSet:
    """Build a directory with a kustomization, as `kubectl kustomize` does.

    Args:
        directory: A path of the file system; with a tree, a path in the tree.
        tree: Where to read from.

    Raises:
        InputError: It cannot be built; says where and why.
    """
    if tree is not None:
        return Renderer(tree).build(os.fspath(directory))
    real = os.path.realpath(directory)
    return Renderer(WorkingTree(Path("/")), prefix="/").build(real.lstrip("/"))
