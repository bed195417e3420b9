"""Rules are loaded, settings applied, and what cannot be used fails closed."""

from __future__ import annotations

import datetime
from collections.abc import Mapping
from typing import Any

import pytest

from reconciler.documents.yaml import Document, load
from reconciler.model.finding import Severity
from reconciler.model.fleet import Fleet, RuleSetting, RuleSettings, Waiver
from reconciler.model.location import Location
from reconciler.model.resource import Resource
from reconciler.rules.pack import RulePack, RuleReview
from reconciler.rules.waivers import waiver_findings
from tests.rules.sites import make_site

NO_SETTINGS = RuleSettings()
NOW = datetime.datetime(2026, 6, 1, 12, tzinfo=datetime.UTC)
SITE = {
    "metadata": {"name": "north-1", "labels": {"region": "north"}},
    "spec": {
        "platform": "k3s",
        "kubernetesVersion": "1.33",
        "nodes": [{"name": "box", "architecture": "linux/arm64", "allocatable": {"memory": "1Gi"}}],
    },
}
POD = {
    "apiVersion": "v1",
    "kind": "Pod",
    "metadata": {"name": "web", "namespace": "shop"},
    "spec": {"containers": [{"name": "web", "image": "nginx:1.27"}]},
}


def rule(name: str = "no-tags", **spec: Any) -> dict[str, Any]:
    body: dict[str, Any] = {
        "scope": "Image",
        "validations": [{"expression": "image.tag == ''", "message": "no tags"}],
    }
    return {
        "apiVersion": "wayside.dev/v1alpha1",
        "kind": "SitePolicy",
        "metadata": {"name": name},
        "spec": {**body, **spec},
    }


def fleet(settings: RuleSettings = NO_SETTINGS) -> Fleet:
    return Fleet(name="f", at=Location("fleet.yaml"), sites={}, manifest={}, rules=settings)


def pack(*rules: Mapping[str, Any], settings: RuleSettings = NO_SETTINGS) -> RulePack:
    documents = [Document(value, f"policies/{i}.yaml", 0) for i, value in enumerate(rules)]
    return RulePack.load(documents, fleet=fleet(settings))


def review(of: RulePack, *resources: Mapping[str, Any], site: Mapping[str, Any] = SITE) -> RuleReview:
    return of.review(make_site(site), [Resource(r) for r in resources or (POD,)], lock=None, at=NOW)


def test_a_violation_names_the_rule_the_object_and_the_field() -> None:
    [violation] = review(pack(rule())).violations

    assert violation.rule == "no-tags"
    assert violation.severity is Severity.ERROR
    assert str(violation.resource) == "Pod/shop/web"
    assert violation.field_path == ("spec", "containers", 0, "image")


def test_a_rule_that_is_switched_off_is_not_asked() -> None:
    off = RuleSettings(rules={"no-tags": RuleSetting(enabled=False)})

    assert review(pack(rule(), settings=off)).violations == ()


def test_a_rule_that_is_off_by_itself_is_switched_on_by_the_fleet() -> None:
    on = RuleSettings(rules={"no-tags": RuleSetting(enabled=True)})

    assert review(pack(rule(enabled=False))).violations == ()
    assert len(review(pack(rule(enabled=False), settings=on)).violations) == 1


def test_the_fleets_severity_replaces_the_rules() -> None:
    info = RuleSettings(rules={"no-tags": RuleSetting(severity=Severity.INFO)})

    assert review(pack(rule(), settings=info)).violations[0].severity is Severity.INFO


def test_parameters_have_defaults_and_are_set_by_the_fleet() -> None:
    limited = rule(
        parameters={"tags": {"type": "strings", "default": []}},
        validations=[{"expression": "image.tag in params.tags", "message": "no"}],
    )
    allowed = RuleSettings(rules={"no-tags": RuleSetting(parameters={"tags": ["1.27"]})})

    assert len(review(pack(limited)).violations) == 1
    assert review(pack(limited, settings=allowed)).violations == ()


