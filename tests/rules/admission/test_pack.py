import json

import pytest

from reconciler.documents.yaml import Document, load
from reconciler.model.fieldpath import format_field_path
from reconciler.model.finding import Severity
from reconciler.model.resource import Resource
from reconciler.rules.admission.pack import AdmissionPack
from reconciler.rules.admission.policy import AdmissionPolicy
from tests.rules.admission.cases import DEFINITIONS
from tests.rules.admission.documents import config_map, deployment, policy

GOOD = b"""\
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingAdmissionPolicy
metadata: {name: few-replicas}
spec:
  paramKind: {apiVersion: wayside.dev/v1alpha1, kind: Site}
  matchConstraints:
    resourceRules:
    - {apiGroups: [apps], apiVersions: [v1], operations: [CREATE, UPDATE], resources: [deployments]}
  validations:
  - expression: object.spec.replicas <= size(params.spec.nodes)
    message: no more replicas than nodes
---
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingAdmissionPolicyBinding
metadata: {name: few-replicas}
spec:
  policyName: few-replicas
  validationActions: [Deny]
  paramRef: {selector: {}, namespace: wayside-system, parameterNotFoundAction: Deny}
"""
SITE = {
    "apiVersion": "wayside.dev/v1alpha1",
    "kind": "Site",
    "metadata": {"name": "box", "namespace": "wayside-system"},
    "spec": {"nodes": [{"name": "a"}, {"name": "b"}]},
}
BAD = b"""\
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingAdmissionPolicy
metadata:
  name: broken
spec:
  failurPolicy: Fail
  matchConstraints:
    resourceRules:
    - {apiGroups: [""], apiVersions: [v1], operations: [CREATE], resources: [configmaps]}
  validations:
  - expression: |
      object.data.a == 'b' &&
        nothing == 'c'
---
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingAdmissionPolicyBinding
metadata: {name: broken}
spec: {policyName: broken, validationActions: [Deny, Warn]}
---
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingAdmissionPolicyBinding
metadata: {name: lonely}
spec: {policyName: nobody, validationActions: [Deny]}
---
apiVersion: admissionregistration.k8s.io/v1
kind: MutatingAdmissionPolicy
metadata: {name: mutating}
"""


def pack(data: bytes) -> AdmissionPack:
    return AdmissionPack.load(load(data, "policies/p.yaml"), read=lambda _: data)


def test_a_policy_may_have_the_site_as_its_parameter() -> None:
    review = pack(GOOD).review([Resource(deployment(3)), Resource(config_map())], params=[SITE])
    (violation,) = review.violations
    assert violation.rule == "few-replicas"
    assert violation.message == (
        "ValidatingAdmissionPolicy 'few-replicas' with binding 'few-replicas' denied request: "
        "no more replicas than nodes"
    )
    assert str(violation.resource) == "Deployment.apps/shop/web"
    assert violation.field_path == ("spec", "replicas")


def test_the_site_of_a_repository_is_in_the_namespace_of_the_agent() -> None:
    site = {**SITE, "metadata": {"name": "box"}}
    (violation,) = pack(GOOD).review([Resource(deployment(3))], params=[site]).violations
    assert "no more replicas than nodes" in violation.message


def test_a_version_of_kubernetes_that_nobody_knows_lets_nothing_pass() -> None:
    old = AdmissionPack.load(load(GOOD, "p.yaml"), kubernetes="1.2")
    assert "1.2" in old.findings[0].message
    assert old.review([]).violations


def test_a_custom_kind_among_the_objects_has_the_plural_of_its_definition() -> None:
    text = GOOD.replace(b"[deployments]", b"[boxen]").replace(b"[apps]", b"[tests.wayside.dev]")
    definition = json.loads(json.dumps(DEFINITIONS[0]).replace("boxes", "boxen"))
    box = {"apiVersion": "tests.wayside.dev/v1", "kind": "Box", "metadata": {"name": "b", "namespace": "n"}}
    resources = [Resource(box), Resource(definition)]
    assert len(pack(text).review(resources, params=[SITE]).violations) == 1


def test_a_parameter_that_is_not_there_refuses() -> None:
    (violation,) = pack(GOOD).review([Resource(deployment(1))]).violations
    assert "no params found for policy binding" in violation.message


def test_an_old_object_makes_an_update() -> None:
    text = GOOD.replace(b"object.spec.replicas <= size(params.spec.nodes)", b"request.operation == 'CREATE'")
    resource = Resource(deployment(1))
    assert not pack(text).review([resource], params=[SITE]).violations
    before = {resource.id: deployment(2)}
    assert pack(text).review_changes([resource], before, params=[SITE]).violations


def test_what_stays_the_same_is_not_asked_about_as_a_change() -> None:
    resource = Resource(deployment(3))
    assert not pack(GOOD).review_changes([resource], {resource.id: deployment(3)}, params=[SITE]).violations


def test_an_object_that_is_gone_is_asked_about_as_a_deletion() -> None:
    text = GOOD.replace(b"object.spec.replicas <= size(params.spec.nodes)", b"request.operation != 'DELETE'")
    gone = Resource(deployment(1))
    text = text.replace(b"[CREATE, UPDATE]", b"['*']")
    (violation,) = pack(text).review_changes([], {gone.id: gone.manifest}, params=[SITE]).violations
    assert violation.resource == gone.id


