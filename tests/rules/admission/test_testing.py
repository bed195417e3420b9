from pathlib import Path

import pytest

from reconciler.documents.tree import MemoryTree
from reconciler.model.resource import Resource
from reconciler.rules.admission.defaulting import defaulted
from reconciler.rules.admission.testing import run_admission_tests

POLICY = b"""\
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingAdmissionPolicy
metadata: {name: few-replicas}
spec:
  paramKind: {apiVersion: v1, kind: ConfigMap}
  matchConstraints:
    resourceRules:
    - {apiGroups: [apps], apiVersions: [v1], operations: [CREATE, UPDATE], resources: [deployments]}
  validations:
  - expression: object.spec.replicas <= int(params.data.max)
    messageExpression: "'at most ' + params.data.max + ' replicas'"
  - expression: oldObject == null || object.spec.replicas >= oldObject.spec.replicas
    message: never fewer
"""
TEST = b"""\
apiVersion: wayside.dev/v1alpha1
kind: AdmissionTest
metadata: {name: few-replicas}
spec:
  params:
  - {apiVersion: v1, kind: ConfigMap, metadata: {name: limits}, data: {max: "5"}}
  cases:
  - name: five replicas pass
    object: &five {apiVersion: apps/v1, kind: Deployment, metadata: {name: web}, spec: {replicas: 5}}
    expect: {decision: allow}
  - name: the default of one passes
    object: {apiVersion: apps/v1, kind: Deployment, metadata: {name: web}, spec: {}}
    expect: {decision: allow}
  - name: six replicas are too many
    object: {apiVersion: apps/v1, kind: Deployment, metadata: {name: web}, spec: {replicas: 6}}
    expect: {decision: deny, message: at most 5 replicas}
  - name: fewer than before are refused
    object: {apiVersion: apps/v1, kind: Deployment, metadata: {name: web}, spec: {replicas: 4}}
    oldObject: *five
    expect: {decision: deny, message: never fewer}
"""


def run(test: bytes, policy: bytes = POLICY) -> list[str]:
    tree = MemoryTree({"policies/few-replicas.yaml": policy, "policies/few-replicas.test.yaml": test})
    results = run_admission_tests(
        tree,
        ["policies/few-replicas.test.yaml"],
        default=lambda resource: Resource(defaulted(resource.manifest, "1.36")),
    )
    return [f"{result.at.line} {result.case}: {failure}" for result in results for failure in result.failures]


def test_cases_that_come_out_as_expected_pass() -> None:
    assert run(TEST) == []


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        pytest.param(
            b"expect: {decision: deny, message: at most 5 replicas}",
            b"expect: {decision: allow}",
            "14 six replicas are too many: expected allow, found deny: "
            "ValidatingAdmissionPolicy 'few-replicas' denied request: at most 5 replicas",
            id="another decision",
        ),
        pytest.param(
            b"at most 5",
            b"at most 7",
            "14 six replicas are too many: expected a message with 'at most 7 replicas', found: "
            "ValidatingAdmissionPolicy 'few-replicas' denied request: at most 5 replicas",
            id="another message",
        ),
        pytest.param(
            b"{replicas: 5}",
            b"{replicas: 6}",
            "8 five replicas pass: expected allow, found deny: "
            "ValidatingAdmissionPolicy 'few-replicas' denied request: at most 5 replicas",
            id="another object",
        ),
        pytest.param(
            b"expect: {decision: deny, message: at most 5 replicas}",
            b"expects: {decision: deny}",
            "14 six replicas are too many: the case expects nothing",
            id="an unknown field",
        ),
        pytest.param(
            b"metadata: {name: few-replicas}",
            b"metadata: {name: many-replicas}",
            "4 the test can be read: spec.policy: "
            "expected a ValidatingAdmissionPolicy 'many-replicas' beside this test",
            id="a policy that is not there",
        ),
    ],
)
def test_what_is_not_as_expected_is_told(old: bytes, new: bytes, expected: str) -> None:
    assert old in TEST
    assert expected in run(TEST.replace(old, new, 1))


def test_a_policy_that_is_wrong_fails_its_test() -> None:
    (failure,) = run(TEST, POLICY.replace(b"object.spec.replicas <=", b"objekt.spec.replicas <="))
    assert "the policy is wrong: spec.validations[0].expression" in failure


def test_a_file_that_is_no_yaml_fails() -> None:
    (failure,) = run(b"a: [")
    assert "the file can be read" in failure


def test_what_was_not_checked_must_be_expected() -> None:
    policy = POLICY.replace(b"oldObject == null ||", b"authorizer.path('/').check('get').allowed() ||")
    assert any("expected to be checked, found: not checked" in failure for failure in run(TEST, policy))


def test_the_format_is_described_in_the_module() -> None:
    source = Path(run_admission_tests.__code__.co_filename).read_text(encoding="utf-8")
    assert "kind: AdmissionTest" in source
