"""CustomResourceDefinitions: the kinds they add, and whether the API server takes their schemas."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from reconciler.model.fieldpath import FieldPath
from reconciler.rules.types.builtin import BuiltinTypes
from reconciler.rules.types.expressions import Expressions
from reconciler.rules.types.problem import Problem, quote, shown
from reconciler.rules.types.structural import compile_pattern

__all__ = ["CustomKind", "custom_kinds", "definition_problems", "is_usable"]

_TYPES = ("array", "boolean", "integer", "number", "object", "string")
_FORBIDDEN = ("$ref", "definitions", "dependencies", "patternProperties", "additionalItems", "id")
_DEEPEST = 200
_SCHEMA = "apiextensions.v1.JSONSchemaProps"
_Judge = Callable[[Mapping[str, Any], FieldPath, int], Iterator[Problem]]


@dataclass(frozen=True, slots=True)
class CustomKind:
    """One served version of a custom resource.

    Attributes:
        group: The API group.
        version: The API version.
        kind: The kind.
        schema: The structural schema, not looked at yet: see `is_usable`.
        keeps_unknown: Whether unknown fields are kept (the old `preserveUnknownFields`).
    """

    group: str
    version: str
    kind: str
    schema: Any
    keeps_unknown: bool = False


def custom_kinds(manifest: Mapping[str, Any]) -> Iterator[CustomKind]:
    """Yield the kinds that a definition adds, broken ones as well."""
    spec = _mapping(manifest.get("spec"))
    versions = spec.get("versions")
    for each in versions if isinstance(versions, list) else ():
        version = _mapping(each)
        if version.get("served") is not False:
            yield CustomKind(
                group=str(spec.get("group", "")),
                version=str(version.get("name", "")),
                kind=str(_mapping(spec.get("names")).get("kind", "")),
                schema=_mapping(version.get("schema")).get("openAPIV3Schema"),
                keeps_unknown=spec.get("preserveUnknownFields") is True,
            )


def is_usable(kind: CustomKind, types: BuiltinTypes) -> bool:
    """Tell whether a kind's schema is one that objects can be checked against.

    Args:
        kind: The kind.
        types: The built-in types, of which a schema is one.
    """
    if not isinstance(kind.schema, Mapping) or types.problems(_SCHEMA, kind.schema):
        return False
    return next(_Structure(types, None).problems(kind.schema, ()), None) is None


def definition_problems(
    manifest: Mapping[str, Any], types: BuiltinTypes, expressions: Expressions
) -> Iterator[Problem]:
    """Yield what the server would refuse in a definition that decodes.

    Args:
        manifest: The definition.
        types: The built-in types.
        expressions: Compiles the rules in CEL.
    """
    spec = _mapping(manifest.get("spec"))
    names, group = _mapping(spec.get("names")), spec.get("group") or ""
    wanted = f"{names.get('plural') or ''}.{group}"
    name = _mapping(manifest.get("metadata")).get("name") or ""
    if name != wanted:
        yield Problem(
            ("metadata", "name"),
            f'Invalid value: {quote(name)}: must be spec.names.plural+"."+spec.group',
            f"write {wanted}",
        )
    if not spec.get("scope"):
        yield Problem(("spec", "scope"), "Required value")
    elif spec["scope"] not in ("Cluster", "Namespaced"):
        yield Problem(
            ("spec", "scope"),
            f'Unsupported value: {shown(spec["scope"])}: supported values: "Cluster", "Namespaced"',
        )
    versions = [_mapping(each) for each in spec.get("versions") or ()]
    if not versions:
        yield Problem(("spec", "versions"), "Required value: must have at least one version")
    elif sum(each.get("storage") is True for each in versions) != 1:
        yield Problem(
            ("spec", "versions"), "Invalid value: must have exactly one version marked as storage version"
        )
    seen: set[str] = set()
    for index, version in enumerate(versions):
        at: FieldPath = ("spec", "versions", index)
        if version.get("name") in seen:
            yield Problem(
                (*at, "name"), f"Invalid value: {shown(version['name'])}: must contain unique version names"
            )
        seen.add(version.get("name") or "")
        schema = _mapping(version.get("schema")).get("openAPIV3Schema")
        if not isinstance(schema, Mapping):
            yield Problem((*at, "schema", "openAPIV3Schema"), "Required value: schemas are required")
            continue
        inside = (*at, "schema", "openAPIV3Schema")
        if schema.get("type") not in ("object", None):
            yield Problem(
                (*inside, "type"), f"Invalid value: {shown(schema['type'])}: must be object at the root"
            )
        yield from _Structure(types, expressions).problems(schema, inside)


class _Structure:
    """Walks a schema.

    Args:
        types: The built-in types.
        expressions: Compiles the rules in CEL; None leaves them out.
    """

    def __init__(self, types: BuiltinTypes, expressions: Expressions | None) -> None:
        self._types = types
        self._expressions = expressions

    def problems(self, schema: Mapping[str, Any], path: FieldPath, depth: int = 0) -> Iterator[Problem]:
        """Yield why a schema that decodes is not structural, in the parts that checks here rely on."""
        if depth > _DEEPEST:
            yield Problem(path, f"Invalid value: nested more than {_DEEPEST} levels")
            return
        for word in _FORBIDDEN:
            if schema.get(word) is not None:
                yield Problem((*path, word), "Forbidden: " + f"{word} is not supported")
        kind = schema.get("type")
        free = schema.get("x-kubernetes-int-or-string") is True or (
            schema.get("x-kubernetes-preserve-unknown-fields") is True
        )
        if not kind and not free:
            yield Problem((*path, "type"), "Required value: must not be empty for specified object fields")
        elif kind and kind not in _TYPES:
            supported = ", ".join(quote(each) for each in _TYPES)
            yield Problem((*path, "type"), f"Unsupported value: {shown(kind)}: supported values: {supported}")
        if schema.get("uniqueItems") is True:
            yield Problem((*path, "uniqueItems"), "Forbidden: uniqueItems cannot be set to true")
        yield from _pattern_problems(schema, path)
        yield from _list_problems(schema, kind, path)
        if self._expressions is not None:
            yield from self._expressions.compile_problems(schema, path)
        if schema.get("properties") and schema.get("additionalProperties") is not None:
            yield Problem(
                (*path, "additionalProperties"),
                "Forbidden: additionalProperties and properties are mutual exclusive",
            )
        yield from self._inside(schema, path, depth, self.problems)
        yield from self._alternatives(schema, path, depth)

    def _values(self, schema: Mapping[str, Any], path: FieldPath, depth: int) -> Iterator[Problem]:
        """Yield what is wrong within `anyOf` and its kin, where a schema needs no types."""
        if depth > _DEEPEST:
            yield Problem(path, f"Invalid value: nested more than {_DEEPEST} levels")
            return
        yield from _pattern_problems(schema, path)
        yield from self._inside(schema, path, depth, self._values)
        yield from self._alternatives(schema, path, depth)

    def _alternatives(self, schema: Mapping[str, Any], path: FieldPath, depth: int) -> Iterator[Problem]:
        inside = [
            ((*path, word, index), each)
            for word in ("allOf", "anyOf", "oneOf")
            for index, each in enumerate(schema.get(word) or ())
        ]
        if schema.get("not") is not None:
            inside.append(((*path, "not"), schema["not"]))
        yield from self._each(inside, depth, self._values)

    def _inside(
        self, schema: Mapping[str, Any], path: FieldPath, depth: int, judge: _Judge
    ) -> Iterator[Problem]:
        properties, more = schema.get("properties") or {}, schema.get("additionalProperties")
        inside = [((*path, "properties", name), each) for name, each in properties.items()]
        if more is not None and more is not True and more is not False:
            inside.append(((*path, "additionalProperties"), more))
        if schema.get("items") is not None:
            inside.append(((*path, "items"), schema["items"]))
        yield from self._each(inside, depth, judge)

    def _each(self, inside: list[tuple[FieldPath, Any]], depth: int, judge: _Judge) -> Iterator[Problem]:
        for at, each in inside:
            if not isinstance(each, Mapping):
                yield Problem(at, f"expected a schema, found {shown(each)}")
            elif wrong := self._undecoded(each, at):
                yield from wrong
            else:
                yield from judge(each, at, depth + 1)

    def _undecoded(self, schema: Mapping[str, Any], path: FieldPath) -> list[Problem]:
        """Return what does not decode of a schema below `items` or `additionalProperties`.

        The decoder of the whole definition takes them as they come, and lets unknown fields there through.
        """
        if path[-1] not in ("items", "additionalProperties"):
            return []
        found = self._types.problems(_SCHEMA, schema)
        return [
            Problem((*path, *each.path), each.message, each.hint)
            for each in found
            if not each.message.startswith("unknown field")
        ]


def _pattern_problems(schema: Mapping[str, Any], path: FieldPath) -> Iterator[Problem]:
    if isinstance(pattern := schema.get("pattern"), str):
        try:
            compile_pattern(pattern)
        except ValueError as err:
            reason = f"must be a valid regular expression, but isn't: {err}"
            yield Problem((*path, "pattern"), f"Invalid value: {quote(pattern)}: {reason}")


def _list_problems(schema: Mapping[str, Any], kind: Any, path: FieldPath) -> Iterator[Problem]:
    if kind == "array" and not isinstance(schema.get("items"), Mapping):
        yield Problem((*path, "items"), "Required value: must be specified")
    sort, keys = schema.get("x-kubernetes-list-type"), schema.get("x-kubernetes-list-map-keys")
    if sort == "map" and not keys:
        yield Problem(
            (*path, "x-kubernetes-list-map-keys"),
            "Required value: must not be empty if x-kubernetes-list-type is map",
        )
    if sort is not None and sort not in ("atomic", "map", "set"):
        yield Problem(
            (*path, "x-kubernetes-list-type"),
            f'Unsupported value: {shown(sort)}: supported values: "atomic", "map", "set"',
        )


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}
