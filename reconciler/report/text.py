"""Findings for people: a frame with the line that set the value, what is wrong, and what to do."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType

from reconciler.model.fieldpath import format_field_path
from reconciler.model.finding import Finding, NotChecked, Severity
from reconciler.model.rulehelp import RuleHelp
from reconciler.report.document import CheckReport, WaiverUse
from reconciler.report.excerpt import Excerpt, LineReader, shown_excerpt
from reconciler.report.ink import Ink
from reconciler.report.words import download_words, plural, site_list, verdict_words

__all__ = ["LineReader", "TextStyle", "finding_lines", "format_report"]

_WIDEST = 160
_NARROWEST = 30


@dataclass(frozen=True, slots=True)
class TextStyle:
    """How a report is written for a terminal.

    Attributes:
        ink: Colours or not.
        width: Columns of the terminal; 0 leaves lines as long as they are.
        compact: One line for each finding.
        quiet: Only findings and the closing line.
        verbose: Findings that the base has too, and singly what was not checked.
        rules: What is known of rules, by id, for links.
    """

    ink: Ink = field(default_factory=Ink)
    width: int = 0
    compact: bool = False
    quiet: bool = False
    verbose: bool = False
    rules: Mapping[str, RuleHelp] = field(default_factory=lambda: MappingProxyType({}))


def format_report(
    report: CheckReport, *, read_line: LineReader, threshold: Severity, style: TextStyle | None = None
) -> str:
    """Write a report for a terminal.

    Args:
        report: What was found.
        read_line: Gives the lines that frames show.
        threshold: The severity from which the check fails, for the closing line.
        style: Colours, width and how much is said.
    """
    style = style or TextStyle()
    lines: list[str] = []
    for finding in report.findings if style.verbose else report.current:
        if style.compact:
            lines.append(_compact(finding, style.ink))
        else:
            lines += [*finding_lines(finding, read_line, style), ""]
    if not style.quiet:
        lines += _not_checked_lines(report.not_checked, style)
        lines += _waived_lines(report.waived, style.ink)
    lines += _closing(report, style, threshold)
    pulls = "" if style.quiet else download_words(report, all_sites=style.verbose)
    if pulls:
        lines += _wrapped(pulls, style.width, "  ")
    return "".join(f"{line}\n" for line in lines)


def finding_lines(finding: Finding, read_line: LineReader, style: TextStyle) -> Iterator[str]:
    """Yield a finding line by line: what is wrong, where, and what to do."""
    ink = style.ink
    label = f"{finding.severity.value}[{finding.rule}]"
    old = " (not new)" if finding.new is False else ""
    first, *rest = _wrapped(f"{label}: {finding.message}{old}", style.width, "  ")
    yield f"{ink.severity(finding.severity, label)}{ink.strong(first[len(label) :])}"
    yield from (ink.strong(line) for line in rest)
    pad = " " * len(str(finding.location.line))
    yield f"{pad}{ink.frame('-->')} {finding.location}"
    shown = shown_excerpt(finding, read_line)
    if shown is not None:
        yield f"{pad} {ink.frame('|')}"
        yield from _frame(shown, finding.location.line, style)
        yield f"{pad} {ink.frame('|')}"
    for word, text in _notes(finding, style):
        head, *more = _wrapped(f"{word}: {text}", style.width, " " * (len(word) + 2), len(pad) + 3)
        name = ink.strong(word) if word == "hint" else word
        yield f"{pad} {ink.frame('=')} {name}{head[len(word) :]}"
        yield from (f"{pad}   {line}" for line in more)


def _notes(finding: Finding, style: TextStyle) -> Iterator[tuple[str, str]]:
    if finding.resource is not None:
        path = format_field_path(finding.field_path)
        yield "in", f"{finding.resource}" + (f", {path}" if path else "")
    for place in finding.related:
        yield "set before at", str(place)
    if finding.sites:
        word, _, names = site_list(finding.sites).partition(": ")
        yield word, names
    if finding.hint:
        yield "hint", finding.hint
    help_ = style.rules.get(finding.rule)
    if help_ is not None and help_.link:
        yield "rule", help_.link


def _wrapped(text: str, width: int, indent: str, used: int = 0) -> list[str]:
    """Break a text at words; what stands `indent`ed begins on later lines. A word is never broken."""
    room = max(width - used, _NARROWEST)
    if not width or len(text) <= room:
        return [text]
    return textwrap.wrap(text, room, subsequent_indent=indent, break_long_words=False, break_on_hyphens=False)


def _compact(finding: Finding, ink: Ink) -> str:
    """Return a finding as compilers write it, so that editors can jump to it."""
    sites = f" ({len(finding.sites):,} sites)" if len(finding.sites) > 1 else ""
    where = "".join(f" ({name})" for name in finding.sites) if len(finding.sites) == 1 else sites
    label = ink.severity(finding.severity, f"{finding.severity.value}[{finding.rule}]")
    return f"{ink.strong(str(finding.location))}: {label}: {' '.join(finding.message.split())}{where}"


def _frame(shown: Excerpt, line: int, style: TextStyle) -> Iterator[str]:
    """Show one line with a caret under the value; a long line is cut around it."""
    ink = style.ink
    number = str(line)
    room = max(min(style.width or _WIDEST, _WIDEST) - len(number) - 3, _NARROWEST)
    text, start, end = shown.text, shown.start, shown.end
    if len(text) > room:
        # The beginning stays where the value can be seen with it; otherwise the value moves to the left.
        cut = 0 if start < room * 2 // 3 else start - room // 3
        text, start, end = text[cut : cut + room], start - cut, min(end - cut, room)
        text = ("…" + text[1:] if cut else text)[:room]
        text = text[:-1] + "…" if len(shown.text) > cut + room else text
    yield f"{ink.frame(number + ' |')} {text}"
    yield f"{' ' * len(number)} {ink.frame('|')} {' ' * start}{ink.error('^' * max(1, end - start))}"


def _not_checked_lines(items: Sequence[NotChecked], style: TextStyle) -> Iterator[str]:
    if not items:
        return
    by_reason: dict[tuple[str, str], int] = {}
    for item in items:
        by_reason[item.rule, item.reason] = by_reason.get((item.rule, item.reason), 0) + 1
    for (rule, reason), count in sorted(by_reason.items()):
        times = f" ({count} objects)" if count > 1 else ""
        label = "not checked"
        first, *rest = _wrapped(f"{label}[{rule}]: {reason}{times}", style.width, "  ")
        yield f"{style.ink.info(label)}{first[len(label) :]}"
        yield from rest
    if style.verbose:
        for item in items:
            subject = f"{item.resource}" if item.resource is not None else "the site"
            where = f" ({site_list(item.sites)})" if item.sites else ""
            yield f"  {subject}: {item.rule}{where}"
    yield ""


def _waived_lines(uses: Sequence[WaiverUse], ink: Ink) -> Iterator[str]:
    for use in uses:
        head = ink.info("waived") + f"[{use.waiver.rule}]"
        yield (
            f"{head}: {plural(use.violations, 'violation')} at {plural(len(use.sites), 'site')} "
            f"until {use.waiver.expires}: {use.waiver.reason}"
        )
    if uses:
        yield ""


def _closing(report: CheckReport, style: TextStyle, threshold: Severity) -> list[str]:
    passes, words = verdict_words(report, threshold, took=f"in {report.seconds:.2f} s")
    if passes and style.quiet and not report.current:
        return []
    head = "ok" if passes else "refused"
    first, *rest = _wrapped(f"{head}: {words}", style.width, "  ")
    paint = style.ink.good if passes else style.ink.error
    return [f"{paint(head)}{first[len(head) :]}", *rest]
