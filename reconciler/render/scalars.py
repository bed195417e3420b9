"""Scalars of YAML as kustomize resolves them, with their source text where it matters.

kustomize works on YAML nodes, so it can see that a number was written `0644` or `1.10`: when it compares
merge keys, turns annotations into strings, or copies a value by a replacement. Plain Python values are
enough for nearly every scalar; the few whose text is not what `str` would write are kept in small subclasses.
"""

from __future__ import annotations

import re
from typing import Any

from reconciler.errors import RenderError
from reconciler.render.timestamps import timestamp

__all__ = [
    "BLANK",
    "FLOW_BLANK",
    "BoolText",
    "CoercedText",
    "FloatText",
    "IntText",
    "LinkedText",
    "NullText",
    "PlainText",
    "QuotedText",
    "TimeText",
    "check_key",
    "is_null",
    "plain",
    "reads_as_word",
    "resolve",
    "resolve_legacy",
    "text_of",
]


class IntText(int):
    """An integer that was not written in the canonical way, such as `0644`."""

    text: str

    @classmethod
    def of(cls, value: int, text: str) -> IntText:
        """Return `value` with the text it was written as."""
        made = cls(value)
        made.text = text
        return made


class FloatText(float):
    """A floating point number with the text it was written as."""

    text: str

    @classmethod
    def of(cls, value: float, text: str) -> FloatText:
        """Return `value` with the text it was written as."""
        made = cls(value)
        made.text = text
        return made


class TimeText(str):
    """A timestamp: as a string it is what JSON shows; `text` is how it was written."""

    __slots__ = ("text",)
    text: str

    @classmethod
    def of(cls, value: str, text: str) -> TimeText:
        """Return `value` with the text it was written as."""
        made = cls(value)
        made.text = text
        return made


class LinkedText(str):
    """A label or annotation that one transformer wrote to several fields of a resource.

    kustomize puts one and the same YAML node in all of these fields, so that a later change of one changes
    all of them. The object's identity stands for that node; its value is never changed.
    """

    __slots__ = ()


class QuotedText(str):
    """A string of one character that stood in quotes; Python shares plain ones, so it needs its own type."""

    __slots__ = ()


class CoercedText(str):
    """What a patch wrote without quotes over quotes: a string, but what replaces it must be of its type.

    kustomize keeps the quotes of the old value and the type of the new one.
    """

    __slots__ = ()


class PlainText(str):
    """A string that has no quotes although it needs them: a patch wrote it over a plain number."""

    __slots__ = ()


class NullText:
    """A null with the text it was written as: nothing at all, or `~`.

    Attributes:
        text: How it was written.
        shown: What it is printed as; a null written as nothing inside `[]` or `{}` becomes "".
    """

    __slots__ = ("shown", "text")

    def __init__(self, text: str, shown: str | None = None) -> None:
        self.text = text
        self.shown = shown

    def __bool__(self) -> bool:
        return False

    def __eq__(self, other: object) -> bool:
        return other is None or isinstance(other, NullText)

    def __hash__(self) -> int:
        return hash(None)

    def __repr__(self) -> str:
        return f"NullText({self.text!r})"


class BoolText:
    """A boolean that was not written in the canonical way, such as `True`."""

    __slots__ = ("text", "value")

    def __init__(self, value: bool, text: str) -> None:
        self.value = value
        self.text = text


#: A null that was written as nothing: `key:`. A strategic merge drops it, and keeps one written `null`.
BLANK = NullText("")

#: The same inside `[]` or `{}`.
FLOW_BLANK = NullText("", "")

_WORDS: dict[str, Any] = {
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
    **dict.fromkeys(("~", "null", "Null", "NULL"), None),
    **dict.fromkeys((".nan", ".NaN", ".NAN"), float("nan")),
    **dict.fromkeys((".inf", ".Inf", ".INF", "+.inf", "+.Inf", "+.INF"), float("inf")),
    **dict.fromkeys(("-.inf", "-.Inf", "-.INF"), float("-inf")),
}
_LEGACY_WORDS: dict[str, Any] = {
    **_WORDS,
    **dict.fromkeys(("y", "Y", "yes", "Yes", "YES", "on", "On", "ON"), True),
    **dict.fromkeys(("n", "N", "no", "No", "NO", "off", "Off", "OFF"), False),
}
_FIRST_OF_WORDS = frozenset("yYnNtTfFoO~")
_FIRST_OF_NUMBERS = frozenset("+-0123456789")
_FIRST_OF_KEYS = _FIRST_OF_WORDS | _FIRST_OF_NUMBERS | {".", ""}

