"""Patches: strategic merges and JSON patches, with and without targets."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from reconciler.errors import DocumentError, InputError, RenderError
from reconciler.render.emitter import format_go_float, format_json_float
from reconciler.render.fieldspec import MISSING
from reconciler.render.item import Item
from reconciler.render.jsonpatch import apply_operations, check_operations
from reconciler.render.merge import Merger
from reconciler.render.reader import read_config, read_documents
from reconciler.render.resources import make_items
from reconciler.render.scalars import FloatText, IntText, check_key, is_null, plain, text_of
from reconciler.render.schema import SchemaTable
from reconciler.render.selector import Selector, select
from reconciler.render.styles import Styles
from reconciler.render.transformers import relink

__all__ = ["ParsedPatch", "apply_json_patch", "apply_strategic", "find_target", "parse_patch"]

#: From here on Go writes a float with an exponent.
_MAX_PLAIN = 10**6


@dataclass(frozen=True, slots=True)
class ParsedPatch:
    """A patch text: strategic merge patches, or JSON patch operations.

    Attributes:
        merges: The strategic merge patches.
        operations: The operations of a JSON patch, or None.
    """

    merges: tuple[Item, ...] = ()
    operations: tuple[dict[str, Any], ...] | None = None


def parse_patch(text: str, path: str, styles: Styles) -> ParsedPatch:
    """Return what a patch text says; either form is recognized by its shape.

    Args:
        text: The patch.
        path: The file that it stands in.
        styles: Takes note of the strings that stand in quotes.

    Raises:
        RenderError: It is neither form.
    """
    merge_error: InputError | None = None
    merges: list[Item] = []
    try:
        merges = make_items(read_documents(text, path, styles), path)
    except (RenderError, DocumentError) as err:
        merge_error = err
    if merge_error is None and merges and "---" not in text:
        return ParsedPatch(tuple(merges))  # its one document is a map, and so no list of operations
    operations = None
    if text:
        try:
            operations = _operations(text, path)
        except (RenderError, DocumentError):
            operations = None
    if merge_error is None and not (merges and operations):
        return ParsedPatch(tuple(merges))
    if operations is not None and merge_error is not None:
        return ParsedPatch((), tuple(operations))
    raise RenderError(
        "expected a strategic merge patch or a list of JSON patch operations, "
        f"found neither: {merge_error.message if merge_error else 'it reads as both'}",
        at=merge_error.at if merge_error else None,
        code="bad-patch",
        hint="a strategic merge patch needs apiVersion, kind and metadata.name; a JSON patch is a list",
    )


def _operations(text: str, path: str) -> list[dict[str, Any]]:
    if text.startswith("["):
        try:
            value = json.loads(text)
        except ValueError as err:
            raise RenderError(
                f"expected JSON after the leading [, found {err}",
                code="bad-patch",
                hint="put the names in double quotes, or write the patch as a YAML block",
            ) from err
    else:
        value = read_config(text, path)
    if value is None:
        return []
    return [plain(each) for each in check_operations(value)]


def parse_operations(text: str, path: str) -> tuple[dict[str, Any], ...]:
    """Return the operations of a text that must be a JSON patch."""
    return tuple(_operations(text, path))


def find_target(items: list[Item], patch: Item) -> Item:
    """Return the one resource that a strategic merge patch without target is about.

    Raises:
        RenderError: There is none, or there are several.
    """
    gvk, wanted = patch.gvk, patch.original()
    found = []
    for item in items:
        own = item.gvk
        if own.group != gvk.group or own.version != gvk.version:
            continue
        if any(
            (each.kind, each.name, each.namespace) == (wanted.kind, wanted.name, wanted.namespace)
            for each in (*item.previous, item.identity())
        ):
            found.append(item)
    if len(found) == 1:
        return found[0]
    if found:
        raise RenderError(
            f"expected one resource that the patch for {patch.shown()} is about, found {len(found)}",
            code="many-matches",
            hint="give the patch a target",
        )
    raise RenderError(
        f"expected a resource that the patch for {patch.shown()} is about, found none",
        code="no-match",
        hint="apiVersion, kind, name and namespace must be those of the resource, before prefixes",
    )


def apply_strategic(item: Item, patch: Item, schemas: SchemaTable, styles: Styles) -> bool:
    """Merge a patch into a resource.

    Returns:
        False where the patch deletes the resource.

    Raises:
        RenderError: They do not fit together.
    """
    metadata = item.body.get("metadata")
    before: dict[str, Any] = metadata if isinstance(metadata, dict) else {}
    kind = item.body.get("kind")
    if patch.allow_name or patch.allow_kind:
        item.remember()
    merger = Merger(schemas, styles, odd=item.odd or patch.odd, merged=item.merged, restyled=item.restyled)
    item.merged = True
    merged = merger.merge(item.body, patch.body)
    if merged is MISSING or not merged:
        return False
    item.body = merged
    if _drops_annotations(patch.body):
        forget(item)
    item.odd = item.odd or patch.odd or merger.made_odd
    if merger.relinked:
        relink(item, merger.relinked)
    if not patch.allow_kind and item.body.get("kind") != kind:
        item.body = {**item.body, "kind": kind}
    if not patch.allow_name and item.body.get("metadata", {}).get("name") != before.get("name"):
        item.set_metadata("name", before.get("name"))
    namespace = text_of(before.get("namespace")) if before.get("namespace") else ""
    after = item.body.get("metadata", {})
    if not namespace:
        item.set_metadata("namespace", None)
    elif after.get("namespace") != before["namespace"]:
        item.set_metadata("namespace", before["namespace"])
    return True


def _drops_annotations(patch: dict[str, Any]) -> bool:
    """Return whether a patch takes away all annotations, and with them those that are for building only."""
    metadata = patch.get("metadata", {})
    levels = (patch, metadata, metadata.get("annotations", {}) if isinstance(metadata, dict) else {})
    return any(
        level is None or is_null(level) or (isinstance(level, dict) and level.get("$patch") == "replace")
        for level in levels
    )


def forget(item: Item) -> None:
    """Forget earlier names and marks of a resource, as kustomize does when its annotations go."""
    item.previous, item.prefixes, item.suffixes = (), (), ()
    item.needs_hash, item.behavior = False, ""


def allowing(patch: Item, *, name: bool, kind: bool) -> Item:
    """Return a patch that may change the name or kind of its target; its annotations become strings."""
    copy = patch.copy()
    copy.allow_name = patch.allow_name or name
    copy.allow_kind = patch.allow_kind or kind
    if copy.annotations:
        copy.set_metadata("annotations", {key: text_of(value) for key, value in copy.annotations.items()})
    return copy


def for_target(patch: Item, item: Item) -> Item:
    """Return a patch as it is applied to a resource that a target names: of that resource's kind."""
    copy = patch.copy()
    copy.body = {**patch.body, "apiVersion": item.api_version}
    for field, entries in (("labels", copy.labels), ("annotations", copy.annotations)):
        if entries or field in copy.body.get("metadata", {}):
            texts = {key: text_of(value) for key, value in entries.items()}
            for key in texts:
                check_key(key, f"the {field} of a patch")
            copy.set_metadata(field, texts or None)
    return copy


