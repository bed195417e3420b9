"""What is known of built-in kinds: which lists are merged by which keys, and which kinds have no namespace.

The table is made from kustomize's own OpenAPI document by `tests/render/schema`.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Any, TypeAlias

from reconciler.errors import RenderError

__all__ = ["BUILTIN", "ListMerge", "Schema", "SchemaTable", "is_cluster_scoped", "parse_openapi"]

#: The one version of the OpenAPI document that is built in.
OPENAPI_VERSION = "v1.21.2"


@dataclass(frozen=True, slots=True)
class ListMerge:
    """How a list is merged.

    Attributes:
        keys: The elements' merge keys; empty for a list of scalars.
        elements: What is known of the elements, or None.
    """

    keys: tuple[str, ...]
    elements: Schema | None


@dataclass(frozen=True, slots=True, eq=False)
class Schema:
    """What is known of an object: its fields that lead to lists that are merged."""

    fields: dict[str, ListMerge | Schema]


SchemaNode: TypeAlias = Schema | ListMerge


class SchemaTable:
    """Schemas by kind, and scopes.

    Args:
        kinds: Schema by `apiVersion/kind`.
        cluster_scoped: `apiVersion/kind` of kinds that are certainly in no namespace.
    """

    def __init__(self, kinds: Mapping[str, Schema], cluster_scoped: frozenset[str]) -> None:
        self._kinds = kinds
        self.cluster_scoped = cluster_scoped

    def with_kinds(self, other: SchemaTable) -> SchemaTable:
        """Return a table of the kinds of both; `other` wins."""
        return SchemaTable({**self._kinds, **other._kinds}, self.cluster_scoped)

    def of(self, api_version: Any, kind: Any) -> Schema | None:
        """Return what is known of a kind, or None."""
        return self._kinds.get(f"{api_version}/{kind}")


def parse_openapi(document: Any) -> SchemaTable:
    """Return the schemas of an OpenAPI document, as `openapi: {path}` of a kustomization names one.

    Raises:
        RenderError: It holds no definitions.
    """
    found = document.get("definitions") if isinstance(document, dict) else None
    if not isinstance(found, dict):
        raise RenderError("expected a map of definitions, found none", code="openapi")
    schemas = {name: Schema({}) for name in found}

    def target(schema: Any) -> Schema | None:
        reference = schema.get("$ref") if isinstance(schema, dict) else None
        return schemas.get(str(reference).removeprefix("#/definitions/")) if reference else None

    def inline(schema: Any) -> Schema | None:
        known = target(schema)
        if known is not None or not isinstance(schema, dict) or "properties" not in schema:
            return known
        made = Schema({})
        fill(made, schema)
        return made

    def fill(into: Schema, definition: Any) -> None:
        properties = definition.get("properties") if isinstance(definition, dict) else None
        for field, schema in (properties or {}).items():
            if not isinstance(schema, dict):
                continue
            if "merge" in str(schema.get("x-kubernetes-patch-strategy", "")).split(","):
                keys = schema.get("x-kubernetes-list-map-keys")
                key = schema.get("x-kubernetes-patch-merge-key")
                names = tuple(keys) if isinstance(keys, list) else ((key,) if key else ())
                into.fields[field] = ListMerge(names, inline(schema.get("items")))
            else:
                below = inline(schema)
                if below is not None:
                    into.fields[field] = below

    for name, definition in found.items():
        fill(schemas[name], definition)
    kinds = {}
    for name, definition in found.items():
        marks = definition.get("x-kubernetes-group-version-kind") if isinstance(definition, dict) else None
        for mark in marks if isinstance(marks, list) else []:
            group = f"{mark['group']}/" if mark.get("group") else ""
            kinds[f"{group}{mark.get('version', '')}/{mark.get('kind', '')}"] = schemas[name]
    return SchemaTable(kinds, frozenset())


def _load() -> SchemaTable:
    text = resources.files("reconciler.render").joinpath("data/schema.json").read_text(encoding="utf-8")
    table = json.loads(text)
    schemas: list[Schema] = [Schema({}) for _ in table["definitions"]]
    for schema, fields in zip(schemas, table["definitions"], strict=True):
        for name, edge in fields.items():
            if isinstance(edge, int):
                schema.fields[name] = schemas[edge]
            else:
                keys, number = edge
                schema.fields[name] = ListMerge(tuple(keys), None if number is None else schemas[number])
    kinds = {kind: schemas[number] for kind, number in table["kinds"].items()}
    return SchemaTable(kinds, frozenset(table["clusterScoped"]))


@cache
def _builtin() -> SchemaTable:
    return _load()


def BUILTIN() -> SchemaTable:  # noqa: N802 - a constant that is read when it is first needed
    """Return the table of built-in kinds."""
    return _builtin()


@cache
def is_cluster_scoped(api_version: str, kind: str) -> bool:
    """Return whether a kind is certainly in no namespace."""
    return f"{api_version}/{kind}" in _builtin().cluster_scoped
