import json
import math
from typing import Any

import pytest

from reconciler.errors import RuleError
from reconciler.rules.admission import AdmissionPolicy, AdmissionRequest, InvalidPolicy, Review, builtin_kinds
from tests.rules.admission.cases import DEFINITIONS
from tests.rules.admission.documents import binding, config_map, deployment, policy

ITSELF = {"name": "a", "expression": "variables.a"}
FAILURE = "validation.policy.admission.k8s.io/validation_failure"
ASKS = "authorizer.path('/x').check('get').allowed()"


def messages(review: Review) -> list[str]:
    return [denial.message for denial in review.denials]


class TestABinding:
    def test_is_assumed_to_deny_where_there_is_none(self) -> None:
        parsed = AdmissionPolicy.parse(policy("object.spec.replicas <= 5"))
        assert messages(parsed.review(object=deployment(6))) == [
            "ValidatingAdmissionPolicy 'small' denied request: failed expression: object.spec.replicas <= 5"
        ]

    def test_that_is_assumed_hands_over_every_parameter(self) -> None:
        spec: dict[str, Any] = {"paramKind": {"apiVersion": "v1", "kind": "ConfigMap"}}
        parsed = AdmissionPolicy.parse(policy("object.spec.replicas <= int(params.data.max)", **spec))
        params = [config_map("a", {"max": "5"}), config_map("b", {"max": "2"})]
        assert len(parsed.review(object=deployment(3), params=params).denials) == 1
        assert parsed.review(object=deployment(2), params=params).allowed

    def test_of_another_policy_is_passed_over(self) -> None:
        parsed = AdmissionPolicy.parse(policy("false"), bindings=[binding(policy_name="other")])
        assert parsed.review(object=config_map()).allowed

    def test_is_each_heard(self) -> None:
        bindings = [binding("first"), binding("second"), binding("third", actions=["Warn"])]
        review = AdmissionPolicy.parse(policy("false"), bindings=bindings).review(object=config_map())
        assert [denial.binding for denial in review.denials] == ["first", "second"]
        assert len(review.warnings) == 1

    def test_that_audits_leaves_an_annotation(self) -> None:
        parsed = AdmissionPolicy.parse(policy("true", "false"), bindings=[binding(actions=["Audit"])])
        review = parsed.review(object=config_map())
        assert review.allowed
        failure = json.loads(review.audit_annotations[FAILURE])
        assert failure == [
            {
                "message": "failed expression: false",
                "policy": "small",
                "binding": "bound",
                "expressionIndex": 1,
                "validationActions": ["Audit"],
            }
        ]


class TestAuditAnnotations:
    def test_of_several_parameters_are_joined_once_each(self) -> None:
        document = policy(
            paramKind={"apiVersion": "v1", "kind": "ConfigMap"},
            auditAnnotations=[{"key": "limit", "valueExpression": "' at most ' + string(params.data.max)"}],
        )
        ref = {"selector": {}, "parameterNotFoundAction": "Deny"}
        parsed = AdmissionPolicy.parse(document, bindings=[binding(paramRef=ref)])
        params = [config_map(name, {"max": value}) for name, value in (("a", "1"), ("b", "2"), ("c", "1"))]
        review = parsed.review(object=config_map(), params=params)
        assert dict(review.audit_annotations) == {"small/limit": "at most 1, at most 2"}


class TestWhatOnlyAClusterKnows:
    def test_names_the_expression(self) -> None:
        document = policy(ASKS, "object.metadata.name == 'a'")
        review = AdmissionPolicy.parse(document).review(object=config_map("b"))
        (note,) = review.not_checked
        assert note.rule == "small"
        assert "spec.validations[0].expression" in note.reason
        assert "left to the API server" in note.reason
        assert len(review.denials) == 1

    def test_may_be_hidden_in_a_variable(self) -> None:
        variables = [{"name": "may", "expression": ASKS}]
        review = AdmissionPolicy.parse(policy("variables.may", variables=variables)).review(
            object=config_map()
        )
        assert len(review.not_checked) == 1

    def test_in_a_condition_leaves_the_whole_policy_open(self) -> None:
        condition = {"name": "may", "expression": ASKS}
        parsed = AdmissionPolicy.parse(policy("false", matchConditions=[condition]))
        review = parsed.review(object=config_map())
        assert review.allowed
        assert "spec.matchConditions[0].expression" in review.not_checked[0].reason

    def test_in_a_condition_does_not_matter_where_another_does_not_hold(self) -> None:
        conditions = [
            {"name": "may", "expression": ASKS},
            {"name": "no", "expression": "false"},
        ]
        review = AdmissionPolicy.parse(policy("false", matchConditions=conditions)).review(
            object=config_map()
        )
        assert review.allowed
        assert not review.not_checked

    def test_are_the_labels_of_a_namespace_that_is_not_given(self) -> None:
        document = policy("false")
        document["spec"]["matchConstraints"]["namespaceSelector"] = {"matchLabels": {"tier": "edge"}}
        parsed = AdmissionPolicy.parse(document)
        review = parsed.review(object=config_map())
        assert review.allowed
        assert "labels of the namespace shop" in review.not_checked[0].reason
        namespace = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "shop", "labels": {}}}
        assert not parsed.review(object=config_map(), namespace_object=namespace).not_checked

    def test_is_a_conversion_between_versions(self) -> None:
        document = policy("false", resources=["horizontalpodautoscalers"])
        document["spec"]["matchConstraints"]["resourceRules"][0]["apiVersions"] = ["v1"]
        scaler = {
            "apiVersion": "autoscaling/v2",
            "kind": "HorizontalPodAutoscaler",
            "metadata": {"name": "web", "namespace": "shop"},
            "spec": {},
        }
        review = AdmissionPolicy.parse(document).review(object=scaler)
        assert "only the API server converts autoscaling/v2" in review.not_checked[0].reason


