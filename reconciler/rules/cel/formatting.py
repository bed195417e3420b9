"""`string.format` as the API server has it, which is not as newer CEL has it.

Kubernetes keeps the second version of the strings extension: what stands in a list or a map is quoted, a
`%f` groups its digits by thousands, and a `%e` has six places and a power of ten in superscripts.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from reconciler.rules.cel.errors import CelEvaluationError, CelUnsupportedError
from reconciler.rules.cel.operations import TypeName, convert, type_name
from reconciler.rules.cel.texts import formatted
from reconciler.rules.cel.validators import FITTING

__all__ = ["format_as_kubernetes"]

_SUPERSCRIPT = str.maketrans("0123456789-", "⁰¹²³⁴⁵⁶⁷⁸⁹⁻")
_ESCAPES = {
    "\a": "\\a",
    "\b": "\\b",
    "\f": "\\f",
    "\n": "\\n",
    "\r": "\\r",
    "\t": "\\t",
    "\v": "\\v",
    "\\": "\\\\",
    '"': '\\"',
}


def format_as_kubernetes(template: str, values: list[Any]) -> str:
    """Format as `string.format` of a Kubernetes version does.

    Raises:
        CelEvaluationError: A clause is wrong, or has no value that fits.
    """
    return formatted(template, values, _clause)


def _clause(clause: str, precision: str, value: Any) -> str:
    number = isinstance(value, int) and not isinstance(value, bool)
    match clause:
        case "s":
            return _text(value)
        case "d" if number:
            return str(int(value))
        case "f" if isinstance(value, float):
            return _fixed(value, precision)
        case "e" if isinstance(value, float):
            return _scientific(value)
        case "b" if isinstance(value, int):
            return f"{int(value):b}"
        case "o" if number:
            return f"{int(value):o}"
        case "x" | "X" if number:
            return format(int(value), clause)
        case "x" | "X" if isinstance(value, (str, bytes)) and not isinstance(value, TypeName):
            raw = value.encode() if isinstance(value, str) else value
            return raw.hex() if clause == "x" else raw.hex().upper()
        case "d" | "f" | "e" | "b" | "o" | "x" | "X":
            raise CelEvaluationError(
                f"error during formatting: {FITTING[clause.lower()][1]} {type_name(value)}"
            )
    raise CelEvaluationError(f'could not parse formatting clause: unrecognized formatting clause "{clause}"')


def _fixed(value: float, precision: str) -> str:
    if not math.isfinite(value):
        return "NaN" if math.isnan(value) else "∞" if value > 0 else "-∞"
    return f"{value:,.{int(precision or 6)}f}"


def _scientific(value: float) -> str:
    if not math.isfinite(value):
        return _fixed(value, "")
    mantissa, _, power = f"{value:.6e}".partition("e")
    written = power.replace("+", "").translate(_SUPERSCRIPT)
    return f"{mantissa}\N{MULTIPLICATION SIGN}10{written}"


def _text(value: Any) -> str:
    match value:
        case None:
            return "null"
        case list():
            return f"[{', '.join(map(_element, value))}]"
        case dict() | Mapping():
            pairs = sorted((_element(key), _element(item)) for key, item in value.items())
            return "{" + ", ".join(f"{key}:{item}" for key, item in pairs) + "}"
        case TypeName():
            return str(value)
        case str() | int() | float() | bytes() | timedelta() | datetime():
            return str(convert["string"](value))
        case _:
            raise CelUnsupportedError("the format clause %s for this value")


def _element(value: Any) -> str:
    """Return what stands in a list or a map, as CEL would write it."""
    match value:
        case TypeName():
            return str(value)
        case str():
            return _quoted(value)
        case bytes():
            return f"b{_quoted(_text(value))}"
        case timedelta():
            return f'duration("{_text(value)}")'
        case datetime():
            return f'timestamp("{_text(value)}")'
        case float():
            special = {"NaN": '"NaN"', "+Inf": '"+Inf"', "-Inf": '"-Inf"'}
            return f"{value:.6f}" if math.isfinite(value) else special[_text(value)]
        case _:
            return _text(value)


def _quoted(text: str) -> str:
    """Quote as Go does: what can be printed stays."""
    return (
        '"'
        + "".join(_ESCAPES.get(char, char if char.isprintable() else _escaped(char)) for char in text)
        + '"'
    )


def _escaped(char: str) -> str:
    code = ord(char)
    if code < 0x80:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"
