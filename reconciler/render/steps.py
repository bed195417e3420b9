"""What every step of a build shares: what it works on, where errors are, and what changed."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from reconciler.documents.tree import TreeError
from reconciler.errors import DocumentError, RenderError
from reconciler.render.fieldspec import (
    TransformerConfig,
)
from reconciler.render.item import Item
from reconciler.render.kustomization import (
    Kustomization,
    Var,
)
from reconciler.render.metadata import configured
from reconciler.render.origins import Change
from reconciler.render.reader import read_documents
from reconciler.render.resources import make_items
from reconciler.render.schema import BUILTIN, SchemaTable
from reconciler.render.sources import Reads, Sources

__all__ = ["Accumulated", "BuildSteps", "Memo", "Remembered", "check_unique"]

#: A text that can only be a path: as YAML it would be a scalar, and no resource.
_PATH = re.compile(r"[A-Za-z0-9_./-]*[/.][A-Za-z0-9_./-]*\Z")


@dataclass(slots=True)
class Accumulated:
    """What a kustomization has gathered so far.

    Attributes:
        items: The resources, in the order in which they were added.
        config: The field specs that its transformers use.
        variables: The vars, by name.
    """

    items: list[Item] = field(default_factory=list)
    config: TransformerConfig = field(default_factory=TransformerConfig)
    variables: dict[str, Var] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Remembered:
    """A base that was built, and what was read for it."""

    items: tuple[Item, ...]
    config: TransformerConfig
    variables: dict[str, Var]
    reads: Reads


Memo = dict[str, Remembered]


class BuildSteps:
    """The state of one build, and what each of its steps needs.

    Args:
        sources: The files.
        memo: Bases that were built before, by directory; new ones are added. None to build everything
            anew and keep the history of every resource.
    """

    def __init__(self, sources: Sources, memo: Memo | None) -> None:
        self._sources = sources
        self._styles = sources.styles
        self._keeps_history = memo is None
        self._memo: Memo = {} if memo is None else memo
        self._schemas: SchemaTable = BUILTIN()
        self._chain: list[str] = []
        self._options: tuple[str, ...] = ()
        self._folder = ""
        self._custom_schema = False
        self._has_items = False

    def _note_transformer(
        self, into: Accumulated, kustomization: Kustomization, kind: str, plugin: Item | None = None
    ) -> None:
        """Note for `buildMetadata` that a transformer ran."""
        if not self._options:
            return
        mark = configured(self._folder, kustomization.path, kind, plugin)
        for item in into.items:
            if item.origin is None:
                item.origin = mark
            else:
                item.transformations = (*item.transformations, mark)

    @contextmanager
    def _in_folder(self, path: str) -> Iterator[None]:
        """Build what another path names, seen from the directory where the build began."""
        before = self._folder
        self._folder = posixpath.normpath(posixpath.join(before, path)) if self._options else ""
        try:
            yield
        finally:
            self._folder = before

    @contextmanager
    def _inside(self, root: str) -> Iterator[None]:
        self._chain.append(self._sources.real(root))
        try:
            yield
        finally:
            self._chain.pop()

    @contextmanager
    def _located(self, path: str, where: tuple[str | int, ...]) -> Iterator[None]:
        """Give errors from inside the place of a field, where they have none."""
        try:
            yield
        except RenderError as err:
            raise self._sources.locate(err, path, where) from None
        except TreeError as err:
            raise RenderError(
                err.message, at=self._sources.at(path, where), code=err.code, hint=err.hint
            ) from None

    @contextmanager
    def _changing(
        self,
        into: Accumulated,
        path: str,
        where: tuple[str | int, ...],
        *,
        patch: Item | None = None,
        operations: tuple[dict[str, Any], ...] = (),
        plugin: Item | None = None,
        variables: Mapping[str, Var] | None = None,
    ) -> Iterator[None]:
        """Do what `_located` does, and note which resources change inside."""
        before = [(item, item.body) for item in into.items] if self._keeps_history else []
        with self._located(path, where):
            try:
                yield
            except RenderError as err:
                self._locate_in_patch(err, path, where, patch)
                raise
        for item, body in before:
            if item.body is not body:
                change = Change(
                    path,
                    where,
                    body,
                    item.body,
                    patch,
                    operations,
                    plugin=plugin,
                    variables=variables or {},
                )
                item.history = (*item.history, change)

    def _locate_in_patch(
        self, err: RenderError, path: str, where: tuple[str | int, ...], patch: Item | None
    ) -> None:
        """Give an error the place in the patch that it is about."""
        if err.at is not None:
            return
        if patch is not None and patch.source is not None and err.code == "patch-conflict":
            file, index = patch.source
            err.at = self._sources.inside(file, path, where, getattr(err, "field", ()), index)
        elif err.code == "json-patch" and hasattr(err, "operation"):
            err.at = self._sources.operation(path, where, (err.operation,))

    def _file_items(self, path: str) -> list[Item]:
        documents = self._sources.documents(path)

        def build(_: str) -> list[Item]:
            try:
                return make_items(documents, path)
            except RenderError as err:
                err.at = self._sources.at(path, getattr(err, "field", ()), index=getattr(err, "index", 0))
                raise

        return self._sources.parsed(path, "items", build)

    def _append(self, into: Accumulated, items: list[Item]) -> None:
        """Add resources.

        Raises:
            RenderError: One is there already.
        """
        known = {item.key(): item for item in into.items}
        for item in items:
            key = item.key()
            if key in known:
                other = known[key]
                where = ""
                if other.source is not None:
                    place = self._sources.at(other.source[0], (), index=other.source[1])
                    where = f", the other in {place}"
                error = RenderError(
                    f"expected each resource once, found {item.shown()} twice{where}",
                    code="duplicate-resource",
                    hint="remove one of the two, or give it another name or namespace",
                )
                if item.source is not None:
                    error.at = self._sources.at(item.source[0], (), index=item.source[1])
                raise error
            known[key] = item
        into.items.extend(items)

    def _inline_items(self, text: str, path: str) -> list[Item] | None:
        if _PATH.match(text):
            return None
        try:
            return make_items(read_documents(text, path, self._styles), path)
        except (RenderError, DocumentError):
            return None


def check_unique(items: list[Item]) -> None:
    """Refuse resources that became one by a change of their names.

    Raises:
        RenderError: Two resources have the same identity.
    """
    keys: set[Any] = set()
    for item in items:
        key = item.key()
        if key in keys:
            raise RenderError(
                f"expected each resource once, found {item.shown()} twice",
                code="duplicate-resource",
                hint="a prefix, suffix, namespace or patch made two resources one",
            )
        keys.add(key)
