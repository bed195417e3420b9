"""`wayside check --base`: what a change takes from the rules, and what is refused of the change itself."""

from __future__ import annotations

import datetime
import json
from pathlib import Path
from typing import Any

import pytest

from reconciler.agent.assessment import Allowed, Refused
from reconciler.agent.judge import judge_site
from reconciler.cli.main import main
from reconciler.documents.tree import WorkingTree
from reconciler.ports.source import Revision
from tests.cli.fleets import FILES, git, write_fleet

FLEET = FILES["fleet.yaml"]
POLICY = """\
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingAdmissionPolicy
metadata: {name: steady}
spec:
  failurePolicy: Fail
  paramKind: {apiVersion: v1, kind: ConfigMap}
  matchConstraints:
    resourceRules:
      - {apiGroups: [apps], apiVersions: [v1], operations: ["*"], resources: [deployments]}
  validations:
    - expression: request.operation != 'UPDATE' || object.spec.replicas >= oldObject.spec.replicas
      messageExpression: >-
        'not from ' + string(oldObject.spec.replicas) + ' to ' + string(object.spec.replicas)
    - {expression: request.operation != 'DELETE', message: stays for good}
    - {expression: object == null || object.spec.replicas <= int(params.data.most), message: too many}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: limits, namespace: shop}
data: {most: "5"}
"""
BINDING = """\
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingAdmissionPolicyBinding
metadata: {name: steady}
spec:
  policyName: steady
  validationActions: [Deny]
  paramRef: {name: limits, parameterNotFoundAction: Deny}
"""
RULE = """\
apiVersion: wayside.dev/v1alpha1
kind: SitePolicy
metadata: {name: enough-memory}
spec:
  scope: Site
  title: A site has nodes.
  severity: error
  validations:
    - {expression: size(nodes) > 0, message: a site has nodes}
"""
OWN = {
    "policies/steady.yaml": POLICY,
    "policies/steady.binding.yaml": BINDING,
    "policies/enough-memory.yaml": RULE,
    "trust/release.pub": "a key\n",
    "fleet.yaml": FLEET
    + """\
spec:
  rules:
    failOn: warning
    settings:
      memory-budget: {severity: error}
    waivers:
      - {rule: digest-pinned, reason: trial, expires: 2090-01-01, sites: [market]}
""",
}


def overlay(replicas: int) -> dict[str, str]:
    text = f"resources: [../../bases/pos]\nnamespace: shop\nreplicas: [{{name: pos, count: {replicas}}}]\n"
    return {"sites/market/kustomization.yaml": text}


def committed(root: Path, files: dict[str, str]) -> None:
    write_fleet(root, files)
    git(root, "init", "-q", "-b", "main")
    git(root, "add", ".")
    git(root, "commit", "-q", "-m", "base")


def check(root: Path, capsys: pytest.CaptureFixture[str], *arguments: str) -> dict[str, Any]:
    main(["check", str(root), "--format", "json", *arguments])
    document: dict[str, Any] = json.loads(capsys.readouterr().out)
    return document


def told(document: dict[str, Any], *rules: str) -> list[str]:
    return [f["message"] for f in document["findings"] if f["rule"] in rules]


