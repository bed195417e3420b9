"""Values to YAML text, byte for byte as `kubectl kustomize` writes it.

kustomize prints JSON through an old YAML library: keys in "natural" order, strings quoted when YAML 1.1 would
read them as something else, text of several lines as a literal block, and lines folded after column 80.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from decimal import Decimal
from functools import cache, cmp_to_key
from typing import Any

from reconciler.render.scalars import NullText, resolve_legacy
from reconciler.render.timestamps import timestamp

__all__ = [
    "format_float",
    "format_go_float",
    "format_json_float",
    "needs_escapes",
    "plain_allowed",
    "scalar_text",
    "to_yaml",
    "write_document",
]

_WIDTH = 80
_MAX_SIMPLE_KEY = 128
_MAX_CACHED = 100_000

_SIMPLE = re.compile(r"[A-Za-z/$(<=^\\_;][A-Za-z0-9/$()<=^\\_;.+@~-]*\Z")
_BASE60 = re.compile(r"[-+]?[0-9][0-9_]*(?::[0-5]?[0-9])+(?:\.[0-9_]*)?\Z")
_UNICODE_BREAKS = re.compile("[\u2028\u2029]+(?=[^\u2028\u2029])")
_LINE_BREAKS = re.compile("[\n\u2028\u2029]")
_LETTERS_ONLY = re.compile(r"[A-Za-z]*\Z")
_ESCAPES = {
    "\0": "\\0",
    "\a": "\\a",
    "\b": "\\b",
    "\t": "\\t",
    "\n": "\\n",
    "\v": "\\v",
    "\f": "\\f",
    "\r": "\\r",
    "\x1b": "\\e",
    '"': '\\"',
    "\\": "\\\\",
    "\x85": "\\N",
    "\xa0": "\\_",
    "\u2028": "\\L",
    "\u2029": "\\P",
}
_PRINTABLE = "\\x20-\\x7e\\xa0-\\ud7ff\\ue000-\\ufefe\\uff00-\\ufffd"

_WORDS = frozenset(
    word
    for word in [
        "y",
        "Y",
        "yes",
        "Yes",
        "YES",
        "on",
        "On",
        "ON",
        "n",
        "N",
        "no",
        "No",
        "NO",
        "off",
        "Off",
        "OFF",
        "true",
        "True",
        "TRUE",
        "false",
        "False",
        "FALSE",
    ]
) | {"~", "null", "Null", "NULL", "", ".nan", ".NaN", ".NAN", "<<"}

_texts: dict[str, str] = {}
_orders: dict[tuple[str, ...], list[tuple[str, str]]] = {}


def to_yaml(documents: Iterable[Mapping[str, Any]]) -> str:
    """Return documents as one YAML stream, separated by `---`."""
    return "---\n".join(write_document(document) for document in documents)


def write_document(document: Mapping[str, Any]) -> str:
    """Return one document as YAML text that ends with a newline."""
    if not document:
        return "{}\n"
    out: list[str] = []
    _write_map(out.append, document, "", 0)
    return "".join(out)


def _write_map(put: Callable[[str], None], value: Mapping[str, Any], first: str, indent: int) -> None:
    """Write a map that is not empty; `first` stands before the first key, `indent` spaces before others."""
    names = tuple(value)
    order = _orders.get(names)
    if order is None:
        order = _key_order(names)
    pad = " " * indent
    lead = first
    for name, shown in order:
        child = value[name]
        put(lead)
        lead = pad
        put(shown)
        if shown == "?":
            _write_text(put, name, indent + 2, indent + 2)
            put(pad)
            put(":")
            _write_item(put, child, indent)
            continue
        kind = child.__class__
        if kind is str:
            text = _texts.get(child)
            if text is not None and (len(text) < 40 or " " not in text):
                put(" ")
                put(text)
                put("\n")
            else:
                _write_text(put, child, indent + len(shown) + 1, indent + 2)
        elif kind is dict:
            if child:
                put("\n")
                _write_map(put, child, pad + "  ", indent + 2)
            else:
                put(" {}\n")
        elif kind is list:
            if child:
                put("\n")
                _write_list(put, child, pad, indent)
            else:
                put(" []\n")
        else:
            _write_other(put, child, indent + len(shown) + 1, indent)


def _write_list(put: Callable[[str], None], value: list[Any], first: str, indent: int) -> None:
    """Write a list that is not empty, each item at `indent` spaces."""
    pad = " " * indent
    lead = first
    for child in value:
        put(lead)
        put("-")
        lead = pad
        _write_item(put, child, indent)


def _write_item(put: Callable[[str], None], child: Any, indent: int) -> None:
    """Write what stands after a dash at `indent` spaces."""
    kind = child.__class__
    if kind is dict:
        if child:
            _write_map(put, child, " ", indent + 2)
        else:
            put(" {}\n")
    elif kind is str:
        _write_text(put, child, indent + 2, indent + 2)
    elif kind is list:
        if child:
            _write_list(put, child, " ", indent + 2)
        else:
            put(" []\n")
    else:
        _write_other(put, child, indent + 2, indent)


def _write_other(put: Callable[[str], None], value: Any, column: int, indent: int) -> None:
    if value.__class__ is NullText and value.shown is not None:
        put(' ""\n')
    elif value is None or value.__class__ is NullText:
        put(" null\n")
    elif value is True:
        put(" true\n")
    elif value is False:
        put(" false\n")
    elif isinstance(value, int):
        put(f" {int(value)}\n")
    elif isinstance(value, float):
        put(f" {format_float(float(value))}\n")
    elif isinstance(value, str):
        _write_text(put, str.__str__(value), column, indent + 2)
    elif isinstance(value, dict | Mapping):
        put("\n")
        _write_map(put, value, " " * (indent + 2), indent + 2)
    else:
        raise TypeError(f"expected a JSON value, found {type(value).__name__}")


def _write_text(put: Callable[[str], None], text: str, column: int, indent: int) -> None:
    """Write a string after a key or dash; `column` is where it begins, `indent` where folded lines go on."""
    put(" ")
    if "\n" in text:
        if _block_allowed(text):
            put(_block(text, indent))
            return
        shown = _double(text)
    else:
        shown = _inline(text)
    if len(shown) + column > _WIDTH and " " in shown:
        shown = _fold(text, shown, column, indent)
    if shown[:1] == "'" and _UNICODE_BREAKS.search(shown):
        shown = _UNICODE_BREAKS.sub(rf"\g<0>{' ' * indent}", shown)
    put(shown)
    put("\n")


def scalar_text(text: str) -> str:
    """Return a string as a scalar of one line, in quotes where it needs them."""
    return _double(text) if "\n" in text else _inline(text)


def _inline(text: str) -> str:
    """Return a string without line breaks as a plain or quoted scalar, not folded."""
    shown = _texts.get(text)
    if shown is None:
        shown = _choose(text)
        if len(_texts) > _MAX_CACHED:
            _texts.clear()
        # Texts with line breaks are never written the quick way.
        if len(text) < 256 and not _LINE_BREAKS.search(text):
            _texts[text] = shown
    return shown


def _choose(text: str) -> str:
    if _SIMPLE.match(text) and text not in _WORDS:
        return text
    if not _reads_as_string(text):
        return _double(text)
    if _plain_allowed(text):
        return text
    if needs_escapes(text):
        return _double(text)
    return "'" + text.replace("'", "''") + "'"


def _reads_as_string(text: str) -> bool:
    """Return whether an old YAML reader takes `text`, written plainly, for a string."""
    if not text or text in _WORDS:
        return text == "<<"
    if text[0] not in "+-.0123456789":
        return True
    if timestamp(text) is not None:
        return False
    return isinstance(resolve_legacy(text), str) and not _BASE60.match(text)


def plain_allowed(text: str) -> bool:
    """Return whether a string can be written without quotes at all."""
    return bool(text) and _plain_allowed(text)


def _plain_allowed(text: str) -> bool:
    first = text[0]
    if first in "#,[]{}&*!|>'\"%@`" or text.startswith(("---", "...")):
        return False
    if first in "?:-" and (len(text) == 1 or text[1] in " \t"):
        return False
    if first == " " or text[-1] == " " or ": " in text or ":\t" in text or text[-1] == ":":
        return False
    if " #" in text or "\t#" in text or "\u2028" in text or "\u2029" in text:
        return False
    return not needs_escapes(text)


def _double(text: str) -> str:
    return '"' + _to_escape().sub(_escape, text) + '"'


@cache
def _special() -> re.Pattern[str]:
    # Made when a text needs it: classes of so many characters take long, and most texts are plain.
    return re.compile(f"[^\\n{_PRINTABLE}]")


@cache
def _to_escape() -> re.Pattern[str]:
    return re.compile(f'[^{_PRINTABLE}]|["\\\\\u2028\u2029]')


def needs_escapes(text: str) -> bool:
    """Tell whether a text has characters that are written as escapes only."""
    if text.isascii() and text.replace("\n", "").isprintable():
        return False
    return _special().search(text) is not None


def _escape(match: re.Match[str]) -> str:
    char = match[0]
    known = _ESCAPES.get(char)
    if known is not None:
        return known
    code = ord(char)
    if code <= 0xFF:
        return f"\\x{code:02X}"
    return f"\\u{code:04X}" if code <= 0xFFFF else f"\\U{code:08X}"


def _fold(text: str, shown: str, column: int, indent: int) -> str:
    """Break a long scalar at single spaces after column 80, as the emitter of the old library does."""
    quote = shown[0] if shown != text and shown[0] in "'\"" else ""
    inner = shown[1:-1] if quote else shown
    last = len(inner) - 1
    parts: list[str] = []
    column += 1 if quote else 0
    spaces = False
    pad = "\n" + " " * indent
    start = 0
    position = column
    index = 0
    while index <= last:
        if inner[index] != " ":
            spaces = False
            index += 1
            position += 1
            continue
        follows = index < last and inner[index + 1] == " "
        breakable = not spaces and position > _WIDTH and (not quote or 0 < index < last)
        if breakable and (quote == '"' or not follows):
            parts.append(inner[start:index])
            parts.append(pad)
            position = indent
            if quote == '"' and follows:
                parts.append("\\")
                position += 1
            start = index + 1
        else:
            position += 1
        spaces = True
        index += 1
    parts.append(inner[start:])
    return quote + "".join(parts) + quote


def _block_allowed(text: str) -> bool:
    return text[-1] != " " and " \n" not in text and not needs_escapes(text)


def _block(text: str, indent: int) -> str:
    hint = "2" if text[0] in " \n" else ""
    chomp = "-" if not text.endswith("\n") else "+" if len(text) == 1 or text[-2] == "\n" else ""
    pad = " " * indent
    lines = text.removesuffix("\n").split("\n")
    body = "\n".join(pad + line if line else line for line in lines)
    if "\u2028" in body or "\u2029" in body:
        body = _UNICODE_BREAKS.sub(rf"\g<0>{pad}", body)
    return f"|{hint}{chomp}\n{body}\n"


def _key_order(names: tuple[str, ...]) -> list[tuple[str, str]]:
    """Return keys in output order, each with the text that is written for it."""
    if all(_LETTERS_ONLY.match(name) for name in names):
        ordered = sorted(names)
    else:
        ordered = sorted(sorted(names), key=cmp_to_key(_natural))
    order = [(name, _key_text(name)) for name in ordered]
    if len(_orders) > _MAX_CACHED:
        _orders.clear()
    _orders[names] = order
    return order


def _key_text(name: str) -> str:
    """Return the text of a simple key with its colon, or "?" for a key that is too long to be simple."""
    if "\n" in name or len(name.encode()) > _MAX_SIMPLE_KEY:
        return "?"
    return f"{_inline(name)}:"


def _natural(left: str, right: str) -> int:
    """Compare two keys: letters after other characters, runs of digits by their number."""
    for index, (one, other) in enumerate(zip(left, right, strict=False)):
        if one == other:
            continue
        one_letter, other_letter = one.isalpha(), other.isalpha()
        if one_letter and other_letter:
            return -1 if one < other else 1
        if one_letter or other_letter:
            return -1 if other_letter else 1
        return _compare_digits(left, right, index)
    return len(left) - len(right)


def _compare_digits(left: str, right: str, index: int) -> int:
    one_number = other_number = 0
    if left[index] == "0" or right[index] == "0":
        before = index - 1
        while before >= 0 and left[before].isdigit():
            if left[before] != "0":
                one_number = other_number = 1
                break
            before -= 1
    one_end = other_end = index
    while one_end < len(left) and left[one_end].isdigit():
        one_number = one_number * 10 + ord(left[one_end]) - 48
        one_end += 1
    while other_end < len(right) and right[other_end].isdigit():
        other_number = other_number * 10 + ord(right[other_end]) - 48
        other_end += 1
    if one_number != other_number:
        return -1 if one_number < other_number else 1
    if one_end != other_end:
        return -1 if one_end < other_end else 1
    return -1 if left[index] < right[index] else 1


def _digits(value: float) -> tuple[str, str, int]:
    """Return sign, shortest digits, and the exponent of the first digit."""
    sign, digits, exponent = Decimal(repr(value)).as_tuple()
    if not isinstance(exponent, int):
        raise TypeError("expected a finite number")
    shown = "".join(map(str, digits)).rstrip("0") or "0"
    first = len(digits) + exponent - 1
    return ("-" if sign else ""), shown, (0 if shown == "0" else first)


def _scientific(sign: str, digits: str, exponent: int, *, width: int) -> str:
    fraction = f".{digits[1:]}" if len(digits) > 1 else ""
    return f"{sign}{digits[0]}{fraction}e{'-' if exponent < 0 else '+'}{abs(exponent):0{width}d}"


def _positional(sign: str, digits: str, exponent: int) -> str:
    if exponent < 0:
        return f"{sign}0.{'0' * (-exponent - 1)}{digits}"
    if len(digits) <= exponent + 1:
        return sign + digits + "0" * (exponent + 1 - len(digits))
    return f"{sign}{digits[: exponent + 1]}.{digits[exponent + 1 :]}"


def format_go_float(value: float) -> str:
    """Return a number as Go writes it with the fewest digits: with an exponent from 1e6 on."""
    sign, digits, exponent = _digits(value)
    if exponent < -4 or exponent >= 21 or exponent >= 6:
        return _scientific(sign, digits, exponent, width=2)
    return _positional(sign, digits, exponent)


def format_json_float(value: float) -> str:
    """Return a number as Go's JSON encoder writes a float64."""
    sign, digits, exponent = _digits(value)
    if exponent < -6 or exponent >= 21:
        return _scientific(sign, digits, exponent, width=1 if exponent < 0 else 2)
    return _positional(sign, digits, exponent)


def format_float(value: float) -> str:
    """Return a number as the last step of kustomize writes a float64 that came through JSON."""
    sign, digits, exponent = _digits(value)
    if -6 <= exponent < 21 and len(digits) <= exponent + 1:
        whole = _positional(sign, digits, exponent)
        if -(2**63) <= int(whole) <= 2**64 - 1:
            return "0" if whole == "-0" else whole
    return format_go_float(value)