@pytest.mark.parametrize(
    ("broken", "message"),
    [
        (rule(validations=[{"expression": "image.tag ==", "message": "m"}]), "does not compile"),
        (rule(validations=[{"expression": "imag.tag == ''", "message": "m"}]), "imag"),
        (rule(validations=[]), "at least one validation"),
        (rule(validations=[{"expression": "true"}]), "a message or a messageExpression"),
        (rule(validations=[{"expresion": "true", "message": "m"}]), "unknown field 'expresion'"),
        (rule(scope="Pod"), "expected one of Site, Resource, Workload, Image, found 'Pod'"),
        (rule(validations=[{"expression": "params.x == 1", "message": "m"}]), "params.x is not declared"),
        (
            rule(
                variables=[
                    {"name": "a", "expression": "variables.b"},
                    {"name": "b", "expression": "1"},
                ]
            ),
            "variables.b, which does not stand before it",
        ),
        (rule(parameters={"n": {"type": "integer", "default": "x"}}), "expected a whole number, found 'x'"),
    ],
    ids=[
        "syntax",
        "unknown-variable",
        "no-validation",
        "no-message",
        "unknown-field",
        "unknown-scope",
        "unknown-parameter",
        "variable-order",
        "parameter-default",
    ],
)
def test_a_rule_that_cannot_be_used_is_reported_and_passes_nobody(
    broken: Mapping[str, Any], message: str
) -> None:
    loaded = pack(broken)

    assert message in " ".join(finding.message for finding in loaded.findings)
    assert any(
        violation.rule == "no-tags" and message in violation.message
        for violation in review(loaded).violations
    )


def test_a_broken_rule_does_not_keep_the_others_from_being_asked() -> None:
    violations = review(pack(rule("broken", scope="Pod"), rule())).violations

    assert {violation.rule for violation in violations} == {"broken", "no-tags"}


def test_an_expression_that_fails_while_it_is_evaluated_counts_as_broken() -> None:
    [violation] = review(
        pack(rule(validations=[{"expression": "object.spec.nothing == 1", "message": "m"}]))
    ).violations

    assert "cannot be evaluated" in violation.message


def test_an_expression_that_is_not_true_or_false_counts_as_broken() -> None:
    [violation] = review(pack(rule(validations=[{"expression": "image.tag", "message": "m"}]))).violations

    assert "expected true or false, found str" in violation.message


def test_a_mistake_is_shown_at_its_line_and_column() -> None:
    text = b"""\
apiVersion: wayside.dev/v1alpha1
kind: SitePolicy
metadata: {name: x}
spec:
  scope: Image
  validations:
    - expression: nothing == ''
      message: m
    - expression: |
        image.tag == '' &&
          nowhere
      message: m
"""
    loaded = RulePack.load(load(text, "policies/x.yaml"), fleet=fleet(), read=lambda _: text)

    assert [(finding.location.line, finding.location.column) for finding in loaded.findings] == [
        (7, 19),
        (11, 11),
    ]


def test_each_rule_id_may_be_given_once() -> None:
    loaded = pack(rule(), rule())

    assert "expected each rule id once" in loaded.findings[0].message


def test_a_setting_for_a_rule_that_does_not_exist_is_reported_with_the_nearest_name() -> None:
    loaded = pack(rule(), settings=RuleSettings(rules={"no-tag": RuleSetting()}))

    assert loaded.findings[0].hint == "did you mean no-tags?"


