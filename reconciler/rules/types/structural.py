"""Custom resources against the structural schema of their CRD.

In the API server's order: fields that the schema does not have; nulls dropped and defaults filled in; values,
in the words of its OpenAPI validator; lists that are sets or maps.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import lru_cache
from typing import Any

from reconciler.model.fieldpath import FieldPath
from reconciler.rules.types.constraints.names import dns_1035_label
from reconciler.rules.types.formats import FORMATS
from reconciler.rules.types.problem import Problem, json_type, quote, shown, unknown_field

__all__ = ["compile_pattern", "defaulted", "unknown_fields", "value_problems"]

Schema = Mapping[str, Any]

_ALWAYS_KNOWN = ("apiVersion", "kind", "metadata")
_PRESERVE = "x-kubernetes-preserve-unknown-fields"
_EMBEDDED = "x-kubernetes-embedded-resource"
_INT_OR_STRING = "x-kubernetes-int-or-string"


Metadata = Callable[[Any], Iterable[Problem]]


def unknown_fields(
    schema: Schema, value: Any, metadata: Metadata, path: FieldPath = (), *, root: bool = False
) -> Iterator[Problem]:
    """Yield what does not decode: fields that the schema does not have, and embedded objects that are none.

    Args:
        schema: The schema.
        value: What is checked.
        metadata: Says what is wrong with the metadata of an embedded object.
        path: Where it stands.
        root: Whether it is the whole object; its metadata has been looked at.
    """
    if isinstance(value, list):
        items = schema.get("items")
        if isinstance(items, Mapping):
            for index, item in enumerate(value):
                yield from unknown_fields(items, item, metadata, (*path, index))
        return
    if not isinstance(value, dict):
        return
    properties = schema.get("properties") or {}
    more = schema.get("additionalProperties")
    resource = root or schema.get(_EMBEDDED) is True
    if resource and not root:
        yield from _embedded(value, metadata, path)
    for name, item in value.items():
        if name in properties:
            if not (resource and name == "metadata"):
                yield from unknown_fields(properties[name], item, metadata, (*path, name))
        elif isinstance(more, Mapping):
            yield from unknown_fields(more, item, metadata, (*path, name))
        elif resource and name in _ALWAYS_KNOWN:
            pass
        elif more is not True and schema.get(_PRESERVE) is not True:
            yield unknown_field(path, str(name), (*properties, *(_ALWAYS_KNOWN if resource else ())))


def _embedded(value: dict[str, Any], metadata: Metadata, path: FieldPath) -> Iterator[Problem]:
    for name in ("apiVersion", "kind"):
        if value.get(name) is not None and not isinstance(value[name], str):
            yield Problem((*path, name), f"Invalid value: {shown(value[name])}: must be a string")
    for each in metadata({} if value.get("metadata") is None else value["metadata"]):
        yield Problem((*path, "metadata", *each.path), each.message, each.hint)


def defaulted(schema: Schema, value: Any) -> Any:
    """Return a value with the schema's defaults; what needs none is returned as it is, not copied."""
    if isinstance(value, list):
        items = schema.get("items")
        if not isinstance(items, Mapping):
            return value
        done = [defaulted(items, item) for item in value]
        return done if any(new is not old for new, old in zip(done, value, strict=True)) else value
    if not isinstance(value, dict):
        return value
    result: dict[str, Any] = value
    properties = schema.get("properties") or {}
    for name, of_field in properties.items():
        there = name in value
        if there and value[name] is None and not of_field.get("nullable"):
            result = dict(result) if result is value else result
            del result[name]
            there = False
        if not there and of_field.get("default") is not None:
            result = dict(result) if result is value else result
            result[name] = copy.deepcopy(of_field["default"])
    more = schema.get("additionalProperties")
    for name, item in list(result.items()):
        of_field = properties.get(name, more if isinstance(more, Mapping) else None)
        if of_field is None:
            continue
        if item is None and name not in properties and not of_field.get("nullable"):
            result = dict(result) if result is value else result
            del result[name]
            continue
        new = defaulted(of_field, item)
        if new is not item:
            result = dict(result) if result is value else result
            result[name] = new
    return result


def _fits(found: str, wanted: str) -> bool:
    return found == wanted or (wanted == "number" and found == "integer")


