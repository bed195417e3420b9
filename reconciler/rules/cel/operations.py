"""The operators and conversions of CEL over plain Python values, with 64-bit arithmetic."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any, Final

from reconciler.rules.cel import moments
from reconciler.rules.cel.errors import CelEvaluationError, CelUnsupportedError
from reconciler.rules.cel.library import network, quantity
from reconciler.rules.cel.library.catalog import OPAQUE
from reconciler.rules.cel.values import Uint

__all__ = [
    "NONE",
    "NO_OVERLOAD",
    "Optional",
    "TypeName",
    "arithmetic",
    "compare",
    "convert",
    "equal",
    "format_double",
    "type_name",
]

NO_OVERLOAD: Final = "no such overload"
_MOST_CHARACTERS = 1 << 20
_MOST_ELEMENTS = 20_000


@dataclass(frozen=True, slots=True)
class Optional:
    """An optional value: `values` has one element, or none."""

    values: tuple[Any, ...] = ()


NONE: Final = Optional()


class TypeName(str):
    """A type as a value: its name."""

    __slots__ = ()


_NAMES: tuple[tuple[type, str], ...] = (
    (bool, "bool"),
    (Uint, "uint"),
    (int, "int"),
    (float, "double"),
    (TypeName, "type"),
    (str, "string"),
    (bytes, "bytes"),
    (list, "list"),
    (dict, "map"),
    (timedelta, "google.protobuf.Duration"),
    (datetime, "google.protobuf.Timestamp"),
    (Optional, "optional_type"),
    *((kind, name) for name, kind in OPAQUE.items()),
)


def type_name(value: object) -> str:
    """Return the name of a value's type.

    Raises:
        CelUnsupportedError: It is no value of CEL.
    """
    if value is None:
        return "null_type"
    for kind, name in _NAMES:
        if isinstance(value, kind):
            return name
    raise CelUnsupportedError(f"a value of the Python type {type(value).__name__} is not known here")


def overloaded() -> CelEvaluationError:
    """Return the error for arguments that no overload takes."""
    return CelEvaluationError(NO_OVERLOAD)


def _is_number(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def equal(left: Any, right: Any) -> bool:
    """Compare as CEL does: numbers by value, and nothing else across types."""
    if _is_number(left) and _is_number(right):
        left, right = _alike(left, right)
        return bool(left == right)
    if isinstance(left, quantity.Quantity) and isinstance(right, quantity.Quantity):
        return left.compare(right) == 0
    name = type_name(left)
    if name != type_name(right):
        return False
    if name == "list":
        return len(left) == len(right) and all(map(equal, left, right))
    if name == "map":
        return len(left) == len(right) and all(
            key in right and equal(value, right[key]) for key, value in left.items()
        )
    if name == "optional_type":
        return len(left.values) == len(right.values) and all(map(equal, left.values, right.values))
    if name == "kubernetes.URL":
        return str(left) == str(right)
    return bool(left == right)


def _alike(left: Any, right: Any) -> tuple[Any, Any]:
    """Return two numbers as the kind that they are compared as: an integer beside a double is a double."""
    if isinstance(left, float) or isinstance(right, float):
        return float(left), float(right)
    return left, right


def compare(left: Any, right: Any) -> int:
    """Return -1, 0 or 1.

    Raises:
        CelEvaluationError: The two cannot be ordered.
    """
    if _is_number(left) and _is_number(right):
        left, right = _alike(left, right)
    else:
        name = type_name(left)
        ordered = ("bool", "string", "bytes", "google.protobuf.Duration", "google.protobuf.Timestamp")
        if name != type_name(right) or name not in ordered:
            raise overloaded()
    if left != left or right != right:  # noqa: PLR0124 - only NaN is not itself
        raise CelUnsupportedError("an order of NaN and other numbers")
    return int(left > right) - int(left < right)


def _bounded(value: int, kind: type) -> int:
    if kind is Uint:
        if not 0 <= value < 2**64:
            raise CelEvaluationError("unsigned integer overflow")
        return Uint(value)
    if not -(2**63) <= value < 2**63:
        raise CelEvaluationError("integer overflow")
    return value


def _add(left: Any, right: Any) -> Any:
    match type_name(left), type_name(right):
        case ("string", "string") | ("bytes", "bytes"):
            if len(left) + len(right) > _MOST_CHARACTERS:
                raise CelUnsupportedError("the text is too long for this engine")
            return left + right
        case ("list", "list"):
            if len(left) + len(right) > _MOST_ELEMENTS:
                raise CelUnsupportedError("the list is too long for this engine")
            return left + right
        case ("double", "double"):
            return left + right
        case ("google.protobuf.Duration", "google.protobuf.Duration"):
            return _moment(lambda: left + right)
        case ("google.protobuf.Timestamp", "google.protobuf.Duration") | (
            "google.protobuf.Duration",
            "google.protobuf.Timestamp",
        ):
            return _moment(lambda: left + right)
    return _whole(left, right, lambda a, b: a + b)


def _subtract(left: Any, right: Any) -> Any:
    match type_name(left), type_name(right):
        case ("double", "double"):
            return left - right
        case ("google.protobuf.Duration", "google.protobuf.Duration") | (
            "google.protobuf.Timestamp",
            "google.protobuf.Timestamp" | "google.protobuf.Duration",
        ):
            return _moment(lambda: left - right)
    return _whole(left, right, lambda a, b: a - b)


def _moment(compute: Callable[[], Any]) -> Any:
    try:
        found = compute()
    except OverflowError as err:
        raise CelEvaluationError("timestamp overflow") from err
    if isinstance(found, timedelta) and abs(found) > timedelta(microseconds=2**63 // 1000):
        raise CelEvaluationError("duration overflow")
    return found


def _whole(left: Any, right: Any, compute: Callable[[int, int], int]) -> int:
    kind = type(left)
    if kind is not type(right) or kind not in (int, Uint):
        raise overloaded()
    return _bounded(compute(int(left), int(right)), kind)


def _multiply(left: Any, right: Any) -> Any:
    if isinstance(left, float) and isinstance(right, float):
        return left * right
    return _whole(left, right, lambda a, b: a * b)


def _divide(left: Any, right: Any) -> Any:
    if isinstance(left, float) and isinstance(right, float):
        if right:
            return left / right
        if left == 0 or math.isnan(left):
            return math.nan
        return math.copysign(math.inf, left) * math.copysign(1.0, right)

    def quotient(a: int, b: int) -> int:
        if b == 0:
            raise CelEvaluationError("division by zero")
        found = abs(a) // abs(b)
        return found if (a < 0) == (b < 0) else -found

    return _whole(left, right, quotient)


def _remainder(left: Any, right: Any) -> Any:
    def rest(a: int, b: int) -> int:
        if b == 0:
            raise CelEvaluationError("modulus by zero")
        _bounded(abs(a) // abs(b) if (a < 0) == (b < 0) else 0, type(left))
        found = abs(a) % abs(b)
        return -found if a < 0 else found

    return _whole(left, right, rest)


def _negate(value: Any) -> Any:
    if isinstance(value, float):
        return -value
    if type(value) is not int:
        raise overloaded()
    return _bounded(-value, int)


#: Arithmetic by operator.
arithmetic: Final[dict[str, Callable[..., Any]]] = {
    "_+_": _add,
    "_-_": _subtract,
    "_*_": _multiply,
    "_/_": _divide,
    "_%_": _remainder,
    "-_": _negate,
}


def _failed(value: object, to: str) -> CelEvaluationError:
    return CelEvaluationError(f"type conversion error from '{type_name(value)}' to '{to}'")


def _digits(text: str) -> bool:
    body = text[1:] if text[:1] in ("+", "-") else text
    return body.isascii() and body.isdigit() and len(body) < 64


def _to_int(value: Any) -> int:
    match value:
        case bool():
            raise overloaded()
        case int():
            return _bounded(int(value), int)
        case float():
            if not math.isfinite(value) or not -(2.0**63) < value < 2.0**63:
                raise CelEvaluationError("integer overflow")
            return int(value)
        case datetime():
            return (
                math.floor(value.timestamp())
                if value.microsecond == 0
                else int((value - _EPOCH).total_seconds() // 1)
            )
        case str() if not isinstance(value, TypeName):
            if not _digits(value) or not -(2**63) <= int(value) < 2**63:
                raise _failed(value, "int")
            return int(value)
    raise overloaded()


_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def _to_uint(value: Any) -> Uint:
    match value:
        case bool():
            raise overloaded()
        case int():
            return Uint(_bounded(int(value), Uint))
        case float():
            if not math.isfinite(value) or not 0 <= value < 2.0**64:
                raise CelEvaluationError("unsigned integer overflow")
            return Uint(int(value))
        case str() if not isinstance(value, TypeName):
            if not _digits(value) or value[0] in "+-" or int(value) >= 2**64:
                raise _failed(value, "uint")
            return Uint(value)
    raise overloaded()


def _to_double(value: Any) -> float:
    match value:
        case bool():
            raise overloaded()
        case int() | float():
            return float(value)
        case str() if not isinstance(value, TypeName):
            text = value.strip("+-").lower()
            if (
                value != value.strip()
                or not value.isascii()
                or "_" in value
                or (text[:1].isalpha() and text not in _SPECIAL)
            ):
                raise _failed(value, "double")
            try:
                found = float(value)
            except ValueError as err:
                if "x" in text:
                    raise CelUnsupportedError("hexadecimal floating-point text") from err
                raise _failed(value, "double") from err
            if math.isinf(found) and text not in _SPECIAL:
                raise _failed(value, "double")
            return found
    raise overloaded()


_SPECIAL = frozenset({"inf", "infinity", "nan"})


def format_double(value: float) -> str:
    """Write a double in the shortest way, with an exponent for what is large or small."""
    if math.isnan(value):
        return "NaN"
    if math.isinf(value):
        return "+Inf" if value > 0 else "-Inf"
    sign, digits, exponent = Decimal(repr(value)).as_tuple()
    text = "".join(map(str, digits)).rstrip("0") or "0"
    if not isinstance(exponent, int):
        raise CelUnsupportedError("a number that is none")
    point = len(digits) + exponent if value else 1
    minus = "-" if sign else ""
    if -4 <= point - 1 < 6:
        if point <= 0:
            return f"{minus}0.{'0' * -point}{text}"
        whole, part = text[:point].ljust(point, "0"), text[point:]
        return f"{minus}{whole}.{part}" if part else f"{minus}{whole}"
    mantissa = f"{text[0]}.{text[1:]}" if len(text) > 1 else text
    power = point - 1
    return f"{minus}{mantissa}e{'-' if power < 0 else '+'}{abs(power):02d}"


def _to_string(value: Any) -> str:
    match value:
        case bool():
            return "true" if value else "false"
        case TypeName():
            raise overloaded()
        case str():
            return value
        case int():
            return str(int(value))
        case float():
            return format_double(value)
        case bytes():
            try:
                return value.decode()
            except UnicodeDecodeError as err:
                raise CelEvaluationError("invalid UTF-8 in bytes, cannot convert to string") from err
        case timedelta():
            return moments.format_duration(value)
        case datetime():
            return moments.format_timestamp(value)
        case network.Ip() | network.Cidr():
            return str(value)
    raise overloaded()


def _to_bool(value: Any) -> bool:
    if isinstance(value, bool):
        return value
    if isinstance(value, str) and not isinstance(value, TypeName):
        if value in ("1", "t", "true", "TRUE", "True", "T"):
            return True
        if value in ("0", "f", "false", "FALSE", "False", "F"):
            return False
        raise _failed(value, "bool")
    raise overloaded()


def _to_bytes(value: Any) -> bytes:
    if isinstance(value, str) and not isinstance(value, TypeName):
        return value.encode("utf-8", "surrogatepass")
    if isinstance(value, bytes):
        return value
    raise overloaded()


def _to_duration(value: Any) -> timedelta:
    match value:
        case timedelta():
            return value
        case str() if not isinstance(value, TypeName):
            return moments.parse_duration(value)
        case int() if type(value) is int:
            if value % 1000:
                raise CelUnsupportedError("a duration finer than a microsecond")
            return timedelta(microseconds=value // 1000)
    raise overloaded()


def _to_timestamp(value: Any) -> datetime:
    match value:
        case datetime():
            return value
        case str() if not isinstance(value, TypeName):
            return moments.parse_timestamp(value)
        case int() if type(value) is int:
            try:
                return _EPOCH + timedelta(seconds=value)
            except OverflowError as err:
                raise CelEvaluationError("timestamp overflow") from err
    raise overloaded()


#: Conversions by name of the type.
convert: Final[dict[str, Callable[[Any], Any]]] = {
    "int": _to_int,
    "uint": _to_uint,
    "double": _to_double,
    "string": _to_string,
    "bool": _to_bool,
    "bytes": _to_bytes,
    "duration": _to_duration,
    "timestamp": _to_timestamp,
    "dyn": lambda value: value,
    "type": lambda value: TypeName(type_name(value)),
}
