"""GitHub workflow commands: annotations on the lines of a pull request.

GitHub shows ten errors, ten warnings and ten notices of a step, and drops the rest without a word. So the
findings with the most sites come first, and the last place says how many more there are.
"""

from __future__ import annotations

from collections.abc import Iterator

from reconciler.model.finding import Finding, Severity
from reconciler.report.document import CheckReport
from reconciler.report.excerpt import LineReader, excerpt
from reconciler.report.words import described, plural, verdict_words

__all__ = ["to_github"]

_MOST = 10
_WORDS = {
    Severity.ERROR: ("error", "error"),
    Severity.WARNING: ("warning", "warning"),
    Severity.INFO: ("notice", "note"),
}


def to_github(report: CheckReport, *, read_line: LineReader, threshold: Severity, prefix: str = "") -> str:
    """Return the report as workflow commands, one a line, and the closing sentence as plain text.

    Args:
        report: What was found.
        read_line: Gives the lines from which the extent of values is seen.
        threshold: The severity from which the check fails.
        prefix: The fleet's directory in its repository, with a slash at its end, or "".
    """
    lines: list[str] = []
    for severity in Severity:
        lines += _commands(report, severity, read_line, prefix)
    passes, words = verdict_words(report, threshold)
    lines.append(f"{'ok' if passes else 'refused'}: {words}")
    return "\n".join(lines) + "\n"


def _commands(report: CheckReport, severity: Severity, read_line: LineReader, prefix: str) -> Iterator[str]:
    command, word = _WORDS[severity]
    found = [finding for finding in report.current if finding.severity is severity]
    if len(found) > _MOST:
        found.sort(key=lambda finding: (-len(finding.sites), finding.order))
    shown = found if len(found) <= _MOST else found[: _MOST - 1]
    for finding in shown:
        yield _annotation(command, finding, read_line, prefix)
    if len(found) > len(shown):
        rest = found[len(shown) :]
        rules = ", ".join(sorted({finding.rule for finding in rest}))
        text = f"{plural(len(rest), word)} more than GitHub shows here ({rules}): the job's summary has them"
        yield f"::{command} title=Wayside::{_data(text)}"


def _annotation(command: str, finding: Finding, read_line: LineReader, prefix: str) -> str:
    at = finding.location
    shown = excerpt(at, read_line)
    fields = {"file": prefix + at.path, "line": str(at.line), "endLine": str(at.line), "col": str(at.column)}
    if shown is not None and shown.end > shown.start:
        fields["endColumn"] = str(shown.end)
    fields["title"] = f"Wayside: {finding.rule}"
    pairs = ",".join(f"{name}={_property(value)}" for name, value in fields.items())
    return f"::{command} {pairs}::{_data(described(finding))}"


def _data(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")
