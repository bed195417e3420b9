"""Running built-in plugins as steps of a build."""

from __future__ import annotations

from typing import Any

from reconciler.errors import RenderError
from reconciler.render.item import Item
from reconciler.render.kustomization import (
    Kustomization,
    PatchEntry,
)
from reconciler.render.patches import (
    apply_json_patch,
    find_target,
)
from reconciler.render.plugins import Plugin, add_values, transform
from reconciler.render.reader import read_documents
from reconciler.render.replacements import apply_replacement
from reconciler.render.resources import make_items
from reconciler.render.scalars import plain
from reconciler.render.selector import select
from reconciler.render.steps import Accumulated
from reconciler.render.transformation import Transformation, no_target

__all__ = ["PluginRun"]


class PluginRun(Transformation):
    """The steps of a build that `transformers` and `validators` ask for."""

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
                for item in select(into.items, entry.target or no_target()):
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


def _without_validated_by(item: Item) -> dict[str, Any]:
    if "validated-by" not in item.labels:
        return item.body
    copy = item.copy()
    copy.set_metadata(
        "labels", {key: value for key, value in item.labels.items() if key != "validated-by"} or None
    )
    return copy.body
