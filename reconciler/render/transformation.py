"""The transformers of a kustomization, in kustomize's order."""

from __future__ import annotations

from typing import Any

from reconciler.errors import DocumentError, InputError, RenderError
from reconciler.render.fieldspec import (
    FieldSpec,
    TransformerConfig,
    merge_specs,
    split_path,
)
from reconciler.render.item import Gvk, Item
from reconciler.render.kustomization import (
    Kustomization,
    Label,
    PatchEntry,
    Replacement,
)
from reconciler.render.parsing import decode_replacements
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
from reconciler.render.replacements import apply_replacement
from reconciler.render.selector import select
from reconciler.render.steps import Accumulated, BuildSteps
from reconciler.render.transformers import (
    apply_images,
    apply_namespace,
    apply_prefix,
    apply_replicas,
    apply_suffix,
    set_entries,
)

__all__ = ["Transformation", "no_target"]

_METADATA_LABELS = FieldSpec(Gvk("", "", ""), "metadata/labels", create=True)


class Transformation(BuildSteps):
    """The steps of a build that change resources as the fields of a kustomization say."""

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
                for item in select(into.items, entry.target or no_target()):
                    apply_json_patch(item, operations, self._styles)
            self._note_transformer(into, kustomization, "PatchJson6902Transformer")
        for rule in kustomization.replicas:
            with self._changing(into, path, rule.at):
                apply_replicas(into.items, rule, into.config.replicas, self._styles)
            self._note_transformer(into, kustomization, "ReplicaCountTransformer")
        for image in kustomization.images:
            with self._changing(into, path, image.at):
                apply_images(into.items, image, into.config.images, self._styles, self._sources.images)
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


def no_target() -> Any:
    """Refuse a JSON patch without a target."""
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
