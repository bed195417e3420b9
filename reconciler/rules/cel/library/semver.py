"""`semver`: semantic versions 2.0.0, strict, or normalised as the API server's library does it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache

from reconciler.rules.cel.errors import CelEvaluationError

__all__ = ["Semver", "is_semver", "parse"]

_IDENTIFIER = re.compile(r"[0-9A-Za-z-]+\Z")
_NUMBER = re.compile(r"[0-9]+\Z")
_UINT64 = 2**64


@dataclass(frozen=True, slots=True)
class Semver:
    """A version. Build metadata takes no part in comparison, so it is not kept."""

    major: int
    minor: int
    patch: int
    pre: tuple[int | str, ...] = ()

    def compare(self, other: Semver) -> int:
        """Return -1, 0 or 1 for older, equal or newer."""
        mine, theirs = (self.major, self.minor, self.patch), (other.major, other.minor, other.patch)
        if mine != theirs:
            return 1 if mine > theirs else -1
        if not self.pre or not other.pre:
            return bool(other.pre) - bool(self.pre)
        for left, right in zip(self.pre, other.pre, strict=False):
            if left == right and type(left) is type(right):
                continue
            if isinstance(left, int) and isinstance(right, int):
                return 1 if left > right else -1
            if isinstance(left, str) and isinstance(right, str):
                return 1 if left > right else -1
            return -1 if isinstance(left, int) else 1
        return (len(self.pre) > len(other.pre)) - (len(self.pre) < len(other.pre))

    def canonical(self) -> str:
        """Write the version without build metadata."""
        pre = "-" + ".".join(map(str, self.pre)) if self.pre else ""
        return f"{self.major}.{self.minor}.{self.patch}{pre}"


def _number(text: str, what: str) -> int:
    if not _NUMBER.match(text):
        raise CelEvaluationError(f'Invalid character(s) found in {what} number "{text}"')
    if len(text) > 1 and text[0] == "0":
        raise CelEvaluationError(f'{what.capitalize()} number must not contain leading zeroes "{text}"')
    if int(text[:32]) >= _UINT64 or len(text) > 32:
        raise CelEvaluationError(f'strconv.ParseUint: parsing "{text[:64]}": value out of range')
    return int(text)


@lru_cache(maxsize=4096)
def parse(text: str, normalize: bool = False) -> Semver:
    """Read a version.

    Args:
        text: The version.
        normalize: Take a leading `v`, one or two numbers instead of three, and leading zeroes.

    Raises:
        CelEvaluationError: The text is not a version.
    """
    if normalize:
        text = _normalize(text)
    if not text:
        raise CelEvaluationError("Version string empty")
    parts = text.split(".", 2)
    if len(parts) != 3:
        raise CelEvaluationError("No Major.Minor.Patch elements found")
    major, minor = _number(parts[0], "major"), _number(parts[1], "minor")
    rest, plus, build = parts[2].partition("+")
    patch, dash, pre = rest.partition("-")
    number = _number(patch, "patch")
    identifiers: list[int | str] = []
    for part in pre.split(".") if dash else ():
        if not part:
            raise CelEvaluationError("Prerelease is empty")
        if not _IDENTIFIER.match(part):
            raise CelEvaluationError(f'Invalid character(s) found in prerelease "{part}"')
        if _NUMBER.match(part):
            if len(part) > 1 and part[0] == "0":
                raise CelEvaluationError(
                    f'Numeric PreRelease version must not contain leading zeroes "{part}"'
                )
            identifiers.append(_number(part, "prerelease"))
        else:
            identifiers.append(part)
    for part in build.split(".") if plus else ():
        if not part:
            raise CelEvaluationError("Build meta data is empty")
        if not _IDENTIFIER.match(part):
            raise CelEvaluationError(f'Invalid character(s) found in build meta data "{part}"')
    return Semver(major, minor, number, tuple(identifiers))


def _normalize(text: str) -> str:
    parts = text.removeprefix("v").split(".", 2)
    for index, part in enumerate(parts):
        if len(part) > 1:
            stripped = part.lstrip("0")
            parts[index] = stripped if stripped and stripped[0] in "0123456789" else "0" + stripped
    if len(parts) < 3:
        if any(sign in parts[-1] for sign in "+-"):
            raise CelEvaluationError("short version cannot contain PreRelease/Build meta data")
        parts += ["0"] * (3 - len(parts))
    return ".".join(parts)


def is_semver(text: str, normalize: bool = False) -> bool:
    """Tell whether `parse` takes the text."""
    try:
        parse(text, normalize)
    except CelEvaluationError:
        return False
    return True
