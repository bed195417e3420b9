"""Building a kustomization: resources, generators, components and transformers in kustomize's order."""

from __future__ import annotations

import posixpath
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from reconciler.documents.tree import EntryType, TreeError
from reconciler.errors import DocumentError, InputError, RenderError
from reconciler.render.configurations import parse_configuration, parse_crds
from reconciler.render.fieldspec import (
    FieldSpec,
    TransformerConfig,
    default_config,
    merge_specs,
    split_path,
)
from reconciler.render.generators import content_hash, make_config_map, make_secret, merge_generated
from reconciler.render.item import Gvk, Item
from reconciler.render.kustomization import (
    GeneratorArgs,
    Kustomization,
    Label,
    PatchEntry,
    Replacement,
    Var,
    decode_replacements,
)
from reconciler.render.metadata import annotate, configured, from_file
from reconciler.render.origins import Change
from reconciler.render.patches import (
    ParsedPatch,
    allowing,
    apply_json_patch,
    apply_strategic,
    find_target,
    for_target,
    parse_operations,
    parse_patch,
)
from reconciler.render.plugins import Plugin, add_values, generate, read_plugin, transform
from reconciler.render.reader import read_documents
from reconciler.render.references import fix_references
from reconciler.render.refvars import mark_sources, resolve_vars
from reconciler.render.replacements import apply_replacement
from reconciler.render.resources import make_items, string_annotations
from reconciler.render.scalars import plain
from reconciler.render.schema import BUILTIN, OPENAPI_VERSION, SchemaTable, parse_openapi
from reconciler.render.selector import select
from reconciler.render.sources import Reads, Sources
from reconciler.render.transformers import (
    apply_images,
    apply_namespace,
    apply_prefix,
    apply_replicas,
    apply_suffix,
    set_entries,
)

__all__ = ["Accumulated", "Build", "Memo", "Remembered"]

_MANAGED_BY = "kustomize-v5.8.1"
_LABELS_PATH = (("metadata", "labels"), True)
_METADATA_LABELS = FieldSpec(Gvk("", "", ""), "metadata/labels", create=True)


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


