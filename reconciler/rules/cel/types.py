"""Types of CEL: values that can be read from text, written as cel-go writes them, and compared."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from reconciler.errors import UsageError

__all__ = [
    "ANY",
    "BOOL",
    "BYTES",
    "DOUBLE",
    "DURATION",
    "DYN",
    "ERROR",
    "INT",
    "NULL",
    "STRING",
    "TIMESTAMP",
    "TYPE",
    "UINT",
    "ObjectType",
    "Type",
    "is_variable",
    "list_of",
    "map_of",
    "optional_of",
    "parse_type",
    "shown",
    "type_of",
    "wrapper_of",
]


@dataclass(frozen=True, slots=True)
class Type:
    """A type term.

    Attributes:
        name: `int`, `list`, `map`, `optional_type`, `wrapper`, `type`, the name of a message or opaque type,
            or of a type parameter, which is one capital letter.
        args: Type arguments.
    """

    name: str
    args: tuple[Type, ...] = ()

    def __str__(self) -> str:
        if not self.args:
            return self.name
        return f"{self.name}({', '.join(map(str, self.args))})"


@dataclass(frozen=True, slots=True)
class ObjectType:
    """A struct whose fields are declared, for variables such as `request`.

    Attributes:
        name: The type's name, for example `kubernetes.AdmissionRequest`.
        fields: Type of each field, as text or as another struct.
    """

    name: str
    fields: Mapping[str, str | ObjectType] = field(default_factory=dict, hash=False)


DYN: Final = Type("dyn")
ANY: Final = Type("any")
ERROR: Final = Type("!error!")
NULL: Final = Type("null_type")
BOOL: Final = Type("bool")
INT: Final = Type("int")
UINT: Final = Type("uint")
DOUBLE: Final = Type("double")
STRING: Final = Type("string")
BYTES: Final = Type("bytes")
DURATION: Final = Type("google.protobuf.Duration")
TIMESTAMP: Final = Type("google.protobuf.Timestamp")
TYPE: Final = Type("type")

_SYNONYMS: Final = {"optional": "optional_type"}
_ARITY: Final = {"list": 1, "map": 2, "optional_type": 1, "type": 1, "wrapper": 1}
_ALIASES: Final[dict[str, Type]] = {
    "duration": DURATION,
    "timestamp": TIMESTAMP,
    "null": NULL,
    "null_type": NULL,
    "any": ANY,
    "google.protobuf.Any": ANY,
    "google.protobuf.Value": DYN,
    "google.protobuf.Struct": Type("map", (STRING, DYN)),
    "google.protobuf.ListValue": Type("list", (DYN,)),
    "google.protobuf.BoolValue": Type("wrapper", (BOOL,)),
    "google.protobuf.Int32Value": Type("wrapper", (INT,)),
    "google.protobuf.Int64Value": Type("wrapper", (INT,)),
    "google.protobuf.UInt32Value": Type("wrapper", (UINT,)),
    "google.protobuf.UInt64Value": Type("wrapper", (UINT,)),
    "google.protobuf.FloatValue": Type("wrapper", (DOUBLE,)),
    "google.protobuf.DoubleValue": Type("wrapper", (DOUBLE,)),
    "google.protobuf.StringValue": Type("wrapper", (STRING,)),
    "google.protobuf.BytesValue": Type("wrapper", (BYTES,)),
}
_TOKEN = re.compile(r"\s*([A-Za-z_~@][\w.@]*|[()<>,])")


def list_of(item: Type) -> Type:
    """Return the type of a list."""
    return Type("list", (item,))


def map_of(key: Type, value: Type) -> Type:
    """Return the type of a map."""
    return Type("map", (key, value))


def optional_of(item: Type) -> Type:
    """Return the type of an optional value."""
    return Type("optional_type", (item,))


def wrapper_of(item: Type) -> Type:
    """Return the type of a value or null."""
    return Type("wrapper", (item,))


def type_of(item: Type) -> Type:
    """Return the type of a type."""
    return Type("type", (item,))


def is_variable(term: Type) -> bool:
    """Tell whether a term is a type parameter."""
    return len(term.name) <= 6 and (term.name[0] == "~" or (len(term.name) == 1 and term.name.isupper()))


_SHOWN: Final = {
    "null_type": "null",
    "google.protobuf.Duration": "duration",
    "google.protobuf.Timestamp": "timestamp",
    "!error!": "dyn",
}


def shown(term: Type) -> str:
    """Write a type as cel-go writes it in messages."""
    name = _SHOWN.get(term.name, term.name)
    return f"{name}({', '.join(map(shown, term.args))})" if term.args else name


def parse_type(text: str) -> Type:
    """Read a type, for example `map(string, list(dyn))`.

    Raises:
        UsageError: The text is not a type.
    """
    tokens: list[str] = []
    at = 0
    stripped = text.rstrip()
    while at < len(stripped):
        match = _TOKEN.match(stripped, at)
        if match is None:
            raise UsageError(f"expected a CEL type such as map(string, int), found {text!r}")
        tokens.append({"<": "(", ">": ")"}.get(match[1], match[1]))
        at = match.end()
    found, end = _term(tokens, 0, text)
    if end != len(tokens):
        raise UsageError(f"expected a CEL type such as map(string, int), found {text!r}")
    return found


def _term(tokens: list[str], at: int, text: str) -> tuple[Type, int]:
    if at >= len(tokens) or tokens[at] in "(),":
        raise UsageError(f"expected a CEL type such as map(string, int), found {text!r}")
    name = _SYNONYMS.get(tokens[at], tokens[at])
    alias = _ALIASES.get(name)
    at += 1
    args: list[Type] = []
    if at < len(tokens) and tokens[at] == "(":
        while True:
            arg, at = _term(tokens, at + 1, text)
            args.append(arg)
            if at >= len(tokens) or tokens[at] not in ",)":
                raise UsageError(f"expected ')' in the CEL type {text!r}")
            if tokens[at] == ")":
                at += 1
                break
    if alias is not None:
        return alias, at
    arity = _ARITY.get(name, 0)
    if not args and arity and name != "type":
        args = [DYN] * arity
    if args and arity and len(args) != arity:
        raise UsageError(f"expected {arity} type arguments for {name}, found {len(args)} in {text!r}")
    return Type(name, tuple(args)), at
