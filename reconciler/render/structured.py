"""Replacements inside of text: a field of JSON or YAML that a string holds."""

from __future__ import annotations

import json
from typing import Any

from reconciler.errors import DocumentError, RenderError
from reconciler.render.fieldspec import MISSING
from reconciler.render.pathmatch import lookup, update
from reconciler.render.reader import read_documents
from reconciler.render.scalars import is_null, plain, resolve, text_of

__all__ = ["replace_in_text"]


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
    def setter(old: Any) -> Any:
        if old is MISSING:
            return plain(resolve(text_of(value)))
        if isinstance(old, dict | list):
            return value
        new = text_of(value)
        return new if isinstance(old, str) else plain(resolve(new))

    try:
        changed, count = update(document, steps, create, setter)
    except RenderError:
        return None
    if not count:
        return None
    if text.strip()[:1] not in ("{", "["):
        raise RenderError(
            f"expected JSON in the text around {'.'.join(steps)}, found YAML: its layout would be lost",
            code="replacement",
            hint="keep the text as JSON, or generate it by a configMapGenerator",
        )
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
