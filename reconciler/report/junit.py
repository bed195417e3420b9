"""JUnit XML: a test case for every finding, and one for every site that may have the change.

The format is that of the Jenkins xUnit plugin's `junit-10.xsd`, which GitLab, Azure and CircleCI read, too.
"""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET

from reconciler.model.finding import Finding, Severity
from reconciler.report.document import CheckReport
from reconciler.report.words import described

__all__ = ["to_junit"]

#: What XML 1.0 cannot hold.
_FORBIDDEN = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def to_junit(report: CheckReport, *, threshold: Severity) -> str:
    """Return the report as a JUnit document.

    Args:
        report: What was found; only what counts is in it.
        threshold: The severity from which a finding is a failure; the others pass, with their text as output.
    """
    failed = sum(1 for finding in report.current if finding.severity.at_least(threshold))
    passed = [site for site in report.sites if site.word == "allowed"]
    counts = {
        "tests": str(len(report.current) + len(passed)),
        "failures": str(failed),
        "errors": "0",
        "time": f"{report.seconds:.3f}",
    }
    root = ET.Element("testsuites", {"name": "wayside", **counts})
    suite = ET.SubElement(root, "testsuite", {"name": "wayside check", **counts})
    for finding in report.current:
        _case(suite, finding, threshold)
    for site in passed:
        ET.SubElement(suite, "testcase", {"classname": "wayside.site", "name": _text(site.name)})
    ET.indent(root)
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + ET.tostring(root, encoding="unicode") + "\n"


def _case(suite: ET.Element, finding: Finding, threshold: Severity) -> None:
    name = f"{finding.location}: {' '.join(finding.message.split())}"
    case = ET.SubElement(
        suite, "testcase", {"classname": f"wayside.rule.{_text(finding.rule)}", "name": _text(name)}
    )
    body = _text(f"{finding.location}\n{described(finding)}")
    if finding.severity.at_least(threshold):
        kind = {"type": _text(finding.rule), "message": _text(finding.message)}
        ET.SubElement(case, "failure", kind).text = body
    else:
        ET.SubElement(case, "system-out").text = body


def _text(text: str) -> str:
    return _FORBIDDEN.sub("\ufffd", text)
