"""`buildMetadata`: annotations that say which files and transformers made a resource."""

from __future__ import annotations

import posixpath
from collections.abc import Mapping
from typing import Any

from reconciler.render.emitter import scalar_text
from reconciler.render.item import Item

__all__ = ["OPTIONS", "annotate", "configured", "from_file"]

OPTIONS = ("originAnnotations", "transformerAnnotations", "managedByLabel")
_ORIGIN = "config.kubernetes.io/origin"
_TRANSFORMATIONS = "alpha.config.kubernetes.io/transformations"


def from_file(folder: str, path: str) -> dict[str, Any]:
    """Return the origin of a resource that was read from a file."""
    return {"path": posixpath.normpath(posixpath.join(folder, path))}


def configured(folder: str, file: str, kind: str, plugin: Item | None = None) -> dict[str, Any]:
    """Return the origin of what a generator or transformer made."""
    by = {"apiVersion": "builtin", "kind": kind}
    where = posixpath.normpath(posixpath.join(folder, posixpath.basename(file)))
    if plugin is not None:
        by["name"] = plugin.name
        if plugin.namespace:
            by["namespace"] = plugin.namespace
        where = (plugin.origin or {}).get("path", where)
    return {"configuredIn": where, "configuredBy": by}


def _lines(origin: Mapping[str, Any]) -> list[str]:
    lines = []
    for name, value in origin.items():
        if isinstance(value, Mapping):
            lines.append(f"{name}:")
            lines.extend(f"  {key}: {scalar_text(str(child))}" for key, child in value.items())
        else:
            lines.append(f"{name}: {scalar_text(str(value))}")
    return lines


def annotate(item: Item, options: tuple[str, ...]) -> None:
    """Add the annotations that `buildMetadata` asks for."""
    if not options and not item.annotations:
        return
    annotations = dict(item.annotations)
    annotations.pop(_ORIGIN, None)
    annotations.pop(_TRANSFORMATIONS, None)
    if "originAnnotations" in options and item.origin:
        annotations[_ORIGIN] = "\n".join(_lines(item.origin)) + "\n"
    if "transformerAnnotations" in options and item.transformations:
        parts = []
        for each in item.transformations:
            first, *rest = _lines(each)
            parts.append("\n".join([f"- {first}", *(f"  {line}" for line in rest)]))
        annotations[_TRANSFORMATIONS] = "\n".join(parts) + "\n"
    if annotations != item.annotations:
        item.set_metadata("annotations", annotations or None)
