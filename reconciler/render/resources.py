"""Documents to resources: lists are flattened, internal annotations are taken in."""

from __future__ import annotations

from typing import Any, TypeAlias

from reconciler.errors import DocumentError, RenderError
from reconciler.render.item import Identity, Item
from reconciler.render.reader import Parsed
from reconciler.render.scalars import check_key, is_null, plain, text_of

__all__ = ["BUILD_ANNOTATIONS", "make_items", "string_annotations"]

Field: TypeAlias = tuple[str | int, ...]

_INTERNAL = "internal.config.kubernetes.io/"

#: Annotations that kustomize uses while it builds and takes away at the end.
BUILD_ANNOTATIONS = frozenset(
    [
        *(
            _INTERNAL + name
            for name in (
                "previousKinds",
                "previousNames",
                "prefixes",
                "suffixes",
                "previousNamespaces",
                "allowNameChange",
                "allowKindChange",
                "refBy",
                "generatorBehavior",
                "needsHashSuffix",
                "path",
                "index",
                "seqindent",
                "id",
                "annotations-migration-resource-id",
                "helm-generated",
            )
        ),
        "config.kubernetes.io/path",
        "config.kubernetes.io/index",
        "config.k8s.io/id",
    ]
)


class _NotAResource(RenderError):
    """A document that is no Kubernetes object."""


def make_items(documents: list[Parsed], path: str) -> list[Item]:
    """Return the resources of a file.

    Args:
        documents: The file's documents.
        path: The file's path in its tree.

    Raises:
        RenderError: A document is no Kubernetes object; its `index` says which.
    """
    result: list[Item] = []
    waiting: list[tuple[Any, int, bool, Field]] = []
    for document in documents:
        value = document.value
        if (
            len(documents) == 1
            and isinstance(value, dict)
            and text_of(value.get("kind")) in ("List", "ResourceList")
            and ("items" in value or "functionConfig" in value)
        ):
            items = value.get("items")
            children = items if isinstance(items, list) else []
            waiting.extend(
                (child, document.index, document.odd, ("items", number))
                for number, child in enumerate(children)
            )
            continue
        waiting.append((value, document.index, document.odd, ()))
    checked: list[tuple[Any, int, bool, Field]] = []
    for value, index, odd, field in waiting:
        if _is_empty(value):
            continue
        _check(value, index)
        checked.append((value, index, odd, field))
    while checked:
        value, index, odd, field = checked.pop(0)
        kind = text_of(value.get("kind"))
        if not kind.endswith("List") or "items" not in value:
            item = _item(value, index, path, odd=odd)
            item.source_field = field
            result.append(item)
            continue
        items = value["items"]
        if items is None or is_null(items):
            continue
        if not isinstance(items, list):
            raise _problem("expected items of the list to be a list", index, ("items",))
        for number, child in enumerate(items):
            child = plain(child)  # noqa: PLW2901 - kustomize sends it through JSON
            if _is_empty(child):
                continue
            _check(child, index)
            checked.append((child, index, False, (*field, "items", number)))
    return result


def _is_empty(value: Any) -> bool:
    return value is None or is_null(value) or value in ({}, [])


def _problem(message: str, index: int, field: tuple[str | int, ...] = (), hint: str = "") -> RenderError:
    error = _NotAResource(message, code="not-a-resource", hint=hint)
    error.index = index  # type: ignore[attr-defined] # read where the file is known
    error.field = field  # type: ignore[attr-defined]
    return error


def _check(value: Any, index: int) -> None:
    if not isinstance(value, dict):
        raise _problem(
            f"expected a Kubernetes object, found {'a list' if isinstance(value, list) else 'a scalar'}",
            index,
        )
    kind = value.get("kind")
    metadata = value.get("metadata")
    if "apiVersion" in value and is_null(value["apiVersion"]):
        raise _problem(
            "expected a Kubernetes object, found one whose apiVersion is null",
            index,
            ("apiVersion",),
            hint="write the version, for example v1",
        )
    if kind is None or is_null(kind) or not text_of(kind):
        raise _problem("expected a Kubernetes object, found one without kind", index, hint="add kind")
    if text_of(kind).endswith("List"):
        return
    name = metadata.get("name") if isinstance(metadata, dict) else None
    if name is None or is_null(name) or not text_of(name):
        raise _problem(
            f"expected a Kubernetes object, found a {text_of(kind)} without metadata.name",
            index,
            ("metadata",),
            hint="add metadata.name",
        )


def _item(value: dict[str, Any], index: int, path: str, *, odd: bool) -> Item:
    item = Item(value, odd=odd, source=(path, index))
    annotations = item.annotations
    if annotations and any(key.startswith(_INTERNAL) for key in annotations):
        _take_in(item)
    return item


def _take_in(item: Item) -> None:
    """Move internal annotations that say how to build a resource into the item."""
    annotations = dict(item.annotations)

    def take(name: str) -> str | None:
        value = annotations.pop(_INTERNAL + name, None)
        return None if value is None else text_of(value)

    names, namespaces, kinds = take("previousNames"), take("previousNamespaces"), take("previousKinds")
    if names is not None:
        columns = [text.split(",") for text in (namespaces or "", names, kinds or "")]
        if len({len(column) for column in columns}) != 1:
            raise DocumentError(
                f"expected as many previous names as namespaces and kinds in {item.shown()}",
                code="not-a-resource",
            )
        item.previous = tuple(
            Identity(namespace or "default", name, kind)
            for namespace, name, kind in zip(*columns, strict=True)
        )
    for name in ("prefixes", "suffixes"):
        text = take(name)
        if text is not None:
            setattr(item, name, tuple(text.split(",")))
    item.needs_hash = take("needsHashSuffix") == "enabled"
    item.behavior = take("generatorBehavior") or ""
    item.allow_name = take("allowNameChange") == "enabled"
    item.allow_kind = take("allowKindChange") == "enabled"
    take("refBy")
    item.set_metadata("annotations", annotations or None)


def string_annotations(item: Item) -> None:
    """Write the annotations of a finished resource as strings, without those that are for building only."""
    metadata = item.body.get("metadata")
    if not isinstance(metadata, dict) or "annotations" not in metadata:
        return
    annotations = metadata["annotations"]
    if not isinstance(annotations, dict) or not annotations:
        item.set_metadata("annotations", None)
        return
    for key in annotations:
        check_key(key, f"the annotations of {item.shown()}")
    if all(value.__class__ is str and key not in BUILD_ANNOTATIONS for key, value in annotations.items()):
        return
    kept = {key: text_of(value) for key, value in annotations.items() if key not in BUILD_ANNOTATIONS}
    item.set_metadata("annotations", kept or None)
