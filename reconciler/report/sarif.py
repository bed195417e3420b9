"""SARIF 2.1.0, as GitHub code scanning takes it.

https://docs.oasis-open.org/sarif/sarif/v2.1.0/; limits by "SARIF support for code scanning" of
https://docs.github.com/code-security: 25,000 results and rules a run, of which 5,000 results are shown; 1,000
locations a result, of which 100 are shown.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any
from urllib.parse import quote

from reconciler.model.finding import Finding, Severity
from reconciler.model.location import Location
from reconciler.model.rulehelp import RuleHelp
from reconciler.report.document import CheckReport
from reconciler.report.excerpt import LineReader, excerpt
from reconciler.report.words import described

__all__ = ["to_sarif"]

_SCHEMA = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
_MOST_RESULTS = 5_000
_MOST_RELATED = 100
_LEVELS = {Severity.ERROR: "error", Severity.WARNING: "warning", Severity.INFO: "note"}


def to_sarif(
    report: CheckReport,
    *,
    read_line: LineReader,
    version: str,
    prefix: str = "",
    home: str = "",
) -> str:
    """Return the report as a SARIF log.

    Args:
        report: What was found.
        read_line: Gives the lines from which the extent of values is seen.
        version: Wayside's version.
        prefix: The fleet's directory in its repository, with a slash at its end, or "".
        home: The address of the project's documentation, or "".
    """
    worst = sorted(report.findings, key=lambda finding: (finding.new is False, finding.severity.rank))
    kept = sorted(worst[:_MOST_RESULTS], key=lambda finding: finding.order)
    names = sorted({finding.rule for finding in kept})
    numbers = {name: number for number, name in enumerate(names)}
    driver: dict[str, Any] = {
        "name": "Wayside",
        "version": version,
        "semanticVersion": version,
        "rules": [_rule(report.rules.get(name) or RuleHelp(name, name)) for name in names],
    }
    if home:
        driver["informationUri"] = home
    run: dict[str, Any] = {
        "tool": {"driver": driver},
        "automationDetails": {"id": "wayside/"},
        "columnKind": "unicodeCodePoints",
        "originalUriBaseIds": {"%SRCROOT%": {"description": {"text": "The root of the repository."}}},
        "results": [
            _result(finding, numbers[finding.rule], read_line, prefix, compared=bool(report.base))
            for finding in kept
        ],
        "invocations": [
            {
                "executionSuccessful": True,
                "toolExecutionNotifications": _notifications(report, len(worst) - len(kept)),
            }
        ],
    }
    log = {"$schema": _SCHEMA, "version": "2.1.0", "runs": [run]}
    return json.dumps(log, indent=2, ensure_ascii=False) + "\n"


def _rule(rule: RuleHelp) -> dict[str, Any]:
    text = rule.text or rule.title
    described: dict[str, Any] = {
        "id": rule.name,
        "name": "".join(part.capitalize() for part in rule.name.split("-")),
        "shortDescription": {"text": rule.title},
        "fullDescription": {"text": rule.title},
        "help": {"text": text, "markdown": text},
        "defaultConfiguration": {"level": _LEVELS[rule.severity]},
        "properties": {"tags": ["wayside"], "problem.severity": _PROBLEM[rule.severity]},
    }
    if rule.link.startswith("https://"):
        described["helpUri"] = rule.link
    return described


_PROBLEM = {Severity.ERROR: "error", Severity.WARNING: "warning", Severity.INFO: "recommendation"}


def _result(
    finding: Finding, number: int, read_line: LineReader, prefix: str, *, compared: bool
) -> dict[str, Any]:
    result: dict[str, Any] = {
        "ruleId": finding.rule,
        "ruleIndex": number,
        "level": _LEVELS[finding.severity],
        "message": {"text": described(finding)},
        "locations": [{"physicalLocation": _physical(finding.location, read_line, prefix)}],
        "partialFingerprints": {
            "primaryLocationLineHash": f"{finding.fingerprint}:1",
            "wayside/v1": finding.fingerprint,
        },
        "properties": {"sites": list(finding.sites)},
    }
    if finding.related:
        result["relatedLocations"] = [
            {
                "id": position,
                "message": {"text": "the value was set here before"},
                "physicalLocation": _physical(place, read_line, prefix),
            }
            for position, place in enumerate(finding.related[:_MOST_RELATED], 1)
        ]
    if compared:
        result["baselineState"] = "unchanged" if finding.new is False else "new"
    return result


def _physical(at: Location, read_line: LineReader, prefix: str) -> dict[str, Any]:
    shown = excerpt(at, read_line)
    region: dict[str, Any] = {"startLine": at.line, "startColumn": at.column}
    if shown is not None and shown.end > shown.start:
        region |= {"endLine": at.line, "endColumn": shown.end + 1}
    return {
        "artifactLocation": {"uri": quote(prefix + at.path), "uriBaseId": "%SRCROOT%"},
        "region": region,
    }


def _notifications(report: CheckReport, cut: int) -> Sequence[Mapping[str, Any]]:
    """Return what was not checked, and how many results are left out: said aloud here, too."""
    texts: Iterable[str] = dict.fromkeys(
        f"not checked: {item.rule}: {item.reason}" for item in report.not_checked
    )
    more = [f"{cut} results are left out: code scanning shows no more than {_MOST_RESULTS}"] if cut else []
    return [{"level": "note", "message": {"text": text}} for text in (*more, *texts)]
