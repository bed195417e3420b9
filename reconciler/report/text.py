"""Findings for people: a frame with the line that set the value, what is wrong, and what to do."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence

from reconciler.model.fieldpath import format_field_path
from reconciler.model.finding import Finding, NotChecked, Severity
from reconciler.model.location import Location
from reconciler.report.document import CheckReport, WaiverUse
from reconciler.report.ink import Ink

__all__ = ["LineReader", "finding_lines", "format_report"]

#: Returns the text of a line (counted from 1) of a file, or None where it cannot be shown.
LineReader = Callable[[str, int], str | None]

_SHOWN_SITES = 6
_WIDEST_FRAME = 160
_FLOW_END = re.compile(r"[,\]}]| #")


def format_report(
    report: CheckReport, *, read_line: LineReader, ink: Ink, threshold: Severity, verbose: bool = False
) -> str:
    """Write a report for a terminal.

    Args:
        report: What was found.
        read_line: Gives the lines that frames show.
        ink: Colours or not.
        threshold: The severity from which the check fails, for the closing line.
        verbose: Whether what was not checked is listed singly.
    """
    lines: list[str] = []
    for finding in report.findings:
        lines.extend(finding_lines(finding, read_line, ink))
        lines.append("")
    lines.extend(_not_checked_lines(report.not_checked, ink, verbose=verbose))
    lines.extend(_waived_lines(report.waived, ink))
    lines.append(_summary(report, ink, threshold))
    return "\n".join(lines) + "\n"


def finding_lines(finding: Finding, read_line: LineReader, ink: Ink) -> Iterator[str]:
    """Yield a finding line by line: what is wrong, where, and what to do."""
    head = ink.severity(finding.severity, f"{finding.severity.value}[{finding.rule}]")
    yield f"{head}: {ink.strong(finding.message)}"
    gutter = len(str(finding.location.line))
    pad = " " * gutter
    yield f"{pad}{ink.frame('-->')} {finding.location}"
    source = read_line(finding.location.path, finding.location.line)
    if source is not None and source.strip():
        yield f"{pad} {ink.frame('|')}"
        yield from _frame(source, finding.location, ink)
        yield f"{pad} {ink.frame('|')}"
    if finding.resource is not None:
        field = format_field_path(finding.field_path)
        subject = f"{finding.resource}" + (f", {field}" if field else "")
        yield f"{pad} {ink.frame('=')} in: {subject}"
    for place in finding.related:
        yield f"{pad} {ink.frame('=')} set before at: {place}"
    if finding.sites:
        yield f"{pad} {ink.frame('=')} {_sites(finding.sites)}"
    if finding.hint:
        yield f"{pad} {ink.frame('=')} {ink.strong('hint')}: {finding.hint}"


def _frame(source: str, at: Location, ink: Ink) -> Iterator[str]:
    """Show one line with a caret under the value that begins at the location."""
    text = source.rstrip("\n").expandtabs(1)
    start = min(at.column - 1, len(text))
    end = _value_end(text, start)
    if len(text) > _WIDEST_FRAME:
        # A very long line (an inlined file, a patch in one line) is cut around the value.
        cut = max(0, start - 40)
        text, start, end = text[cut : cut + _WIDEST_FRAME], start - cut, min(end - cut, _WIDEST_FRAME)
    number = str(at.line)
    pad = " " * len(number)
    yield f"{ink.frame(number + ' |')} {text}"
    yield f"{pad} {ink.frame('|')} {' ' * start}{ink.error('^' * max(1, end - start))}"


def _value_end(text: str, start: int) -> int:
    """Return where a value that starts at `start` ends on its line, a trailing comment left out."""
    rest = text[start:]
    if rest[:1] in {'"', "'"}:
        close = rest.find(rest[0], 1)
        if close > 0:
            return start + close + 1
    before = text[:start]
    if before.count("{") > before.count("}") or before.count("[") > before.count("]"):
        # Within a flow collection, a plain scalar ends where the next entry or the collection's end begins.
        return start + len(_FLOW_END.split(rest, maxsplit=1)[0].rstrip())
    comment = rest.find(" #")
    if comment >= 0:
        rest = rest[:comment]
    return start + len(rest.rstrip())


def _sites(sites: Sequence[str]) -> str:
    shown = ", ".join(sites[:_SHOWN_SITES])
    more = len(sites) - _SHOWN_SITES
    label = "site" if len(sites) == 1 else f"{len(sites)} sites"
    return f"{label}: {shown}" + (f" and {more} more" if more > 0 else "")


def _not_checked_lines(items: Sequence[NotChecked], ink: Ink, *, verbose: bool) -> Iterator[str]:
    if not items:
        return
    by_reason: dict[tuple[str, str], int] = {}
    for item in items:
        by_reason[item.rule, item.reason] = by_reason.get((item.rule, item.reason), 0) + 1
    for (rule, reason), count in sorted(by_reason.items()):
        times = f" ({count} objects)" if count > 1 else ""
        yield f"{ink.info('not checked')}[{rule}]: {reason}{times}"
    if verbose:
        for item in items:
            subject = f"{item.resource}" if item.resource is not None else "the site"
            where = f" ({_sites(item.sites)})" if item.sites else ""
            yield f"  {subject}: {item.rule}{where}"
    yield ""


def _waived_lines(uses: Sequence[WaiverUse], ink: Ink) -> Iterator[str]:
    for use in uses:
        head = ink.info("waived") + f"[{use.waiver.rule}]"
        yield (
            f"{head}: {_plural(use.violations, 'violation')} at {_plural(len(use.sites), 'site')} "
            f"until {use.waiver.expires}: {use.waiver.reason}"
        )
    if uses:
        yield ""


def _summary(report: CheckReport, ink: Ink, threshold: Severity) -> str:
    errors, warnings, infos = (report.count(severity) for severity in Severity)
    counts = ", ".join(
        _plural(number, word)
        for number, word in ((errors, "error"), (warnings, "warning"), (infos, "note"))
        if number
    )
    refused = [site.name for site in report.sites if site.word != "allowed"]
    checked = f"{_plural(len(report.sites), 'site')} checked in {report.seconds:.2f} s"
    if not report.findings:
        return f"{ink.good('ok')}: {checked}, nothing found"
    if report.fails(threshold):
        where = f"; {_plural(len(refused), 'site')} would refuse this" if refused else ""
        return f"{ink.error('refused')}: {counts}; {checked}{where}"
    return f"{ink.good('ok')}: {counts}; {checked}"


def _plural(count: int, word: str) -> str:
    return f"{count} {word}" if count == 1 else f"{count} {word}s"