@lru_cache(maxsize=1024)
def compile_pattern(pattern: str) -> Any:
    """Compile a pattern in the dialect of RE2, as the server reads it.

    Raises:
        ValueError: It is no regular expression of RE2; where RE2 is not installed, none of Python.
    """
    import re

    try:
        import re2
    except ImportError:
        try:
            return re.compile(pattern)
        except re.error as err:
            raise ValueError(str(err)) from err
    options = re2.Options()
    options.log_errors = False
    try:
        return re2.compile(pattern, options)
    except re2.error as err:
        reason = err.args[0] if err.args else ""
        raise ValueError(reason.decode() if isinstance(reason, bytes) else str(reason)) from err


def value_problems(schema: Schema, value: Any, path: FieldPath = ()) -> Iterator[Problem]:
    """Yield everything that is wrong with a defaulted value."""
    yield from _values(schema, value, path)
    yield from _lists(schema, value, path)


#: What the server's validator of formats calls what is no string.
_GO = {"integer": "int64", "number": "float64", "boolean": "", "object": "map", "null": "null", "array": ""}


def _values(schema: Schema, value: Any, path: FieldPath) -> Iterator[Problem]:
    if value is None and schema.get("nullable"):
        return
    found = json_type(value)
    wanted = ("integer", "string") if schema.get(_INT_OR_STRING) else (schema.get("type") or "",)
    if wanted != ("",) and not any(_fits(found, each) for each in wanted):
        form = schema.get("format") if wanted == ("string",) else None
        if form in FORMATS:
            # The server's validator looks at the format alone, and takes a list for any.
            if found != "array":
                yield _invalid(path, _GO[found], f'must be of type {form}: "{_GO[found]}"')
            return
        yield _invalid(path, found, f'must be of type {",".join(wanted)}: "{found}"')
        return
    match value:
        case dict():
            yield from _object(schema, value, path)
        case list():
            yield from _list(schema, value, path)
        case str():
            yield from _string(schema, value, path)
        case int() | float() if not isinstance(value, bool):
            yield from _number(schema, value, path)
    values = schema.get("enum")
    if values and not any(_same(value, each) for each in values):
        supported = ", ".join(quote(v) if isinstance(v, str) else json.dumps(v) for v in values)
        yield Problem(path, f"Unsupported value: {shown(value)}: supported values: {supported}")
    yield from _combined(schema, value, path)


def _object(schema: Schema, value: dict[str, Any], path: FieldPath) -> Iterator[Problem]:
    properties = schema.get("properties") or {}
    more = schema.get("additionalProperties")
    low, high = schema.get("minProperties"), schema.get("maxProperties")
    if low is not None and len(value) < low:
        yield _invalid(path, len(value), f"should have at least {low} properties")
    if high is not None and len(value) > high:
        yield Problem(path, f"Too many: {len(value)}: must have at most {high} items")
    for name in schema.get("required") or ():
        if name not in value:
            yield Problem((*path, name), "Required value")
    if schema.get(_EMBEDDED) is True:
        for name in ("apiVersion", "kind"):
            if not value.get(name):
                yield Problem((*path, name), "Required value")
        kind = value.get("kind") or ""
        if kind and (wrong := dns_1035_label(str(kind).lower())) is not None:
            reason = f"may have mixed case, but should otherwise match: {wrong}"
            yield Problem((*path, "kind"), f"Invalid value: {quote(kind)}: {reason}")
    for name, item in value.items():
        if name in properties:
            yield from _values(properties[name], item, (*path, name))
        elif isinstance(more, Mapping):
            yield from _values(more, item, (*path, name))


def _list(schema: Schema, value: list[Any], path: FieldPath) -> Iterator[Problem]:
    low, high = schema.get("minItems"), schema.get("maxItems")
    if low is not None and len(value) < low:
        yield _invalid(path, len(value), f"should have at least {low} items")
    if high is not None and len(value) > high:
        yield Problem(path, f"Too many: {len(value)}: must have at most {high} items")
    items = schema.get("items")
    if isinstance(items, Mapping):
        for index, item in enumerate(value):
            yield from _values(items, item, (*path, index))


def _string(schema: Schema, value: str, path: FieldPath) -> Iterator[Problem]:
    low, high, pattern = schema.get("minLength"), schema.get("maxLength"), schema.get("pattern")
    if high is not None and len(value) > high:
        yield Problem(path, f"Too long: may not be more than {high} bytes")
    elif low is not None and len(value) < low:
        yield _invalid(path, value, f"should be at least {low} chars long")
    elif pattern and compile_pattern(pattern).search(value) is None:
        yield _invalid(path, value, f"should match '{pattern}'")
    check = FORMATS.get(schema.get("format") or "")
    if check is not None and not check(value):
        yield _invalid(path, value, f"must be of type {schema['format']}: {quote(value)}")