@pytest.mark.parametrize(
    ("expression", "asked"),
    [
        pytest.param("object.spec.replicas < 3", 1, id="content"),
        pytest.param("object.metadata.labels.site != 'two'", 2, id="labels"),
        pytest.param("object.metadata.?labels[?'site'].orValue('') != 'two'", 2, id="optional labels"),
        pytest.param("object.metadata.all(k, k != 'x')", 2, id="all of the metadata"),
        pytest.param("object.all(k, k != 'x')", 2, id="the whole object"),
        pytest.param("object.metadata.name != 'x'", 1, id="the name"),
        pytest.param("variables.all.all(k, k != 'x')", 2, id="the whole object, by a variable"),
    ],
)
def test_sites_share_an_answer_where_what_it_hangs_on_is_the_same(
    expression: str, asked: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    document = policy(
        expression,
        variables=[{"name": "all", "expression": "object.metadata"}],
        matchConstraints={
            "resourceRules": [
                {"apiGroups": ["*"], "apiVersions": ["*"], "operations": ["*"], "resources": ["*"]}
            ]
        },
    )
    if "variables" not in expression:
        del document["spec"]["variables"]
    loaded = AdmissionPack.load([Document(document, "p.yaml", 0)])
    shared = deployment(1)
    judged: list[object] = []
    judge = AdmissionPolicy.judge

    def counted(self: AdmissionPolicy, *given: object) -> object:
        judged.append(given)
        return judge(self, *given)  # type: ignore[arg-type]  # passed on as it came

    monkeypatch.setattr(AdmissionPolicy, "judge", counted)
    found = []
    for site in ("one", "two"):
        metadata = {**shared["metadata"], "labels": {"site": site}}
        found.append(loaded.review([Resource({**shared, "metadata": metadata})]).violations)
    assert len(judged) == asked
    apart = [
        AdmissionPack.load([Document(document, "p.yaml", 0)])
        .review([Resource({**shared, "metadata": {**shared["metadata"], "labels": {"site": site}}})])
        .violations
        for site in ("one", "two")
    ]
    assert found == apart


def test_a_shared_answer_is_of_one_namespace_and_one_set_of_parameters() -> None:
    loaded = pack(GOOD)
    shared = deployment(2)
    small = {**SITE, "spec": {"nodes": [{"name": "a"}]}}
    assert not loaded.review([Resource(shared)], params=[SITE]).violations
    assert loaded.review([Resource(shared)], params=[small]).violations
    assert not loaded.review([Resource(shared)], params=[SITE]).violations
    by_namespace = AdmissionPack.load(
        [
            Document(
                policy("namespaceObject == null || namespaceObject.metadata.labels.tier == 'edge'"),
                "p.yaml",
                0,
            )
        ]
    )
    made = {"apiVersion": "v1", "kind": "Namespace"}
    for tier, refused in (("edge", 0), ("core", 1)):
        namespace = {**made, "metadata": {"name": "shop", "labels": {"tier": tier}}}
        resources = [Resource(namespace), Resource(config_map())]
        assert len(by_namespace.review(resources).violations) == refused


def test_everything_that_is_wrong_is_a_finding_on_its_line() -> None:
    found = [f"{finding.location} {finding.message}" for finding in pack(BAD).findings]
    assert found == [
        "policies/p.yaml:26:7 kind: MutatingAdmissionPolicy is not supported",
        "policies/p.yaml:6:3 spec.failurPolicy: unknown field 'failurPolicy'",
        "policies/p.yaml:13:9 spec.validations[0].expression: "
        "undeclared reference to 'nothing' (in container '')",
        "policies/p.yaml:18:47 spec.validationActions: expected Deny or Warn, found both",
        "policies/p.yaml:23:20 spec.policyName: expected the name of a policy of this fleet, found 'nobody'",
    ]


def test_a_policy_that_cannot_be_used_lets_nothing_pass() -> None:
    violations = pack(BAD).review([]).violations
    assert {violation.rule for violation in violations} == {"broken", "nobody", "mutating"}
    assert all(violation.severity is Severity.ERROR for violation in violations)


def test_an_object_that_cannot_be_judged_is_refused() -> None:
    bad = Resource(config_map(data={"a": float("nan")}))
    (violation,) = pack(GOOD).review([bad]).violations
    assert "the number nan" in violation.message


def test_the_digest_changes_with_the_policies() -> None:
    assert pack(GOOD).digest == pack(GOOD).digest
    assert pack(GOOD).digest != pack(GOOD.replace(b"<=", b"<")).digest


@pytest.mark.parametrize(
    ("expression", "field"),
    [
        pytest.param("object.spec.replicas <= 5", "spec.replicas", id="one field"),
        pytest.param("object.kind == 'Pod' || object.spec.replicas <= 5", "spec.replicas", id="not the kind"),
        pytest.param("object.metadata.name == 'a'", "metadata.name", id="the name alone"),
        pytest.param("object.spec.nothing.at.all == 1", "spec", id="as much as is there"),
        pytest.param(
            "object.spec.template.spec.containers.all(c, c.image == '')",
            "spec.template.spec.containers",
            id="a list",
        ),
        pytest.param("variables.pod.containers.size() > 3", "spec.template.spec", id="by a variable"),
        pytest.param("request.name == 'a'", "", id="no field of the object"),
    ],
)
def test_a_finding_points_at_the_field_that_the_expression_names(expression: str, field: str) -> None:
    document = policy(expression, variables=[{"name": "pod", "expression": "object.spec.template.spec"}])
    loaded = AdmissionPack.load([Document(document, "p.yaml", 0)])
    (violation,) = loaded.review([Resource(deployment(9))]).violations
    assert format_field_path(violation.field_path) == field