class TestDefaults:
    def test_are_there_before_the_policy_is_asked(self) -> None:
        parsed = AdmissionPolicy.parse(policy("object.spec.replicas <= 5"))
        assert parsed.review(object=deployment(None)).allowed
        assert not parsed.review(object=deployment(None), defaults=False).allowed


class TestARequest:
    def test_is_an_update_with_two_objects_and_a_deletion_with_the_old_one_alone(self) -> None:
        parsed = AdmissionPolicy.parse(policy("request.operation == 'CREATE'"))
        assert parsed.review(object=config_map()).allowed
        assert not parsed.review(object=config_map(), old_object=config_map()).allowed
        assert not parsed.review(old_object=config_map()).allowed

    def test_for_a_deletion_may_name_its_object_either_way(self) -> None:
        parsed = AdmissionPolicy.parse(policy("object != null || oldObject.metadata.name != 'settings'"))
        assert not parsed.review(object=config_map(), operation="DELETE").allowed
        assert not parsed.review(old_object=config_map(), operation="delete").allowed

    def test_without_a_namespace_is_for_the_default_one(self) -> None:
        parsed = AdmissionPolicy.parse(policy("object.metadata.namespace != 'default'"))
        manifest = config_map()
        del manifest["metadata"]["namespace"]
        assert not parsed.review(object=manifest).allowed
        assert "namespace" not in manifest["metadata"]

    def test_for_a_name_that_the_server_makes_up_has_one(self) -> None:
        manifest = config_map()
        manifest["metadata"] = {"generateName": "run-"}
        parsed = AdmissionPolicy.parse(policy("object.metadata.name == request.name"))
        assert parsed.review(object=manifest).allowed
        parsed = AdmissionPolicy.parse(policy("object.metadata.name.matches('^run-.{5}$')"))
        assert parsed.review(object=manifest).allowed

    def test_of_a_custom_kind_has_the_plural_of_its_definition(self) -> None:
        box = {
            "apiVersion": "tests.wayside.dev/v1",
            "kind": "Box",
            "metadata": {"name": "b", "namespace": "n"},
        }
        document = policy("false", resources=["boxes"])
        kinds = builtin_kinds().with_definitions(DEFINITIONS)
        assert not AdmissionPolicy.parse(document, kinds=kinds).review(object=box).allowed

    def test_of_a_kind_that_nobody_knows_has_the_plural_that_kubectl_would_guess(self) -> None:
        thing = {"apiVersion": "x.example/v1", "kind": "Policy", "metadata": {"name": "p"}}
        assert not AdmissionPolicy.parse(policy("false", resources=["policies"])).review(object=thing).allowed

    def test_for_a_subresource_matches_only_rules_that_name_it(self) -> None:
        whole = AdmissionPolicy.parse(policy("false", resources=["deployments"]))
        part = AdmissionPolicy.parse(
            policy("request.subResource != 'scale'", resources=["deployments/scale"])
        )
        scale = {
            "apiVersion": "autoscaling/v1",
            "kind": "Scale",
            "metadata": {"name": "web", "namespace": "shop"},
            "spec": {"replicas": 9},
        }
        given: dict[str, Any] = {
            "object": scale,
            "old_object": scale,
            "subresource": "scale",
            "resource": "apps/v1/deployments",
        }
        assert whole.review(**given).allowed
        assert not part.review(**given).allowed

    @pytest.mark.parametrize(
        ("kind", "resource"),
        [("PodExecOptions", "pods/exec"), ("PodPortForwardOptions", "pods/portforward")],
    )
    def test_to_connect_is_for_the_subresource_that_takes_its_kind(self, kind: str, resource: str) -> None:
        parts = ["request.kind.kind", "request.resource.resource", "request.subResource", "request.name"]
        document = policy("false", resources=[resource])
        document["spec"]["validations"][0]["messageExpression"] = f"[{', '.join(parts)}].join(' ')"
        review = AdmissionPolicy.parse(document).review(
            object={"apiVersion": "v1", "kind": kind, "stdin": True}, operation="CONNECT", name="web"
        )
        assert review.denials[0].detail == f"{kind} {resource.replace('/', ' ')} web"

    def test_to_evict_is_for_a_pod(self) -> None:
        metadata = {"name": "web", "namespace": "shop"}
        eviction = {"apiVersion": "policy/v1", "kind": "Eviction", "metadata": metadata}
        parsed = AdmissionPolicy.parse(policy("request.resource.group != ''", resources=["pods/eviction"]))
        assert not parsed.review(object=eviction).allowed

    def test_with_a_resource_that_is_none_is_refused(self) -> None:
        with pytest.raises(RuleError, match="expected a resource such as deployments"):
            AdmissionPolicy.parse(policy("true")).review(object=config_map(), resource="a/b/c/d")

    @pytest.mark.parametrize(
        "given",
        [
            pytest.param({}, id="nothing"),
            pytest.param({"object": {"kind": "ConfigMap"}}, id="no apiVersion"),
            pytest.param({"object": {"apiVersion": "v1", "kind": 3}}, id="a kind that is no string"),
            pytest.param({"object": config_map(), "operation": "PATCH"}, id="an operation that there is not"),
            pytest.param({"object": [1]}, id="a list"),
            pytest.param(
                {"object": config_map(), "user_info": {"groups": "dev"}}, id="groups that are no list"
            ),
            pytest.param({"old_object": config_map(), "operation": "CREATE"}, id="a creation of nothing"),
        ],
    )
    def test_that_is_none_is_refused_in_plain_words(self, given: dict[str, Any]) -> None:
        parsed = AdmissionPolicy.parse(policy("true"))
        with pytest.raises(RuleError, match=r"expected"):
            parsed.review(**given)

    def test_is_described_once_for_many_policies(self) -> None:
        request = AdmissionRequest.of(object=deployment(9))
        policies = [AdmissionPolicy.parse(policy(f"object.spec.replicas <= {most}")) for most in (5, 10)]
        assert [one.judge(request).allowed for one in policies] == [False, True]


