"""Reading protobuf messages written as JSON, which is how Sigstore writes bundles and trusted roots.

Follows the JSON mapping of protobuf where the two forms of a field can be told apart: names in camelCase or
as in the .proto file, 64-bit integers as strings or numbers, bytes in either base64 alphabet, null as absent.
Stricter than most readers in one way: a member that is written twice is refused, because two readers may
choose differently.
"""

from __future__ import annotations

import base64
import binascii
import datetime
import json
import re
from collections.abc import Iterator, Mapping
from typing import Any, NoReturn

from reconciler.images.signatures.refusal import SignatureRefused

__all__ = ["Message", "decode_base64", "parse_json"]

#: Bundles with a large provenance statement are some hundred kilobytes.
MAX_BYTES = 16 * 1024 * 1024
_INT64 = re.compile(r"-?(0|[1-9][0-9]{0,18})\Z")
_STANDARD = re.compile(r"[A-Za-z0-9+/]*={0,2}\Z")
_URL_SAFE = re.compile(r"[A-Za-z0-9_-]*={0,2}\Z")
_CAMEL = re.compile(r"[A-Z]")
_TIMESTAMP = re.compile(
    r"(\d{4}-\d{2}-\d{2}[Tt]\d{2}:\d{2}:\d{2})(?:\.(\d{1,9}))?([Zz]|[+-]\d{2}:\d{2})\Z", re.ASCII
)


def parse_json(data: bytes, *, what: str, code: str) -> Any:
    """Return a JSON value.

    Args:
        data: UTF-8 text.
        what: What it should be, for messages: "a bundle".
        code: Of the refusal.

    Raises:
        SignatureRefused: It is too large, not JSON, too deep, or writes a member twice.
    """

    def once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        members: dict[str, Any] = {}
        for name, value in pairs:
            if name in members:
                raise SignatureRefused(
                    f"expected each member of {what} once, found {name[:60]!r} twice", code=code
                )
            members[name] = value
        return members

    def no_constant(name: str) -> NoReturn:
        raise SignatureRefused(f"expected {what} as JSON, found {name}", code=code)

    if len(data) > MAX_BYTES:
        raise SignatureRefused(f"expected {what} of at most {MAX_BYTES} bytes, found {len(data)}", code=code)
    try:
        text = data.decode("utf-8")
        return json.loads(text, object_pairs_hook=once, parse_constant=no_constant)
    except RecursionError as err:
        raise SignatureRefused(f"expected {what} as JSON, found it nested too deeply", code=code) from err
    except ValueError as err:  # covers JSONDecodeError, UnicodeDecodeError and integers of too many digits
        raise SignatureRefused(f"expected {what} as JSON, found something else", code=code) from err


def decode_base64(text: str) -> bytes | None:
    """Return the bytes of a base64 text of either alphabet, padded or not; None where it is neither."""
    if _STANDARD.match(text):
        plain = text
    elif _URL_SAFE.match(text):
        plain = text.translate({ord("-"): "+", ord("_"): "/"})
    else:
        return None
    plain = plain.rstrip("=")
    if len(plain) % 4 == 1:
        return None
    try:
        return base64.b64decode(plain + "=" * (-len(plain) % 4), validate=True)
    except binascii.Error:
        return None