def _number(schema: Schema, value: float, path: FieldPath) -> Iterator[Problem]:
    low, high, step = schema.get("minimum"), schema.get("maximum"), schema.get("multipleOf")
    if low is not None and (value < low or (schema.get("exclusiveMinimum") and value == low)):
        word = "greater than" if schema.get("exclusiveMinimum") else "greater than or equal to"
        yield _invalid(path, value, f"should be {word} {low}")
    if high is not None and (value > high or (schema.get("exclusiveMaximum") and value == high)):
        word = "less than" if schema.get("exclusiveMaximum") else "less than or equal to"
        yield _invalid(path, value, f"should be {word} {high}")
    if step and (value / step) != int(value / step):
        yield _invalid(path, value, f"should be a multiple of {step}")
    bits = {"int32": 31, "int64": 63}.get(schema.get("format") or "")
    if bits and not -(2**bits) <= value < 2**bits:
        yield _invalid(path, value, f"must be of type {schema['format']}")


def _combined(schema: Schema, value: Any, path: FieldPath) -> Iterator[Problem]:
    def fits(each: Schema) -> bool:
        return next(_values(each, value, path), None) is None

    some, one, every, no = (schema.get(word) for word in ("anyOf", "oneOf", "allOf", "not"))
    at = quote(_in_body(path))
    if some and not any(fits(each) for each in some):
        yield Problem(path, f'Invalid value: "": {at} must validate at least one schema (anyOf)')
        yield from min((list(_values(each, value, path)) for each in some), key=len)
    if one:
        count = sum(fits(each) for each in one)
        if count != 1:
            found = "Found none valid" if count == 0 else f"Found {count} valid alternatives"
            text = f"{at} must validate one and only one schema (oneOf). {found}"
            yield Problem(path, f'Invalid value: "": {text}')
            if count == 0:
                yield from min((list(_values(each, value, path)) for each in one), key=len)
    if every:
        wrong = [problem for each in every for problem in _values(each, value, path)]
        yield from wrong
        if wrong:
            yield Problem(path, f'Invalid value: "": {at} must validate all the schemas (allOf)')
    if no is not None and fits(no):
        yield Problem(path, f'Invalid value: "": {at} must not validate the schema (not)')


def _lists(schema: Schema, value: Any, path: FieldPath) -> Iterator[Problem]:
    """Yield the entries that stand twice in lists that are sets or maps."""
    if isinstance(value, dict):
        properties, more = schema.get("properties") or {}, schema.get("additionalProperties")
        for name, item in value.items():
            of_field = properties.get(name, more)
            if isinstance(of_field, Mapping) and isinstance(item, dict | list):
                yield from _lists(of_field, item, (*path, name))
    elif isinstance(value, list):
        kind, seen = schema.get("x-kubernetes-list-type"), set()
        for index, item in enumerate(value):
            if kind in {"set", "map"}:
                entry = _entry(schema, item) if kind == "map" else item
                written = json.dumps(entry, sort_keys=True)
                if written in seen:
                    text = (
                        shown(item)
                        if kind == "set"
                        else json.dumps(entry, sort_keys=True, separators=(",", ":"))
                    )
                    yield Problem((*path, index), f"Duplicate value: {text[:200]}")
                seen.add(written)
            items = schema.get("items")
            if isinstance(items, Mapping):
                yield from _lists(items, item, (*path, index))


def _entry(schema: Schema, item: Any) -> Any:
    if not isinstance(item, dict):
        return item
    return {key: item[key] for key in schema.get("x-kubernetes-list-map-keys") or () if key in item}


def _same(value: Any, other: Any) -> bool:
    return json_type(value) == json_type(other) and bool(value == other)


def _in_body(path: FieldPath) -> str:
    """Write a path as the server's validator does: keys as they are, whatever they hold."""
    return "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in path).lstrip(".")


def _invalid(path: FieldPath, value: Any, reason: str) -> Problem:
    found = quote(value) if isinstance(value, str) else shown(value)
    return Problem(path, f"Invalid value: {found}: {_in_body(path)} in body {reason}")
