"""Every format is what its published schema says, and stays inside the limits of those who read it."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import xmlschema
from hypothesis import given, settings
from hypothesis import strategies as st

from reconciler.model.finding import Finding, NotChecked, Severity
from reconciler.model.location import Location
from reconciler.model.resource import ResourceId
from reconciler.model.rulehelp import RuleHelp
from reconciler.model.verdict import Verdict
from reconciler.report.document import CheckReport, SiteResult
from reconciler.report.github import to_github
from reconciler.report.gitlab import to_gitlab
from reconciler.report.junit import to_junit
from reconciler.report.markdown import MARK, to_markdown
from reconciler.report.sarif import to_sarif

SCHEMAS = Path(__file__).parent / "schemas"
SARIF = jsonschema.Draft7Validator(json.loads((SCHEMAS / "sarif-2.1.0.json").read_text()))
JUNIT = xmlschema.XMLSchema(SCHEMAS / "junit-10.xsd")
#: What GitLab's documentation of the code quality report requires of an issue.
GITLAB = jsonschema.Draft202012Validator(
    {
        "type": "array",
        "items": {
            "type": "object",
            "required": ["description", "check_name", "fingerprint", "severity", "location"],
            "properties": {
                "description": {"type": "string", "minLength": 1},
                "check_name": {"type": "string", "minLength": 1},
                "fingerprint": {"type": "string", "minLength": 1},
                "severity": {"enum": ["info", "minor", "major", "critical", "blocker"]},
                "location": {
                    "type": "object",
                    "required": ["path", "lines"],
                    "properties": {
                        "path": {"type": "string", "pattern": "^(?!\\./|/)"},
                        "lines": {
                            "type": "object",
                            "required": ["begin"],
                            "properties": {"begin": {"type": "integer", "minimum": 1}},
                        },
                    },
                },
            },
        },
    }
)
DIGEST = "sha256:" + "0" * 64
LINE = "          image: acme/pos:1 # the till"


def read_line(path: str, line: int) -> str | None:
    return LINE if (path, line) == ("bases/pos/deployment.yaml", 24) else None


def finding(**changes: object) -> Finding:
    values: dict[str, object] = {
        "rule": "image-platforms",
        "severity": Severity.ERROR,
        "message": "acme/pos:1 has no linux/arm64 build",
        "location": Location("bases/pos/deployment.yaml", 24, 18),
        "hint": "build it for linux/arm64",
        "resource": ResourceId("apps", "Deployment", "shop", "pos"),
        "field_path": ("spec", "template", "spec", "containers", 0, "image"),
        "sites": ("a", "b"),
    }
    return Finding(**{**values, **changes})  # type: ignore[arg-type] # the table mixes the fields' types


def report(findings: Sequence[Finding], **changes: Any) -> CheckReport:
    sites = [
        SiteResult("a", None),
        SiteResult("c", Verdict("c", True, (), (), DIGEST, DIGEST, DIGEST), 3, allowed=True),
    ]
    rules = {
        "image-platforms": RuleHelp("image-platforms", "every image runs", "Why.", link="https://x.dev/r/")
    }
    return CheckReport(
        **{"revision": "", "base": "", "sites": sites, "findings": findings, "rules": rules, **changes}
    )


def sarif(of: CheckReport, prefix: str = "") -> dict[str, Any]:
    text = to_sarif(of, read_line=read_line, version="0.1.0", prefix=prefix, home="https://x.dev/")
    log: dict[str, Any] = json.loads(text)
    SARIF.validate(log)
    return log


def github(of: CheckReport) -> list[str]:
    return to_github(of, read_line=read_line, threshold=Severity.ERROR).rstrip("\n").split("\n")


def markdown(of: CheckReport, **more: Any) -> str:
    return to_markdown(of, read_line=read_line, threshold=Severity.ERROR, **more)


def junit(of: CheckReport) -> str:
    return to_junit(of, threshold=Severity.ERROR)


HOSTILE = st.text(max_size=60)
FINDINGS = st.lists(
    st.builds(
        finding,
        rule=st.from_regex(r"[a-z]{1,8}(-[a-z]{1,8})?", fullmatch=True),
        message=HOSTILE.filter(str.strip),
        hint=HOSTILE,
        severity=st.sampled_from(Severity),
        location=st.builds(
            Location,
            st.sampled_from(["bases/pos/deployment.yaml", "sites/ö x/site.yaml", "a,b:c%.yaml"]),
            st.integers(1, 30),
            st.integers(1, 80),
        ),
        new=st.sampled_from([None, True, False]),
        related=st.lists(st.just(Location("bases/x.yaml", 3, 5)), max_size=3).map(tuple),
    ),
    max_size=4,
)


@settings(deadline=None, max_examples=60)
@given(FINDINGS)
def test_whatever_a_finding_says_the_documents_follow_their_schemas(findings: list[Finding]) -> None:
    found = report(findings, not_checked=[NotChecked("x", "y")], base="c" * 40)
    sarif(found)
    GITLAB.validate(json.loads(to_gitlab(found)))
    JUNIT.validate(junit(found))
    for line in github(found)[:-1]:
        assert re.fullmatch(r"::(error|warning|notice) (\w+=[^,:]*)(,\w+=[^,:]*)*::[^\r\n]*", line)
    markdown(found)


def test_sarif_marks_the_value_and_not_its_line() -> None:
    (result,) = sarif(report([finding()]), prefix="shops/")["runs"][0]["results"]
    place = result["locations"][0]["physicalLocation"]
    assert place["artifactLocation"]["uri"] == "shops/bases/pos/deployment.yaml"
    assert place["region"] == {"startLine": 24, "startColumn": 18, "endLine": 24, "endColumn": 28}
    assert LINE[17:27] == "acme/pos:1"


def test_sarif_shows_the_chain_from_base_to_patch_and_helps_with_the_rule() -> None:
    log = sarif(report([finding(related=(Location("bases/x.yaml", 3, 5),))]))["runs"][0]
    assert [place["physicalLocation"]["region"] for place in log["results"][0]["relatedLocations"]] == [
        {"startLine": 3, "startColumn": 5}
    ]
    rule = log["tool"]["driver"]["rules"][log["results"][0]["ruleIndex"]]
    assert (rule["helpUri"], rule["help"]["markdown"]) == ("https://x.dev/r/", "Why.")


def test_sarif_keeps_a_fingerprint_when_lines_shift_and_tells_old_from_new() -> None:
    shifted = finding(location=Location("bases/pos/deployment.yaml", 99, 18), new=False)
    first, second = (
        sarif(report([each], base="b" * 40))["runs"][0]["results"][0] for each in (finding(new=True), shifted)
    )
    assert first["partialFingerprints"] == second["partialFingerprints"]
    assert (first["baselineState"], second["baselineState"]) == ("new", "unchanged")


def test_sarif_of_very_many_findings_stays_inside_the_limits_of_code_scanning() -> None:
    many = [finding(location=Location("a.yaml", n + 1), severity=Severity.WARNING) for n in range(6_000)]
    run = sarif(report([*many, finding()]))["runs"][0]
    assert len(run["results"]) == 5_000
    assert [each["level"] for each in run["results"]].count("error") == 1
    notes = run["invocations"][0]["toolExecutionNotifications"]
    assert "1001 results are left out" in notes[0]["message"]["text"]


def test_github_shows_no_more_than_ten_of_a_kind_and_says_how_many_more() -> None:
    many = [finding(location=Location("a.yaml", n + 1), sites=("a",)) for n in range(30)]
    wide = finding(location=Location("b.yaml", 1), sites=tuple(f"s{n}" for n in range(300)))
    lines = [line for line in github(report([*many, wide])) if line.startswith("::error")]
    assert len(lines) == 10
    assert "file=b.yaml" in lines[0]
    assert "22 errors more than GitHub shows here" in lines[-1]


def test_github_escapes_what_would_end_a_command() -> None:
    line = github(report([finding(message="100%\n::error::x", location=Location("a,b:c.yaml", 2))]))[0]
    assert "file=a%2Cb%3Ac.yaml," in line
    assert "::100%25%0A::error::x" in line


def test_gitlab_gets_each_fingerprint_once() -> None:
    issues = json.loads(to_gitlab(report([finding(), finding()])))
    assert len({issue["fingerprint"] for issue in issues}) == 2


def test_junit_has_a_failure_for_a_finding_and_a_pass_for_a_site() -> None:
    text = junit(report([finding(), finding(severity=Severity.WARNING)]))
    assert text.count("<failure") == 1
    assert text.count("<system-out") == 1
    assert '<testcase classname="wayside.site" name="c" />' in text


def test_markdown_begins_with_the_mark_by_which_the_comment_is_found_again() -> None:
    assert markdown(report([finding()])).splitlines()[0] == MARK


@pytest.mark.parametrize("count", [1, 50, 5_000])
def test_markdown_stays_under_the_limit_of_a_comment_and_counts_the_rest(count: int) -> None:
    sites = [SiteResult(f"site-{n:05}", None) for n in range(3_000)]
    many = [finding(location=Location("a.yaml", n + 1), message="m" * 200) for n in range(count)]
    text = markdown(report(many, sites=sites))
    assert len(text) < 65_536
    assert text.count("<details") == text.count("</details>")
    shown = text.count("**image-platforms**")
    assert shown == count or f"{count - shown:,} findings more" in text


@pytest.mark.parametrize(
    "text", ["</details><script>", "| a | `b`", "@everyone", "```\nx", "<!-- wayside -->"]
)
def test_markdown_cannot_be_broken_out_of(text: str) -> None:
    shown = markdown(report([finding(message=text)]))
    assert text not in shown.replace(MARK, "", 1)


WRITERS: dict[str, Callable[[CheckReport], str]] = {
    "sarif": lambda r: json.dumps(sarif(r)),
    "gitlab": to_gitlab,
    "junit": junit,
    "markdown": markdown,
    "github": lambda r: "\n".join(github(r)),
}


@pytest.mark.parametrize("write", WRITERS.values(), ids=WRITERS.keys())
def test_one_cause_is_written_once_with_its_sites(write: Callable[[CheckReport], str]) -> None:
    text = write(report([finding(sites=tuple(f"s{n:03}" for n in range(300)))]))
    assert text.count("300 sites") >= 1
    assert text.count("build it for linux/arm64") == 1
