"""One cause, one finding: what a line does to many sites is said once, with the sites."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Sequence

from reconciler.model.finding import Finding, NotChecked
from reconciler.model.fleet import Waiver
from reconciler.report.document import WaiverUse

__all__ = ["merge_findings", "merge_not_checked", "waiver_uses"]


_RULE_ERROR = "rule-error"


def merge_findings(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    """Merge findings of many sites that have one cause, and put them in a fixed order.

    Findings have one cause where rule, severity, place and object are the same: the same line may be another
    element of a list at another site. Where one site has
    several of them, the first of each site are merged, then the second, and so on, so that none is lost.
    The message is that of the first site by name: sites may be named differently in it.
    """
    groups: dict[tuple[object, ...], dict[str, Finding]] = {}
    seen: dict[tuple[object, ...], int] = {}
    for finding in sorted(findings, key=lambda f: (f.sites, f.order)):
        cause = (
            finding.rule,
            finding.severity,
            finding.location,
            finding.resource,
        )
        number = seen.get((*cause, finding.sites), 0)
        seen[(*cause, finding.sites)] = number + 1
        group = groups.setdefault((*cause, number), {})
        for site in finding.sites or ("",):
            group.setdefault(site, finding)
    merged = []
    for group in groups.values():
        first = group[min(group)]
        sites = tuple(sorted(site for site in group if site))
        # What is new at one site is new, although others had it before.
        new = any(each.new for each in group.values()) if first.new is not None else None
        merged.append(dataclasses.replace(first, sites=sites, new=new))
    return tuple(sorted(_without_echoes(merged), key=lambda finding: finding.order))


def _without_echoes(findings: Sequence[Finding]) -> list[Finding]:
    """Fold what a rule that cannot be used says at each site into the finding on the rule itself."""
    broken = {(f.location, f.message): f for f in findings if f.rule == _RULE_ERROR}
    kept = []
    for finding in findings:
        cause = next(
            (
                key
                for key in broken
                if finding.rule != _RULE_ERROR
                and key[0] == finding.location
                and finding.message.endswith(key[1])
            ),
            None,
        )
        if cause is None:
            kept.append(finding)
        else:
            sites = tuple(sorted({*broken[cause].sites, *finding.sites}))
            hint = broken[cause].hint or finding.hint
            broken[cause] = dataclasses.replace(broken[cause], sites=sites, hint=hint)
    return [broken[f.location, f.message] if f.rule == _RULE_ERROR else f for f in kept]


def merge_not_checked(items: Iterable[NotChecked]) -> tuple[NotChecked, ...]:
    """Merge what could not be checked for many sites, in a fixed order."""
    groups: dict[tuple[object, ...], set[str]] = {}
    first: dict[tuple[object, ...], NotChecked] = {}
    for item in items:
        cause = (item.rule, item.reason, item.resource)
        first.setdefault(cause, item)
        groups.setdefault(cause, set()).update(item.sites)
    merged = [
        dataclasses.replace(first[cause], sites=tuple(sorted(sites))) for cause, sites in groups.items()
    ]
    return tuple(sorted(merged, key=lambda item: (item.rule, item.reason, str(item.resource or ""))))


def waiver_uses(waived: Iterable[tuple[str, Waiver]]) -> tuple[WaiverUse, ...]:
    """Count what each waiver was needed for, in a fixed order.

    Args:
        waived: The site's name and the waiver, once for each violation that is accepted.
    """
    found: dict[Waiver, list[str]] = {}
    for site, waiver in waived:
        found.setdefault(waiver, []).append(site)
    uses = [WaiverUse(waiver, len(sites), tuple(sorted(set(sites)))) for waiver, sites in found.items()]
    return tuple(sorted(uses, key=lambda use: (use.waiver.rule, use.waiver.expires, use.sites)))