class Build:
    """One build of one directory.

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
        with self._changing(accumulated, path, ("vars",)):
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
                change = Change(path, where, body, item.body, patch, operations)
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
            with self._changing(into, kustomization.path, where, patch=None):
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
        for field_name, paths, parse in (
            ("configurations", kustomization.configurations, parse_configuration),
            ("crds", kustomization.crds, parse_crds),
        ):
            for number, path in enumerate(paths):
                where = (field_name, number)
                with self._located(kustomization.path, where):
                    full = self._sources.file(root, path, kustomization.path, where)
                    document = self._sources.config(full)
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

    # Generators

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

    # Plugins

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

    def _inline_items(self, text: str, path: str) -> list[Item] | None:
        if "\n" not in text and ":" not in text:
            return None
        try:
            return make_items(read_documents(text, path, self._styles), path)
        except (RenderError, DocumentError):
            return None

    def _load(
        self, kustomization: Kustomization, root: str, where: tuple[str | int, ...]
    ) -> Callable[[str], tuple[str, bytes]]:
        return lambda path: self._sources.load(root, path, kustomization.path, where)

    def _run(
        self,
        plugin: Plugin,
        kustomization: Kustomization,
        root: str,
        where: tuple[str | int, ...],
        into: Accumulated,
    ) -> None:
        """Run a transformer."""
        if transform(plugin, into.items, self._styles):
            return
        fields = plugin.fields
        match plugin.kind:
            case "ValueAddTransformer":

                def load(path: str) -> Any:
                    return self._sources.config(self._sources.file(root, path, kustomization.path, where))

                add_values(plugin, into.items, self._styles, root, load)
            case "PatchTransformer":
                options = fields.get("options", {})
                entry = PatchEntry(
                    fields.get("path", ""),
                    fields.get("patch", ""),
                    fields.get("target"),
                    options.get("allowNameChange", False),
                    options.get("allowKindChange", False),
                    where,
                )
                self._apply_patch(into, kustomization.path, entry, self._patch(kustomization, root, entry))
            case "PatchJson6902Transformer":
                entry = PatchEntry(
                    fields.get("path", ""), fields.get("jsonOp", ""), fields.get("target"), at=where
                )
                operations = self._json_patch(kustomization, root, entry)
                for item in select(into.items, entry.target or _no_target()):
                    apply_json_patch(item, operations, self._styles)
            case "PatchStrategicMergeTransformer":
                self._merge_all(plugin, kustomization, root, where, into)
            case "ReplacementTransformer":
                for each in fields.get("replacements", ()):
                    for replacement in self._replacements(kustomization, root, each):
                        apply_replacement(into.items, replacement, self._styles)
            case _:
                raise RenderError(f"expected a transformer, found {plugin.kind}", code="plugin")

    def _merge_all(
        self,
        plugin: Plugin,
        kustomization: Kustomization,
        root: str,
        where: tuple[str | int, ...],
        into: Accumulated,
    ) -> None:
        patches: list[Item] = []
        for path in plugin.fields.get("paths", ()):
            inline = self._inline_items(path, kustomization.path)
            if inline is not None:
                patches.extend(inline)
            else:
                patches.extend(self._file_items(self._sources.file(root, path, kustomization.path, where)))
        text = plugin.fields.get("patches", "")
        if text:
            patches.extend(
                make_items(read_documents(text, kustomization.path, self._styles), kustomization.path)
            )
        if not patches:
            raise RenderError("expected patches, found none", code="bad-patch")
        for patch in patches:
            self._merge_into(into, patch, [find_target(into.items, patch)])

    def _validate(
        self,
        plugin: Plugin,
        kustomization: Kustomization,
        root: str,
        where: tuple[str | int, ...],
        into: Accumulated,
    ) -> None:
        """Run a validator: a transformer that may change nothing but one label."""
        before = {item.key(): item.body for item in into.items}
        labelled = {item.key() for item in into.items if item.labels}
        self._run(plugin, kustomization, root, where, into)
        after = {item.key(): _without_validated_by(item) for item in into.items}
        marked = {item.key() for item in into.items if "validated-by" in item.labels}
        if plain(before) != plain(after) or marked & labelled:
            raise RenderError(
                f"expected the validator {plugin.kind} to change nothing, found changes", code="plugin"
            )

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
            if other.gvk[:2] == gvk[:2] and identity in (*other.previous, other.identity())
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

    # Transformers

    def _transform(self, kustomization: Kustomization, root: str, into: Accumulated) -> None:
        path = kustomization.path
        merges = [
            self._legacy_patch(kustomization, root, number)
            for number in range(len(kustomization.patches_strategic_merge))
        ]
        patches = [(entry, self._patch(kustomization, root, entry)) for entry in kustomization.patches]
        json_patches = [
            (entry, self._json_patch(kustomization, root, entry)) for entry in kustomization.patches_json
        ]
        for number, parsed in enumerate(merges):
            where = ("patchesStrategicMerge", number)
            for patch in parsed:
                with self._changing(into, path, where, patch=patch):
                    self._merge_into(into, patch, [find_target(into.items, patch)])
        if merges:
            self._note_transformer(into, kustomization, "PatchStrategicMergeTransformer")
        for entry, patch_text in patches:
            self._apply_patch(into, path, entry, patch_text)
            self._note_transformer(into, kustomization, "PatchTransformer")
        self._set_fields(kustomization, into)
        for entry, operations in json_patches:
            with self._changing(into, path, entry.at, operations=operations):
                for item in select(into.items, entry.target or _no_target()):
                    apply_json_patch(item, operations, self._styles)
            self._note_transformer(into, kustomization, "PatchJson6902Transformer")
        for rule in kustomization.replicas:
            with self._changing(into, path, rule.at):
                apply_replicas(into.items, rule, into.config.replicas, self._styles)
            self._note_transformer(into, kustomization, "ReplicaCountTransformer")
        for image in kustomization.images:
            with self._changing(into, path, image.at):
                apply_images(into.items, image, into.config.images, self._styles)
            self._note_transformer(into, kustomization, "ImageTagTransformer")
        for each in kustomization.replacements:
            with self._changing(into, path, each.at):
                for replacement in self._replacements(kustomization, root, each):
                    apply_replacement(into.items, replacement, self._styles)
        if kustomization.replacements:
            self._note_transformer(into, kustomization, "ReplacementTransformer")

    def _replacements(
        self, kustomization: Kustomization, root: str, entry: Replacement
    ) -> tuple[Replacement, ...]:
        """Return the replacements of an entry: itself, or those of the file that it names."""
        if not entry.path:
            return (entry,)
        if entry.source is not None or entry.targets:
            raise RenderError(
                "expected either path or a replacement, found both",
                code="replacement",
                hint="keep one of the two",
            )
        full = self._sources.file(root, entry.path, kustomization.path, (*entry.at, "path"))
        try:
            return decode_replacements(self._sources.config(full))
        except RenderError as err:
            raise self._sources.locate(err, full) from None

    def _set_fields(self, kustomization: Kustomization, into: Accumulated) -> None:
        path, config = kustomization.path, into.config
        with self._changing(into, path, ("namespace",)):
            apply_namespace(into.items, kustomization.namespace, config)
        if kustomization.namespace:
            self._note_transformer(into, kustomization, "NamespaceTransformer")
        if kustomization.name_prefix:
            with self._changing(into, path, ("namePrefix",)):
                apply_prefix(into.items, kustomization.name_prefix, config.name_prefix, self._styles)
            self._note_transformer(into, kustomization, "PrefixTransformer")
        if kustomization.name_suffix:
            with self._changing(into, path, ("nameSuffix",)):
                apply_suffix(into.items, kustomization.name_suffix, config.name_suffix, self._styles)
            self._note_transformer(into, kustomization, "SuffixTransformer")
        for label in kustomization.labels:
            with self._changing(into, path, label.at):
                self._set_entries(into, label.pairs, _label_specs(label, config))
            self._note_transformer(into, kustomization, "LabelTransformer")
        if kustomization.common_labels:
            with self._changing(into, path, ("commonLabels",)):
                self._set_entries(into, kustomization.common_labels, config.common_labels)
        if kustomization.labels or kustomization.common_labels:
            self._note_transformer(into, kustomization, "LabelTransformer")
        if kustomization.common_annotations:
            with self._changing(into, path, ("commonAnnotations",)):
                self._set_entries(into, kustomization.common_annotations, config.common_annotations)
            self._note_transformer(into, kustomization, "AnnotationsTransformer")

    def _set_entries(self, into: Accumulated, entries: Any, specs: tuple[FieldSpec, ...]) -> None:
        if not entries:
            return
        by_kind: dict[Gvk, Any] = {}
        for item in into.items:
            gvk = item.gvk
            paths = by_kind.get(gvk)
            if paths is None:
                paths = by_kind[gvk] = [
                    (split_path(spec.path), spec.create) for spec in specs if gvk.selected_by(spec.gvk)
                ]
            set_entries(item, entries, paths)

    def _patch_text(self, kustomization: Kustomization, root: str, entry: PatchEntry) -> tuple[str, str]:
        """Return the text of a patch and the file that it stands in."""
        text = entry.patch.strip()
        if bool(text) == bool(entry.path):
            what = "both" if text else "neither"
            raise RenderError(
                f"expected either patch or path, found {what}", code="bad-patch", hint="keep one of the two"
            )
        if text:
            return text, kustomization.path
        full = self._sources.file(root, entry.path, kustomization.path, (*entry.at, "path"))
        return "", full

    def _patch(self, kustomization: Kustomization, root: str, entry: PatchEntry) -> ParsedPatch:
        with self._located(kustomization.path, entry.at):
            text, path = self._patch_text(kustomization, root, entry)
            try:
                if text:
                    return parse_patch(text, path, self._styles)
                return self._sources.parsed(
                    path, "patch", lambda content: parse_patch(content, path, self._styles)
                )
            except InputError as err:
                if text:
                    err.at = self._sources.at(path, (*entry.at, "patch"))
                raise

    def _json_patch(
        self, kustomization: Kustomization, root: str, entry: PatchEntry
    ) -> tuple[dict[str, Any], ...]:
        with self._located(kustomization.path, entry.at):
            if entry.target is None or not entry.target.name:
                raise RenderError(
                    "expected a target with a name, found none", code="bad-patch", hint="add target.name"
                )
            text, path = self._patch_text(kustomization, root, entry)
            if text:
                operations = parse_operations(entry.patch, path)
            else:
                operations = self._sources.parsed(
                    path, "operations", lambda content: parse_operations(content, path)
                )
            if not operations:
                raise RenderError("expected operations in the patch, found none", code="bad-patch")
            return operations

    def _legacy_patch(self, kustomization: Kustomization, root: str, number: int) -> list[Item]:
        """Return the patches of an entry of `patchesStrategicMerge`, which is a path or the text itself."""
        where = ("patchesStrategicMerge", number)
        entry = kustomization.patches_strategic_merge[number]
        with self._located(kustomization.path, where):
            if "\n" in entry or ":" in entry:
                try:
                    found = parse_patch(entry, kustomization.path, self._styles)
                    if found.operations is None:
                        return list(found.merges)
                except (RenderError, DocumentError):
                    pass
            full = self._sources.file(root, entry, kustomization.path, where)
            return self._file_items(full)

    def _apply_patch(self, into: Accumulated, path: str, entry: PatchEntry, parsed: ParsedPatch) -> None:
        if parsed.operations is not None:
            with self._changing(into, path, entry.at, operations=parsed.operations):
                if entry.target is None:
                    raise RenderError(
                        "expected a target for the JSON patch, found none",
                        code="bad-patch",
                        hint="add target with the kind and name of the resource",
                    )
                for item in select(into.items, entry.target):
                    item.remember()
                    apply_json_patch(item, parsed.operations, self._styles)
            return
        if entry.target is not None and len(parsed.merges) > 1:
            with self._located(path, entry.at):
                raise RenderError(
                    "expected one strategic merge patch for the target, found several",
                    code="bad-patch",
                    hint="make an entry for each, or leave the target out",
                )
        for merge in parsed.merges:
            patch = _allowed(merge, entry)
            with self._changing(into, path, entry.at, patch=patch):
                if entry.target is not None:
                    self._merge_into(into, patch, select(into.items, entry.target))
                    continue
                target = find_target(into.items, patch)
                if not apply_strategic(target, patch, self._schemas, self._styles):
                    into.items.remove(target)

    def _merge_into(self, into: Accumulated, patch: Item, targets: list[Item]) -> None:
        chosen = {id(item) for item in targets}
        schemas, styles = self._schemas, self._styles
        kept = [
            item
            for item in into.items
            if id(item) not in chosen or apply_strategic(item, for_target(patch, item), schemas, styles)
        ]
        into.items = []
        self._append(into, kept)


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


def _without_validated_by(item: Item) -> dict[str, Any]:
    if "validated-by" not in item.labels:
        return item.body
    copy = item.copy()
    copy.set_metadata(
        "labels", {key: value for key, value in item.labels.items() if key != "validated-by"} or None
    )
    return copy.body


def _contents(load: Callable[[str], tuple[str, bytes]]) -> Callable[[str], bytes]:
    return lambda path: load(path)[1]


def _no_target() -> Any:
    raise RenderError("expected a target for the JSON patch, found none", code="bad-patch")


def _allowed(patch: Item, entry: PatchEntry) -> Item:
    if not (entry.allow_name or entry.allow_kind):
        return patch
    return allowing(patch, name=entry.allow_name, kind=entry.allow_kind)


def _label_specs(label: Label, config: TransformerConfig) -> tuple[FieldSpec, ...]:
    specs = merge_specs(label.fields, config.labels)
    if label.include_selectors:
        return merge_specs(specs, config.common_labels)
    if label.include_templates:
        specs = merge_specs(specs, config.template_labels)
    return merge_specs(specs, (_METADATA_LABELS,))


def _is_local(item: Item) -> bool:
    value = item.annotations.get("config.kubernetes.io/local-config")
    return value is not None and value != "false"


def sort_items(items: list[Item], kustomization: Kustomization) -> list[Item]:
    """Return resources in output order.

    Raises:
        RenderError: `sortOptions` are not valid.
    """
    if kustomization.sort_options is None or kustomization.sort_options.order != "fifo":
        check_unique(items)
    from reconciler.render.sorting import sorted_items

    return sorted_items(items, kustomization.sort_options)


def parent(path: str) -> str:
    """Return the directory of a path."""
    return posixpath.dirname(path)
