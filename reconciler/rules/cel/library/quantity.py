"""`quantity`: Kubernetes quantities with the arithmetic of `k8s.io/apimachinery/pkg/api/resource`.

A quantity is a 64-bit number with a decimal scale while it fits, and an exact decimal afterwards. The
difference can be seen from CEL: only the first kind `isInteger()`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from decimal import Decimal
from functools import lru_cache

from reconciler.rules.cel.errors import CelEvaluationError

__all__ = ["Quantity", "is_quantity", "parse"]

_FORMAT = "quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'"
_SUFFIX_WRONG = "unable to parse quantity's suffix"
_NUMERIC_WRONG = "unable to parse numeric part of quantity"
_TEXT = re.compile(
    r"(?P<sign>[+-]?)0*(?P<whole>[0-9]*)(?:\.(?P<part>[0-9]*))?(?P<suffix>[eEinumkKMGTP]*[+-]?[0-9]*)\Z"
)
_DECIMAL = {"n": -9, "u": -6, "m": -3, "": 0, "k": 3, "M": 6, "G": 9, "T": 12, "P": 15, "E": 18}
_BINARY = {"Ki": 10, "Mi": 20, "Gi": 30, "Ti": 40, "Pi": 50, "Ei": 60}
_EXPONENT = re.compile(r"[eE][+-]?[0-9]+\Z")
_DIGITS = 18  # as many as the 64-bit form of the API server takes
_INT64 = range(-(2**63), 2**63)
_LONGEST = 1024
_EXPONENT_LIMIT = 1000


@dataclass(frozen=True, slots=True)
class Quantity:
    """A number `unscaled * 10**scale`.

    Attributes:
        unscaled: The digits.
        scale: The decimal exponent.
        compact: Whether it is in the 64-bit form.
    """

    unscaled: int
    scale: int
    compact: bool

    def _at(self, scale: int) -> int:
        return self.unscaled * int(10 ** (self.scale - scale))

    def compare(self, other: Quantity) -> int:
        """Return -1, 0 or 1 for less, equal or greater."""
        scale = min(self.scale, other.scale)
        left, right = self._at(scale), other._at(scale)
        return (left > right) - (left < right)

    def add(self, other: Quantity) -> Quantity:
        """Return the exact sum."""
        if other.compact and other.unscaled == 0 and self.compact:
            return self
        if self.compact and other.compact and self.unscaled == 0:
            return other
        scale = min(self.scale, other.scale)
        parts = (self._at(scale), other._at(scale))
        total = sum(parts)
        fits = all(number in _INT64 for number in (*parts, total))
        return Quantity(total, scale, self.compact and other.compact and fits)

    def sub(self, other: Quantity) -> Quantity:
        """Return the exact difference."""
        return self.add(Quantity(-other.unscaled, other.scale, other.compact))

    def sign(self) -> int:
        """Return -1, 0 or 1."""
        return (self.unscaled > 0) - (self.unscaled < 0)

    def is_integer(self) -> bool:
        """Tell whether `as_integer` has an answer."""
        return self.compact and self.scale >= 0 and self._at(0) in _INT64

    def as_integer(self) -> int:
        """Return the value as a 64-bit integer.

        Raises:
            CelEvaluationError: It is not one.
        """
        if not self.is_integer():
            raise CelEvaluationError("cannot convert value to integer")
        return self._at(0)

    def as_float(self) -> float:
        """Return the nearest double, computed as the API server computes it."""
        base = float(self.unscaled)
        return base if self.scale == 0 else base * float(f"1e{self.scale}")

    def __str__(self) -> str:
        """Return the amount as a decimal number, which Kubernetes reads as an equal quantity."""
        text = f"{Decimal(f'{self.unscaled}e{self.scale}'):f}"
        return text.rstrip("0").rstrip(".") if "." in text else text

    def canonical(self) -> str:
        """Return a text that is equal for equal quantities, for example `1500e-3`."""
        unscaled, scale = self.unscaled, self.scale
        if unscaled == 0:
            return "0e0"
        while unscaled % 10 == 0:
            unscaled //= 10
            scale += 1
        return f"{unscaled}e{scale}"


@lru_cache(maxsize=4096)
def parse(text: str) -> Quantity:
    """Read a quantity.

    Raises:
        CelEvaluationError: The text is not a quantity, in the API server's words.
    """
    if not text or len(text) > _LONGEST:
        raise CelEvaluationError(_FORMAT)
    match = _TEXT.match(text)
    if match is None:
        raise CelEvaluationError(_FORMAT)
    whole, part, suffix = match["whole"], match["part"] or "", match["suffix"]
    binary = 0
    exponent = _DECIMAL.get(suffix)
    if exponent is None:
        exponent = 0
        if suffix in _BINARY:
            binary = _BINARY[suffix]
        elif _EXPONENT.match(suffix):
            exponent = int(suffix[1:])
            if abs(exponent) > _EXPONENT_LIMIT:
                raise CelEvaluationError(_SUFFIX_WRONG)
        else:
            raise CelEvaluationError(_SUFFIX_WRONG)
    sign = -1 if match["sign"] == "-" else 1
    digits = int((whole or "0") + part)
    room = (
        15 - len(whole or "0") - int(binary * 3 / 10) - 1
        if binary
        else _DIGITS - len(whole or "0") - len(part)
    )
    if binary and part:
        room = -1
    scale = exponent - len(part)
    if room >= 0 and scale >= -9 and (number := sign * (digits << binary)) in _INT64:
        return Quantity(number, scale, compact=True)
    digits <<= binary
    if scale < -9:  # what is smaller than a nano counts as a nano: some is not none
        digits, scale = -(-digits // 10 ** (-9 - scale)), -9
    if binary and digits > (2**63 - 1) * 10**-scale:
        digits, scale = 2**63 - 1, 0
    return Quantity(sign * digits, scale, compact=False)


def is_quantity(text: str) -> bool:
    """Tell whether `parse` takes the text."""
    try:
        parse(text)
    except CelEvaluationError:
        return False
    return True
