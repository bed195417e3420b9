"""`ip` and `cidr`: addresses by the rules of Go's `net/netip`, with no zones and no mapped addresses."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from ipaddress import IPv4Address, IPv6Address
from typing import TypeAlias

from reconciler.rules.cel.errors import CelEvaluationError

__all__ = ["Cidr", "Ip", "is_canonical_ip", "is_cidr", "is_ip", "parse_cidr", "parse_ip"]

Address: TypeAlias = IPv4Address | IPv6Address
_BITS = re.compile(r"(?:0|[1-9][0-9]{0,2})\Z")


@dataclass(frozen=True, slots=True)
class Ip:
    """An IP address."""

    address: Address

    def __str__(self) -> str:
        return str(self.address)

    def family(self) -> int:
        """Return 4 or 6."""
        return self.address.version

    def is_unspecified(self) -> bool:
        """Tell whether it is `0.0.0.0` or `::`."""
        return self.address.is_unspecified

    def is_loopback(self) -> bool:
        """Tell whether it is in `127.0.0.0/8` or `::1`."""
        return self.address.is_loopback

    def is_link_local_multicast(self) -> bool:
        """Tell whether it is in `224.0.0.0/24` or `ff02::/16` (of any flags)."""
        packed = self.address.packed
        if len(packed) == 4:
            return packed[:3] == b"\xe0\x00\x00"
        return packed[0] == 0xFF and packed[1] & 0x0F == 0x02

    def is_link_local_unicast(self) -> bool:
        """Tell whether it is in `169.254.0.0/16` or `fe80::/10`."""
        packed = self.address.packed
        if len(packed) == 4:
            return packed[:2] == b"\xa9\xfe"
        return packed[0] == 0xFE and packed[1] & 0xC0 == 0x80

    def is_global_unicast(self) -> bool:
        """Tell whether it is a unicast address of any reach but loopback, link-local and broadcast."""
        packed = self.address.packed
        if packed in (b"\x00" * 4, b"\xff" * 4, b"\x00" * 16) or self.is_loopback():
            return False
        multicast = packed[0] & 0xF0 == 0xE0 if len(packed) == 4 else packed[0] == 0xFF
        return not multicast and not self.is_link_local_unicast()


@dataclass(frozen=True, slots=True)
class Cidr:
    """A network: an address, possibly with host bits, and a prefix length."""

    address: Address
    bits: int

    def __str__(self) -> str:
        return f"{self.address}/{self.bits}"

    def _network(self, bits: int) -> int:
        return int(self.address) >> (self.address.max_prefixlen - bits)

    def contains_ip(self, ip: Ip) -> bool:
        """Tell whether the address is in the network."""
        if ip.address.version != self.address.version:
            return False
        return Cidr(ip.address, self.bits)._network(self.bits) == self._network(self.bits)

    def contains_cidr(self, other: Cidr) -> bool:
        """Tell whether the whole of another network is in this one."""
        return self.bits <= other.bits and self.contains_ip(Ip(other.address))

    def ip(self) -> Ip:
        """Return the address, host bits and all."""
        return Ip(self.address)

    def masked(self) -> Cidr:
        """Return the network with its host bits cleared."""
        shift = self.address.max_prefixlen - self.bits
        return Cidr(type(self.address)((int(self.address) >> shift) << shift), self.bits)


def _go_quote(text: str) -> str:
    return (
        '"' + text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n").replace("\t", "\\t") + '"'
    )


def _parse_address(text: str) -> tuple[Address | None, str]:
    """Return the address, or None and why not; the second part is a zone if there is an address."""
    body, percent, zone = text.partition("%")
    try:
        if ":" in body:
            if percent and not zone:
                return None, f"ParseAddr({_go_quote(text)}): zone must be a non-empty string"
            return IPv6Address(body), zone
        if percent:
            return None, f"ParseAddr({_go_quote(text)}): missing IPv6 address"
        if "." not in body:
            return None, f"ParseAddr({_go_quote(text)}): unable to parse IP"
        return IPv4Address(body), ""
    except ValueError as err:
        return None, f"ParseAddr({_go_quote(text)}): {_reason(body, str(err))}"


def _reason(body: str, problem: str) -> str:
    if ":" in body:
        return f"unable to parse IP ({problem})"
    fields = body.split(".")
    for field in fields:
        if field and not (field.isascii() and field.isdigit()):
            return "unexpected character"
        if len(field) > 1 and field[0] == "0":
            return "IPv4 field has octet with leading zero"
        if field and int(field[:5]) > 255:
            return "IPv4 field has value >255"
        if not field:
            return "IPv4 field must have at least one digit"
    return "IPv4 address too long" if len(fields) > 4 else "IPv4 address too short"


@lru_cache(maxsize=4096)
def parse_ip(text: str) -> Ip:
    """Read an address.

    Raises:
        CelEvaluationError: The text is not an IP address, has a zone, or is an IPv4 address in IPv6 clothes.
    """
    address, rest = _parse_address(text)
    if address is None:
        raise CelEvaluationError(
            f"IP Address {_go_quote(text)} parse error during conversion from string: {rest}"
        )
    if rest:
        raise CelEvaluationError(f"IP address {_go_quote(text)} with zone value is not allowed")
    if isinstance(address, IPv6Address) and address.ipv4_mapped is not None:
        raise CelEvaluationError(f"IPv4-mapped IPv6 address {_go_quote(text)} is not allowed")
    return Ip(address)


@lru_cache(maxsize=4096)
def parse_cidr(text: str) -> Cidr:
    """Read a network in CIDR notation.

    Raises:
        CelEvaluationError: The text is not one.
    """
    prefix = "network address parse error during conversion from string: "
    body, slash, bits = text.rpartition("/")
    why = ""
    address: Address | None = None
    if not slash:
        why = "no '/'"
    else:
        address, rest = _parse_address(body)
        if address is None:
            why = rest
        elif rest:
            why = "IPv6 zones cannot be present in a prefix"
        elif not _BITS.match(bits):
            why = f"bad bits after slash: {_go_quote(bits)}"
        elif int(bits) > address.max_prefixlen:
            why = "prefix length out of range"
    if why or address is None:
        raise CelEvaluationError(f"{prefix}{prefix}netip.ParsePrefix({_go_quote(text)}): {why}")
    if isinstance(address, IPv6Address) and address.ipv4_mapped is not None:
        raise CelEvaluationError(f"{prefix}IPv4-mapped IPv6 address {_go_quote(text)} is not allowed")
    return Cidr(address, int(bits))


def is_ip(text: str) -> bool:
    """Tell whether `parse_ip` takes the text."""
    try:
        parse_ip(text)
    except CelEvaluationError:
        return False
    return True


def is_cidr(text: str) -> bool:
    """Tell whether `parse_cidr` takes the text."""
    try:
        parse_cidr(text)
    except CelEvaluationError:
        return False
    return True


def is_canonical_ip(text: str) -> bool:
    """Tell whether an address is written in its canonical form (RFC 5952)."""
    return str(parse_ip(text)) == text
