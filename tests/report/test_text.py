"""A finding is shown with the line that set the value, what is wrong, and what to do."""

from __future__ import annotations

import re

from reconciler.model.finding import Finding, NotChecked, Severity
from reconciler.model.location import Location
from reconciler.model.resource import ResourceId
from reconciler.report.document import CheckReport, SiteResult
from reconciler.report.ink import Ink
from reconciler.report.text import TextStyle, format_report

LINES = {
    ("bases/pos/deployment.yaml", 24): '          image: "acme/pos:1"  # the till',
    ("sites/a/site.yaml", 7): "  budgets: {memory: 3Gi}",
}


def read_line(path: str, line: int) -> str | None:
    return LINES.get((path, line))


def finding(**changes: object) -> Finding:
    values: dict[str, object] = {
        "rule": "image-platforms",
        "severity": Severity.ERROR,
        "message": "acme/pos:1 has no linux/arm64 build",
        "location": Location("bases/pos/deployment.yaml", 24, 18),
        "hint": "build it for linux/arm64",
        "resource": ResourceId("apps", "Deployment", "shop", "pos"),
        "field_path": ("spec", "template", "spec", "containers", 0, "image"),
        "sites": ("a",),
    }
    return Finding(**{**values, **changes})  # type: ignore[arg-type] # the table mixes the fields' types


def text(*findings: Finding, not_checked: tuple[NotChecked, ...] = (), colour: bool = False) -> str:
    report = CheckReport("", "", [SiteResult("a", None)], findings, not_checked, seconds=0.25)
    return format_report(
        report, read_line=read_line, threshold=Severity.ERROR, style=TextStyle(ink=Ink(colour=colour))
    )


def test_the_frame_marks_the_value_and_not_the_comment_after_it() -> None:
    assert text(finding()) == (
        "error[image-platforms]: acme/pos:1 has no linux/arm64 build\n"
        "  --> bases/pos/deployment.yaml:24:18\n"
        "   |\n"
        '24 |           image: "acme/pos:1"  # the till\n'
        "   |                  ^^^^^^^^^^^^\n"
        "   |\n"
        "   = in: Deployment.apps/shop/pos, spec.template.spec.containers[0].image\n"
        "   = site: a\n"
        "   = hint: build it for linux/arm64\n"
        "\n"
        "refused: 1 error; 1 site checked in 0.25 s; 1 site would refuse this\n"
    )


def test_many_sites_of_one_cause_are_counted_and_cut_off() -> None:
    sites = tuple(f"s{number:03}" for number in range(300))
    assert "= 300 sites: s000, s001, s002, s003, s004, s005 and 294 more\n" in text(finding(sites=sites))


def test_a_line_that_cannot_be_shown_leaves_no_empty_frame() -> None:
    shown = text(finding(location=Location("gone.yaml", 3, 1)))
    assert "gone.yaml:3:1" in shown
    assert "|" not in shown


def test_colour_changes_nothing_but_colour() -> None:
    painted = text(finding(), colour=True)
    assert "\033[" in painted
    assert re.sub(r"\033\[[0-9;]*m", "", painted) == text(finding())


def test_what_was_not_checked_is_said_once_for_each_reason() -> None:
    items = tuple(NotChecked("schema", "no schema for Widget.acme.dev/v1", (s,)) for s in ("a", "b"))
    assert "not checked[schema]: no schema for Widget.acme.dev/v1 (2 objects)\n" in text(not_checked=items)


def test_a_fingerprint_survives_a_line_shift_and_tells_causes_apart() -> None:
    shifted = finding(location=Location("bases/pos/deployment.yaml", 99, 18))
    assert shifted.fingerprint == finding().fingerprint
    assert finding(rule="digest-pinned").fingerprint != finding().fingerprint
    assert finding(location=Location("other.yaml", 24, 18)).fingerprint != finding().fingerprint
