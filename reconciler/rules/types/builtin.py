"""Built-in kinds: a fast yes by closures, and an explanation where the answer is no.

Both follow the API server: first its strict decoding, with nothing else said while that fails; then what its
validation demands of the decoded object, as far as `constraints` knows it. A `status` is decoded and not
validated, because the server drops it when an object is created.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, TypeAlias

from reconciler.model.fieldpath import FieldPath
from reconciler.rules.types.catalogue import Field, TypeCatalogue
from reconciler.rules.types.constraints import (
    CONSTRAINTS,
    INLINE,
    OPTIONAL,
    UNCHECKED,
    UNVALIDATED,
    Constraints,
)
from reconciler.rules.types.problem import Problem, quote, shown, type_name, unknown_field
from reconciler.rules.types.scalars import SCALARS

__all__ = ["BuiltinTypes"]

Check: TypeAlias = Callable[[Any], bool]
_NO_CONSTRAINTS = Constraints()
#: Fields whose values are never shown.
_CONFIDENTIAL = frozenset({("core.v1.Secret", "data"), ("core.v1.Secret", "stringData")})


class BuiltinTypes:
    """The types of one Kubernetes version, each compiled on first use.

    Args:
        catalogue: The version's types.
    """

    def __init__(self, catalogue: TypeCatalogue) -> None:
        self._catalogue = catalogue
        self._structs: dict[tuple[str, bool], Check] = {}

    def accepts(self, name: str, value: Any) -> bool:
        """Tell whether an object of a type decodes and is valid. May raise RecursionError."""
        return self._struct(name, validated=True)(value)

    def problems(self, name: str, value: Any) -> tuple[Problem, ...]:
        """Return what is wrong with an object: all that does not decode, else all that is not valid."""
        found = tuple(self._decode(name, value, ()))
        return found or tuple(self._validate(name, value, ()))

    # Acceptance

    def _struct(self, name: str, *, validated: bool) -> Check:
        key = (name, validated)
        check = self._structs.get(key)
        if check is None:
            check = self._structs[key] = self._compile_struct(name, validated=validated)
        return check

    def _compile_struct(self, name: str, *, validated: bool) -> Check:
        fields = self._catalogue.fields(name)
        of = CONSTRAINTS.get(name, _NO_CONSTRAINTS) if validated else _NO_CONSTRAINTS
        checks = {
            field: self._compile_field(name, field, spec, of, validated=validated)
            for field, spec in fields.items()
        }
        get = checks.get
        required = self._required(name, fields) if validated else ()
        inline = self._inline(name, fields) if validated else ()
        pairs = tuple((field, checks[field]) for field in inline)
        whole, minor = of.whole, self._catalogue.minor

        def accepts(value: Any) -> bool:
            if not isinstance(value, dict):
                return False
            for field, item in value.items():
                check = get(field)
                if check is None or (item is not None and not check(item)):
                    return False
            for field in required:
                if value.get(field) is None:
                    return False
            for field, check in pairs:
                if value.get(field) is None and not check({}):
                    return False
            for rule in whole:
                for _ in rule(value, minor):
                    return False
            return True

        return accepts

    def _compile_field(
        self, name: str, field: str, spec: Field, of: Constraints, *, validated: bool
    ) -> Check:
        inside = validated and self._validates(name, field)
        check = self._compile(spec.type, validated=inside)
        if not validated:
            return check
        if spec.values and (name, field) not in UNCHECKED:
            check = _both(check, _one_of(spec))
        if (constraint := of.fields.get(field)) is not None:
            minor = self._catalogue.minor
            check = _both(check, lambda value: constraint(value, minor) is None)
        return check

    def _compile(self, type_: str, *, validated: bool) -> Check:
        if type_.startswith("[]"):
            of_item = self._compile(type_[2:], validated=validated)
            # A null in a list of objects is an empty object.
            return _list_of(of_item) if type_[2:] in SCALARS else _list_of(of_item, null={})
        if type_.startswith("{}"):
            return _map_of(self._compile(type_[2:], validated=validated))
        if (scalar := SCALARS.get(type_)) is not None:
            return scalar.accepts
        compiled: list[Check] = []

        def later(value: Any) -> bool:
            # Types refer to themselves, and most are never met: they are compiled when they are.
            if not compiled:
                compiled.append(self._struct(type_, validated=validated))
            return compiled[0](value)

        return later

    def _required(self, name: str, fields: Mapping[str, Field]) -> tuple[str, ...]:
        return tuple(
            field
            for field, spec in fields.items()
            if spec.required and (name, field) not in OPTIONAL and not _is_spec(field, spec)
        )

    def _inline(self, name: str, fields: Mapping[str, Field]) -> tuple[str, ...]:
        """Return the fields that are objects and no pointers in Go, so that absent means empty."""
        return tuple(
            field for field, spec in fields.items() if _is_spec(field, spec) or (name, field) in INLINE
        )

    def _validates(self, name: str, field: str) -> bool:
        return field != "status" and self._catalogue.minor >= UNVALIDATED.get((name, field), 0)

    # Explanation

    def _decode(self, type_: str, value: Any, path: FieldPath) -> Iterator[Problem]:
        if value is None:
            return
        if type_.startswith("[]"):
            if not isinstance(value, list):
                yield _mismatch(path, "a list", value)
                return
            for index, item in enumerate(value):
                yield from self._decode(type_[2:], item, (*path, index))
        elif type_.startswith("{}"):
            if not isinstance(value, dict):
                yield _mismatch(path, "a map", value)
                return
            for key, item in value.items():
                if isinstance(key, str):
                    yield from self._decode(type_[2:], item, (*path, key))
                else:
                    yield _mismatch((*path, str(key)), "a string as key", key)
        elif (scalar := SCALARS.get(type_)) is not None:
            if not scalar.accepts(value):
                yield _mismatch(path, scalar.wanted, value)
        elif not isinstance(value, dict):
            yield _mismatch(path, "an object", value)
        else:
            fields = self._catalogue.fields(type_)
            for name, item in value.items():
                spec = fields.get(name)
                if spec is None:
                    yield unknown_field(path, str(name), fields)
                elif (type_, name) in _CONFIDENTIAL:
                    for each in self._decode(spec.type, item, (*path, name)):
                        yield Problem(each.path, each.message.partition(", found")[0], each.hint)
                else:
                    yield from self._decode(spec.type, item, (*path, name))

    def _validate(self, type_: str, value: Any, path: FieldPath) -> Iterator[Problem]:
        if type_.startswith("[]"):
            if type_[2:] not in SCALARS:
                for index, item in enumerate(value):
                    yield from self._validate(type_[2:], {} if item is None else item, (*path, index))
        elif type_.startswith("{}"):
            for key, item in value.items():
                if item is not None:
                    yield from self._validate(type_[2:], item, (*path, key))
        elif type_ not in SCALARS:
            yield from self._validate_struct(type_, value, path)

    def _validate_struct(self, name: str, value: Any, path: FieldPath) -> Iterator[Problem]:
        fields, of = self._catalogue.fields(name), CONSTRAINTS.get(name, _NO_CONSTRAINTS)
        minor = self._catalogue.minor
        for field in self._required(name, fields):
            if value.get(field) is None:
                yield Problem((*path, field), "Required value")
        for field, item in value.items():
            spec, at = fields[field], (*path, field)
            if item is None:
                continue
            if spec.values and (name, field) not in UNCHECKED and not _one_of(spec)(item):
                yield _unsupported(at, spec, item)
                continue
            constraint = of.fields.get(field)
            message = None if constraint is None else constraint(item, minor)
            if message is not None:
                yield Problem(at, message)
            if self._validates(name, field):
                yield from self._validate(spec.type, item, at)
        for field in self._inline(name, fields):
            if value.get(field) is None:
                yield from self._validate(fields[field].type, {}, (*path, field))
        for rule in of.whole:
            for relative, message in rule(value, minor):
                yield Problem((*path, *relative), message)


def _list_of(of_item: Check, null: Any = None) -> Check:
    def accepts(value: Any) -> bool:
        if not isinstance(value, list):
            return False
        for each in value:
            item = null if each is None else each
            if item is not None and not of_item(item):
                return False
        return True

    return accepts


def _map_of(of_value: Check) -> Check:
    def accepts(value: Any) -> bool:
        if not isinstance(value, dict):
            return False
        for key, item in value.items():
            if not isinstance(key, str) or (item is not None and not of_value(item)):
                return False
        return True

    return accepts


def _is_spec(field: str, spec: Field) -> bool:
    return field == "spec" and spec.type not in SCALARS and not spec.type.startswith(("[]", "{}"))


def _both(first: Check, second: Check) -> Check:
    return lambda value: first(value) and second(value)


def _one_of(spec: Field) -> Check:
    # An empty string counts as absent: the server's defaults fill it.
    allowed = frozenset((*spec.values, ""))
    if spec.type.startswith("[]"):
        in_list = frozenset(spec.values) - {""}
        return in_list.issuperset
    return lambda value: value in allowed


def _unsupported(path: FieldPath, spec: Field, value: Any) -> Problem:
    supported = ", ".join(quote(each) for each in sorted(spec.values) if each)
    if isinstance(value, list):
        index, value = next((i, item) for i, item in enumerate(value) if not item or item not in spec.values)
        path = (*path, index)
    return Problem(path, f"Unsupported value: {shown(value)}: supported values: {supported}")


def _mismatch(path: FieldPath, wanted: str, value: Any) -> Problem:
    hint = ""
    if wanted == "a string" and isinstance(value, bool | int | float):
        hint = "put the value in quotes"
    elif isinstance(value, str) and wanted in {"true or false", "an integer", "an integer of 32 bits"}:
        hint = "write the value without quotes" if SCALARS["any"].accepts(value) and _plain(value) else ""
    return Problem(path, f"expected {wanted}, found the {type_name(value)}", hint)


def _plain(text: str) -> bool:
    return text in {"true", "false"} or text.lstrip("-").isdigit()
