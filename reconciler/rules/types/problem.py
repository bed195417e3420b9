"""One thing that is wrong with an object, and how values are written in messages."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any

from reconciler.model.fieldpath import FieldPath

__all__ = ["Problem", "did_you_mean", "json_type", "quote", "shown", "type_name", "unknown_field"]

_LONGEST = 60


@dataclass(frozen=True, slots=True)
class Problem:
    """One reason why an API server would refuse an object.

    Attributes:
        path: The field that is wrong; of an unknown or a missing field, its own path.
        message: What is wrong, in the API server's words where it has any.
        hint: What to do, or "".
    """

    path: FieldPath
    message: str
    hint: str = ""


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """Return a hint that names the closest known word, or "" where none is close."""
    names = sorted(known)
    lowered = {name.lower(): name for name in reversed(names)}
    if (same := lowered.get(word.lower())) is not None and same != word:
        return f'did you mean "{same}"?'
    close = get_close_matches(word[:100], names, n=1, cutoff=0.6)
    return f'did you mean "{close[0]}"?' if close else ""


def unknown_field(path: FieldPath, name: str, known: Iterable[str]) -> Problem:
    """Make the problem of a field that its type does not have.

    Args:
        path: The object's path; the field's name is added.
        name: The field's name.
        known: Names that the type has.
    """
    names = tuple(known)
    hint = did_you_mean(name, names)
    if not hint and 0 < len(names) <= 12:
        hint = f"known fields are {', '.join(sorted(names))}"
    return Problem((*path, name), f"unknown field {quote(name)}", hint)


def quote(text: str) -> str:
    """Write a string as JSON does, shortened where it is long."""
    short = text if len(text) <= _LONGEST else text[:_LONGEST] + "..."
    # Half of a character, which JSON can write and UTF-8 cannot.
    whole = short.encode("utf-8", "backslashreplace").decode()
    return json.dumps(whole, ensure_ascii=False)


def shown(value: Any) -> str:
    """Write a value for a message: scalars as they are, a list or an object by its kind alone."""
    match value:
        case bool():
            return "true" if value else "false"
        case str():
            return quote(value)
        case dict():
            return "an object"
        case list():
            return "a list"
        case None:
            return "null"
        case _:
            text = str(value)
            return text if len(text) <= _LONGEST else text[:_LONGEST] + "..."


def type_name(value: Any) -> str:
    """Name the type of a value as it stands in YAML: `string "3"`, `integer 3`, `list`."""
    match value:
        case bool():
            return f"boolean {shown(value)}"
        case str():
            return f"string {quote(value)}"
        case int():
            return f"integer {shown(value)}"
        case float():
            return f"number {shown(value)}"
        case dict():
            return "object"
        case list():
            return "list"
        case None:
            return "null"
        case _:
            return type(value).__name__


def json_type(value: Any) -> str:
    """Name a value's type as the server does: `integer`, `number`, `object` ..."""
    match value:
        case None:
            return "null"
        case bool():
            return "boolean"
        case int():
            return "integer"
        case float():
            return "integer" if value.is_integer() else "number"
        case str():
            return "string"
        case list():
            return "array"
        case _:
            return "object"
