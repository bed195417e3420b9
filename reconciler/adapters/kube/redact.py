"""Keeping credentials and the values of Secrets out of messages."""

from __future__ import annotations

import re

__all__ = ["redact"]

#: What looks like a token: bearer credentials and JSON web tokens.
_TOKENS = re.compile(r"(?i)\b(bearer|basic)\s+[\w.~+/=-]+|\beyJ[\w-]+\.[\w-]+\.[\w-]*")
#: The API server quotes values that it refuses; in a Secret's data each of them is one.
_QUOTED = re.compile(r'"(?:[^"\\]|\\.)*"')
#: Longer text than this is a document, not a message.
_LIMIT = 2000


def redact(message: str, *, kind: str = "") -> str:
    """Return a message of the API server that can be shown.

    Args:
        message: The server's words.
        kind: The kind of the object that they are about; the quoted values of a Secret are taken out.
    """
    text = _TOKENS.sub("***", message)
    if kind == "Secret":
        head, colon, rest = text.partition(":")
        text = head + colon + _QUOTED.sub('"***"', rest)
    return text if len(text) <= _LIMIT else f"{text[:_LIMIT]} ..."
