"""What a change does to sites as Markdown, and as a JSON document."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from reconciler.model.difference import Action, FleetDifference, ResourceChange, SiteDifference, SiteStatus
from reconciler.report.difference import footprint_words, headline, object_name, removal, shown_value, summary
from reconciler.report.markdown import MOST_CHARACTERS, escape, fold, within

__all__ = ["difference_json", "difference_markdown"]

_MARK = "<!-- wayside-diff -->"
_OPEN = 3
_SHOWN_FIELDS = 60


def difference_markdown(difference: FleetDifference, *, most: int = MOST_CHARACTERS) -> str:
    """Return a difference as Markdown that folds and stays under a limit of characters.

    Args:
        difference: What differs.
        most: The most characters.
    """
    words = summary(difference)
    head = [_MARK, "### What changes at the sites", "", f"{escape(words[0].upper() + words[1:])}.", ""]
    blocks = [
        _block(changes, sites, is_open=number < _OPEN)
        for number, (changes, sites) in enumerate(difference.groups())
    ]
    broken = [site for site in difference.sites if site.status is SiteStatus.BROKEN]
    tail = [f"- :x: **{escape(site.name)}**: {escape(site.problem)}" for site in broken[:50]]
    return within(head, blocks, tail, most=most, what="change")


def _block(changes: tuple[ResourceChange, ...], sites: tuple[SiteDifference, ...], *, is_open: bool) -> str:
    deleted = sum(change.action is Action.DELETE and not change.kept for change in changes)
    if sites[0].status is SiteStatus.REMOVED:
        deleted = 0
    loud = f" :rotating_light: deletes {deleted}" if deleted else ""
    title = f"**{escape(headline(sites))}**{loud}"
    return fold(title, "\n".join(_body(changes, sites)), is_open=is_open)


def _body(changes: tuple[ResourceChange, ...], sites: tuple[SiteDifference, ...]) -> Iterator[str]:
    amounts = {words for site in sites if (words := footprint_words(site))}
    if amounts:
        yield escape("; ".join(sorted(amounts)[:5]) + (" ..." if len(amounts) > 5 else "")) + "\n"
    if sites[0].status is SiteStatus.REMOVED:
        yield escape(removal(changes))
        return
    yield "```diff"
    for change in changes:
        sign = {Action.DELETE: "-", Action.CREATE: "+", Action.UPDATE: "@@"}[change.action]
        end = " @@" if change.action is Action.UPDATE else ""
        kept = " (stays at the site)" if change.kept else ""
        yield _safe(f"{sign} {object_name(change)}{end}{kept}")
        for field in change.fields[:_SHOWN_FIELDS]:
            if not field.added:
                yield _safe(f"-   {field.path}: {shown_value(field.before)}")
            if not field.removed:
                yield _safe(f"+   {field.path}: {shown_value(field.after)}")
        if len(change.fields) > _SHOWN_FIELDS:
            yield f"    and {len(change.fields) - _SHOWN_FIELDS} fields more"
        for risk, why in change.risks:
            yield _safe(f"!   {risk.value}: {why}")
    yield "```"


def _safe(line: str) -> str:
    """Return a line that cannot end the block of code that it stands in."""
    return line.replace("```", "` ` `")


def difference_json(difference: FleetDifference) -> str:
    """Return a difference as a JSON document that ends in a newline."""
    document = {
        "apiVersion": "wayside.dev/v1alpha1",
        "kind": "FleetDifference",
        "base": difference.base,
        "revision": difference.revision,
        "unchanged": difference.unchanged,
        "sites": [_site(site) for site in difference.sites],
    }
    return json.dumps(document, indent=2, ensure_ascii=False, default=str) + "\n"


def _site(site: SiteDifference) -> dict[str, Any]:
    return {
        "name": site.name,
        "status": site.status.value,
        "renamedFrom": site.renamed_from,
        "problem": site.problem,
        "memoryBefore": site.before.memory,
        "memoryAfter": site.after.memory,
        "download": site.after.download,
        "imagesOfUnknownSize": site.after.unknown,
        "changes": [
            {
                "resource": {
                    "group": change.id.group,
                    "kind": change.id.kind,
                    "namespace": change.id.namespace,
                    "name": change.id.name,
                },
                "action": change.action.value,
                "renamedFrom": change.renamed_from,
                "kept": change.kept,
                "risks": [{"risk": risk.name.lower(), "why": why} for risk, why in change.risks],
                "fields": [
                    {
                        "path": field.path,
                        **({} if field.added else {"before": field.before}),
                        **({} if field.removed else {"after": field.after}),
                    }
                    for field in change.fields
                ],
            }
            for change in site.changes
        ],
    }