_DECIMAL = re.compile(r"[+-]?[0-9]+\Z")
_INTEGER = re.compile(r"([+-]?)(?:0[xX]([0-9a-fA-F]+)|0[bB]([01]+)|0[oO]([0-7]+)|0([0-7]*)|([1-9][0-9]*))\Z")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?\Z")
_DOTTED = re.compile(r"\.[0-9][0-9_]*([eE][-+]?[0-9]+)?\Z|\.[0-9]+\Z")
_MAX_UNSIGNED = 2**64 - 1
_MIN_SIGNED = -(2**63)


def _integer(text: str) -> int | None:
    """Return the integer that Go's `ParseInt(text, 0, 64)` or `ParseUint` reads, or None."""
    match = _INTEGER.match(text)
    if match is None:
        return None
    sign, hexadecimal, binary, octal, old_octal, decimal = match.groups()
    if hexadecimal is not None:
        value = int(hexadecimal, 16)
    elif binary is not None:
        value = int(binary, 2)
    elif octal is not None:
        value = int(octal, 8)
    elif old_octal is not None:
        value = int(old_octal, 8) if old_octal else 0
    else:
        value = int(decimal)
    if sign == "-":
        value = -value
    limit = _MAX_UNSIGNED if not sign else 2**63 - 1
    return value if _MIN_SIGNED <= value <= limit else None


def _number(text: str) -> Any:
    """Return the number or timestamp that `text` is, or `text` itself."""
    written = timestamp(text)
    if written is not None:
        return TimeText.of(written, text)
    bare = text.replace("_", "") if "_" in text else text
    whole = _integer(bare)
    if whole is not None:
        return whole if str(whole) == text else IntText.of(whole, text)
    if _FLOAT.match(bare):
        value = float(bare)
        if value not in (float("inf"), float("-inf")):
            return FloatText.of(value, text)
    return text


def resolve(text: str) -> Any:
    """Return the value of a plain scalar in the dialect of resources (YAML 1.2 with a few older forms).

    Words come back as `BoolText` and `NullText` where they are not written as `true`, `false` or `null`.
    """
    if not text:
        return BLANK
    first = text[0]
    if first in _FIRST_OF_NUMBERS:
        if text in _WORDS:
            return FloatText.of(_WORDS[text], text)
        return _number(text)
    if first in _FIRST_OF_WORDS:
        if text not in _WORDS:
            return text
        value = _WORDS[text]
        if value is None:
            return None if text == "null" else NullText(text)
        return value if text in ("true", "false") else BoolText(value, text)
    if first == ".":
        if text in _WORDS:
            return FloatText.of(_WORDS[text], text)
        return FloatText.of(float(text), text) if _DOTTED.match(text) and "_" not in text else text
    return text


def resolve_legacy(text: str) -> Any:
    """Return the value of a plain scalar as kustomization files and JSON patches are read (YAML 1.1)."""
    if not text:
        return None
    first = text[0]
    if (first in _FIRST_OF_WORDS or first in ".+-") and text in _LEGACY_WORDS:
        return _LEGACY_WORDS[text]
    if first in _FIRST_OF_NUMBERS:
        value = _number(text)
        return text if isinstance(value, TimeText) else value
    if first == "." and _DOTTED.match(text) and "_" not in text:
        return float(text)
    return text


def reads_as_word(value: Any) -> bool:
    """Return whether a string, without quotes, is no string to a reader of YAML 1.1: `yes`, `off`."""
    return isinstance(value, str) and value in _LEGACY_WORDS


def check_key(key: str, where: str) -> None:
    """Refuse a key that kustomize would write without quotes and then not read as a string.

    Raises:
        RenderError: The key is such a one.
    """
    if key[:1] in _FIRST_OF_KEYS and resolve(key).__class__ is not str:
        raise RenderError(
            f"expected a key that reads as a string without quotes in {where}, found {key!r}",
            code="ambiguous-key",
            hint="kustomize cannot write this key: use another one",
        )


def is_null(value: Any) -> bool:
    """Return whether a value is a null of any spelling."""
    return value is None or value.__class__ is NullText


def text_of(value: Any) -> str:
    """Return the text of a scalar as a YAML node holds it; "" for maps and lists."""
    if isinstance(value, TimeText | IntText | FloatText | NullText | BoolText):
        return value.text
    if isinstance(value, str):
        return value
    if value is None:
        return "null"
    if value is True:
        return "true"
    if value is False:
        return "false"
    if isinstance(value, int | float):
        return str(value)
    return ""


def plain(value: Any) -> Any:
    """Return a value with every kept text dropped: what JSON would show of it."""
    kind = value.__class__
    if kind is dict:
        return {key: plain(child) for key, child in value.items()}
    if kind is list:
        return [plain(child) for child in value]
    if kind is str or kind is int or kind is bool or value is None or kind is float:
        return value
    if kind is NullText:
        return value.shown
    if kind is BoolText:
        return value.value
    if isinstance(value, str):
        return str.__str__(value)
    if isinstance(value, int):
        return int(value)
    if isinstance(value, float):
        return float(value)
    return value
