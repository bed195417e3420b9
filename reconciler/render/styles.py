"""Which strings stood in quotes.

A number that a patch writes over a quoted string becomes a string, because kustomize keeps the quotes of the
old value. Strings are plain `str` objects; the quoted ones are known by their identity.
"""

from __future__ import annotations

from typing import Any

from reconciler.render.emitter import plain_allowed, scalar_text
from reconciler.render.scalars import PlainText, QuotedText, TimeText, reads_as_word, resolve

__all__ = ["Styles"]


class Styles:
    """A register of strings that stood in quotes or in a block."""

    def __init__(self) -> None:
        self._quoted: dict[int, str] = {}

    def register(self, text: str) -> None:
        """Note that this very object stood in quotes."""
        self._quoted[id(text)] = text

    def quoted(self, value: Any, *, merged: bool = False, restyled: bool = False) -> bool:
        """Return whether a value stood in quotes; a string that would be no string without them did.

        Args:
            value: A value of a resource.
            merged: Whether a patch was merged into the resource, which puts words such as `yes` in quotes.
            restyled: Whether the resource went through JSON, which puts everything doubtful in quotes.
        """
        if not isinstance(value, str):
            return False
        if isinstance(value, PlainText | TimeText):
            return False
        if restyled and scalar_text(value)[:1] in ("'", '"'):
            return True
        if merged and reads_as_word(value):
            return True
        return (
            id(value) in self._quoted
            or "\n" in value
            or isinstance(value, QuotedText)
            or resolve(str.__str__(value)).__class__ is not str
            or not plain_allowed(value)
        )

    def forget(self, text: str) -> str:
        """Return an equal string whose quotes are forgotten: the text itself if it had none."""
        return self.unquote(text) if id(text) in self._quoted else text

    def quote(self, text: str) -> str:
        """Return an equal string that counts as quoted."""
        made = text.encode("utf-8", "surrogatepass").decode("utf-8", "surrogatepass")
        self._quoted[id(made)] = made
        return made

    def unquote(self, text: str) -> str:
        """Return an equal string that does not count as quoted."""
        return text.encode("utf-8", "surrogatepass").decode("utf-8", "surrogatepass")
