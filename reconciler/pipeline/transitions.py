"""What is said of a change, rather than of its result: rules that compare an object with what was there.

An update may be refused though the same object may be created, and a deletion though nothing is wrong with
what stays. Both need an old object: in the check that of the base. At a site it may be another, so what is
found here is no part of the verdict; there, the API server's dry-run takes its place.
"""

from __future__ import annotations

import datetime
from dataclasses import replace

from reconciler.model.finding import NotChecked, Violation
from reconciler.pipeline.desired import Desired
from reconciler.pipeline.rulebook import Rulebook
from reconciler.pipeline.schemas import SchemaBook

__all__ = ["TRANSITION", "transitions"]

TRANSITION = "transition"


def transitions(
    desired: Desired,
    before: Desired,
    *,
    rulebook: Rulebook,
    schemas: SchemaBook | None,
    known: tuple[Violation, ...],
    at: datetime.datetime,
) -> tuple[tuple[Violation, ...], tuple[NotChecked, ...]]:
    """Judge what changes at a site.

    Args:
        desired: What is to be there.
        before: What was there.
        rulebook: The fleet's rules.
        schemas: The fleet's schemas, whose transition rules count.
        known: What is found of the result by itself, which is not told again.
        at: The time by which waivers expire.
    """
    refused, not_checked = rulebook.compare(desired, before, at=at)
    if schemas is not None:
        refused += schemas.compare(desired.site, desired.resources, before.resources)
    told = {(each.rule, each.resource, each.message) for each in known}
    there = {resource.id for resource in desired.resources}
    return (
        tuple(
            replace(each, rule=TRANSITION, hint=each.hint or _hint(is_update=each.resource in there))
            for each in refused
            if (each.rule, each.resource, each.message) not in told
        ),
        tuple(note for note in not_checked if note.resource not in there),
    )


def _hint(*, is_update: bool) -> str:
    what = "the update of the object" if is_update else "its deletion"
    return f"this is about {what}, compared with the base: the object by itself is not refused"