def select_targets(items: list[Item], target: Selector) -> list[Item]:
    """Return the resources that a patch's target names."""
    return select(items, target)


def apply_json_patch(item: Item, operations: tuple[dict[str, Any], ...], styles: Styles) -> None:
    """Apply JSON patch operations to a resource.

    Raises:
        RenderError: An operation does not apply.
    """
    body = plain(item.body) if item.odd or item.linked else item.body
    metadata = body.get("metadata")
    marked = item.previous or item.prefixes or item.suffixes or item.needs_hash or item.behavior
    if marked and isinstance(metadata, dict) and not metadata.get("annotations"):
        # kustomize keeps its notes there while it builds, so that the map exists.
        body = {**body, "metadata": {**metadata, "annotations": {}}}
    changed = apply_operations(body, list(operations))
    if not isinstance(changed, dict):
        raise RenderError("expected the patch to leave an object, found something else", code="json-patch")
    metadata = changed.get("metadata")
    if not isinstance(metadata, dict) or not metadata.get("name"):
        raise RenderError(
            f"expected the patch to leave {item.shown()} a name, found none",
            code="json-patch",
            hint="replace metadata.name instead of removing it",
        )
    numbers: list[int | float] = []
    item.body = _as_json(changed, numbers, styles)
    item.odd = bool(numbers)
    item.linked = False
    item.restyled = True
    metadata = item.body.get("metadata")
    if isinstance(metadata, dict) and "annotations" in metadata:
        annotations = {key: text_of(value) for key, value in item.annotations.items()}
        if annotations != metadata["annotations"]:
            item.set_metadata("annotations", annotations or None)


def _as_json(value: Any, numbers: list[int | float], styles: Styles) -> Any:
    """Return a value as it is after JSON: every number is a float, large ones have another text."""
    kind = value.__class__
    if kind is str:
        return styles.forget(value)
    if kind is dict:
        changed = None
        for key, child in value.items():
            new = _as_json(child, numbers, styles)
            if new is not child:
                changed = changed or dict(value)
                changed[key] = new
        return value if changed is None else changed
    if kind is list:
        children = [_as_json(child, numbers, styles) for child in value]
        same = all(new is old for new, old in zip(children, value, strict=True))
        return value if same else children
    if kind is float or (kind is int and not -_MAX_PLAIN < value < _MAX_PLAIN):
        number = float(value)
        text = format_go_float(number)
        shown = format_json_float(number)
        numbers.append(value)
        if shown.lstrip("-").isdigit() and len(shown) < 21:
            return IntText.of(int(shown), text)
        return FloatText.of(number, text)
    return value