@pytest.mark.parametrize(
    ("match", "asked"),
    [
        ({"kinds": ["Pod"]}, True),
        ({"kinds": ["Deployment.apps"]}, False),
        ({"names": ["w*"]}, True),
        ({"names": ["x*"]}, False),
        ({"namespaces": ["shop"]}, True),
        ({"excludedNamespaces": ["sh*"]}, False),
        ({"sites": {"names": ["north-*"]}}, True),
        ({"sites": {"labels": {"matchLabels": {"region": "south"}}}}, False),
        (
            {"sites": {"labels": {"matchExpressions": [{"key": "region", "operator": "Exists"}]}}},
            True,
        ),
        ({"labels": {"matchLabels": {"app": "x"}}}, False),
    ],
)
def test_match_says_which_sites_and_workloads_are_asked_about(match: Mapping[str, Any], asked: bool) -> None:
    assert bool(review(pack(rule(match=match))).violations) is asked


def test_for_each_gives_a_finding_for_every_item_at_its_own_field() -> None:
    each = rule(
        scope="Workload",
        validations=[
            {
                "forEach": "workload.containers",
                "expression": "each.name != 'web'",
                "messageExpression": "'container ' + each.name",
                "fieldPath": "name",
            }
        ],
    )
    [violation] = review(pack(each)).violations

    assert violation.message == "container web"
    assert violation.field_path == ("spec", "containers", 0, "name")


def test_a_site_rule_points_at_the_object_that_an_item_is() -> None:
    each = rule(
        scope="Site",
        validations=[
            {
                "forEach": "resources.filter(r, r.kind == 'Service')",
                "expression": "false",
                "message": "m",
                "fieldPath": "spec.type",
            }
        ],
    )
    service = {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "s", "namespace": "n"}}
    [violation] = review(pack(each), POD, service).violations

    assert str(violation.resource) == "Service/n/s"
    assert violation.field_path == ("spec", "type")


def test_a_field_path_that_begins_with_pod_is_within_the_pod_spec_of_every_kind() -> None:
    hosts = rule(
        scope="Workload",
        validations=[{"expression": "false", "message": "m", "fieldPath": "pod.hostNetwork"}],
    )
    job = {
        "apiVersion": "batch/v1",
        "kind": "CronJob",
        "metadata": {"name": "j", "namespace": "n"},
        "spec": {"jobTemplate": {"spec": {"template": {"spec": {"containers": []}}}}},
    }
    [violation] = review(pack(hosts), job).violations

    assert violation.field_path == ("spec", "jobTemplate", "spec", "template", "spec", "hostNetwork")


def test_what_a_rule_does_not_judge_is_said_with_its_reason() -> None:
    found = review(pack(rule(notChecked=[{"expression": "true", "reason": "because"}])))

    assert found.violations == ()
    assert [(item.rule, item.reason, item.sites) for item in found.not_checked] == [
        ("no-tags", "because", ("north-1",))
    ]


def waiver(**changes: Any) -> Waiver:
    fields: dict[str, Any] = {"rule": "no-tags", "reason": "soon", "expires": NOW.date()}
    return Waiver(**{**fields, **changes})


@pytest.mark.parametrize(
    ("given", "waived"),
    [
        (waiver(), True),
        (waiver(expires=NOW.date() - datetime.timedelta(days=1)), False),
        (waiver(sites=("north-*",)), True),
        (waiver(sites=("south-*",)), False),
        (waiver(resources=("Pod/web",)), True),
        (waiver(resources=("Pod/shop/*",)), True),
        (waiver(resources=("Deployment/web",)), False),
        (waiver(rule="other"), False),
    ],
    ids=["last-day", "expired", "site", "other-site", "resource", "in-namespace", "other-kind", "other-rule"],
)
def test_a_waiver_holds_for_its_rule_sites_and_resources_until_its_last_day(
    given: Waiver, waived: bool
) -> None:
    loaded = pack(rule(), settings=RuleSettings(waivers=(given,)))
    found = review(loaded)

    assert bool(found.waived) is waived
    assert bool(found.violations) is not waived


