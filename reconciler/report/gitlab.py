"""GitLab's code quality report, a subset of the Code Climate issue format.

https://docs.gitlab.com/ci/testing/code_quality/#code-quality-report-format
"""

from __future__ import annotations

import hashlib
import json
from typing import Any

from reconciler.model.finding import Finding, Severity
from reconciler.report.document import CheckReport
from reconciler.report.words import described

__all__ = ["to_gitlab"]

_SEVERITIES = {Severity.ERROR: "critical", Severity.WARNING: "minor", Severity.INFO: "info"}


def to_gitlab(report: CheckReport, *, prefix: str = "") -> str:
    """Return the report as a JSON array of issues.

    GitLab compares the report with that of the target branch by fingerprint itself, so findings that are not
    new are in it, too.

    Args:
        report: What was found.
        prefix: The fleet's directory in its repository, with a slash at its end, or "".
    """
    seen: dict[str, int] = {}
    issues = []
    for finding in report.findings:
        count = seen.get(finding.fingerprint, 0)
        seen[finding.fingerprint] = count + 1
        issues.append(_issue(finding, count, prefix))
    return json.dumps(issues, indent=2, ensure_ascii=False) + "\n"


def _issue(finding: Finding, count: int, prefix: str) -> dict[str, Any]:
    # A fingerprint must be there once: the second finding of one cause and place gets one of its own.
    fingerprint = finding.fingerprint
    if count:
        fingerprint = hashlib.sha256(f"{fingerprint}:{count}".encode()).hexdigest()[:32]
    return {
        "type": "issue",
        "check_name": finding.rule,
        "description": f"{finding.rule}: {' '.join(finding.message.split())}",
        "content": {"body": described(finding)},
        "categories": ["Compatibility"],
        "fingerprint": fingerprint,
        "severity": _SEVERITIES[finding.severity],
        "location": {"path": prefix + finding.location.path, "lines": {"begin": finding.location.line}},
    }
