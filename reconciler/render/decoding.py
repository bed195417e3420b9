"""Decoding maps with known fields, as strictly as kustomize does."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from difflib import get_close_matches
from typing import Any, TypeAlias

from reconciler.errors import RenderError
from reconciler.render.scalars import text_of

__all__ = [
    "Decoder",
    "FieldError",
    "Fields",
    "Path",
    "anything",
    "boolean",
    "integer",
    "list_of",
    "shown",
    "string",
    "string_map",
    "strings",
    "text",
    "text_map",
]

Path: TypeAlias = tuple[str | int, ...]


class FieldError(RenderError):
    """A field of a configuration is not valid.

    Args:
        message: What is wrong.
        field: The field's path in the document.
    """

    def __init__(
        self, message: str, *, field: Path, code: str = "kustomization-field", hint: str = ""
    ) -> None:
        super().__init__(message, code=code, hint=hint)
        self.field = field


Decoder: TypeAlias = Callable[[Any, Path], Any]


def shown(value: Any) -> str:
    """Return a value as an error message shows it."""
    if value is None:
        return "nothing"
    if isinstance(value, dict):
        return "a map"
    if isinstance(value, list):
        return "a list"
    return (
        f"{type(value).__name__} {text_of(value)[:60]!r}" if not isinstance(value, str) else repr(value[:60])
    )


def found(value: Any, at: Path) -> str:
    """Return a value as an error message shows it; of a generator of Secrets only its kind."""
    if "secretGenerator" in at and isinstance(value, str | int | float):
        return "a string" if isinstance(value, str) else f"a value of the type {type(value).__name__}"
    return shown(value)


def string(value: Any, at: Path) -> str:
    """Return a string; null is ""."""
    if value is None:
        return ""
    if isinstance(value, str):
        return value
    hint = "put the value in quotes" if isinstance(value, bool | int | float) else ""
    raise FieldError(f"expected a string, found {found(value, at)}", field=at, hint=hint)


def text(value: Any, at: Path) -> str:
    """Return a string; numbers and booleans are taken as they are written."""
    if isinstance(value, bool | int | float):
        return text_of(value)
    return string(value, at)


def boolean(value: Any, at: Path) -> bool:
    """Return a boolean; null is False."""
    if value is None:
        return False
    if isinstance(value, bool):
        return value
    raise FieldError(f"expected true or false, found {found(value, at)}", field=at)


def integer(value: Any, at: Path) -> int:
    """Return a whole number; null is 0."""
    if value is None:
        return 0
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if isinstance(value, int) and not isinstance(value, bool):
        return int(value)
    raise FieldError(f"expected a whole number, found {found(value, at)}", field=at)


def list_of(decode: Decoder) -> Decoder:
    """Return a decoder of a list whose elements `decode` takes; null is empty."""

    def decoder(value: Any, at: Path) -> tuple[Any, ...]:
        if value is None:
            return ()
        if not isinstance(value, list):
            raise FieldError(
                f"expected a list, found {found(value, at)}", field=at, hint="write each entry after a dash"
            )
        return tuple(decode(child, (*at, index)) for index, child in enumerate(value))

    return decoder


def string_map(value: Any, at: Path) -> dict[str, str]:
    """Return a map of strings; null is empty."""
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise FieldError(f"expected a map of strings, found {found(value, at)}", field=at)
    return {name: string(child, (*at, name)) for name, child in value.items()}


def text_map(value: Any, at: Path) -> dict[str, str]:
    """Return a map of strings; numbers and booleans are taken as they are written."""
    if isinstance(value, dict):
        return {name: text(child, (*at, name)) for name, child in value.items()}
    return string_map(value, at)


def anything(value: Any, at: Path) -> Any:  # noqa: ARG001 - the signature of a decoder
    """Return the value as it is."""
    return value


class Fields:
    """Decodes a map with known fields; letters' case is ignored, as Go's JSON decoder does."""

    def __init__(self, what: str, fields: Mapping[str, Decoder], *, strict: bool = True) -> None:
        self._strict = strict
        self._what = what
        self._fields = fields
        self._folded = {name.lower(): name for name in fields}

    def __call__(self, value: Any, at: Path) -> dict[str, Any]:
        """Return the decoded fields of a map; null is empty."""
        if value is None:
            return {}
        if not isinstance(value, dict):
            raise FieldError(f"expected {self._what} as a map, found {found(value, at)}", field=at)
        result = {}
        for key, child in value.items():
            name = key if key in self._fields else self._folded.get(key.lower())
            if name is None:
                if not self._strict:
                    continue
                close = get_close_matches(key, self._fields, n=1)
                hint = f"did you mean {close[0]}?" if close else ""
                raise FieldError(
                    f"expected a field of {self._what}, found the unknown field {key!r}",
                    field=(*at, key),
                    code="unknown-field",
                    hint=hint,
                )
            if name in result:
                raise FieldError(
                    f"expected each field of {self._what} once, found {name!r} in two spellings",
                    field=(*at, key),
                    hint="keep one of the two",
                )
            result[name] = self._fields[name](child, (*at, key))
        return result


strings = list_of(string)
