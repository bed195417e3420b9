"""Admission reviews for people: one object after the other, what refused it and in which words."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from reconciler.report.ink import Ink

__all__ = ["format_reviews"]


def format_reviews(reviews: Sequence[Mapping[str, Any]], *, ink: Ink) -> str:
    """Write reviews for a terminal.

    Args:
        reviews: As `wayside admit --format json` shows them: `object`, `operation`, `allowed`, `denials`,
            `warnings`, `auditAnnotations`, `notChecked`.
        ink: Colours or not.
    """
    lines = [line for review in reviews for line in _review(review, ink)]
    lines.append(_summary(reviews, ink))
    return "\n".join(lines) + "\n"


def _review(review: Mapping[str, Any], ink: Ink) -> Iterator[str]:
    if not review["allowed"]:
        word = ink.error("denied")
    else:
        word = ink.warning("warned") if review["warnings"] else ink.good("allowed")
    yield f"{word} {ink.strong(review['object'])} {ink.faint(review['operation'])}"
    for denial in review["denials"]:
        yield from _indented(f"  {ink.error('x')} ", f"{denial['message']}")
    for warning in review["warnings"]:
        yield from _indented(f"  {ink.warning('!')} ", warning)
    for key, value in review["auditAnnotations"].items():
        yield from _indented(f"  {ink.faint('audit')} ", f"{key}: {value}")
    for note in review["notChecked"]:
        yield from _indented(f"  {ink.info('not checked')} ", f"{note['policy']}: {note['reason']}")


def _indented(head: str, text: str) -> Iterator[str]:
    first, *rest = text.split("\n")
    yield head + first
    yield from (f"    {line}" for line in rest)


def _summary(reviews: Sequence[Mapping[str, Any]], ink: Ink) -> str:
    denied = sum(not review["allowed"] for review in reviews)
    count = f"{len(reviews)} object{'' if len(reviews) == 1 else 's'}"
    open_ = sum(bool(review["notChecked"]) for review in reviews)
    more = f", {open_} not wholly checked" if open_ else ""
    return (
        f"{ink.error(f'{denied} denied')} of {count}{more}" if denied else f"{ink.good('ok')}: {count}{more}"
    )