def test_waivers_that_are_expired_or_fit_nothing_are_reported_and_used_ones_are_not() -> None:
    place = Location("fleet.yaml", 9, 5)
    used = waiver()
    expired = waiver(expires=NOW.date() - datetime.timedelta(days=1), at=place)
    unused = waiver(sites=("south-*",))
    loaded = pack(rule(), settings=RuleSettings(waivers=(used, expired, unused)))
    found = waiver_findings(
        (used, expired, unused),
        [w.waiver for w in review(loaded).waived],
        at=NOW,
        fleet_at=Location("fleet.yaml"),
    )

    assert [(f.rule, f.message, f.location) for f in found] == [
        ("waiver-expired", "the waiver of no-tags ended on 2026-05-31", place),
        ("waiver-unused", "the waiver of no-tags for south-* fits no violation", Location("fleet.yaml")),
    ]


def test_the_digest_tells_rules_parameters_and_waivers_apart() -> None:
    digests = {
        pack(rule()).digest,
        pack(rule(severity="warning")).digest,
        pack(rule(), settings=RuleSettings(waivers=(waiver(),))).digest,
        pack(rule(), settings=RuleSettings(rules={"no-tags": RuleSetting(enabled=False)})).digest,
    }

    assert len(digests) == 4
    assert pack(rule()).digest == pack(rule()).digest


def test_equal_questions_are_asked_once_for_all_sites() -> None:
    loaded = pack(rule())
    first = review(loaded)
    misses = loaded.memo.misses
    second = review(loaded, site={**SITE, "metadata": {"name": "north-2"}})

    assert loaded.memo.misses == misses
    assert first.violations == second.violations


def test_a_rule_that_reads_the_site_is_asked_again_where_what_it_reads_differs() -> None:
    loaded = pack(rule(validations=[{"expression": "site.platform == 'k3s'", "message": "m"}]))
    other = {**SITE, "spec": {**SITE["spec"], "platform": "k0s"}}  # type: ignore[dict-item]

    assert review(loaded).violations == ()
    assert len(review(loaded, site=other).violations) == 1


def test_a_rule_about_objects_is_asked_about_each_object_of_its_kinds() -> None:
    objects = rule(
        scope="Resource",
        match={"kinds": ["ConfigMap"]},
        validations=[{"expression": "false", "message": "m", "fieldPath": "data"}],
    )
    config = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "c", "namespace": "n"}}
    [violation] = review(pack(objects), POD, config).violations

    assert str(violation.resource) == "ConfigMap/n/c"
    assert violation.field_path == ("data",)


def test_the_label_by_which_wayside_marks_its_own_makes_no_difference() -> None:
    loaded = pack(
        rule(scope="Resource", validations=[{"expression": "!has(object.metadata.labels.a)", "message": "m"}])
    )
    marked = [
        {**POD, "metadata": {"name": "web", "labels": {"b": "c", "applyset.kubernetes.io/part-of": mark}}}
        for mark in ("one", "two")
    ]
    review(loaded, marked[0])
    misses = loaded.memo.misses
    review(loaded, marked[1])

    assert loaded.memo.misses == misses


def test_a_kind_that_the_fleet_names_is_a_workload_too() -> None:
    kinds = [
        {"kind": "Rollout.argoproj.io", "podSpec": "spec.template.spec"},
        {"kind": "SpinApp.core.spinkube.dev", "image": "spec.image", "runtimeClass": "spin"},
    ]
    rollout = {
        "apiVersion": "argoproj.io/v1alpha1",
        "kind": "Rollout",
        "metadata": {"name": "web", "namespace": "n"},
        "spec": {"replicas": 3, "template": {"spec": POD["spec"]}},
    }
    app = {
        "apiVersion": "core.spinkube.dev/v1alpha1",
        "kind": "SpinApp",
        "metadata": {"name": "app", "namespace": "n"},
        "spec": {"replicas": 2, "image": "app:1", "resources": {"requests": {"memory": "8Mi"}}},
    }
    said = rule(
        validations=[
            {
                "expression": "false",
                "messageExpression": "string(workload.replicas) + workload.runtimeClass + "
                "string(workload.total.size())",
            }
        ]
    )
    settled = Fleet("f", Location("fleet.yaml"), {}, {"spec": {"workloads": kinds}})
    loaded = RulePack.load([Document(said, "policies/a.yaml", 0)], fleet=settled)

    assert [(str(v.resource), v.message, v.field_path) for v in review(loaded, rollout, app).violations] == [
        ("Rollout.argoproj.io/n/web", "30", ("spec", "template", "spec", "containers", 0, "image")),
        ("SpinApp.core.spinkube.dev/n/app", "2spin1", ("spec", "image")),
    ]