class TestAnObjectThatIsHardToRead:
    @pytest.mark.parametrize(
        ("value", "expected"),
        [
            pytest.param(math.nan, "the number nan at data.a", id="not a number"),
            pytest.param(math.inf, "the number inf at data.a", id="infinity"),
            pytest.param([2**70], r"an integer beyond 64 bits at data.a\[0\]", id="a huge number"),
            pytest.param({1: "a"}, "a key of type int at data.a", id="a key that is no string"),
            pytest.param({"a", "b"}, "a value of type set at data.a", id="a set"),
            pytest.param("\ud800", "a string that is not Unicode", id="half a character"),
        ],
    )
    def test_is_refused_with_its_place(self, value: Any, expected: str) -> None:
        parsed = AdmissionPolicy.parse(policy("true"))
        with pytest.raises(RuleError, match=expected):
            parsed.review(object=config_map(data={"a": value}))

    def test_may_be_deep(self) -> None:
        parsed = AdmissionPolicy.parse(policy("object.data.a[0][0] == null"))
        assert not parsed.review(object=config_map(data={"a": nested(300)})).allowed

    def test_may_be_so_deep_that_it_is_refused(self) -> None:
        parsed = AdmissionPolicy.parse(policy("true"))
        with pytest.raises(RuleError, match=r"more than 500 levels at data\.a\[0\]"):
            parsed.review(object=config_map(data={"a": nested(100_000)}))

    def test_may_be_a_parameter(self) -> None:
        parsed = AdmissionPolicy.parse(policy("true", paramKind={"apiVersion": "v1", "kind": "ConfigMap"}))
        with pytest.raises(RuleError, match="expected the parameter to be plain JSON"):
            parsed.review(object=config_map(), params=[config_map(data={"a": nested(10_000)})])

    def test_may_be_large(self) -> None:
        parsed = AdmissionPolicy.parse(policy("object.data.a.size() < 1000"))
        assert not parsed.review(object=config_map(data={"a": "x" * 10 * 2**20})).allowed


def nested(depth: int) -> Any:
    value: Any = "end"
    for _ in range(depth):
        value = [value]
    return value


