"""Building a kustomization: resources, generators, components and transformers in kustomize's order."""

from __future__ import annotations

import posixpath
from collections.abc import Callable
from typing import Any

from reconciler.documents.tree import EntryType
from reconciler.errors import RenderError
from reconciler.render.configurations import parse_configuration, parse_crds
from reconciler.render.fieldspec import (
    TransformerConfig,
    default_config,
)
from reconciler.render.generators import content_hash, make_config_map, make_secret, merge_generated
from reconciler.render.item import Item
from reconciler.render.kustomization import (
    GeneratorArgs,
    Kustomization,
)
from reconciler.render.metadata import annotate, configured, from_file
from reconciler.render.origins import Change
from reconciler.render.plugin_run import PluginRun
from reconciler.render.plugins import Plugin, generate, read_plugin
from reconciler.render.references import fix_references
from reconciler.render.refvars import mark_sources, resolve_vars
from reconciler.render.resources import string_annotations
from reconciler.render.schema import OPENAPI_VERSION, parse_openapi
from reconciler.render.steps import Accumulated, Memo, Remembered, check_unique
from reconciler.render.transformers import (
    set_entries,
)

__all__ = ["Build", "Memo"]

_MANAGED_BY = "kustomize-v5.8.1"
_LABELS_PATH = (("metadata", "labels"), True)


