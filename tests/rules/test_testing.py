"""`wayside test` for site rules says what was expected and what was found."""

from __future__ import annotations

import pytest

from reconciler.documents.tree import MemoryTree
from reconciler.errors import RuleError
from reconciler.model.location import Location
from reconciler.model.ruletest import RuleTestResult
from reconciler.report.ink import Ink
from reconciler.report.rule_tests import format_rule_tests
from reconciler.rules.testing import run_tests
from tests.rules.sites import make_site

RULE = """\
apiVersion: wayside.dev/v1alpha1
kind: SitePolicy
metadata: {name: no-latest}
spec:
  scope: Image
  validations:
    - {expression: image.tag != 'latest', message: is named latest}
"""
TEST = """\
apiVersion: wayside.dev/v1alpha1
kind: RuleTest
metadata: {name: no-latest}
spec:
  site:
    platform: k3s
    kubernetesVersion: "1.33"
    nodes: [{name: box, architecture: linux/arm64, allocatable: {memory: 1Gi}}]
  cases:
    - name: latest is refused
      resources:
        - apiVersion: v1
          kind: Pod
          metadata: {name: web, namespace: shop}
          spec: {containers: [{name: web, image: "nginx:latest"}]}
      expect:
        violations: [EXPECTED]
"""


def run(expected: str, rule: str = RULE, test: str = TEST) -> list[RuleTestResult]:
    tree = MemoryTree(
        {
            "policies/no-latest.yaml": rule.encode(),
            "policies/no-latest.test.yaml": test.replace("EXPECTED", expected).encode(),
        }
    )
    return run_tests(tree, ["policies"], parse_site=make_site)


@pytest.mark.parametrize(
    "expected",
    [
        "{}",
        "{message: named latest}",
        "{resource: Pod/shop/web, fieldPath: 'spec.containers[0].image', severity: error}",
    ],
)
def test_a_case_passes_when_what_is_expected_is_found(expected: str) -> None:
    [result] = run(expected)

    assert result.failures == ()
    assert result.at == Location("policies/no-latest.test.yaml", 10, 7)


@pytest.mark.parametrize(
    ("expected", "failure"),
    [
        ("", "expected no violation, found no-latest on Pod/shop/web spec.containers[0].image"),
        ("{message: other}", "expected a violation with message 'other', found none"),
        ("{severity: info}", "expected a violation with severity info, found none"),
        ("{}, {}", "expected a violation with any violation, found none"),
        ("{mesage: x}", "did you mean message?"),
    ],
)
def test_a_case_fails_when_it_is_not(expected: str, failure: str) -> None:
    assert failure in " ".join(failure for result in run(expected) for failure in result.failures)


def test_a_rule_that_does_not_compile_fails_its_tests_and_says_why() -> None:
    [result] = run("{}", rule=RULE.replace("image.tag", "imag.tag"))

    assert any("imag" in failure for failure in result.failures)


def test_a_test_without_its_rule_fails() -> None:
    results = run("", test=TEST.replace("{name: no-latest}", "{name: no-lates}"))

    assert any("there is no rule 'no-lates'" in failure for r in results for failure in r.failures)


def test_a_path_that_is_not_there_is_an_error_and_not_an_empty_success() -> None:
    with pytest.raises(RuleError, match="found nothing at 'polices'"):
        run_tests(MemoryTree({"a.yaml": b""}), ["polices"], parse_site=make_site)


def test_the_printed_result_names_the_failed_case_its_place_and_the_reason() -> None:
    text = format_rule_tests(run("{message: other}"), ink=Ink())

    assert text == (
        "FAIL no-latest 0/1 policies/no-latest.test.yaml\n"
        "  x latest is refused (policies/no-latest.test.yaml:10:7)\n"
        "      expected a violation with message 'other', found none\n"
        "      expected no violation, found no-latest on Pod/shop/web spec.containers[0].image: "
        "is named latest\n"
        "1 failed, 0 passed, 1 rule\n"
    )
    assert format_rule_tests(run("{}"), ink=Ink()).endswith("1 passed, 1 rule\n")
