"""Words that all reports share: counts, lists of sites, the closing sentence."""

from __future__ import annotations

from collections.abc import Sequence

from reconciler.model.bytecount import format_bytes
from reconciler.model.finding import Finding, Severity
from reconciler.report.document import CheckReport

__all__ = ["counted", "described", "download_words", "plural", "site_list", "verdict_words"]

_SHOWN_SITES = 6
_PULLING = 4


def plural(count: int, word: str) -> str:
    """Return a count with its word: `1 site`, `2 sites`, `1,000 sites`."""
    return f"{count:,} {word}" if count == 1 else f"{count:,} {word}s"


def site_list(sites: Sequence[str], *, most: int = _SHOWN_SITES) -> str:
    """Return `site: a`, or `3 sites: a, b, c`, or `300 sites: a, b, ... and 294 more`."""
    shown = ", ".join(sites[:most])
    label = "site" if len(sites) == 1 else f"{len(sites):,} sites"
    return f"{label}: {shown}" + (f" and {len(sites) - most:,} more" if len(sites) > most else "")


def counted(report: CheckReport) -> str:
    """Return how many errors, warnings and notes count, or ""."""
    numbers = [(report.count(severity), word) for severity, word in _WORDS]
    return ", ".join(plural(number, word) for number, word in numbers if number)


_WORDS = ((Severity.ERROR, "error"), (Severity.WARNING, "warning"), (Severity.INFO, "note"))


def described(finding: Finding) -> str:
    """Return what is wrong, in which object, at which sites and what to do, line by line, without a place."""
    lines = [finding.message]
    if finding.resource is not None:
        lines.append(f"In {finding.resource}.")
    if finding.sites:
        sites = site_list(finding.sites)
        lines.append(f"{sites[0].upper()}{sites[1:]}.")
    if finding.hint:
        lines.append(f"Hint: {finding.hint}.")
    return "\n".join(lines)


def verdict_words(report: CheckReport, threshold: Severity, *, took: str = "") -> tuple[bool, str]:
    """Return whether the check passes, and the sentence that says what it found.

    Args:
        report: What was found.
        threshold: The severity from which it fails.
        took: How long it took, as `in 0.25 s`, where that is to be said.
    """
    checked = f"{plural(len(report.sites), 'site')} checked" + (f" {took}" if took else "")
    if report.base:
        checked += f", {report.unchanged:,} unchanged"
    counts = counted(report) or ("nothing new" if report.old else "")
    if report.old:
        counts += f", {plural(len(report.old), 'finding')} not new"
    if not report.fails(threshold):
        return True, f"{counts}; {checked}" if counts else f"{checked}, nothing found"
    refused = [site.name for site in report.sites if site.word != "allowed"]
    where = f"; {plural(len(refused), 'site')} would refuse this" if refused else ""
    return False, f"{counts}; {checked}{where}"


def download_words(report: CheckReport, *, all_sites: bool = False) -> str:
    """Say what a rollout pulls, at the sites that pull most and in sum; "" where it pulls nothing."""
    pulling = sorted((site for site in report.sites if site.download), key=lambda s: (-s.download, s.name))
    if not pulling:
        return ""
    shown = pulling if all_sites else pulling[:_PULLING]
    names = ", ".join(f"{site.name} {format_bytes(site.download)}" for site in shown)
    more = len(pulling) - len(shown)
    rest = f" and {plural(more, 'more site')}" if more else ""
    return f"a rollout pulls {format_bytes(report.download)} of images: {names}{rest}"
