"""The functions of plain CEL and of its standard extensions, as signatures: `id: name(params) -> result`.

A signature that begins with a type and a dot is a member function. Capital letters are type parameters.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache

from reconciler.rules.cel.library.catalog import available
from reconciler.rules.cel.types import Type, is_variable, parse_type

__all__ = ["Functions", "Signature", "functions"]


@dataclass(frozen=True, slots=True)
class Signature:
    """One overload, for the type checker.

    Attributes:
        id: Overload id.
        params: Types of the arguments, a member function's receiver first.
        result: Type of the result.
        member: Whether it has a receiver.
        generic: Whether it has type parameters.
    """

    id: str
    params: tuple[Type, ...]
    result: Type
    member: bool
    generic: bool


Functions = dict[str, tuple[Signature, ...]]

_LINE = re.compile(
    r"(?P<id>\S+?): (?:(?P<receiver>[^ ].*?)\.)?(?P<name>[\w@.?\[\]:&|!+*/%<>=-]+?)"
    r"\((?P<params>.*)\) -> (?P<result>.+)"
)

_CORE = """
conditional: _?_:_(bool, A, A) -> A
logical_and: _&&_(bool, bool) -> bool
logical_or: _||_(bool, bool) -> bool
logical_not: !_(bool) -> bool
not_strictly_false: @not_strictly_false(bool) -> bool
equals: _==_(A, A) -> bool
not_equals: _!=_(A, A) -> bool
add_bytes: _+_(bytes, bytes) -> bytes
add_double: _+_(double, double) -> double
add_duration_duration: _+_(duration, duration) -> duration
add_duration_timestamp: _+_(duration, timestamp) -> timestamp
add_timestamp_duration: _+_(timestamp, duration) -> timestamp
add_int64: _+_(int, int) -> int
add_list: _+_(list(A), list(A)) -> list(A)
add_string: _+_(string, string) -> string
add_uint64: _+_(uint, uint) -> uint
divide_double: _/_(double, double) -> double
divide_int64: _/_(int, int) -> int
divide_uint64: _/_(uint, uint) -> uint
modulo_int64: _%_(int, int) -> int
modulo_uint64: _%_(uint, uint) -> uint
multiply_double: _*_(double, double) -> double
multiply_int64: _*_(int, int) -> int
multiply_uint64: _*_(uint, uint) -> uint
negate_double: -_(double) -> double
negate_int64: -_(int) -> int
subtract_double: _-_(double, double) -> double
subtract_duration_duration: _-_(duration, duration) -> duration
subtract_int64: _-_(int, int) -> int
subtract_timestamp_duration: _-_(timestamp, duration) -> timestamp
subtract_timestamp_timestamp: _-_(timestamp, timestamp) -> duration
subtract_uint64: _-_(uint, uint) -> uint
index_list: _[_](list(A), int) -> A
index_map: _[_](map(A, B), A) -> B
in_list: @in(A, list(A)) -> bool
in_map: @in(A, map(A, B)) -> bool
size_bytes: size(bytes) -> int
bytes_size: bytes.size() -> int
size_list: size(list(A)) -> int
list_size: list(A).size() -> int
size_map: size(map(A, B)) -> int
map_size: map(A, B).size() -> int
size_string: size(string) -> int
string_size: string.size() -> int
type: type(A) -> type(A)
bool_to_bool: bool(bool) -> bool
string_to_bool: bool(string) -> bool
bytes_to_bytes: bytes(bytes) -> bytes
string_to_bytes: bytes(string) -> bytes
double_to_double: double(double) -> double
int64_to_double: double(int) -> double
string_to_double: double(string) -> double
uint64_to_double: double(uint) -> double
duration_to_duration: duration(duration) -> duration
int64_to_duration: duration(int) -> duration
string_to_duration: duration(string) -> duration
to_dyn: dyn(A) -> dyn
int64_to_int64: int(int) -> int
double_to_int64: int(double) -> int
duration_to_int64: int(duration) -> int
string_to_int64: int(string) -> int
timestamp_to_int64: int(timestamp) -> int
uint64_to_int64: int(uint) -> int
string_to_string: string(string) -> string
bool_to_string: string(bool) -> string
bytes_to_string: string(bytes) -> string
double_to_string: string(double) -> string
duration_to_string: string(duration) -> string
int64_to_string: string(int) -> string
timestamp_to_string: string(timestamp) -> string
uint64_to_string: string(uint) -> string
timestamp_to_timestamp: timestamp(timestamp) -> timestamp
int64_to_timestamp: timestamp(int) -> timestamp
string_to_timestamp: timestamp(string) -> timestamp
uint64_to_uint64: uint(uint) -> uint
double_to_uint64: uint(double) -> uint
int64_to_uint64: uint(int) -> uint
string_to_uint64: uint(string) -> uint
contains_string: string.contains(string) -> bool
ends_with_string: string.endsWith(string) -> bool
starts_with_string: string.startsWith(string) -> bool
matches: matches(string, string) -> bool
matches_string: string.matches(string) -> bool
"""
_DATE_PARTS = (
    ["FullYear", "Month", "DayOfYear", "DayOfMonth", "Date", "DayOfWeek"],
    ["Hours", "Minutes", "Seconds", "Milliseconds"],
)
_ORDERED = (
    ("bool", "bool"),
    ("int64", "int"),
    ("uint64", "uint"),
    ("double", "double"),
    ("string", "string"),
    ("bytes", "bytes"),
    ("timestamp", "timestamp"),
    ("duration", "duration"),
)
_MIXED = (
    ("int64_double", "int", "double"),
    ("int64_uint64", "int", "uint"),
    ("uint64_double", "uint", "double"),
    ("uint64_int64", "uint", "int"),
    ("double_int64", "double", "int"),
    ("double_uint64", "double", "uint"),
)
_ORDERINGS = (("less", "<"), ("less_equals", "<="), ("greater", ">"), ("greater_equals", ">="))

_OPTIONAL = """
optional_of: optional.of(A) -> optional_type(A)
optional_ofNonZeroValue: optional.ofNonZeroValue(A) -> optional_type(A)
optional_none: optional.none() -> optional_type(A)
optional_value: optional_type(A).value() -> A
optional_hasValue: optional_type(A).hasValue() -> bool
optional_or_optional: optional_type(A).or(optional_type(A)) -> optional_type(A)
optional_orValue_value: optional_type(A).orValue(A) -> A
list_optindex_optional_int: _[?_](list(A), int) -> optional_type(A)
optional_list_optindex_optional_int: _[?_](optional_type(list(A)), int) -> optional_type(A)
map_optindex_optional_value: _[?_](map(A, B), A) -> optional_type(B)
optional_map_optindex_optional_value: _[?_](optional_type(map(A, B)), A) -> optional_type(B)
optional_list_index_int: _[_](optional_type(list(A)), int) -> optional_type(A)
optional_map_index_value: _[_](optional_type(map(A, B)), A) -> optional_type(B)
"""

_STRINGS_0 = """
string_char_at_int: string.charAt(int) -> string
string_index_of_string: string.indexOf(string) -> int
string_index_of_string_int: string.indexOf(string, int) -> int
string_last_index_of_string: string.lastIndexOf(string) -> int
string_last_index_of_string_int: string.lastIndexOf(string, int) -> int
string_lower_ascii: string.lowerAscii() -> string
string_replace_string_string: string.replace(string, string) -> string
string_replace_string_string_int: string.replace(string, string, int) -> string
string_split_string: string.split(string) -> list(string)
string_split_string_int: string.split(string, int) -> list(string)
string_substring_int: string.substring(int) -> string
string_substring_int_int: string.substring(int, int) -> string
string_trim: string.trim() -> string
string_upper_ascii: string.upperAscii() -> string
"""
_STRINGS_2 = """
string_format: string.format(list(dyn)) -> string
strings_quote: strings.quote(string) -> string
list_join: list(string).join() -> string
list_join_string: list(string).join(string) -> string
"""
_SETS = """
list_sets_contains_list: sets.contains(list(A), list(A)) -> bool
list_sets_equivalent_list: sets.equivalent(list(A), list(A)) -> bool
list_sets_intersects_list: sets.intersects(list(A), list(A)) -> bool
"""
_TWO_VARIABLES = """
@mapInsert_map_map: cel.@mapInsert(map(A, B), map(A, B)) -> map(A, B)
@mapInsert_map_key_value: cel.@mapInsert(map(A, B), A, B) -> map(A, B)
"""
_LISTS_3 = """
list_slice: list(A).slice(int, int) -> list(A)
list_flatten: list(list(A)).flatten() -> list(A)
list_flatten_int: list(dyn).flatten(int) -> list(dyn)
lists_range: lists.range(int) -> list(int)
list_distinct: list(A).distinct() -> list(A)
list_reverse: list(A).reverse() -> list(A)
optional_unwrap: optional.unwrap(list(optional_type(A))) -> list(A)
optional_unwrapOpt: list(optional_type(A)).unwrapOpt() -> list(A)
list_first: list(A).first() -> optional_type(A)
list_last: list(A).last() -> optional_type(A)
"""
_PLAIN = 99
_SORTABLE = ("int", "uint", "double", "bool", "duration", "timestamp", "string", "bytes")


def _read(block: str) -> list[tuple[str, Signature]]:
    found = []
    for line in block.strip().splitlines():
        match = _LINE.fullmatch(line)
        if match is None:
            raise ValueError(f"expected a signature, found {line!r}")
        name, receiver = match["name"], match["receiver"]
        params = [parse_type(param) for param in _split(match["params"])]
        if receiver and not _is_type(receiver):
            name, receiver = f"{receiver}.{name}", None
        if receiver:
            params.insert(0, parse_type(receiver))
        found.append((name, _signature(match["id"], tuple(params), match["result"], member=bool(receiver))))
    return found


def _is_type(text: str) -> bool:
    return text.partition("(")[0] in _TYPES


_TYPES = frozenset(
    [
        "bool",
        "int",
        "uint",
        "double",
        "string",
        "bytes",
        "list",
        "map",
        "duration",
        "timestamp",
        "optional_type",
    ]
)


def _split(text: str) -> list[str]:
    parts, depth, current = [], 0, ""
    for char in text:
        depth += (char == "(") - (char == ")")
        if char == "," and not depth:
            parts.append(current)
            current = ""
        else:
            current += char
    return [*parts, current] if current.strip() else parts


def _signature(id_: str, params: tuple[Type, ...], result: str, *, member: bool) -> Signature:
    found = parse_type(result)
    return Signature(id_, params, found, member, any(map(_generic, (*params, found))))


def _generic(term: Type) -> bool:
    return is_variable(term) or any(map(_generic, term.args))


def _computed(*, mixed: bool) -> str:
    lines = []
    for name, operator in _ORDERINGS:
        lines += [f"{name}_{kind}: _{operator}_({term}, {term}) -> bool" for kind, term in _ORDERED]
        if mixed:
            lines += [f"{name}_{kind}: _{operator}_({a}, {b}) -> bool" for kind, a, b in _MIXED]
    for part in _DATE_PARTS[0]:
        lines.append(f"timestamp_to_{part}: timestamp.get{part}() -> int")
        lines.append(f"timestamp_to_{part}_with_tz: timestamp.get{part}(string) -> int")
    for part in _DATE_PARTS[1]:
        lines.append(f"timestamp_to_{part}: timestamp.get{part}() -> int")
        lines.append(f"timestamp_to_{part}_tz: timestamp.get{part}(string) -> int")
        lines.append(f"duration_to_{part}: duration.get{part}() -> int")
    return "\n".join(lines)


def _sorting() -> str:
    lines = [f"list_{kind}_sort: list({kind}).sort() -> list({kind})" for kind in _SORTABLE]
    lines += [
        f"list_{kind}_sortByAssociatedKeys: list(T).@sortByAssociatedKeys(list({kind})) -> list(T)"
        for kind in _SORTABLE
    ]
    return "\n".join(lines)


@cache
def functions(version: int | None) -> Functions:
    """Return every function of a Kubernetes version's environment (the minor of 1.minor), or of plain CEL."""
    minor = _PLAIN if version is None else version
    blocks = [_CORE, _computed(mixed=version is not None and minor >= 28), _STRINGS_0]
    if minor >= 28:
        blocks.append(_OPTIONAL)
    if minor >= 29:
        blocks += [_STRINGS_2, _SETS]
    if minor >= 32:
        blocks.append(_TWO_VARIABLES)
    if minor >= 34:
        blocks += [_LISTS_3, _sorting()]
    found: dict[str, list[Signature]] = {}
    for name, signature in _read("\n".join(block.strip() for block in blocks)):
        found.setdefault(name, []).append(signature)
    for overload in available(version):
        params = tuple(parse_type(param) for param in overload.params)
        found.setdefault(overload.function, []).append(
            _signature(overload.id, params, overload.result, member=overload.member)
        )
    return {name: tuple(overloads) for name, overloads in found.items()}
