"""Waivers: a violation that a fleet accepts for a reason, until a day."""

from __future__ import annotations

import datetime
from collections.abc import Iterable, Sequence
from fnmatch import fnmatchcase

from reconciler.model.finding import Finding, Severity, Violation
from reconciler.model.fleet import Waiver
from reconciler.model.location import Location
from reconciler.model.resource import ResourceId
from reconciler.model.verdict import Waived

__all__ = ["apply_waivers", "waiver_findings"]


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


def waiver_findings(
    waivers: Sequence[Waiver], used: Iterable[Waiver] | None, *, at: datetime.datetime, fleet_at: Location
) -> tuple[Finding, ...]:
    """Report waivers that have expired, and those that fit no violation of any site.

    Args:
        waivers: The fleet's waivers.
        used: The waivers that were needed at all sites, or None where not all were judged: then nobody knows
            whether a waiver is needed.
        at: The commit's time.
        fleet_at: Where a waiver is shown whose place is not known.
    """
    today = at.astimezone(datetime.UTC).date()
    fitting = None if used is None else set(used)
    found = []
    for waiver in waivers:
        where = f"of {waiver.rule}"
        where += (
            f" for {', '.join((*waiver.sites, *waiver.resources))}"
            if waiver.sites or waiver.resources
            else ""
        )
        if waiver.expires < today:
            rule, message = "waiver-expired", f"the waiver {where} ended on {waiver.expires}"
            hint = "remove it, or renew it with a reason"
        elif fitting is not None and waiver not in fitting:
            rule, message = "waiver-unused", f"the waiver {where} fits no violation"
            hint = "remove it, or mend its rule, sites or resources"
        else:
            continue
        found.append(Finding(rule, Severity.WARNING, message, waiver.at or fleet_at, hint))
    return tuple(found)
