"""The syntaxes of names, labels, keys and ports, with the API server's words for what does not fit."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable
from functools import lru_cache
from typing import Any

from reconciler.rules.types.constraints.shape import REQUIRED, FieldRule, invalid

__all__ = [
    "cidr",
    "config_map_key",
    "dns_1035_label",
    "dns_label",
    "dns_subdomain",
    "env_name",
    "http_header_name",
    "ip",
    "label_value",
    "non_negative",
    "not_empty",
    "path_segment",
    "port",
    "port_name",
    "port_or_name",
    "positive",
    "qualified_name",
    "ranged",
    "rule",
    "wildcard_or_subdomain",
]

_DNS_LABEL = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?\Z")
_DNS_1035 = re.compile(r"[a-z]([-a-z0-9]*[a-z0-9])?\Z")
_SUBDOMAIN = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*\Z")
_WILDCARD = re.compile(r"\*\.[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*\Z")
_QUALIFIED = re.compile(r"([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]\Z")
_LABEL_VALUE = re.compile(r"(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?\Z")
_ENV_NAME = re.compile(r"[-._a-zA-Z][-._a-zA-Z0-9]*\Z")
_CONFIG_KEY = re.compile(r"[-._a-zA-Z0-9]+\Z")
_HEADER = re.compile(r"[-A-Za-z0-9]+\Z")
_PORT_NAME = re.compile(r"[-a-z0-9]+\Z")

_LABEL_TEXT = (
    "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and "
    "must start and "
    "end with an alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for validation is "
    "'[a-z0-9]([-a-z0-9]*[a-z0-9])?')"
)
_1035_TEXT = (
    "a DNS-1035 label must consist of lower case alphanumeric characters or '-', start with an alphabetic "
    "character, and end with an alphanumeric character (e.g. 'my-name',  or 'abc-123', regex used for "
    "validation is '[a-z]([-a-z0-9]*[a-z0-9])?')"
)
_SUBDOMAIN_TEXT = (
    "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must "
    "start and end with an alphanumeric character (e.g. 'example.com', regex used for validation is "
    "'[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')"
)
_QUALIFIED_TEXT = (
    "name part must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an "
    "alphanumeric character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is "
    "'([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')"
)
_VALUE_TEXT = (
    "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must "
    "start and end with an alphanumeric character (e.g. 'MyValue',  or 'my_value',  or '12345', regex used "
    "for validation is '(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?')"
)


def _too_long(limit: int) -> str:
    return f"must be no more than {limit} characters"


@lru_cache(maxsize=8192)
def dns_label(text: str) -> str | None:
    """Say why a text is no RFC 1123 label."""
    if len(text) > 63:
        return _too_long(63)
    return None if _DNS_LABEL.match(text) else _LABEL_TEXT


@lru_cache(maxsize=8192)
def dns_1035_label(text: str) -> str | None:
    """Say why a text is no RFC 1035 label."""
    if len(text) > 63:
        return _too_long(63)
    return None if _DNS_1035.match(text) else _1035_TEXT


@lru_cache(maxsize=8192)
def dns_subdomain(text: str) -> str | None:
    """Say why a text is no RFC 1123 subdomain."""
    if len(text) > 253:
        return _too_long(253)
    return None if _SUBDOMAIN.match(text) else _SUBDOMAIN_TEXT


def wildcard_or_subdomain(text: str) -> str | None:
    """Say why a text is no host of an Ingress: a subdomain, or `*.` and one."""
    if "*" not in text:
        return dns_subdomain(text)
    return (
        None
        if len(text) <= 253 and _WILDCARD.match(text)
        else (
            "a wildcard DNS-1123 subdomain must start with '*.', followed by a valid DNS "
            "subdomain, which must "
            "consist of lower case alphanumeric characters, '-' or '.' and end with an "
            "alphanumeric character "
            "(e.g. '*.example.com')"
        )
    )


def path_segment(text: str) -> str | None:
    """Say why a text cannot be a segment of a URL's path."""
    if text in {".", ".."}:
        return f"may not be '{text}'"
    for character in "/%":
        if character in text:
            return f"may not contain '{character}'"
    return None


@lru_cache(maxsize=8192)
def qualified_name(text: str) -> str | None:
    """Say why a text is no qualified name, such as a label's key: `name` or `dns.prefix/name`."""
    prefix, slash, name = text.rpartition("/")
    if "/" in prefix:
        return (
            "a qualified name must consist of alphanumeric characters, '-', '_' or '.', and must "
            "start and end "
            "with an alphanumeric character, with an optional DNS subdomain prefix and '/' (e.g. "
            "'example.com/MyName')"
        )
    if slash:
        if not prefix:
            return "prefix part must be non-empty"
        if (wrong := dns_subdomain(prefix)) is not None:
            return f"prefix part {wrong}"
    if not name:
        return "name part must be non-empty"
    if len(name) > 63:
        return f"name part {_too_long(63)}"
    return None if _QUALIFIED.match(name) else _QUALIFIED_TEXT


