"""Whether a version of Wayside is one that the fleet wants: the specifiers of PEP 440, without epochs."""

from __future__ import annotations

import re

__all__ = ["satisfies"]

_VERSION = re.compile(
    r"v?(?P<release>\d+(?:\.\d+)*)(?:[-_.]?(?P<stage>a|b|rc|dev|post)[-_.]?(?P<number>\d*))?(?:\+.*)?\Z"
)
_CLAUSE = re.compile(r"\s*(==|!=|>=|<=|>|<|~=)\s*([^\s,]+)\s*\Z")
_STAGES = {"dev": -4, "a": -3, "b": -2, "rc": -1, "": 0, "post": 1}


def satisfies(version: str, specifier: str) -> bool:
    """Tell whether a version fits every clause of a specifier such as `>=0.2,<1`; "" fits all.

    Raises:
        ValueError: One of them is not a version or a specifier.
    """
    return all(_fits(version, clause) for clause in specifier.split(",") if clause.strip())


def _fits(version: str, clause: str) -> bool:
    match = _CLAUSE.match(clause)
    if match is None:
        raise ValueError(f"expected a version clause such as >=0.2, found {clause.strip()!r}")
    operator, wanted = match.groups()
    if wanted.endswith(".*"):
        if operator not in {"==", "!="}:
            raise ValueError(f"expected == or != before {wanted!r}, found {operator!r}")
        return _begins(version, wanted.removesuffix(".*")) == (operator == "==")
    have, want = _key(version), _key(wanted)
    match operator:
        case "==":
            return have == want
        case "!=":
            return have != want
        case ">=":
            return have >= want
        case "<=":
            return have <= want
        case ">":
            return have > want
        case "<":
            return have < want
        case _:
            return have >= want and _begins(version, wanted.rpartition(".")[0])


def _key(text: str) -> tuple[tuple[int, ...], int, int]:
    """Return what sorts as versions do; trailing zeros do not count."""
    match = _VERSION.match(text.strip())
    if match is None:
        raise ValueError(f"expected a version such as 0.2.1, found {text!r}")
    release = [int(part) for part in match["release"].split(".")]
    while release and release[-1] == 0:
        release.pop()
    return tuple(release), _STAGES[match["stage"] or ""], int(match["number"] or 0)


def _begins(version: str, prefix: str) -> bool:
    have = list(_key(version)[0])
    want = [int(part) for part in prefix.split(".")] if prefix else []
    have += [0] * (len(want) - len(have))
    return have[: len(want)] == want
