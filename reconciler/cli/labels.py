"""Label selectors on the command line: `region=north,ring!=canary,retired`."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping

from reconciler.errors import UsageError

__all__ = ["parse_selector"]

_TERM = re.compile(r"^(?P<not>!)?(?P<key>[A-Za-z0-9][\w./-]*)(?:(?P<sign>==|=|!=)(?P<value>[\w.-]*))?$")


def parse_selector(text: str) -> Callable[[Mapping[str, str]], bool]:
    """Return what tells whether labels fit an equality-based selector, as kubectl's `-l` takes it.

    Raises:
        UsageError: It is not one.
    """
    terms = [_TERM.match(part.strip()) for part in text.split(",") if part.strip()]
    if any(term is None or (term["not"] and term["sign"]) for term in terms):
        raise UsageError(
            f"expected a label selector such as region=north,ring!=canary, found {text!r}", code="usage"
        )

    def fits(labels: Mapping[str, str]) -> bool:
        return all(_fits(term, labels) for term in terms if term is not None)

    return fits


def _fits(term: re.Match[str], labels: Mapping[str, str]) -> bool:
    key, sign = term["key"], term["sign"]
    if sign is None:
        return (key in labels) is (term["not"] is None)
    return (labels.get(key) == term["value"]) is (sign != "!=")
