"""Replacements inside of text: a field of JSON or YAML that a string holds."""

from __future__ import annotations

import json
from typing import Any

from reconciler.errors import DocumentError, RenderError
from reconciler.render.fieldspec import MISSING
from reconciler.render.layout import read_node, write_node
from reconciler.render.pathmatch import lookup, update
from reconciler.render.reader import read_documents
from reconciler.render.scalars import TimeText, is_null, plain, resolve, text_of

__all__ = ["replace_in_text"]


class _Unfit(Exception):
    """A value has not the type of the one that it replaces."""


class _Unclear(Exception):
    """A value would take the place of a map or a list."""


class _Written(str):
    """The text of a scalar, whatever type it reads as."""

    __slots__ = ()


def _parse(text: str) -> Any:
    """Return the value that a text holds, or `MISSING` if it is no YAML."""
    try:
        documents = read_documents(text, "text")
    except DocumentError:
        return MISSING
    return documents[0].value if documents else None


def replace_in_text(body: Any, steps: tuple[str, ...], value: Any, create: str) -> Any:
    """Return a resource with a field inside of a text replaced; None where the path leads into no text.

    Raises:
        RenderError: The text is YAML whose layout cannot be kept.
    """
    for length in range(1, len(steps)):
        try:
            found = lookup(body, steps[:length])
        except RenderError:
            continue
        if found is MISSING or is_null(found) or isinstance(found, dict | list):
            continue
        text = text_of(found)
        document = _parse(text)
        if document is MISSING:
            continue
        if not isinstance(document, dict | list):
            return None
        shown = _replaced(text, document, steps[length:], value, create=create)
        return None if shown is None else _put(body, steps[:length], shown)
    return None


def _put(body: Any, steps: tuple[str, ...], text: str) -> Any:
    return update(body, steps, "", lambda _: text)[0]


def _replaced(text: str, document: Any, steps: tuple[str, ...], value: Any, *, create: str) -> str | None:
    """Return the text with a field replaced; None where kustomize fails to do so."""
    is_json = text.strip()[:1] in ("{", "[")
    new = text_of(value)

    def setter(old: Any) -> Any:
        if isinstance(old, dict | list):
            if not is_json:
                raise _Unclear
            return value
        if not is_json:
            return _Written(new)
        if isinstance(old, str) and not isinstance(old, TimeText):
            return new
        return plain(resolve(new)) if old is MISSING else _retyped(old, new)

    try:
        changed, count = update(document, steps, create, setter)
    except (RenderError, _Unfit):
        return None
    except _Unclear:
        raise RenderError(
            f"expected a scalar at {'.'.join(steps)} in the text, found a map or a list",
            code="replacement",
            hint="write the text as JSON",
        ) from None
    if not count:
        return None
    if not is_json:
        return write_node(read_node(text), changed)
    pretty = "\n" in text and "  " in text
    shown = json.dumps(
        plain(changed),
        ensure_ascii=False,
        sort_keys=True,
        indent=2 if pretty else None,
        separators=(",", ": ") if pretty else (",", ":"),
    )
    for char, escaped in (("&", "\\u0026"), ("<", "\\u003c"), (">", "\\u003e")):
        shown = shown.replace(char, escaped)
    return shown


def _retyped(old: Any, text: str) -> Any:
    """Return a text as a value of the type that stands in JSON, which kustomize insists on."""
    new = plain(resolve(text))
    known = plain(old)
    fits = new.__class__ is known.__class__ or (known.__class__ is float and new.__class__ is int)
    if not fits or isinstance(new, str):
        raise _Unfit
    return new