class Build(PluginRun):
    """One build of one directory."""

    def run(self, root: str) -> list[Item]:
        """Return the finished resources of a directory, in output order.

        Raises:
            InputError: The directory cannot be built.
        """
        kustomization = self._sources.kustomization(root)
        self._options = kustomization.build_metadata
        if self._options or kustomization.openapi:
            self._memo = {}  # what such a build makes of a base is of no use to others
        self._use_schema(kustomization, root)
        accumulated = Accumulated()
        with self._inside(root):
            self._accumulate(kustomization, root, accumulated)
        with self._located(kustomization.path, ()):
            return self._finish(accumulated, kustomization)

    def _finish(self, accumulated: Accumulated, kustomization: Kustomization) -> list[Item]:
        items = accumulated.items
        path = kustomization.path
        for item in items:
            if not item.needs_hash:
                continue
            before = item.body
            item.remember()
            item.set_metadata("name", f"{item.name}-{content_hash(item)}")
            made = next((each for each in reversed(item.history) if each.generated), None)
            if made is not None:
                item.history = (*item.history, Change(made.path, made.where, before, item.body))
        before_references = [item.body for item in items]
        fix_references(items, accumulated.config, self._styles)
        if self._keeps_history:
            for item, body in zip(items, before_references, strict=True):
                if item.body is not body:
                    change = Change(path, ("references",), body, item.body, others=tuple(items))
                    item.history = (*item.history, change)
        with self._changing(accumulated, path, ("vars",), variables=accumulated.variables):
            resolve_vars(items, accumulated.variables, accumulated.config)
        items = [item for item in items if not _is_local(item)]
        items = sort_items(items, kustomization)
        if "managedByLabel" in kustomization.build_metadata:
            for item in items:
                set_entries(item, {"app.kubernetes.io/managed-by": _MANAGED_BY}, [_LABELS_PATH])
        for item in items:
            if not item.name or not item.kind:
                raise RenderError(
                    f"expected a kind and a name, found {item.kind!r} and {item.name!r}",
                    code="not-a-resource",
                    hint="a patch took it away",
                )
            annotate(item, self._options)
            string_annotations(item)
        return items

    def _use_schema(self, kustomization: Kustomization, root: str) -> None:
        """Use the OpenAPI document that a kustomization names; the first one counts."""
        openapi = kustomization.openapi
        if not openapi:
            return
        with self._located(kustomization.path, ("openapi",)):
            path, version = openapi.get("path"), openapi.get("version")
            document = None
            if path is not None:
                full = self._sources.file(root, path, kustomization.path, ("openapi", "path"))
                document = self._sources.config(full)
            if self._custom_schema:
                return
            if path is None:
                if version and version != OPENAPI_VERSION:
                    raise RenderError(
                        f"expected the OpenAPI version {OPENAPI_VERSION}, found {version!r}", code="openapi"
                    )
                self._custom_schema = bool(version)
                return
            if version is not None:
                raise RenderError("expected either version or path, found both", code="openapi")
            table = parse_openapi(document)
            self._custom_schema = True
            self._schemas = self._schemas.with_kinds(table) if self._has_items else table

    def _accumulate(self, kustomization: Kustomization, root: str, into: Accumulated) -> None:
        for number, path in enumerate(kustomization.resources):
            self._resource(kustomization, root, path, kustomization.resource_at(number), into)
        into.config = into.config.merged(self._config(kustomization, root))
        self._generate(kustomization, root, into)
        for number, path in enumerate(kustomization.components):
            self._component(kustomization, root, path, ("components", number), into)
        transformers = self._plugins(kustomization, root, "transformers", kustomization.transformers)
        self._transform(kustomization, root, into)
        for where, plugin in transformers:
            with self._changing(into, kustomization.path, where, plugin=plugin.item):
                self._run(plugin, kustomization, root, where, into)
            self._note_transformer(into, kustomization, plugin.kind, plugin.item)
        validators = self._plugins(kustomization, root, "validators", kustomization.validators)
        for where, plugin in validators:
            with self._located(kustomization.path, where):
                self._validate(plugin, kustomization, root, where, into)
        for var in kustomization.vars:
            with self._located(kustomization.path, var.at):
                mark_sources(into.items, (var,))
                self._add_vars(into, (var,))

    def _config(self, kustomization: Kustomization, root: str) -> TransformerConfig:
        config = default_config()
        if not kustomization.configurations and not kustomization.crds:
            return config
        sources = self._sources
        for field_name, paths, read, parse in (
            ("configurations", kustomization.configurations, sources.unique_config, parse_configuration),
            ("crds", kustomization.crds, sources.definitions, parse_crds),
        ):
            for number, path in enumerate(paths):
                where = (field_name, number)
                with self._located(kustomization.path, where):
                    full = self._sources.file(root, path, kustomization.path, where)
                    document = read(full)
                    try:
                        config = config.merged(parse(document))
                    except RenderError as err:
                        raise self._sources.locate(err, full) from None
        return config

    def _resource(
        self,
        kustomization: Kustomization,
        root: str,
        path: str,
        where: tuple[str | int, ...],
        into: Accumulated,
    ) -> None:
        owner = kustomization.path
        with self._located(owner, where):
            full = self._sources.resolve(root, path, owner, where)
            if not path or self._sources.entry_type(full) is not EntryType.FILE:
                self._base(owner, full, path, where, into)
                return
        full = self._sources.file(root, path, owner, where)
        items = [item.copy() for item in self._file_items(full)]
        self._has_items = True
        if self._options:
            for item in items:
                item.origin = from_file(self._folder, path)
        with self._located(owner, where):
            self._append(into, items)

    def _enter(self, owner: str, full: str, path: str, where: tuple[str | int, ...]) -> Kustomization:
        """Return the kustomization of a directory that another one names.

        Raises:
            RenderError: There is none, or it contains the directories that lead to it.
        """
        if not path or self._sources.entry_type(full) is not EntryType.DIRECTORY:
            raise RenderError(
                f"expected a file or a folder with a kustomization at {path!r}, found nothing",
                at=self._sources.at(owner, where),
                code="file-missing",
                hint="check the spelling; paths are relative to the kustomization",
            )
        full = self._sources.real(full)
        for visited in self._chain:
            if not full or visited == full or visited.startswith(full + "/"):
                raise RenderError(
                    f"expected no cycle, found {path!r}, which contains {self._sources.shown(visited)!r}",
                    at=self._sources.at(owner, where),
                    code="cycle",
                    hint="a kustomization cannot use a folder that it lies in or comes from",
                )
        return self._sources.kustomization(full)

    def _base(
        self, owner: str, full: str, path: str, where: tuple[str | int, ...], into: Accumulated
    ) -> None:
        kustomization = self._enter(owner, full, path, where)
        if kustomization.kind == "Component":
            raise RenderError(
                f"expected a Kustomization at {path!r}, found a Component",
                at=self._sources.at(owner, where),
                code="component",
                hint="list it under components",
            )
        remembered = None if self._options else self._memo.get(full)
        if remembered is None:
            self._use_schema(kustomization, full)
            with self._in_folder(path):
                remembered = self._build_base(kustomization, full)
            if not self._custom_schema:
                self._memo[full] = remembered
        else:
            self._sources.note(remembered.reads)
        self._append(into, [item.copy() for item in remembered.items])
        into.config = into.config.merged(remembered.config)
        self._add_vars(into, remembered.variables.values())

    def _build_base(self, kustomization: Kustomization, root: str) -> Remembered:
        reads = self._sources.begin()
        try:
            self._sources.kustomization(root)
            base = Accumulated()
            with self._inside(root):
                self._accumulate(kustomization, root, base)
        finally:
            self._sources.end()
        for item in base.items:
            item.identity()  # looked up once, for all copies
        return Remembered(tuple(base.items), base.config, base.variables, reads)

    def _component(
        self,
        kustomization: Kustomization,
        root: str,
        path: str,
        where: tuple[str | int, ...],
        into: Accumulated,
    ) -> None:
        owner = kustomization.path
        with self._located(owner, where):
            full = self._sources.resolve(root, path, owner, where)
            component = self._enter(owner, full, path, where)
            if component.kind != "Component":
                raise RenderError(
                    f"expected a Component at {path!r}, found a Kustomization",
                    code="component",
                    hint="list it under resources, or give it kind: Component",
                )
        self._use_schema(component, full)
        with self._inside(full), self._in_folder(path):
            self._accumulate(component, full, into)
        with self._located(owner, where):
            check_unique(into.items)

    def _add_vars(self, into: Accumulated, variables: Any) -> None:
        for var in variables:
            if var.name in into.variables:
                raise RenderError(f"expected each var once, found {var.name!r} twice", code="duplicate-var")
            into.variables[var.name] = var

    def _generate(self, kustomization: Kustomization, root: str, into: Accumulated) -> None:
        for make, entries in (
            (make_config_map, kustomization.config_maps),
            (make_secret, kustomization.secrets),
        ):
            for args in entries:
                with self._located(kustomization.path, args.at):
                    item = make(args, self._loader(kustomization, root, args))
                    if self._options:
                        kind = "ConfigMapGenerator" if make is make_config_map else "SecretGenerator"
                        item.origin = configured(self._folder, kustomization.path, kind)
                    if self._keeps_history:
                        item.history = (Change(kustomization.path, args.at, None, item.body),)
                    self._absorb(into, item)

        for at, plugin in self._plugins(kustomization, root, "generators", kustomization.generators):
            with self._located(kustomization.path, at):
                load = self._load(kustomization, root, at)
                item = generate(plugin, _contents(load))
                if self._options:
                    item.origin = configured(self._folder, kustomization.path, plugin.kind, plugin.item)
                if self._keeps_history:
                    item.history = (Change(kustomization.path, at, None, item.body),)
                self._absorb(into, item)

    def _plugins(
        self, kustomization: Kustomization, root: str, field_name: str, entries: tuple[str, ...]
    ) -> list[tuple[tuple[str | int, ...], Plugin]]:
        """Return the plugins that the entries of a field configure; an entry is a path or the text itself."""
        result: list[tuple[tuple[str | int, ...], Plugin]] = []
        inline: list[tuple[tuple[str | int, ...], Item]] = []
        named: list[tuple[tuple[str | int, ...], Item]] = []
        for number, entry in enumerate(entries):
            where: tuple[str | int, ...] = (field_name, number)
            items = self._inline_items(entry, kustomization.path)
            if items is not None:
                inline.extend((where, item) for item in items)
                if self._options:
                    for item in items:
                        item.origin = from_file(self._folder, posixpath.basename(kustomization.path))
                continue
            gathered = Accumulated()
            self._resource(kustomization, root, entry, where, gathered)
            named.extend((where, item) for item in gathered.items)
        for where, item in (*inline, *named):
            with self._located(kustomization.path, where):
                result.append((where, read_plugin(item, generator=field_name == "generators")))
        return result

    def _load(
        self, kustomization: Kustomization, root: str, where: tuple[str | int, ...]
    ) -> Callable[[str], tuple[str, bytes]]:
        return lambda path: self._sources.load(root, path, kustomization.path, where)

    def _loader(self, kustomization: Kustomization, root: str, args: GeneratorArgs) -> Any:
        return lambda path: self._sources.load(root, path, kustomization.path, args.at)[1]

    def _absorb(self, into: Accumulated, item: Item) -> None:
        """Add a generated resource, or put it in the place of the one it replaces or merges into.

        Raises:
            RenderError: There is nothing to merge into, or something without being asked for.
        """
        gvk, identity = item.gvk, item.identity()
        matches = [
            number
            for number, other in enumerate(into.items)
            if (identity in other.previous or identity == other.identity()) and other.gvk[:2] == gvk[:2]
        ]
        if len(matches) > 1:
            raise RenderError(
                f"expected one {item.shown()} to merge into, found {len(matches)}", code="many-matches"
            )
        if not matches:
            if item.behavior in ("merge", "replace"):
                raise RenderError(
                    f"expected a {item.shown()} to {item.behavior}, found none",
                    code="no-match",
                    hint="remove behavior, or generate it in a base first",
                )
            self._append(into, [item])
            return
        if item.behavior not in ("merge", "replace"):
            raise RenderError(
                f"expected no other {item.shown()}, found one",
                code="duplicate-resource",
                hint="set behavior: merge or behavior: replace",
            )
        old = into.items[matches[0]]
        if item.behavior == "merge" and old.origin is not None:
            item.origin = old.origin
        item.transformations = old.transformations
        merge_generated(item, old, with_data=item.behavior == "merge")
        if self._keeps_history:
            made = item.history[-1]
            item.history = (*old.history, Change(made.path, made.where, old.body, item.body))
            item.source, item.source_field = old.source, old.source_field
        into.items[matches[0]] = item


def _contents(load: Callable[[str], tuple[str, bytes]]) -> Callable[[str], bytes]:
    return lambda path: load(path)[1]


def _is_local(item: Item) -> bool:
    value = item.annotations.get("config.kubernetes.io/local-config")
    return value is not None and value != "false"


def sort_items(items: list[Item], kustomization: Kustomization) -> list[Item]:
    """Return resources in output order.

    Raises:
        RenderError: `sortOptions` are not valid.
    """
    check_unique(items)
    from reconciler.render.sorting import sorted_items

    return sorted_items(items, kustomization.sort_options)
