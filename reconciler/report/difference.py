"""What a change does to sites, for people: identical changes once, deletions loudly."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import replace
from decimal import Decimal
from typing import Any

from reconciler.model.difference import (
    Action,
    FieldChange,
    FleetDifference,
    Footprint,
    ResourceChange,
    Risk,
    SiteDifference,
    SiteStatus,
)
from reconciler.model.quantity import format_bytes
from reconciler.report.ink import Ink
from reconciler.report.words import plural, site_list

__all__ = [
    "footprint_words",
    "format_difference",
    "headline",
    "object_name",
    "removal",
    "shown_value",
    "summary",
]

_WIDEST_VALUE = 200
_HEADS = {
    SiteStatus.ADDED: "added",
    SiteStatus.REMOVED: "removed",
    SiteStatus.RENAMED: "renamed",
    SiteStatus.CHANGED: "changed",
    SiteStatus.BROKEN: "broken",
}


def format_difference(difference: FleetDifference, *, ink: Ink) -> str:
    """Write a difference for a terminal.

    Args:
        difference: What differs.
        ink: Colours or not.
    """
    lines: list[str] = []
    for changes, sites in difference.groups():
        lines += [ink.strong(headline(sites)), *_footprints(sites, ink)]
        if sites[0].status is SiteStatus.REMOVED:
            lines += [f"  {ink.error(removal(changes))}", ""]
            continue
        for change in changes:
            lines += _change(change, ink)
        lines.append("")
    for site in difference.sites:
        if site.status is SiteStatus.BROKEN:
            lines += [f"{ink.error('broken')} {ink.strong(site.name)}: {site.problem}", ""]
    lines.append(_closing(difference, ink))
    return "\n".join(lines) + "\n"


def headline(sites: Sequence[SiteDifference]) -> str:
    """Return which sites a change happens to, and what that is for the site as a whole."""
    status = sites[0].status
    if status is SiteStatus.RENAMED:
        return "site renamed: " + ", ".join(f"{site.renamed_from} -> {site.name}" for site in sites)
    names = site_list([site.name for site in sites])
    count, _, rest = names.partition(": ")
    if status is SiteStatus.CHANGED:
        return names
    loud = _HEADS[status].upper() if status is SiteStatus.REMOVED else _HEADS[status]
    return f"{count} {loud}: {rest}"


def removal(changes: Sequence[ResourceChange]) -> str:
    """Return what becomes of the objects of a site that is not in the repository any more."""
    return (
        f"{plural(len(changes), 'object')} stay there: the site's agent deletes nothing and is held "
        "(SiteRemoved); spec.sync.decommission: true removes a site"
    )


def footprint_words(site: SiteDifference) -> str:
    """Return how memory changes and what is downloaded, or "" where neither does."""
    parts = []
    if site.before.memory != site.after.memory:
        step = site.after.memory - site.before.memory
        sign = "+" if step > 0 else "-"
        parts.append(
            f"memory requests {_bytes(site.before.memory)} -> {_bytes(site.after.memory)} "
            f"({sign}{_bytes(abs(step))})"
        )
    parts += _download(site.after)
    return ", ".join(parts)


def _download(after: Footprint) -> Iterator[str]:
    if after.download:
        yield f"download at most {_bytes(after.download)}"
    if after.unknown:
        yield f"{plural(after.unknown, 'image')} of unknown size"


def _bytes(amount: int) -> str:
    return format_bytes(Decimal(amount)) if amount else "0"


def _footprints(sites: Sequence[SiteDifference], ink: Ink) -> Iterator[str]:
    said: dict[str, list[str]] = {}
    for site in sites:
        words = footprint_words(site)
        if words:
            said.setdefault(words, []).append(site.name)
    if len(said) == 1 and len(next(iter(said.values()))) == len(sites):
        yield f"  {ink.faint(next(iter(said)))}"
        return
    for words, names in list(said.items())[:5]:
        yield f"  {ink.faint(f'{words} at {site_list(names, most=3)}')}"
    if len(said) > 5:
        yield f"  {ink.faint(f'and {len(said) - 5} other amounts')}"


def _change(change: ResourceChange, ink: Ink) -> Iterator[str]:
    match change.action:
        case Action.DELETE:
            kept = " (stays at the site: its annotations keep it)" if change.kept else ""
            word = "left alone" if change.kept else "DELETED"
            yield f"  {ink.error(f'- {word} {change.id}')}{kept}"
        case Action.CREATE:
            yield f"  {ink.good(f'+ {change.id}')}"
        case Action.UPDATE:
            yield f"  {ink.warning('~')} {ink.strong(object_name(change))}"
    for field in change.fields:
        yield from (f"      {line}" for line in _field(field, ink))
    for risk, why in change.risks:
        paint = ink.warning if risk is Risk.RESTARTS else ink.error
        yield f"      {paint(f'! {risk.value}')}: {why}"


def object_name(change: ResourceChange) -> str:
    """Return an object's name, the same for all sites: without the hash of a generator."""
    if not change.stem:
        return str(change.id)
    name = change.stem.removesuffix("-*")
    return f"{replace(change.id, name=name)} (generated: its name gets a new hash)"


def _field(field: FieldChange, ink: Ink) -> Iterator[str]:
    if field.added:
        yield f"{field.path}: {ink.good(f'+ {shown_value(field.after)}')}"
    elif field.removed:
        yield f"{field.path}: {ink.error(f'- {shown_value(field.before)}')}"
    else:
        yield f"{field.path}: {ink.error(shown_value(field.before))} -> {ink.good(shown_value(field.after))}"


def shown_value(value: Any) -> str:
    """Return a value on one line, cut where it is long."""
    text = value if isinstance(value, str) and value.isprintable() else json.dumps(value, ensure_ascii=False)
    if isinstance(value, str) and not value:
        text = '""'
    return text if len(text) <= _WIDEST_VALUE else f"{text[:_WIDEST_VALUE]}... ({len(text):,} characters)"


def summary(difference: FleetDifference) -> str:
    """Return in one line what happens to how many sites and objects."""
    counts = [
        f"{plural(number, 'site')} {_HEADS[status]}"
        for status in SiteStatus
        if (number := sum(site.status is status for site in difference.sites))
    ]
    changes = [
        change
        for site in difference.sites
        if site.status is not SiteStatus.REMOVED
        for change in site.changes
    ]
    gone = sum(change.action is Action.DELETE and not change.kept for change in changes)
    if gone:
        counts.append(f"{plural(gone, 'object')} DELETED")
    lost = sum(any(risk is Risk.DELETES_DATA for risk, _ in change.risks) for change in changes)
    if lost:
        counts.append(f"data lost with {plural(lost, 'object')}")
    return f"{', '.join(counts) or 'no site changed'}; {difference.unchanged:,} unchanged"


def _closing(difference: FleetDifference, ink: Ink) -> str:
    words = summary(difference)
    loud = any(word in words for word in ("DELETED", "data lost", "removed"))
    return ink.error(words) if loud else ink.strong(words)