@lru_cache(maxsize=8192)
def label_value(text: str) -> str | None:
    """Say why a text is no label's value."""
    if len(text) > 63:
        return _too_long(63)
    return None if _LABEL_VALUE.match(text) else _VALUE_TEXT


def env_name(text: str, minor: int) -> str | None:
    """Say why a text is no name of an environment variable; from 1.32 on nearly all texts are."""
    if minor >= 30:
        # On by default from 1.32, possible from 1.30.
        if all(" " <= character <= "~" and character != "=" for character in text):
            return None
        return (
            "a valid environment variable name must consist only of printable ASCII characters other than '='"
        )
    if not _ENV_NAME.match(text):
        return (
            "a valid environment variable name must consist of alphabetic characters, digits, "
            "'_', '-', or '.', "
            "and must not start with a digit (e.g. 'my.env-name',  or 'MY_ENV.NAME',  or 'MyEnvName1', regex "
            "used for validation is '[-._a-zA-Z][-._a-zA-Z0-9]*')"
        )
    return _backsteps(text)


def config_map_key(text: str) -> str | None:
    """Say why a text is no key of a ConfigMap or a Secret."""
    if len(text) > 253:
        return _too_long(253)
    if not _CONFIG_KEY.match(text):
        return (
            "a valid config key must consist of alphanumeric characters, '-', '_' or '.' (e.g. "
            "'key.name',  or "
            "'KEY_NAME',  or 'key-name', regex used for validation is '[-._a-zA-Z0-9]+')"
        )
    return _backsteps(text)


def _backsteps(text: str) -> str | None:
    if text == ".":
        return "must not be '.'"
    if text == "..":
        return "must not be '..'"
    return "must not start with '..'" if text.startswith("..") else None


def http_header_name(text: str) -> str | None:
    """Say why a text is no name of an HTTP header."""
    return (
        None
        if _HEADER.match(text)
        else (
            "a valid HTTP header must consist of alphanumeric characters or '-' (e.g. "
            "'X-Header-Name', regex used "
            "for validation is '[-A-Za-z0-9]+')"
        )
    )


@lru_cache(maxsize=2048)
def port_name(text: str) -> str | None:
    """Say why a text is no name of a port (an IANA service name)."""
    if len(text) > 15:
        return "must be no more than 15 characters"
    if not _PORT_NAME.match(text):
        return "must contain only alpha-numeric characters (a-z, 0-9), and hyphens (-)"
    if not any("a" <= character <= "z" for character in text):
        return "must contain at least one letter (a-z)"
    if "--" in text:
        return "must not contain consecutive hyphens"
    if text.startswith("-") or text.endswith("-"):
        return "must not begin or end with a hyphen"
    return None


def ip(text: str) -> str | None:
    """Say why a text is no IP address. Leading zeros, which some fields take, are let through."""
    try:
        ipaddress.ip_address(re.sub(r"(?<![0-9a-fA-F:])0+(?=\d)", "", text) if "." in text else text)
    except ValueError:
        return "must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)"
    return None if "%" not in text else "must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)"


def cidr(text: str) -> str | None:
    """Say why a text is no block of IP addresses."""
    address, slash, bits = text.partition("/")
    if slash and bits.isdigit() and ip(address) is None and int(bits) <= (128 if ":" in address else 32):
        return None
    return "must be a valid CIDR value, (e.g. 10.9.8.0/24 or 2001:db8::/64)"


# Rules of fields


def rule(syntax: Callable[[str], str | None]) -> FieldRule:
    """Make a rule of a syntax; an empty text counts as absent."""

    def judge(value: Any, _: int) -> str | None:
        wrong = syntax(value) if value else None
        return None if wrong is None else invalid(value, wrong)

    return judge


def not_empty(syntax: Callable[[str], str | None] | None = None) -> FieldRule:
    """Make a rule of a syntax for a text that must be there."""

    def judge(value: Any, _: int) -> str | None:
        if value in ("", [], {}):
            return REQUIRED
        wrong = syntax(value) if syntax is not None else None
        return None if wrong is None else invalid(value, wrong)

    return judge


def ranged(low: int, high: int, reason: str) -> FieldRule:
    """Make a rule of a range of integers, both ends included."""
    return lambda value, _: None if low <= value <= high else invalid(value, reason)


non_negative = ranged(0, 2**63, "must be greater than or equal to 0")
positive = ranged(1, 2**63, "must be greater than 0")
port = ranged(1, 65535, "must be between 1 and 65535, inclusive")


def port_or_name(value: Any, minor: int) -> str | None:
    """Judge a port that is a number or a container port's name."""
    if isinstance(value, str):
        wrong = port_name(value)
        return None if wrong is None else invalid(value, wrong)
    return port(value, minor)
