"""`WWW-Authenticate`: how a registry says what it wants to be shown (RFC 9110 §11, RFC 6750)."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

__all__ = ["Challenge", "parse_challenges"]

_TOKEN = r"[!#$%&'*+.^_`|~0-9A-Za-z-]+"  # noqa: S105 - the grammar's word for a word
_PARAMETER = re.compile(rf'\s*,?\s*({_TOKEN})\s*=\s*(?:"((?:[^"\\]|\\.)*)"|({_TOKEN}|[^\s,"]+))')
_SCHEME = re.compile(rf"\s*,?\s*({_TOKEN})(?=\s|,|$)")
_LONGEST = 8192


@dataclass(frozen=True, slots=True)
class Challenge:
    """One challenge: `bearer` or `basic`, in lower case, and its parameters."""

    scheme: str
    realm: str = ""
    service: str = ""
    scope: str = ""


def parse_challenges(header: str) -> tuple[Challenge, ...]:
    """Parse the value of a `WWW-Authenticate` header; what cannot be understood ends the list."""
    return tuple(_challenges(header[:_LONGEST]))


def _challenges(header: str) -> Iterator[Challenge]:
    at = 0
    while scheme := _SCHEME.match(header, at):
        at = scheme.end()
        parameters: dict[str, str] = {}
        while parameter := _PARAMETER.match(header, at):
            name, quoted, plain = parameter.groups()
            parameters[name.lower()] = plain if quoted is None else re.sub(r"\\(.)", r"\1", quoted)
            at = parameter.end()
        yield Challenge(
            scheme=scheme[1].lower(),
            realm=parameters.get("realm", ""),
            service=parameters.get("service", ""),
            scope=parameters.get("scope", ""),
        )
