"""The JSON report is what its published schema says."""

from __future__ import annotations

import json
from importlib import resources

import jsonschema

from reconciler.model.finding import Finding, NotChecked, Severity
from reconciler.model.location import Location
from reconciler.model.resource import ResourceId
from reconciler.model.verdict import Verdict
from reconciler.report.document import CheckReport, SiteResult, to_json

SCHEMA = json.loads(resources.files("reconciler.report").joinpath("schemas/check-report.json").read_text())
DIGEST = "sha256:" + "0" * 64


def report() -> CheckReport:
    deployment = ResourceId("apps", "Deployment", "shop", "pos")
    return CheckReport(
        revision="c" * 40,
        base="",
        sites=[
            SiteResult("a", Verdict("a", True, (), (), DIGEST, DIGEST, DIGEST), 12, allowed=True),
            SiteResult("b", Verdict("b", False, (), (), DIGEST, DIGEST, DIGEST), 12),
            SiteResult("c", None),
        ],
        findings=[
            Finding(
                "memory-budget", Severity.ERROR, "too much", Location("sites/b/site.yaml", 7, 3), sites=("b",)
            ),
            Finding(
                "digest-pinned",
                Severity.WARNING,
                "a tag",
                Location("bases/d.yaml", 3, 5),
                resource=deployment,
                field_path=("spec", "template"),
                related=(Location("bases/e.yaml", 1, 1),),
            ),
        ],
        not_checked=[NotChecked("schema", "no schema", ("a",), deployment), NotChecked("x", "y")],
        seconds=1.0,
    )


def test_the_document_follows_its_published_schema() -> None:
    jsonschema.Draft202012Validator.check_schema(SCHEMA)
    jsonschema.validate(json.loads(to_json(report())), SCHEMA)


def test_counts_and_verdicts_are_in_the_document() -> None:
    document = json.loads(to_json(report()))
    assert document["summary"] == {
        "sites": 3,
        "allowed": 1,
        "refused": 1,
        "broken": 1,
        "errors": 1,
        "warnings": 1,
        "infos": 0,
        "old": 0,
        "unchanged": 0,
        "download": 0,
    }
    assert [site["verdict"] for site in document["sites"]] == ["allowed", "refused", "broken"]
    assert document["findings"][1]["fieldPath"] == "spec.template"


def test_how_long_it_took_is_not_in_the_document() -> None:
    assert to_json(report()) == to_json(report())
    assert "seconds" not in to_json(report())


def test_the_threshold_decides_failure() -> None:
    assert report().fails(Severity.ERROR)
    warnings_only = CheckReport("", "", [], [report().findings[1]])
    assert not warnings_only.fails(Severity.ERROR)
    assert warnings_only.fails(Severity.WARNING)
    assert warnings_only.fails(Severity.INFO)
