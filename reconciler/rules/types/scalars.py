"""What the API server's decoder takes for each scalar type of the Kubernetes API.

Follows Go's strict JSON decoding into the types of `k8s.io/api`: no string is taken for a number and no
number for a string; a quantity or an int-or-string takes both; null is as good as absent and is handled by
the
caller.
"""

from __future__ import annotations

import base64
import binascii
import datetime
import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from types import MappingProxyType
from typing import Any

from reconciler.model.quantity import QuantityError, parse_quantity

__all__ = ["SCALARS", "ScalarType", "is_finite_json", "is_quantity", "is_time"]


@dataclass(frozen=True, slots=True)
class ScalarType:
    """A scalar type.

    Attributes:
        accepts: Tells whether the decoder takes a value that is not null.
        wanted: The type in words, with an article.
    """

    accepts: Callable[[Any], bool]
    wanted: str


def _integer(low: int, high: int) -> Callable[[Any], bool]:
    def accepts(value: Any) -> bool:
        if type(value) is int:
            return low <= value <= high
        # 1e3 and 2.0 of YAML reach the API server as whole numbers.
        return type(value) is float and value.is_integer() and low <= value <= high

    return accepts


def _is_string(value: Any) -> bool:
    return isinstance(value, str)


def _is_bool(value: Any) -> bool:
    return value is True or value is False


def _is_number(value: Any) -> bool:
    return type(value) is int or (type(value) is float and math.isfinite(value))


_int32 = _integer(-(2**31), 2**31 - 1)
_int64 = _integer(-(2**63), 2**63 - 1)


def _is_int_or_string(value: Any) -> bool:
    return isinstance(value, str) or _int32(value)


@lru_cache(maxsize=4096)
def _is_quantity_text(text: str) -> bool:
    try:
        parse_quantity(text.strip())
    except QuantityError:
        return False
    return True


def is_quantity(value: Any) -> bool:
    """Tell whether a value is a quantity: a string such as `500m`, or a number."""
    if isinstance(value, str):
        return _is_quantity_text(value)
    return _is_number(value)


def _is_bytes(value: Any) -> bool:
    if isinstance(value, list):
        return all(type(item) is int and 0 <= item < 256 for item in value)
    if not isinstance(value, str):
        return False
    try:
        base64.b64decode(value.replace("\n", "").replace("\r", ""), validate=True)
    except (binascii.Error, ValueError):
        return False
    return True


_TIME = re.compile(
    r"(\d{4})-(\d\d)-(\d\d)T(\d\d?):(\d\d):(\d\d)(?P<fraction>[.,]\d+)?(?:Z|[+-](\d\d):(\d\d))\Z", re.ASCII
)


def is_time(text: Any, *, micro: bool = False) -> bool:
    """Tell whether a value is a time of RFC 3339 as Go parses it.

    Args:
        text: The value.
        micro: Whether it must have exactly six digits of a second's fraction.
    """
    match = _TIME.match(text) if isinstance(text, str) else None
    if match is None or (micro and len(match["fraction"] or "") != 7):
        return False
    year, month, day, hour, minute, second = (int(match[i]) for i in range(1, 7))
    try:
        datetime.date(year or 4, month, day)
    except ValueError:
        return False
    zone = match.group(8), match.group(9)
    in_zone = zone[0] is None or (int(zone[0]) <= 24 and int(zone[1]) < 60)
    return hour < 24 and minute < 60 and second < 60 and in_zone


def is_finite_json(value: Any) -> bool:
    """Tell whether a value can be written as JSON: no NaN, no infinity, only strings as keys."""
    stack = [value]
    while stack:
        item = stack.pop()
        if isinstance(item, dict):
            if not all(isinstance(key, str) for key in item):
                return False
            stack.extend(item.values())
        elif isinstance(item, list):
            stack.extend(item)
        elif isinstance(item, float):
            if not math.isfinite(item):
                return False
        elif item is not None and not isinstance(item, str | int):
            return False
    return True


#: By the names that the catalogue of types uses.
SCALARS: Mapping[str, ScalarType] = MappingProxyType(
    {
        "string": ScalarType(_is_string, "a string"),
        "bool": ScalarType(_is_bool, "true or false"),
        "int32": ScalarType(_int32, "an integer of 32 bits"),
        "int64": ScalarType(_int64, "an integer"),
        "double": ScalarType(_is_number, "a number"),
        "quantity": ScalarType(is_quantity, "a quantity such as 500m, 128Mi or 2"),
        "intorstring": ScalarType(_is_int_or_string, "an integer or a string"),
        "bytes": ScalarType(_is_bytes, "a string in base64"),
        "time": ScalarType(is_time, "a time such as 2026-01-31T12:00:00Z"),
        "microtime": ScalarType(
            lambda value: is_time(value, micro=True), "a time such as 2026-01-31T12:00:00.000000Z"
        ),
        "any": ScalarType(is_finite_json, "a value of JSON (no NaN, no infinity)"),
    }
)
