"""Label selectors in Kubernetes' syntax: `region=r3,ring!=canary,tier in (a, b),!legacy`."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping

from reconciler.errors import UsageError

__all__ = ["parse_selector"]

_KEY = r"[A-Za-z0-9]([A-Za-z0-9._/-]{0,250}[A-Za-z0-9])?"
_TERM = re.compile(
    rf"\s*(?:(?P<not>!)\s*(?P<absent>{_KEY})"
    rf"|(?P<key>{_KEY})(?:\s*(?P<op>==|=|!=)\s*(?P<value>[A-Za-z0-9._-]{{0,63}})"
    rf"|\s+(?P<set>in|notin)\s*\((?P<values>[A-Za-z0-9._,\s-]*)\))?)\s*"
)
_LONGEST = 2000


def parse_selector(text: str) -> Callable[[Mapping[str, str]], bool]:
    """Return a test of labels; the empty selector takes everything.

    Raises:
        UsageError: It is not a selector.
    """
    tests: list[Callable[[Mapping[str, str]], bool]] = []
    rest = text[:_LONGEST]
    while rest.strip():
        match = _TERM.match(rest)
        if match is None or (match.end() < len(rest) and rest[match.end()] != ","):
            raise UsageError(
                "expected a label selector such as region=north,ring!=canary, found something else",
                code="bad-selector",
            )
        tests.append(_test(match))
        rest = rest[match.end() + 1 :]
    return lambda labels: all(test(labels) for test in tests)


def _test(match: re.Match[str]) -> Callable[[Mapping[str, str]], bool]:
    if match["not"]:
        absent = match["absent"]
        return lambda labels: absent not in labels
    key = match["key"]
    if match["set"]:
        values = {value.strip() for value in match["values"].split(",")}
        wanted = match["set"] == "in"
        return lambda labels: (labels.get(key) in values) is wanted
    if not match["op"]:
        return lambda labels: key in labels
    value = match["value"]
    if match["op"] == "!=":
        return lambda labels: labels.get(key) != value
    return lambda labels: labels.get(key) == value
