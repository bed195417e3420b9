"""Rendering many overlays of one tree: files are parsed once, bases are built once."""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import cache
from pathlib import Path

from reconciler.documents.tree import FileTree, WorkingTree, normalize
from reconciler.errors import RenderError
from reconciler.model.fieldpath import FieldPath
from reconciler.model.resource import Resource, ResourceId
from reconciler.render.build import Build, Memo
from reconciler.render.origins import Origin, trace
from reconciler.render.result import ResourceSet, Tracer
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
        root = normalize("", directory.strip("/"))
        reads = self._sources.begin()
        try:
            items = Build(self._sources, self._memo).run(root)
        except RecursionError:
            raise RenderError(
                "expected fewer levels of nesting, found too many", code="yaml-too-deep"
            ) from None
        finally:
            self._sources.end()
        return ResourceSet.of(items, frozenset(reads.files), self._tracer(root))

    def _tracer(self, root: str) -> Callable[[], Tracer]:
        """Return what builds a directory once more, with the history of its resources, when it is called."""

        @cache
        def make() -> Tracer:
            items = Build(self._sources, None).run(root)
            by_id = {Resource(item.body).id: item for item in items}

            def tracer(wanted: ResourceId, field: FieldPath) -> Origin:
                if wanted not in by_id:
                    raise LookupError(f"there is no {wanted} among the resources of {root or '.'}")
                return trace(by_id[wanted], field, self._sources)

            return tracer

        return make


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