def test_an_update_that_is_refused_is_told_and_leaves_the_verdict_alone(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    committed(tmp_path, {**OWN, **overlay(4)})
    write_fleet(tmp_path, {**OWN, **overlay(2)})
    document = check(tmp_path, capsys, "--base", "main")
    (finding,) = [f for f in document["findings"] if f["rule"] == "transition"]
    assert finding["message"].endswith("denied request: not from 4 to 2")
    assert (finding["severity"], finding["sites"]) == ("error", ["market"])
    assert finding["location"]["path"] == "sites/market/kustomization.yaml"
    alone = check(tmp_path, capsys, "--site", "market")
    digests = ("inputsDigest", "rulesDigest", "verdictDigest")
    assert [site[key] for site in document["sites"] for key in digests if site["name"] == "market"] == [
        alone["sites"][0][key] for key in digests
    ]
    assert told(alone, "transition") == []


def test_an_update_that_is_allowed_is_not_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    committed(tmp_path, {**OWN, **overlay(2)})
    write_fleet(tmp_path, {**OWN, **overlay(4)})
    assert told(check(tmp_path, capsys, "--base", "main"), "transition", "steady") == []


def test_what_is_refused_of_the_object_by_itself_is_told_once(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    committed(tmp_path, {**OWN, **overlay(2)})
    write_fleet(tmp_path, {**OWN, **overlay(9)})
    document = check(tmp_path, capsys, "--base", "main")
    assert told(document, "transition") == []
    assert [text.partition("request: ")[2] for text in told(document, "steady")] == ["too many"]


def test_a_deletion_that_is_refused_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    committed(tmp_path, {**OWN, **overlay(2)})
    empty = {"sites/market/kustomization.yaml": "resources: []\nnamespace: shop\n"}
    write_fleet(tmp_path, {**OWN, **empty})
    found = told(check(tmp_path, capsys, "--base", "main"), "transition")
    assert [text.partition("request: ")[2] for text in found] == ["stays for good"]


CRD = """\
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: tills.acme.dev}
spec:
  group: acme.dev
  scope: Namespaced
  names: {kind: Till, plural: tills, singular: till}
  versions:
    - name: v1
      served: true
      storage: true
      schema:
        openAPIV3Schema:
          type: object
          properties:
            spec:
              type: object
              properties:
                version: {type: integer}
              x-kubernetes-validations:
                - {rule: self.version >= oldSelf.version, message: never back}
"""


def test_a_transition_rule_of_a_custom_kind_is_asked(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def till(version: int) -> dict[str, str]:
        text = (
            f"apiVersion: acme.dev/v1\nkind: Till\nmetadata: {{name: till}}\nspec: {{version: {version}}}\n"
        )
        kustomization = "resources: [deployment.yaml, till.yaml]\n"
        return {
            "schemas/till.yaml": CRD,
            "bases/pos/till.yaml": text,
            "bases/pos/kustomization.yaml": kustomization,
        }

    committed(tmp_path, till(3))
    write_fleet(tmp_path, till(2))
    document = check(tmp_path, capsys, "--base", "main")
    (finding,) = [f for f in document["findings"] if f["rule"] == "transition"]
    assert finding["message"] == "Invalid value: never back"
    assert finding["location"]["path"] == "bases/pos/till.yaml"
    assert finding["sites"] == ["harbour", "market"]


WEAKENINGS = [
    pytest.param(
        {"policies/steady.yaml": POLICY.replace("failurePolicy: Fail", "failurePolicy: Ignore")},
        "the ValidatingAdmissionPolicy steady is changed: its failures are ignored",
        id="failures-ignored",
    ),
    pytest.param(
        {"policies/steady.binding.yaml": BINDING.replace("[Deny]", "[Warn]")},
        "the ValidatingAdmissionPolicyBinding steady is changed: it does not deny any more",
        id="deny-to-warn",
    ),
    pytest.param(
        {"policies/steady.binding.yaml": BINDING.replace("Action: Deny", "Action: Allow")},
        "the ValidatingAdmissionPolicyBinding steady is changed: it lets pass where there is no parameter",
        id="missing-parameter-allowed",
    ),
    pytest.param(
        {
            "policies/steady.binding.yaml": BINDING
            + "  matchResources: {objectSelector: {matchLabels: {a: b}}}\n"
        },
        "the ValidatingAdmissionPolicyBinding steady is changed",
        id="binding-narrowed",
    ),
    pytest.param(
        {"policies/steady.binding.yaml": ""},
        "the ValidatingAdmissionPolicyBinding steady is gone",
        id="binding-gone",
    ),
    pytest.param(
        {"policies/steady.yaml": POLICY.replace('most: "5"', 'most: "50"')},
        "the ConfigMap limits is changed",
        id="parameter-beside-a-policy",
    ),
    pytest.param(
        {
            "policies/steady.yaml": POLICY.replace(
                "    - {expression: request.operation != 'DELETE', message: stays for good}\n", ""
            )
        },
        "the ValidatingAdmissionPolicy steady is changed: it has fewer validations",
        id="validation-gone",
    ),
    pytest.param(
        {"policies/steady.yaml": POLICY.replace('operations: ["*"]', "operations: [CREATE]")},
        "the ValidatingAdmissionPolicy steady is changed",
        id="match-narrowed",
    ),
    pytest.param(
        {"policies/enough-memory.yaml": RULE.replace("severity: error", "severity: info")},
        "the rule enough-memory had severity error, now it has info",
        id="severity-of-an-own-rule",
    ),
    pytest.param({"policies/enough-memory.yaml": ""}, "the rule enough-memory is gone", id="own-rule-gone"),
    pytest.param(
        {"policies/enough-memory.yaml": RULE.replace("size(nodes) > 0", "size(nodes) >= 0")},
        "the text of the rule enough-memory is changed",
        id="text-of-an-own-rule",
    ),
    pytest.param(
        {"fleet.yaml": OWN["fleet.yaml"].replace("failOn: warning", "failOn: error")},
        "the fleet refused from warning, now it refuses only from error",
        id="threshold",
    ),
    pytest.param(
        {"fleet.yaml": OWN["fleet.yaml"].replace("{severity: error}", "{severity: warning}")},
        "the rule memory-budget had severity error, now it has warning",
        id="severity-of-a-built-in-rule",
    ),
    pytest.param(
        {"fleet.yaml": OWN["fleet.yaml"].replace("{severity: error}", "{enabled: false}")},
        "the rule memory-budget is switched off",
        id="built-in-rule-off",
    ),
    pytest.param(
        {"fleet.yaml": OWN["fleet.yaml"].replace("2090-01-01", "2095-01-01")},
        "the waiver of digest-pinned for market is extended from 2090-01-01 to 2095-01-01: trial",
        id="waiver-extended",
    ),
    pytest.param(
        {"fleet.yaml": OWN["fleet.yaml"].replace("[market]", "[market, harbour]")},
        "digest-pinned is waived for market, harbour until 2090-01-01: trial",
        id="waiver-widened",
    ),
    pytest.param(
        {"fleet.yaml": OWN["fleet.yaml"] + "      - {rule: probes, reason: later, expires: 2090-01-01}\n"},
        "probes is waived for everything until 2090-01-01: later",
        id="waiver-added",
    ),
    pytest.param(
        {"trust/release.pub": "another key\n"},
        "the trust root trust/release.pub is changed; sites judge by it from this change on",
        id="trust-changed",
    ),
    pytest.param(
        {"trust/other.pub": "another key\n"},
        "the trust root trust/other.pub is added; sites judge by it from this change on",
        id="trust-added",
    ),
    pytest.param(
        {
            "fleet.yaml": OWN["fleet.yaml"].replace(
                "spec:\n", "spec:\n  trust: {images: [{match: ['*'], unsigned: nobody signs}]}\n", 1
            )
        },
        "spec.trust of fleet.yaml is changed: who signs images, or which images must be signed",
        id="trust-settings",
    ),
    pytest.param(
        {
            "sites/market/site.yaml": FILES["sites/market/site.yaml"].replace(
                "{name: market}",
                "{name: market, annotations: {wayside.dev/allow-host-paths: /data}}",
            )
        },
        "the site market allows host-paths by itself: /data",
        id="allowed-by-a-site",
    ),
]


@pytest.mark.parametrize(("change", "message"), WEAKENINGS)
def test_what_a_change_takes_from_the_rules_is_listed(
    change: dict[str, str], message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    committed(tmp_path, OWN)
    write_fleet(tmp_path, {**OWN, **change})
    document = check(tmp_path, capsys, "--base", "main")
    # Where the severity is in the rule's own file, its text is changed too.
    others = {"the text of the rule enough-memory is changed"} - {message}
    found = told(document, "rule-weakened", "waiver-added", "trust-changed")
    assert [text for text in found if text not in others] == [message]


def test_a_first_binding_of_a_policy_that_denied_everywhere_is_listed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    unbound = {key: text for key, text in OWN.items() if "binding" not in key}
    committed(tmp_path, unbound)
    write_fleet(tmp_path, {**OWN, "policies/steady.binding.yaml": BINDING.replace("[Deny]", "[Audit]")})
    (message,) = told(check(tmp_path, capsys, "--base", "main"), "rule-weakened")
    assert message == (
        "the ValidatingAdmissionPolicy steady had no binding, so it denied everywhere; "
        "now it holds as the binding steady says"
    )


@pytest.mark.parametrize("replicas", [2, 9])
def test_the_agent_comes_to_the_verdict_of_the_check(
    replicas: int, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    committed(tmp_path, {**OWN, **overlay(replicas)})
    document = check(tmp_path, capsys, "--revision", "HEAD")
    (site,) = [each for each in document["sites"] if each["name"] == "market"]
    when = datetime.datetime.fromisoformat(git(tmp_path, "log", "-1", "--format=%cI"))
    revision = Revision(git(tmp_path, "rev-parse", "HEAD"), when)
    assessment = judge_site(WorkingTree(tmp_path), revision, "market")
    match assessment:
        case Allowed():
            found = assessment.revision.digests
            assert site["verdict"] == "allowed"
            assert (found.inputs, found.rules, found.verdict) == (
                site["inputsDigest"],
                site["rulesDigest"],
                site["verdictDigest"],
            )
        case Refused():
            assert site["verdict"] == "refused"
            refused = {reason.message for reason in assessment.reasons}
            assert refused == {f["message"] for f in document["findings"] if f["severity"] == "error"}
        case _:
            pytest.fail(f"expected a verdict, found {assessment}")
    assert isinstance(assessment, Allowed) is (replicas == 2)


@pytest.mark.parametrize(
    ("change", "key"),
    [
        pytest.param(
            {"policies/steady.yaml": POLICY.replace('most: "5"', 'most: "6"')}, "rulesDigest", id="params"
        ),
        pytest.param(
            {"policies/steady.binding.yaml": BINDING.replace("[Deny]", "[Deny, Audit]")},
            "rulesDigest",
            id="binding",
        ),
        pytest.param({"fleet.yaml": OWN["fleet.yaml"].replace("trial", "test")}, "rulesDigest", id="waiver"),
        pytest.param(overlay(3), "inputsDigest", id="objects"),
    ],
)
def test_a_digest_changes_with_what_it_is_over(
    change: dict[str, str], key: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_fleet(tmp_path, {**OWN, **overlay(2)})
    before = check(tmp_path, capsys, "--site", "market")["sites"][0]
    write_fleet(tmp_path, {**OWN, **overlay(2), **change})
    after = check(tmp_path, capsys, "--site", "market")["sites"][0]
    others = {"inputsDigest", "rulesDigest"} - {key}
    assert before[key] != after[key]
    assert before["verdictDigest"] != after["verdictDigest"]
    assert all(before[other] == after[other] for other in others)
