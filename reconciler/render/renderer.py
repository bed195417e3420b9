"""Rendering many overlays of one tree: files are parsed once, bases are built once."""

from __future__ import annotations

import os
from collections.abc import Callable, Collection
from functools import cache
from pathlib import Path

from reconciler.documents.tree import FileTree, TreeError, WorkingTree, normalize
from reconciler.errors import RenderError
from reconciler.model.fieldpath import FieldPath
from reconciler.model.location import Location
from reconciler.model.resource import Resource, ResourceId
from reconciler.render.build import Build, Memo
from reconciler.render.interning import Interner
from reconciler.render.origins import Origin, trace
from reconciler.render.result import ResourceSet, Tracer
from reconciler.render.sources import Reads, Sources

__all__ = ["Renderer", "build"]


class Renderer:
    """Builds directories of one tree.

    Args:
        tree: The tree.
        prefix: What is put before paths in messages.
    """

    def __init__(self, tree: FileTree, *, prefix: str = "") -> None:
        self._tree = tree
        self._prefix = prefix
        self._sources = Sources(tree, prefix=prefix)
        self._interner = Interner()
        self._memo: Memo = {}
        self._built: dict[str, tuple[ResourceSet, Reads]] = {}

    def at(self, tree: FileTree, changed: Collection[str] | None = None) -> Renderer:
        """Return a renderer of another tree that keeps what is the same there.

        Only directories for which something that they read differs are built again.

        Args:
            tree: The other tree, for example another revision.
            changed: Every path whose content or existence differs; None to compare the files that were read.
        """
        other = Renderer(tree, prefix=self._prefix)
        other._interner = self._interner
        other._sources, unchanged = self._sources.at_tree(tree, changed)
        other._memo = {root: base for root, base in self._memo.items() if unchanged(base.reads)}
        other._built = {root: built for root, built in self._built.items() if unchanged(built[1])}
        return other

    def is_built(self, directory: str) -> bool:
        """Return whether `build` would give what an earlier call, or an earlier tree, gave."""
        return normalize("", directory.strip("/")) in self._built

    def build(self, directory: str) -> ResourceSet:
        """Return the resources of a directory.

        Raises:
            InputError: It cannot be built; says where and why.
        """
        root = normalize("", directory.strip("/"))
        if root in self._built:
            return self._built[root][0]
        reads = self._sources.begin()
        try:
            items = Build(self._sources, self._memo).run(root)
        except TreeError as err:
            at = Location(self._sources.shown(err.path))
            raise RenderError(err.message, at=at, code=err.code, hint=err.hint) from None
        except RecursionError:
            raise RenderError(
                "expected fewer levels of nesting, found too many", code="yaml-too-deep"
            ) from None
        finally:
            self._sources.end()
        result = ResourceSet.of(items, frozenset(reads.files), self._tracer(root), interner=self._interner)
        self._built[root] = (result, reads)
        return result

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
