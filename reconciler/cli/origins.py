"""The origins of an overlay's fields as text: one line for each field, with the lines of source behind it."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from reconciler.model.fieldpath import FieldPath, format_field_path

if TYPE_CHECKING:
    from reconciler.model.location import Location
    from reconciler.model.resource import Resource
    from reconciler.render import Origin, ResourceSet

__all__ = ["origin_lines"]

_WIDTH = 60
#: Fields of a Secret that hold nothing secret; a mistyped `stringData` is none of them.
_OPEN_FIELDS = frozenset({"apiVersion", "kind", "metadata", "type", "immutable"})
_LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"


def origin_lines(resources: ResourceSet) -> Iterator[str]:
    """Yield a header for each resource, then one line for each of its fields.

    A line says field, value, and the places that set it, oldest first; the last one set the present value.
    Values of Secrets are not shown.
    """
    here = f"{Path.cwd()}{os.sep}"
    for number, resource in enumerate(resources):
        if number:
            yield ""
        yield f"{resource.id}"
        for field, value in _leaves(resource.manifest, ()):
            origin = resources.origin(resource, field)
            shown = _shown(resource, field, value)
            yield f"  {format_field_path(field)}: {shown}  <- {_chain(origin, here)}"


def _leaves(node: Any, path: FieldPath) -> Iterator[tuple[FieldPath, Any]]:
    if isinstance(node, dict) and node:
        for name in sorted(node):
            yield from _leaves(node[name], (*path, name))
    elif isinstance(node, list) and node:
        for index, child in enumerate(node):
            yield from _leaves(child, (*path, index))
    else:
        yield path, node


def _shown(resource: Resource, field: FieldPath, value: Any) -> str:
    if resource.id.kind == "Secret" and (field[0] not in _OPEN_FIELDS or _LAST_APPLIED in field):
        return "(not shown)"
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= _WIDTH else f"{text[: _WIDTH - 3]}..."


def _chain(origin: Origin, here: str) -> str:
    return " -> ".join(f"{_place(step.location, here)} ({step.what})" for step in origin.chain)


def _place(location: Location, here: str) -> str:
    return str(location).removeprefix(here)
