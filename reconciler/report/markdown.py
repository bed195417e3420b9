"""The report as Markdown, for a comment in a pull request or the summary of a job.

It folds, and it stays under a limit of characters: what does not fit is counted, never cut in the middle.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from reconciler.model.fieldpath import format_field_path
from reconciler.model.finding import Finding, Severity
from reconciler.model.rulehelp import RuleHelp
from reconciler.report.document import CheckReport
from reconciler.report.excerpt import LineReader, shown_excerpt
from reconciler.report.words import download_words, plural, site_list, verdict_words

__all__ = ["MARK", "code", "escape", "fold", "to_markdown", "within"]

#: The first line of a comment, by which the next run finds it again.
MARK = "<!-- wayside -->"
#: GitHub takes 65,536 characters in a comment, GitLab 1,000,000.
MOST_CHARACTERS = 60_000

_ICONS = {Severity.ERROR: ":x:", Severity.WARNING: ":warning:", Severity.INFO: ":information_source:"}
_SPECIAL = re.compile(r"([\\`*_{}\[\]<>#|~])")
_OPEN = 5


def to_markdown(
    report: CheckReport,
    *,
    read_line: LineReader,
    threshold: Severity,
    most: int = MOST_CHARACTERS,
) -> str:
    """Return the report as Markdown.

    Args:
        report: What was found.
        read_line: Gives the lines that are shown.
        threshold: The severity from which the check fails.
        most: The most characters.
    """
    passes, words = verdict_words(report, threshold)
    head = [
        MARK,
        f"### {':white_check_mark: Wayside: ok' if passes else ':x: Wayside: refused'}",
        "",
        f"{words[0].upper()}{words[1:]}.",
        "",
    ]
    pulls = download_words(report)
    if pulls:
        head += [f"{pulls[0].upper()}{escape(pulls[1:])}.", ""]
    tail = [*_refused(report), *_not_checked(report), *_old(report)]
    found = sorted(report.current, key=lambda finding: (finding.severity.rank, finding.order))
    blocks = [
        _block(finding, read_line, report.rules, is_open=number < _OPEN)
        for number, finding in enumerate(found)
    ]
    return within(head, blocks, tail, most=most, what="finding")


def within(head: list[str], blocks: list[str], tail: list[str], *, most: int, what: str) -> str:
    """Join the parts of a comment; as many blocks as fit, and how many `what`s do not."""
    fixed = sum(len(line) + 1 for line in (*head, *tail))
    if fixed > most // 2:  # the tail is a list of names: a part of it is of no use
        tail, fixed = [], sum(len(line) + 1 for line in head)
    room = most - fixed - 120
    kept: list[str] = []
    for block in blocks:
        if len(block) + 1 > room:
            break
        kept.append(block)
        room -= len(block) + 1
    if len(kept) < len(blocks):
        kept.append(f"{plural(len(blocks) - len(kept), what)} more: the job's log has them.\n")
    return "\n".join([*head, *kept, *tail]).rstrip("\n") + "\n"


def escape(text: str) -> str:
    """Return text that Markdown shows as it is, on one line."""
    # A mention would reach people even when it is escaped, so a space of no width parts it.
    return _SPECIAL.sub(r"\\\1", " ".join(text.split())).replace("@", "@\u200b")


def code(text: str) -> str:
    """Return text as code, on one line, whatever backticks it holds."""
    text = " ".join(text.split())
    ticks = "`" * (max((len(run) for run in re.findall("`+", text)), default=0) + 1)
    pad = " " if text.startswith("`") or text.endswith("`") else ""
    return f"{ticks}{pad}{text}{pad}{ticks}"


def fold(summary: str, body: str, *, is_open: bool = False) -> str:
    """Return a block that folds.

    Args:
        summary: Markdown, on one line.
        body: Markdown, without blank lines at its ends.
        is_open: Whether it is unfolded at first.
    """
    opened = " open" if is_open else ""
    return f"<details{opened}>\n<summary>\n\n{summary}\n\n</summary>\n\n{body}\n\n</details>\n"


def _block(finding: Finding, read_line: LineReader, rules: Mapping[str, RuleHelp], *, is_open: bool) -> str:
    sites = f" ({plural(len(finding.sites), 'site')})" if finding.sites else ""
    name = f"{_ICONS[finding.severity]} **{escape(finding.rule)}**"
    return fold(
        f"{name}: {escape(finding.message)}{sites}",
        "\n".join(_body(finding, read_line, rules)),
        is_open=is_open,
    )


def _body(finding: Finding, read_line: LineReader, rules: Mapping[str, RuleHelp]) -> Iterator[str]:
    yield code(str(finding.location))
    shown = shown_excerpt(finding, read_line)
    if shown is not None:
        fence = "`" * max(3, max((len(run) for run in re.findall("`+", shown.text)), default=0) + 1)
        caret = " " * shown.start + "^" * max(1, shown.end - shown.start)
        yield f"\n{fence}\n{shown.text[:400]}\n{caret[:400]}\n{fence}\n"
    else:
        yield ""
    if finding.resource is not None:
        path = format_field_path(finding.field_path)
        yield f"- in {code(str(finding.resource))}" + (f", {code(path)}" if path else "")
    for place in finding.related:
        yield f"- set before at {code(str(place))}"
    if finding.sites:
        yield f"- {escape(site_list(finding.sites, most=30))}"
    if finding.hint:
        yield f"- **hint**: {escape(finding.hint)}"
    rule = rules.get(finding.rule)
    if rule is not None and rule.link.startswith("https://"):
        yield f"- [why this rule]({rule.link})"


def _refused(report: CheckReport) -> Iterator[str]:
    names = [site.name for site in report.sites if site.word != "allowed"]
    if names:
        yield fold(
            f"{plural(len(names), 'site')} would refuse this",
            escape(", ".join(names[:500])) + _more(names, 500),
        )


def _more(names: list[str], shown: int) -> str:
    return f" and {len(names) - shown:,} more" if len(names) > shown else ""


def _not_checked(report: CheckReport) -> Iterator[str]:
    reasons = sorted({(item.rule, item.reason) for item in report.not_checked})
    if reasons:
        lines = [f"- **{escape(rule)}**: {escape(reason)}" for rule, reason in reasons[:50]]
        yield fold(f"{plural(len(reasons), 'thing')} not checked", "\n".join(lines))


def _old(report: CheckReport) -> Iterator[str]:
    if report.old:
        yield (
            f"{plural(len(report.old), 'finding')} of the touched sites are in the base, too, and do not "
            "count: `wayside check` lists them.\n"
        )
