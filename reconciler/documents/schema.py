"""JSON Schema (draft 2020-12): a fast "yes" by closures, a careful "no, because" by jsonschema.

Importing jsonschema takes longer than checking a thousand sites, so it happens only where something is wrong.
`compile_schema` understands the part of the standard that the schemas here use, and refuses what it does not
understand: a keyword is never passed over in silence.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, TypeAlias

from reconciler.model.fieldpath import FieldPath

__all__ = ["Schema", "SchemaProblem", "UnsupportedSchema"]

Check: TypeAlias = Callable[[Any], bool]

_ANNOTATIONS = frozenset(
    (
        "$schema",
        "$id",
        "$defs",
        "$comment",
        "title",
        "description",
        "default",
        "examples",
        "format",
        "deprecated",
    )
)


class UnsupportedSchema(ValueError):
    """The schema uses a keyword that is not understood here."""


@dataclass(frozen=True, slots=True)
class SchemaProblem:
    """One reason why a value does not fit its schema.

    Attributes:
        path: The field that is wrong; a missing or unknown field's own path.
        keyword: The keyword of the schema that says no, for example `required`.
        value: The value found; None for a missing field.
        wanted: What the keyword wants, as the schema says it.
        schema: The part of the schema that says no.
        known: For an unknown field: the fields that are known there.
    """

    path: FieldPath
    keyword: str
    value: Any
    wanted: Any
    schema: Mapping[str, Any]
    known: tuple[str, ...] = ()


class Schema:
    """A JSON Schema, ready to be asked often.

    Args:
        document: The schema.

    Raises:
        UnsupportedSchema: A keyword of it is not understood.
    """

    def __init__(self, document: Mapping[str, Any]) -> None:
        self.document = _with_patterns_of_python(document)
        self.accepts: Check = _Compiler(self.document).compile(self.document)

    @cached_property
    def _explainer(self) -> Any:
        import jsonschema

        return jsonschema.Draft202012Validator(self.document)

    def problems(self, value: Any) -> tuple[SchemaProblem, ...]:
        """Return everything that is wrong with a value, in the order of the document; () if it fits."""
        if self.accepts(value):
            return ()
        found = [each for error in self._explainer.iter_errors(value) for each in _explain(error)]
        if not found:  # never a "no" that nobody hears
            return (SchemaProblem((), "schema", value, None, self.document),)
        unique = dict.fromkeys((each.path, each.keyword) for each in found)
        first = {(each.path, each.keyword): each for each in reversed(found)}
        return tuple(first[each] for each in unique)


_DATA = frozenset(("enum", "const", "default", "examples"))
_PATTERN_PART = re.compile(r"\\.|\[\^?\]?(?:\\.|[^\]\\])*\]|\$", re.DOTALL)


def _with_patterns_of_python(schema: Any) -> Any:
    """Return the schema with `$` in patterns written so that it means what it does in JSON Schema.

    There it is the end of the text; in Python it is also the place before a final line feed.
    """
    if isinstance(schema, list):
        return [_with_patterns_of_python(each) for each in schema]
    if not isinstance(schema, Mapping):
        return schema
    return {
        name: _PATTERN_PART.sub(lambda part: r"\Z" if part[0] == "$" else part[0], value)
        if name == "pattern" and isinstance(value, str)
        else value
        if name in _DATA
        else _with_patterns_of_python(value)
        for name, value in schema.items()
    }


def _explain(error: Any) -> Iterable[SchemaProblem]:
    """Translate one error of jsonschema; of alternatives, the one that came nearest."""
    keyword, path = error.validator, tuple(error.absolute_path)
    match keyword:
        case "anyOf" | "oneOf" if error.context:
            branches: dict[int, list[Any]] = {}
            for each in error.context:
                branches.setdefault(each.schema_path[0], []).append(each)
            for each in min(reversed(branches.values()), key=_distance):
                for problem in _explain(each):
                    # Words that the whole choice has for what it expects say more than one alternative.
                    of_choice = "x-expected" in error.schema and problem.path == path
                    yield replace(problem, schema=error.schema) if of_choice else problem
        case "additionalProperties" if error.validator_value is False:
            known = tuple(error.schema.get("properties", ()))
            for name in error.instance:
                if name not in known:
                    yield SchemaProblem(
                        (*path, name), keyword, error.instance[name], False, error.schema, known
                    )
        case "required":
            for name in error.validator_value:
                if name not in error.instance:
                    of_field = error.schema.get("properties", {}).get(name, {})
                    yield SchemaProblem((*path, name), keyword, None, name, of_field)
        case "propertyNames":
            for each in error.context or (error,):
                name = each.instance
                yield SchemaProblem((*path, name), keyword, name, each.validator_value, each.schema)
        case _:
            yield SchemaProblem(path, keyword, error.instance, error.validator_value, error.schema)


def _distance(errors: list[Any]) -> tuple[bool, int, float, int]:
    """Order alternatives: the right type first, then deep mistakes, then a smaller part missing, then few."""
    wrong_type = any(each.validator == "type" and not each.path for each in errors)
    missing = [each for each in errors if each.validator == "required"]
    part = len(missing) / len(missing[0].validator_value) if missing else 0.0
    return (wrong_type, -max(len(each.path) for each in errors), part, 0 if missing else len(errors))


class _Compiler:
    """Makes a function of a schema; a function for each `$ref` once."""

    def __init__(self, root: Mapping[str, Any]) -> None:
        self._root = root
        self._refs: dict[str, list[Check]] = {}

    def compile(self, schema: Any) -> Check:
        if schema is True or schema == {}:
            return lambda _: True
        if schema is False:
            return lambda _: False
        checks: list[Check] = []
        for keyword, value in schema.items():
            if keyword in _ANNOTATIONS or keyword.startswith("x-"):
                continue
            make = _KEYWORDS.get(keyword)
            if make is None:
                raise UnsupportedSchema(f"expected a known keyword of JSON Schema, found {keyword!r}")
            check = make(self, value, schema)
            if check is not None:
                checks.append(check)
        if not checks:
            return lambda _: True
        if len(checks) == 1:
            return checks[0]
        # The type first: everything else costs more.
        first, *rest = checks
        if len(rest) == 1:
            second = rest[0]
            return lambda value: first(value) and second(value)
        every = tuple(checks)

        def all_of(value: Any) -> bool:
            for check in every:  # noqa: SIM110 - a generator costs more than the checks
                if not check(value):
                    return False
            return True

        return all_of

    def ref(self, target: str, _: Any) -> Check:
        if not target.startswith("#/"):
            raise UnsupportedSchema(f"expected a $ref into the same document, found {target!r}")
        cell = self._refs.get(target)
        if cell is None:
            cell = self._refs[target] = []
            node: Any = self._root
            for step in target[2:].split("/"):
                node = node[step.replace("~1", "/").replace("~0", "~")]
            cell.append(self.compile(node))
        if cell:
            return cell[0]
        later = cell  # the schema refers to itself: its function is there when it is asked
        return lambda value: later[0](value)  # noqa: PLW0108 - it is not there yet

    def type(self, wanted: str | list[str], _: Any) -> Check:
        if isinstance(wanted, str):
            return _TYPES[wanted]
        options = tuple(_TYPES[each] for each in wanted)
        return lambda value: any(option(value) for option in options)

    def properties(self, wanted: Mapping[str, Any], schema: Mapping[str, Any]) -> Check:
        known = {name: self.compile(each) for name, each in wanted.items()}
        extra = schema.get("additionalProperties", True)
        closed = extra is False
        other = None if extra is True or closed else self.compile(extra)

        def check(value: Any) -> bool:
            if type(value) is not dict:
                return True
            for name, item in value.items():
                of_field = known.get(name)
                if of_field is None:
                    if closed or (other is not None and not other(item)):
                        return False
                elif not of_field(item):
                    return False
            return True

        return check

    def additional(self, wanted: Any, schema: Mapping[str, Any]) -> Check | None:
        return None if "properties" in schema else self.properties({}, {"additionalProperties": wanted})

    def required(self, wanted: list[str], _: Any) -> Check:
        names = tuple(wanted)

        def check(value: Any) -> bool:
            return type(value) is not dict or all(name in value for name in names)

        return check

    def property_names(self, wanted: Any, _: Any) -> Check:
        of_name = self.compile(wanted)
        return lambda value: type(value) is not dict or all(of_name(name) for name in value)

    def items(self, wanted: Any, _: Any) -> Check:
        of_item = self.compile(wanted)
        return lambda value: type(value) is not list or all(of_item(item) for item in value)

    def enum(self, wanted: list[Any], _: Any) -> Check:
        options = [_tagged(each) for each in wanted]
        try:
            quick = frozenset(options)
        except TypeError:
            return lambda value: _tagged(value) in options

        def check(value: Any) -> bool:
            return not isinstance(value, dict | list) and _tagged(value) in quick

        return check

    def const(self, wanted: Any, _: Any) -> Check:
        return self.enum([wanted], _)

    def pattern(self, wanted: str, _: Any) -> Check:
        search = re.compile(wanted).search
        return lambda value: type(value) is not str or search(value) is not None

    def any_of(self, wanted: list[Any], _: Any) -> Check:
        options = tuple(self.compile(each) for each in wanted)
        return lambda value: any(option(value) for option in options)

    def one_of(self, wanted: list[Any], _: Any) -> Check:
        options = tuple(self.compile(each) for each in wanted)
        return lambda value: sum(option(value) for option in options) == 1

    def all_of(self, wanted: list[Any], _: Any) -> Check:
        options = tuple(self.compile(each) for each in wanted)
        return lambda value: all(option(value) for option in options)

    def negation(self, wanted: Any, _: Any) -> Check:
        option = self.compile(wanted)
        return lambda value: not option(value)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _is_integer(value: Any) -> bool:
    return type(value) is int or (type(value) is float and value.is_integer())


def _tagged(value: Any) -> Any:
    """Make `true` and 1 differ, as JSON does and Python does not."""
    if isinstance(value, bool):
        return ("bool", value)
    if isinstance(value, list):
        return ["list", *map(_tagged, value)]
    if isinstance(value, dict):
        return {name: _tagged(item) for name, item in value.items()}
    return value


_TYPES: dict[str, Check] = {
    "object": lambda value: type(value) is dict,
    "array": lambda value: type(value) is list,
    "string": lambda value: type(value) is str,
    "integer": _is_integer,
    "number": _is_number,
    "boolean": lambda value: type(value) is bool,
    "null": lambda value: value is None,
}

_Maker: TypeAlias = Callable[[_Compiler, Any, Any], Check | None]


def _bound(holds: Callable[[Any, Any], bool]) -> _Maker:
    def make(_: _Compiler, limit: Any, __: Any) -> Check:
        return lambda value: not _is_number(value) or holds(value, limit)

    return make


def _size(kind: type[str | list[Any] | dict[str, Any]], holds: Callable[[int, int], bool]) -> _Maker:
    def make(_: _Compiler, limit: int, __: Any) -> Check:
        return lambda value: not isinstance(value, kind) or holds(len(value), limit)

    return make


_KEYWORDS: dict[str, _Maker] = {
    "$ref": _Compiler.ref,
    "type": _Compiler.type,
    "properties": _Compiler.properties,
    "additionalProperties": _Compiler.additional,
    "required": _Compiler.required,
    "propertyNames": _Compiler.property_names,
    "items": _Compiler.items,
    "enum": _Compiler.enum,
    "const": _Compiler.const,
    "pattern": _Compiler.pattern,
    "anyOf": _Compiler.any_of,
    "oneOf": _Compiler.one_of,
    "allOf": _Compiler.all_of,
    "not": _Compiler.negation,
    "minimum": _bound(lambda value, limit: value >= limit),
    "maximum": _bound(lambda value, limit: value <= limit),
    "exclusiveMinimum": _bound(lambda value, limit: value > limit),
    "exclusiveMaximum": _bound(lambda value, limit: value < limit),
    "minLength": _size(str, lambda size, limit: size >= limit),
    "maxLength": _size(str, lambda size, limit: size <= limit),
    "minItems": _size(list, lambda size, limit: size >= limit),
    "maxItems": _size(list, lambda size, limit: size <= limit),
    "minProperties": _size(dict, lambda size, limit: size >= limit),
    "maxProperties": _size(dict, lambda size, limit: size <= limit),
}