def test_what_a_rule_does_not_read_of_a_workload_does_not_make_it_ask_again() -> None:
    loaded = pack(
        rule(scope="Workload", validations=[{"expression": "workload.replicas < 5", "message": "m"}])
    )
    for label in ("one", "two"):
        review(loaded, {**POD, "metadata": {"name": "web", "namespace": "shop", "labels": {"a": label}}})

    assert loaded.memo.counted("answer") == 1


def test_what_a_rule_reads_of_a_workload_makes_it_ask_again() -> None:
    reading = rule(
        scope="Workload",
        validations=[{"expression": "workload.labels['a'] == 'one'", "message": "m"}],
    )
    loaded = pack(reading)
    found = [
        len(review(loaded, {**POD, "metadata": {"name": "web", "labels": {"a": label}}}).violations)
        for label in ("one", "two")
    ]

    assert found == [0, 1]


def test_a_name_of_another_scope_may_be_used_in_a_macro_and_not_otherwise() -> None:
    macro = rule(
        scope="Site", validations=[{"expression": "images.all(image, image.tag != '')", "message": "m"}]
    )
    wrong = rule(scope="Site", validations=[{"expression": "image.tag != ''", "message": "m"}])

    assert pack(macro).findings == ()
    assert "image" in pack(wrong).findings[0].message


def test_a_kind_that_runs_containers_and_is_not_known_is_said_to_be_not_checked() -> None:
    yurt = {
        "apiVersion": "apps.openyurt.io/v1beta1",
        "kind": "YurtAppDaemon",
        "metadata": {"name": "web", "namespace": "n"},
        "spec": {"workload": {"workloadTemplate": {"deploymentTemplate": {"spec": {"template": POD}}}}},
    }
    crd = {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": "x"},
        "spec": {"containers": [{"image": "i"}]},
    }
    found = review(pack(rule()), yurt, yurt, crd)

    assert [(item.rule, item.reason.partition(" ")[0]) for item in found.not_checked] == [
        ("workloads", "YurtAppDaemon.apps.openyurt.io")
    ]


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"most": "many"}, "parameter most: expected a whole number, found 'many'"),
        ({"moist": 3}, "expected a parameter of the rule no-tags, found 'moist'"),
        ({"size": "3 Mi"}, "parameter size: expected a quantity"),
        ({"mode": "loud"}, "parameter mode: expected one of soft, hard, found 'loud'"),
    ],
)
def test_a_setting_that_does_not_fit_is_reported_at_the_fleet_and_passes_nobody(
    parameters: Mapping[str, Any], message: str
) -> None:
    settable = rule(
        parameters={
            "most": {"type": "integer", "default": 1},
            "size": {"type": "bytes", "default": "1Mi"},
            "mode": {"default": "soft", "choices": ["soft", "hard"]},
        },
        validations=[{"expression": "params.most > 0 && params.size == 1048576", "message": "m"}],
    )
    loaded = pack(settable, settings=RuleSettings(rules={"no-tags": RuleSetting(parameters=parameters)}))

    assert review(pack(settable)).violations == ()
    assert message in loaded.findings[0].message
    assert loaded.findings[0].location.path == "fleet.yaml"
    assert review(loaded).violations


def test_a_rule_may_not_take_the_id_of_another_check() -> None:
    loaded = pack(rule("render"))

    assert "found 'render', which is a check of Wayside" in loaded.findings[0].message
    assert review(loaded).violations