class Message:
    """One message: its fields by their camelCase names.

    Every accessor raises `SignatureRefused` with the message's code where the value has another type.
    """

    __slots__ = ("_code", "_fields", "_path")

    def __init__(self, fields: Mapping[str, Any], *, path: str, code: str) -> None:
        self._fields = fields
        self._path = path
        self._code = code

    @classmethod
    def parse(cls, data: bytes, *, what: str, code: str) -> Message:
        """Read a message.

        Raises:
            SignatureRefused: The text is not a JSON object.
        """
        value = parse_json(data, what=what, code=code)
        if not isinstance(value, dict):
            raise SignatureRefused(f"expected {what} as a JSON object, found {_name(value)}", code=code)
        return cls(value, path="", code=code)

    def at(self, field: str = "") -> str:
        """Return the path of a field, for messages."""
        return f"{self._path}.{field}".strip(".") or "the document"

    def refuse(self, field: str, expected: str, found: str) -> NoReturn:
        """Raise for a field.

        Raises:
            SignatureRefused: Always.
        """
        raise SignatureRefused(f"expected {expected} at {self.at(field)}, found {found}", code=self._code)

    def has(self, field: str) -> bool:
        """Return whether a field is present and not null."""
        return self._get(field) is not None

    def text(self, field: str) -> str:
        """Return a string; "" where it is absent."""
        value = self._get(field)
        if value is None:
            return ""
        if not isinstance(value, str):
            self.refuse(field, "a string", _name(value))
        return value

    def integer(self, field: str) -> int:
        """Return a 64-bit integer; 0 where it is absent."""
        value = self._get(field)
        if value is None:
            return 0
        written = isinstance(value, str) and _INT64.match(value)
        if written or (isinstance(value, float) and value.is_integer() and abs(value) < 2**53):
            value = int(value)
        if isinstance(value, bool) or not isinstance(value, int) or not -(2**63) <= value < 2**63:
            self.refuse(field, "an integer", _name(value))
        return value

    def data(self, field: str) -> bytes:
        """Return bytes; empty where they are absent."""
        decoded = decode_base64(self.text(field))
        if decoded is None:
            self.refuse(field, "base64", "other text")
        return decoded

    def enum(self, field: str, names: Mapping[int, str]) -> str:
        """Return the name of an enumeration's value; "" for one that is absent or unknown."""
        value = self._get(field)
        if value is None:
            return ""
        if isinstance(value, str):
            return value if value in names.values() else ""
        if not isinstance(value, int) or isinstance(value, bool):
            self.refuse(field, "the name of an enumeration's value", _name(value))
        return names.get(value, "")

    def time(self, field: str) -> datetime.datetime | None:
        """Return a timestamp (RFC 3339), to the microsecond; None where it is absent."""
        text = self.text(field)
        if not text:
            return None
        value = _time(text)
        if value is None:
            self.refuse(field, "a time such as 2026-01-31T00:00:00Z", repr(text[:40]))
        return value

    def message(self, field: str) -> Message | None:
        """Return a message, or None where it is absent."""
        value = self._get(field)
        if value is None:
            return None
        if not isinstance(value, dict):
            self.refuse(field, "an object", _name(value))
        return Message(value, path=self.at(field), code=self._code)

    def need(self, field: str) -> Message:
        """Return a message that must be there."""
        message = self.message(field)
        if message is None:
            self.refuse(field, "an object", "none")
        return message

    def messages(self, field: str) -> Iterator[Message]:
        """Yield the messages of a list."""
        for number, value in enumerate(self._list(field)):
            if not isinstance(value, dict):
                self.refuse(f"{field}[{number}]", "an object", _name(value))
            yield Message(value, path=self.at(f"{field}[{number}]"), code=self._code)

    def datas(self, field: str) -> Iterator[bytes]:
        """Yield the bytes of a list."""
        for number, value in enumerate(self._list(field)):
            decoded = decode_base64(value) if isinstance(value, str) else None
            if decoded is None:
                self.refuse(f"{field}[{number}]", "base64", "something else")
            yield decoded

    def _list(self, field: str) -> list[Any]:
        value = self._get(field)
        if value is None:
            return []
        if not isinstance(value, list):
            self.refuse(field, "a list", _name(value))
        return value

    def _get(self, field: str) -> Any:
        other = _CAMEL.sub(lambda match: f"_{match[0].lower()}", field)
        if other != field and other in self._fields:
            if field in self._fields:
                self.refuse(field, "one name of the field", f"{field} and {other}")
            return self._fields[other]
        return self._fields.get(field)


def _time(text: str) -> datetime.datetime | None:
    match = _TIMESTAMP.match(text)
    if match is None:
        return None
    fraction = (match[2] or "0")[:6].ljust(6, "0")
    zone = "+00:00" if match[3] in "Zz" else match[3]
    try:
        value = datetime.datetime.fromisoformat(f"{match[1].upper()}.{fraction}{zone}")
        return value.astimezone(datetime.UTC)
    except (OverflowError, ValueError):
        return None


def _name(value: Any) -> str:
    match value:
        case None:
            return "null"
        case bool():
            return "a boolean"
        case str():
            return "a string"
        case int() | float():
            return "a number"
        case list():
            return "a list"
        case _:
            return "an object"
