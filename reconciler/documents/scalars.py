"""What a YAML scalar means, in the dialect of `kubectl kustomize`.

Kustomize reads YAML with go-yaml v3, writes it as JSON and prints that JSON as YAML. So a value here is
what is left after that way: `yes` and `1:20` are strings, `0644` is 420, `1.0` is 1, a date is an RFC 3339
string, and an integer that 64 bits cannot hold is a float.
"""

from __future__ import annotations

import base64
import binascii
import datetime
import re
from decimal import Decimal
from functools import lru_cache
from typing import TypeAlias

__all__ = ["SPECIAL_START", "Scalar", "ScalarError", "resolve", "resolve_tagged"]

Scalar: TypeAlias = str | int | float | bool | None

#: A plain scalar that begins with none of these is a string.
SPECIAL_START = frozenset("+-.0123456789~tTfFnN")

_WORDS: dict[str, Scalar] = {
    "": None,
    **dict.fromkeys(("~", "null", "Null", "NULL")),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
}
_NOT_JSON = frozenset(
    sign + word
    for sign, words in (("", ("nan", "NaN", "NAN", "inf", "Inf", "INF")), ("+", ("inf", "Inf", "INF")))
    for word in (f".{text}" for text in words)
) | frozenset(("-.inf", "-.Inf", "-.INF"))

_INTEGER = re.compile(
    r"(?P<sign>[-+]?)(?:0[xX](?P<hex>[0-9a-fA-F]+)|0[bB](?P<bin>[01]+)|0[oO]?(?P<oct>[0-7]+)|(?P<dec>0|[1-9][0-9]*))"
)
# A sign may follow the prefix as well: go-yaml hands what follows it to strconv once more.
_SIGN_INSIDE = re.compile(r"0(?:b(?P<bin>[-+][01]+)|o(?P<oct>[-+][0-7]+))")
_FLOAT = re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?")
_POINT_FLOAT = re.compile(r"\.[0-9]+(?:[eE][-+]?[0-9]+)?")
_TIMESTAMP = re.compile(
    r"(?P<year>[0-9]{4})-(?P<month>[0-9]{1,2})-(?P<day>[0-9]{1,2})"
    r"(?:(?P<separator>[Tt ])(?P<hour>[0-9]{1,2}):(?P<minute>[0-9]{1,2}):(?P<second>[0-9]{1,2})"
    r"(?:[.,](?P<fraction>[0-9]+))?(?P<zone>Z|[-+][0-9]{2}:[0-9]{2})?)?"
)
_INT64_MIN, _INT64_MAX, _UINT64_MAX = -(2**63), 2**63 - 1, 2**64 - 1


class ScalarError(ValueError):
    """The scalar has no value in JSON, or does not fit its tag."""


@lru_cache(maxsize=8192)
def resolve(text: str) -> Scalar:
    """Return the value of a plain scalar without a tag.

    Raises:
        ScalarError: It is infinite or not a number, which JSON cannot say.
    """
    if text in _WORDS:
        return _WORDS[text]
    if text in _NOT_JSON:
        raise ScalarError(f"expected a value that JSON can hold, found {text}")
    first = text[0]
    if first == ".":
        return _number(float(text), text) if _POINT_FLOAT.fullmatch(text) else text
    if first not in "+-0123456789":
        return text
    stamp = _timestamp(text)
    if stamp is not None:
        return stamp
    plain = text.replace("_", "")
    integer = _integer(plain)
    if integer is not None:
        return integer
    if _FLOAT.fullmatch(plain):
        return _number(float(plain), text)
    return text


def _integer(plain: str) -> int | None:
    """Return an integer of 64 bits, or None where the text is something else."""
    match = _INTEGER.fullmatch(plain)
    if match is None:
        inner = _SIGN_INSIDE.fullmatch(plain)
        if inner is None:
            return None
        value = int(inner["bin"], 2) if inner["bin"] else int(inner["oct"], 8)
        return value if _INT64_MIN <= value <= _INT64_MAX else None
    if match["hex"]:
        value = int(match["hex"], 16)
    elif match["bin"]:
        value = int(match["bin"], 2)
    elif match["oct"]:
        value = int(match["oct"], 8)
    elif len(match["dec"]) > 20:
        return None
    else:
        value = int(match["dec"])
    if match["sign"] == "-":
        value = -value
    limit = _INT64_MAX if match["sign"] else _UINT64_MAX
    return value if _INT64_MIN <= value <= limit else None


def _number(value: float, text: str) -> Scalar:
    """Return a float as JSON carries it: whole numbers as integers, and what overflows as the text it was."""
    if value in (float("inf"), float("-inf")):
        return text
    if value.is_integer() and abs(value) < 1e21:
        whole = int(Decimal(repr(value)))  # the shortest digits that mean this float, as Go prints it
        if _INT64_MIN <= whole <= _UINT64_MAX:
            return whole
    return value


def _timestamp(text: str) -> str | None:
    """Return a date or time as RFC 3339, or None where the text is something else."""
    if len(text) < 8 or text[4] != "-":
        return None
    match = _TIMESTAMP.fullmatch(text)
    if match is None or not text.isascii():
        return None
    separator, zone = match["separator"], match["zone"]
    if separator is not None and (separator == " ") == (zone is not None):
        return None
    year, month, day = int(match["year"]), int(match["month"]), int(match["day"])
    try:
        # Year 0 exists in Go and was a leap year, as 400 was.
        datetime.date(year or 400, month, day)
        clock = datetime.time(int(match["hour"] or 0), int(match["minute"] or 0), int(match["second"] or 0))
    except ValueError:
        return None
    if zone not in (None, "Z") and (int(zone[1:3]) > 23 or int(zone[4:]) > 59):
        return None
    fraction = (match["fraction"] or "")[:9].rstrip("0")
    offset = "Z" if zone in (None, "Z") or zone[1:] == "00:00" else zone
    return f"{year:04}-{month:02}-{day:02}T{clock.isoformat()}{'.' if fraction else ''}{fraction}{offset}"


_PREFIX = "tag:yaml.org,2002:"


def resolve_tagged(tag: str, text: str) -> Scalar:
    """Return the value of a scalar with an explicit tag; tags that YAML does not define leave a string.

    Raises:
        ScalarError: The text does not fit the tag.
    """
    if not tag.startswith(_PREFIX):
        return text
    name = tag.removeprefix(_PREFIX)
    if name == "binary":
        try:
            content = base64.b64decode(text.replace("\n", "").replace("\r", ""), validate=True)
        except (binascii.Error, ValueError):
            raise ScalarError("expected base64 after !!binary, found something else") from None
        return content.decode(errors="replace")
    if name not in ("int", "float", "bool", "null", "timestamp"):
        return text
    value = resolve(text)
    fits = {
        "int": type(value) is int and "." not in text and not _is_float(text),
        "float": isinstance(value, int | float) and not isinstance(value, bool),
        "bool": isinstance(value, bool),
        "null": value is None,
        "timestamp": isinstance(value, str) and _timestamp(text) is not None,
    }[name]
    if not fits:
        raise ScalarError(f"expected a value of the type !!{name}, found {text[:40]!r}")
    return value


def _is_float(text: str) -> bool:
    return _integer(text.replace("_", "")) is None
