"""Kubernetes quantities, exactly.

Follows `k8s.io/apimachinery/pkg/api/resource`: a signed decimal number with a binary suffix (Ki ... Ei),
a decimal suffix (n, u, m, "", k, M, G, T, P, E) or a decimal exponent (e3, E3), never two of them.
"""

from __future__ import annotations

import re
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal
from functools import lru_cache

__all__ = ["QuantityError", "canonical_quantity", "format_bytes", "parse_quantity"]

_QUANTITY = re.compile(
    r"(?P<number>[+-]?(?:\d+\.?\d*|\.\d+))"
    r"(?:(?P<suffix>Ki|Mi|Gi|Ti|Pi|Ei|n|u|m|k|M|G|T|P|E)|[eE](?P<exponent>[+-]?\d+))?\Z",
    re.ASCII,
)
_SCALE: dict[str, Decimal] = {
    "n": Decimal("1e-9"),
    "u": Decimal("1e-6"),
    "m": Decimal("1e-3"),
    "k": Decimal(10**3),
    "M": Decimal(10**6),
    "G": Decimal(10**9),
    "T": Decimal(10**12),
    "P": Decimal(10**15),
    "E": Decimal(10**18),
    "Ki": Decimal(2**10),
    "Mi": Decimal(2**20),
    "Gi": Decimal(2**30),
    "Ti": Decimal(2**40),
    "Pi": Decimal(2**50),
    "Ei": Decimal(2**60),
}
_LONGEST = 64


class QuantityError(ValueError):
    """The text is not a Kubernetes quantity."""


@lru_cache(maxsize=4096)
def parse_quantity(text: str) -> Decimal:
    """Return a quantity's value in its base unit (bytes, cores, pieces), exactly.

    Args:
        text: For example `100m`, `4Gi`, `1e3`, `2`.

    Raises:
        QuantityError: The text is not a quantity, such as `128 Mi`, `1e3Ki` or `4GB`.
    """
    match = _QUANTITY.match(text) if len(text) <= _LONGEST else None
    if match is None:
        raise QuantityError(f"expected a quantity such as 500m, 128Mi or 2, found {text[:_LONGEST]!r}")
    number = Decimal(match["number"])
    if match["exponent"] is not None:
        exponent = int(match["exponent"])
        if abs(exponent) > 30:
            raise QuantityError(f"expected an exponent between -30 and 30, found {text!r}")
        return number.scaleb(exponent)
    return number * _SCALE[match["suffix"]] if match["suffix"] else number


def format_bytes(amount: Decimal | int) -> str:
    """Write a number of bytes for people: `1.5Gi`, `640Mi`, `12Ki`, `7`."""
    value = Decimal(amount)
    for suffix in ("Gi", "Mi", "Ki"):
        if abs(value) >= _SCALE[suffix]:
            scaled = (value / _SCALE[suffix]).quantize(Decimal("0.1")).normalize()
            return f"{scaled:f}{suffix}"
    return f"{value.normalize():f}"


_DECIMAL_SUFFIXES = {-9: "n", -6: "u", -3: "m", 0: "", 3: "k", 6: "M", 9: "G", 12: "T", 15: "P", 18: "E"}
_BINARY_SUFFIXES = ("", "Ki", "Mi", "Gi", "Ti", "Pi", "Ei")


@lru_cache(maxsize=4096)
def canonical_quantity(text: str, *, smallest: Decimal = Decimal("1e-9"), binary: bool = False) -> str:
    """Write a quantity as the API server does: whole digits, and the largest suffix that keeps them whole.

    Args:
        text: A quantity.
        smallest: What it is rounded up to a multiple of.
        binary: Whether a quantity without a suffix is written with binary ones.

    Raises:
        QuantityError: The text is not a quantity.
    """
    value = parse_quantity(text)
    rounding = ROUND_CEILING if value > 0 else ROUND_FLOOR
    value = (value / smallest).to_integral_value(rounding=rounding) * smallest
    if (binary or text.endswith("i")) and abs(value) >= 1024:
        whole = int(value.to_integral_value(rounding=rounding))
        power = 0
        while power < len(_BINARY_SUFFIXES) - 1 and whole % 1024 == 0:
            whole //= 1024
            power += 1
        return f"{whole}{_BINARY_SUFFIXES[power]}"
    if not value:
        return "0"
    exponent = 18
    while exponent > -9 and value.scaleb(-exponent) != value.scaleb(-exponent).to_integral_value():
        exponent -= 3
    digits = f"{value.scaleb(-exponent):f}".partition(".")[0]
    if re.search(r"[eE][+-]?\d", text):
        return f"{digits}e{exponent}" if exponent else digits
    return digits + _DECIMAL_SUFFIXES[exponent]
