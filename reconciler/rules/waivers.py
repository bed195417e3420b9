"""Waivers: a violation that a fleet accepts for a reason, until a day."""

from __future__ import annotations

import datetime
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase

from reconciler.model.finding import Violation
from reconciler.model.fleet import Waiver
from reconciler.model.resource import ResourceId

__all__ = ["Waived", "apply_waivers"]


@dataclass(frozen=True, slots=True)
class Waived:
    """A violation that is not held against a site, and the waiver that says so."""

    violation: Violation
    waiver: Waiver


def apply_waivers(
    violations: Iterable[Violation], waivers: Sequence[Waiver], *, site: str, at: datetime.datetime
) -> tuple[list[Violation], list[Waived]]:
    """Part violations into those that count and those that are waived.

    Args:
        violations: What the rules say of one site.
        waivers: The fleet's waivers; the first that fits is taken.
        site: The site's name.
        at: The commit's time; a waiver holds to the end of its last day (UTC).
    """
    today = at.astimezone(datetime.UTC).date()
    live = [
        waiver
        for waiver in waivers
        if waiver.expires >= today
        and (not waiver.sites or any(fnmatchcase(site, pattern) for pattern in waiver.sites))
    ]
    counted: list[Violation] = []
    waived: list[Waived] = []
    for violation in violations:
        waiver = next((w for w in live if w.rule == violation.rule and _covers(w, violation.resource)), None)
        if waiver is None:
            counted.append(violation)
        else:
            waived.append(Waived(violation, waiver))
    return counted, waived


def _covers(waiver: Waiver, resource: ResourceId | None) -> bool:
    if not waiver.resources:
        return True
    if resource is None:
        return False
    short = f"{resource.kind}/{resource.name}"
    full = f"{resource.kind}/{resource.namespace}/{resource.name}"
    return any(fnmatchcase(full if p.count("/") > 1 else short, p) for p in waiver.resources)
