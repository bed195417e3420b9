"""The check's result as one value, and as the versioned JSON document."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from reconciler.model.fieldpath import format_field_path
from reconciler.model.finding import Finding, NotChecked, Severity
from reconciler.model.fleet import Waiver
from reconciler.model.resource import ResourceId
from reconciler.model.rulehelp import RuleHelp
from reconciler.model.verdict import Verdict

__all__ = ["CheckReport", "SiteResult", "WaiverUse", "to_json"]

API_VERSION = "wayside.dev/v1alpha1"


@dataclass(frozen=True, slots=True)
class SiteResult:
    """How one site fared.

    Attributes:
        name: The site.
        verdict: The rules' verdict, or None where the site could not be rendered or read.
        resources: How many objects its overlay renders to.
        allowed: Whether it may be applied; False also where a schema is not met.
    """

    name: str
    verdict: Verdict | None
    resources: int = 0
    allowed: bool = False

    @property
    def download(self) -> int:
        """Bytes that a rollout pulls at the site."""
        return self.verdict.download if self.verdict is not None else 0

    @property
    def word(self) -> str:
        """`allowed`, `refused` or `broken`."""
        if self.verdict is None:
            return "broken"
        return "allowed" if self.allowed else "refused"


@dataclass(frozen=True, slots=True)
class WaiverUse:
    """A waiver that was needed: for how many violations, and at which sites."""

    waiver: Waiver
    violations: int
    sites: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class CheckReport:
    """Everything that one check found.

    Attributes:
        revision: The commit that was checked, or "" for a working tree.
        base: The commit it was compared with, or "".
        sites: In order of name.
        findings: In the order of `Finding.order`, one per cause.
        not_checked: What could not be judged here.
        waived: What was found and is accepted, by waiver.
        unchanged: How many sites were not checked, because nothing that decides about them differs from the
            base.
        rules: What is known of the rules, by id, for links and help.
        seconds: How long the check took; not part of the JSON document, which is deterministic.
    """

    revision: str
    base: str
    sites: Sequence[SiteResult]
    findings: Sequence[Finding]
    not_checked: Sequence[NotChecked] = ()
    waived: Sequence[WaiverUse] = ()
    unchanged: int = 0
    rules: Mapping[str, RuleHelp] = field(default_factory=dict, compare=False)
    seconds: float = field(default=0.0, compare=False)

    @property
    def current(self) -> Sequence[Finding]:
        """The findings that count: all of them, or with a base the new ones."""
        return [finding for finding in self.findings if finding.new is not False]

    @property
    def old(self) -> Sequence[Finding]:
        """The findings that the base has, too."""
        return [finding for finding in self.findings if finding.new is False]

    @property
    def download(self) -> int:
        """Bytes that a rollout pulls at all sites together."""
        return sum(site.download for site in self.sites)

    def count(self, severity: Severity) -> int:
        """Return the number of findings of one severity, those that the base has left out."""
        return sum(1 for finding in self.current if finding.severity is severity)

    def fails(self, threshold: Severity) -> bool:
        """Tell whether any finding that counts is as bad as `threshold`, or worse."""
        return any(finding.severity.at_least(threshold) for finding in self.current)


def _resource(resource: ResourceId | None) -> dict[str, str] | None:
    if resource is None:
        return None
    return {
        "group": resource.group,
        "kind": resource.kind,
        "namespace": resource.namespace,
        "name": resource.name,
    }


def _finding(finding: Finding) -> dict[str, Any]:
    return {
        "rule": finding.rule,
        "severity": finding.severity.value,
        "message": finding.message,
        "hint": finding.hint,
        "fingerprint": finding.fingerprint,
        "resource": _resource(finding.resource),
        "fieldPath": format_field_path(finding.field_path),
        "location": {
            "path": finding.location.path,
            "line": finding.location.line,
            "column": finding.location.column,
        },
        "sites": list(finding.sites),
        "new": finding.new,
        "related": [{"path": at.path, "line": at.line, "column": at.column} for at in finding.related],
    }


def _site(site: SiteResult) -> dict[str, Any]:
    verdict = site.verdict
    return {
        "name": site.name,
        "verdict": site.word,
        "resources": site.resources,
        "download": site.download,
        "inputsDigest": verdict.inputs_digest if verdict else "",
        "rulesDigest": verdict.rules_digest if verdict else "",
        "verdictDigest": verdict.verdict_digest if verdict else "",
    }


def to_document(report: CheckReport) -> Mapping[str, Any]:
    """Return the report as JSON values, by the published schema `check-report.json`."""
    return {
        "apiVersion": API_VERSION,
        "kind": "CheckReport",
        "revision": report.revision,
        "base": report.base,
        "summary": {
            "sites": len(report.sites),
            "allowed": sum(1 for site in report.sites if site.word == "allowed"),
            "refused": sum(1 for site in report.sites if site.word == "refused"),
            "broken": sum(1 for site in report.sites if site.word == "broken"),
            "errors": report.count(Severity.ERROR),
            "warnings": report.count(Severity.WARNING),
            "infos": report.count(Severity.INFO),
            "old": len(report.old),
            "unchanged": report.unchanged,
            "download": report.download,
        },
        "sites": [_site(site) for site in report.sites],
        "findings": [_finding(finding) for finding in report.findings],
        "notChecked": [
            {
                "rule": item.rule,
                "reason": item.reason,
                "resource": _resource(item.resource),
                "sites": list(item.sites),
            }
            for item in report.not_checked
        ],
        "waived": [
            {
                "rule": use.waiver.rule,
                "reason": use.waiver.reason,
                "expires": use.waiver.expires.isoformat(),
                "violations": use.violations,
                "sites": list(use.sites),
            }
            for use in report.waived
        ],
    }


def to_json(report: CheckReport) -> str:
    """Return the report as an indented JSON document that ends in a newline."""
    return json.dumps(to_document(report), indent=2, ensure_ascii=False) + "\n"
