"""Formats of strings that the API server checks in custom resources; it lets others through."""

from __future__ import annotations

import base64
import binascii
import datetime
import ipaddress
import re
from collections.abc import Callable, Mapping
from types import MappingProxyType

from reconciler.rules.types.scalars import is_time

__all__ = ["FORMATS", "parse_duration", "parse_time"]

_DURATION = re.compile(r"(\d+(?:\.\d*)?|\.\d+)(ns|us|µs|μs|ms|s|m|h)")
_UNITS = {"ns": 1e-9, "us": 1e-6, "µs": 1e-6, "μs": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0}
_UUID = re.compile(r"[0-9a-f]{8}-?[0-9a-f]{4}-?[0-9a-f]{4}-?[0-9a-f]{4}-?[0-9a-f]{12}\Z", re.IGNORECASE)
_HOSTNAME = re.compile(r"[a-zA-Z0-9]([-a-zA-Z0-9.]{0,252}[a-zA-Z0-9])?\Z")
_MAC = re.compile(r"([0-9a-fA-F]{2}[:-]){5}([0-9a-fA-F]{2}[:-]){0,2}[0-9a-fA-F]{2}\Z")


def parse_duration(text: str) -> datetime.timedelta | None:
    """Parse a duration as Go writes it (`1h30m`), or return None."""
    rest = text.lstrip("+-") if text[:1] in {"+", "-"} else text
    if rest == "0":
        return datetime.timedelta()
    seconds, at = 0.0, 0
    while at < len(rest):
        match = _DURATION.match(rest, at)
        if match is None:
            return None
        seconds += float(match[1]) * _UNITS[match[2]]
        at = match.end()
    if not rest:
        return None
    try:
        found = datetime.timedelta(seconds=seconds)
    except OverflowError:
        return None
    return -found if text.startswith("-") else found


def parse_time(text: str) -> datetime.datetime | None:
    """Parse a date, or a time of RFC 3339, as an aware datetime; None where it is neither."""
    try:
        found = datetime.datetime.fromisoformat(text)
    except ValueError:
        return None
    return found if found.tzinfo is not None else found.replace(tzinfo=datetime.UTC)


def _is_date(text: str) -> bool:
    try:
        datetime.date.fromisoformat(text)
    except ValueError:
        return False
    return len(text) == 10


def _is_ip(version: int) -> Callable[[str], bool]:
    def check(text: str) -> bool:
        try:
            return ipaddress.ip_address(text).version == version
        except ValueError:
            return False

    return check


def _is_cidr(text: str) -> bool:
    address, slash, bits = text.partition("/")
    try:
        of = ipaddress.ip_address(address)
    except ValueError:
        return False
    return bool(slash) and bits.isascii() and bits.isdigit() and int(bits) <= of.max_prefixlen


def _is_base64(text: str) -> bool:
    try:
        return bool(base64.b64decode(text, validate=True))
    except (binascii.Error, ValueError):
        return False


#: Checks of strings by the name of their format.
FORMATS: Mapping[str, Callable[[str], bool]] = MappingProxyType(
    {
        "date": _is_date,
        "date-time": is_time,
        "duration": lambda text: parse_duration(text) is not None,
        "byte": _is_base64,
        "ipv4": _is_ip(4),
        "ipv6": _is_ip(6),
        "cidr": _is_cidr,
        "uuid": lambda text: _UUID.match(text) is not None,
        "hostname": lambda text: _HOSTNAME.match(text) is not None,
        "mac": lambda text: _MAC.match(text) is not None,
    }
)
