"""The strings extension, and the accessors of timestamps and durations, over plain Python values."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from zoneinfo import ZoneInfo

from reconciler.rules.cel import moments
from reconciler.rules.cel.errors import CelEvaluationError, CelUnsupportedError
from reconciler.rules.cel.operations import TypeName, convert, overloaded
from reconciler.rules.cel.values import Uint

__all__ = ["accessors", "formatted", "texts", "typed"]

_SPACE = (
    "\t\n\v\f\r \x85\xa0\u1680\u2000\u2001\u2002"
    "\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a\u2028\u2029\u202f\u205f\u3000"
)


def _char_at(text: str, index: int) -> str:
    if not 0 <= index <= len(text):
        raise CelEvaluationError(f"index out of range: {index}")
    return text[index : index + 1]


def _index_of(text: str, part: str, start: int = 0) -> int:
    if not part:
        return start
    if start < 0:
        raise CelEvaluationError(f"index out of range: {start}")
    return text.find(part, start) if start < len(text) else -1


def _last_index_of(text: str, part: str, start: int | None = None) -> int:
    if not part:
        return len(text) if start is None else start
    if start is None:
        return text.rfind(part)
    if start < 0:
        raise CelEvaluationError(f"index out of range: {start}")
    return text.rfind(part, 0, start + len(part)) if start < len(text) else -1


def _replace(text: str, old: str, new: str, limit: int = -1) -> str:
    if len(text) + text.count(old) * len(new) > 1 << 20:
        raise CelUnsupportedError("the text is too long for this engine")
    return text.replace(old, new, limit)


def _split(text: str, separator: str, limit: int = -1) -> list[str]:
    if limit == 0:
        return []
    if limit == 1:
        return [text]
    if separator:
        return text.split(separator, limit - 1 if limit > 0 else -1)
    letters = list(text)
    return [*letters[: limit - 1], "".join(letters[limit - 1 :])] if 0 < limit < len(letters) else letters


def _substring(text: str, start: int, end: int | None = None) -> str:
    stop = len(text) if end is None else end
    if not 0 <= start <= len(text):
        raise CelEvaluationError(f"index out of range: {start}")
    if not 0 <= stop <= len(text):
        raise CelEvaluationError(f"index out of range: {stop}")
    if start > stop:
        raise CelEvaluationError(f"invalid substring range. start: {start}, end: {stop}")
    return text[start:stop]


def _join(texts: list[Any], separator: str = "") -> str:
    if not all(isinstance(text, str) for text in texts):
        raise overloaded()
    if sum(map(len, texts)) + len(separator) * len(texts) > 1 << 20:
        raise CelUnsupportedError("the text is too long for this engine")
    return separator.join(texts)


def _ascii(text: str, *, upper: bool) -> str:
    return "".join((char.upper() if upper else char.lower()) if char.isascii() else char for char in text)


_QUOTED = {
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


def _quote(text: str) -> str:
    return '"' + "".join(_QUOTED.get(char, char) for char in text) + '"'


def _clause(clause: str, precision: str, value: Any) -> str:
    number = isinstance(value, int) and not isinstance(value, bool)
    match clause:
        case "s" if isinstance(value, TypeName):
            raise CelUnsupportedError("formatting types")
        case "s" if isinstance(value, (str, int, bytes, timedelta, datetime)) or value is None:
            return "null" if value is None else str(convert["string"](value))
        case "s" if isinstance(value, list):
            return f"[{', '.join(_clause('s', '', item) for item in value)}]"
        case "d" if number:
            return str(int(value))
        case "f" if isinstance(value, float) and value == value and abs(value) != float("inf"):  # noqa: PLR0124
            return f"{value:.{int(precision or 6)}f}"
        case "b" if isinstance(value, int):
            return f"{int(value):b}"
        case "o" if number:
            return f"{int(value):o}"
        case "x" | "X" if number:
            return format(int(value), clause)
        case "x" | "X" if isinstance(value, (str, bytes)):
            raw = value.encode() if isinstance(value, str) else value
            return raw.hex() if clause == "x" else raw.hex().upper()
        case "s" | "f" | "e" | "d":
            raise CelUnsupportedError(f"the format clause %{clause} for this value")
    raise CelEvaluationError(f'could not parse formatting clause: unrecognized formatting clause "{clause}"')


def formatted(template: str, values: list[Any], write: Callable[[str, str, Any], str] = _clause) -> str:
    """Format as `string.format` does.

    Args:
        template: The text with clauses such as `%s`.
        values: What the clauses stand for.
        write: Writes one value by its clause and precision.

    Raises:
        CelEvaluationError: A clause is wrong, or has no value that fits.
    """
    parts: list[str] = []
    at, used = 0, 0
    while at < len(template):
        percent = template.find("%", at)
        if percent < 0:
            parts.append(template[at:])
            break
        parts.append(template[at:percent])
        at = percent + 1
        if template[at : at + 1] == "%":
            parts.append("%")
            at += 1
            continue
        precision = ""
        if template[at : at + 1] == ".":
            end = at + 1
            while template[end : end + 1].isdigit():
                end += 1
            precision, at = template[at + 1 : end], end
        clause = template[at : at + 1]
        if not clause:
            raise CelEvaluationError("unexpected end of string")
        if used >= len(values):
            raise CelEvaluationError(f"index {used} out of range")
        parts.append(write(clause, precision, values[used]))
        at, used = at + 1, used + 1
    return "".join(parts)


def typed(function: Callable[..., Any], *kinds: type) -> Callable[..., Any]:
    """Return a function that takes arguments of these types alone; further ones are left to it."""

    def call(*args: Any) -> Any:
        for value, kind in zip(args, kinds, strict=False):
            if not isinstance(value, kind) or isinstance(value, (bool, Uint)):
                raise overloaded()
        return function(*args)

    return call


#: Member functions of strings, by name; the receiver is the first argument.
texts: Final[dict[str, Callable[..., Any]]] = {
    "contains": typed(lambda text, part: part in text, str, str),
    "startsWith": typed(lambda text, part: text.startswith(part), str, str),
    "endsWith": typed(lambda text, part: text.endswith(part), str, str),
    "charAt": typed(_char_at, str, int),
    "indexOf": typed(_index_of, str, str, int),
    "lastIndexOf": typed(_last_index_of, str, str, int),
    "lowerAscii": typed(lambda text: _ascii(text, upper=False), str),
    "upperAscii": typed(lambda text: _ascii(text, upper=True), str),
    "replace": typed(_replace, str, str, str, int),
    "split": typed(_split, str, str, int),
    "substring": typed(_substring, str, int, int),
    "trim": typed(lambda text: text.strip(_SPACE), str),
    "join": typed(_join, list, str),
    "format": typed(formatted, str, list),
    "strings.quote": typed(_quote, str),
}


def _local(moment: datetime, zone: str) -> datetime:
    moment = moment.astimezone(UTC)
    if zone in ("", "UTC"):
        return moment
    shift = moments.shift_of(zone)
    try:
        if shift is not None:
            return moment + shift
        return moment.astimezone(ZoneInfo(zone))
    except (ValueError, OSError, OverflowError, KeyError) as err:
        raise CelEvaluationError(f"unknown time zone {zone}") from err


_PARTS: dict[str, Callable[[datetime], int]] = {
    "getFullYear": lambda moment: moment.year,
    "getMonth": lambda moment: moment.month - 1,
    "getDayOfYear": lambda moment: moment.timetuple().tm_yday - 1,
    "getDayOfMonth": lambda moment: moment.day - 1,
    "getDate": lambda moment: moment.day,
    "getDayOfWeek": lambda moment: moment.isoweekday() % 7,
    "getHours": lambda moment: moment.hour,
    "getMinutes": lambda moment: moment.minute,
    "getSeconds": lambda moment: moment.second,
    "getMilliseconds": lambda moment: moment.microsecond // 1000,
}
_UNITS = {
    "getHours": timedelta(hours=1),
    "getMinutes": timedelta(minutes=1),
    "getSeconds": timedelta(seconds=1),
    "getMilliseconds": timedelta(milliseconds=1),
}


def _accessor(name: str) -> Callable[..., int]:
    def get(value: Any, zone: Any = "") -> int:
        if isinstance(value, datetime) and isinstance(zone, str):
            return _PARTS[name](_local(value, zone))
        if isinstance(value, timedelta) and name in _UNITS:
            unit = _UNITS[name]
            return value // unit if value >= timedelta() else -(-value // unit)
        raise overloaded()

    return get


#: Accessors of timestamps and durations, by name.
accessors: Final[dict[str, Callable[..., Any]]] = {name: _accessor(name) for name in _PARTS}