class TestAPolicyThatCannotBeUsed:
    @pytest.mark.parametrize(
        ("document", "expected"),
        [
            pytest.param(
                policy("object.spec.replicas =="), r"spec\.validations\[0\]\.expression", id="syntax"
            ),
            pytest.param(policy("nothing == 1"), r"undeclared reference to 'nothing'", id="unknown name"),
            pytest.param(
                policy("true", variables=[{"name": "a", "expression": "variables.a"}]),
                "variables",
                id="itself",
            ),
            pytest.param(policy("true", vadlidations=[]), "unknown field 'vadlidations'", id="unknown field"),
            pytest.param(
                policy("(" * 5000 + "true" + ")" * 5000), r"spec\.validations\[0\]", id="deep nesting"
            ),
            pytest.param(policy("true || " * 200_000 + "true"), r"spec\.validations\[0\]", id="huge"),
            pytest.param(policy("object.a.matches('(')"), r"spec\.validations\[0\]", id="broken regex"),
            pytest.param(
                {"apiVersion": "admissionregistration.k8s.io/v1", "kind": "MutatingAdmissionPolicy"},
                "MutatingAdmissionPolicy is not supported",
                id="mutating",
            ),
            pytest.param(
                {"apiVersion": "v1", "kind": "ConfigMap"}, "expected ValidatingAdmission", id="other"
            ),
            pytest.param([], "expected a mapping, found list", id="no mapping"),
        ],
    )
    def test_is_refused_in_plain_words(self, document: Any, expected: str) -> None:
        with pytest.raises(InvalidPolicy, match=expected):
            AdmissionPolicy.parse(document)

    def test_has_all_its_problems_told(self) -> None:
        document = policy("nothing == 1", "object.", name="A", failurePolicy="fail")
        with pytest.raises(InvalidPolicy) as caught:
            AdmissionPolicy.parse(document, bindings=[binding(actions=["deny"])])
        fields = {problem.field[-1] for problem in caught.value.problems}
        assert {"name", "failurePolicy", "expression", 0} <= fields

    def test_has_its_mistakes_placed_within_the_expression(self) -> None:
        with pytest.raises(InvalidPolicy) as caught:
            AdmissionPolicy.parse(policy("true &&\n  nothing == 1"))
        assert caught.value.problems[0].within == (2, 3)

    def test_gives_a_hint_where_there_is_one(self) -> None:
        with pytest.raises(InvalidPolicy) as caught:
            AdmissionPolicy.parse(policy("true", failurePolicy="Fial"))
        assert caught.value.hint == "did you mean Fail?"


class TestARunawayExpression:
    def test_stops_and_denies(self) -> None:
        many = f"[{', '.join(map(str, range(100)))}]"
        every = f"{many}.all(a, {many}.all(b, {many}.all(c, {many}.all(d, a + b + c + d >= 0))))"
        review = AdmissionPolicy.parse(policy(every)).review(object=config_map())
        assert not review.allowed
        assert "cost limit exceeded" in review.denials[0].message


class TestAKindThatNobodyDefined:
    @pytest.mark.parametrize(
        ("kind", "plural"),
        [
            ("Gateway", "gateways"),
            ("Proxy", "proxies"),
            ("Certificate", "certificates"),
            ("Mesh", "meshes"),
            ("Box", "boxes"),
            ("Prometheus", "prometheuses"),
        ],
    )
    def test_is_met_by_the_plural_that_its_definition_would_have(self, kind: str, plural: str) -> None:
        rule = {
            "apiGroups": ["acme.dev"],
            "apiVersions": ["*"],
            "operations": ["CREATE"],
            "resources": [plural],
        }
        parsed = AdmissionPolicy.parse(policy("false", matchConstraints={"resourceRules": [rule]}))
        made = {"apiVersion": "acme.dev/v1", "kind": kind, "metadata": {"name": "a", "namespace": "shop"}}
        assert not parsed.review(object=made).allowed


class TestWhatAnEngineCannotEvaluate:
    @pytest.mark.parametrize("failure_policy", ["Fail", "Ignore"])
    @pytest.mark.parametrize("where", ["validation", "condition"])
    def test_denies_whatever_the_failure_policy_says(self, failure_policy: str, where: str) -> None:
        refused = "{true: 1}[true] == 2"
        spec: dict[str, Any] = {"failurePolicy": failure_policy}
        if where == "condition":
            spec["matchConditions"] = [{"name": "a", "expression": refused}]
        text = refused if where == "validation" else "true"
        review = AdmissionPolicy.parse(policy(text, **spec), engine="pure").review(object=config_map())
        assert not review.allowed
