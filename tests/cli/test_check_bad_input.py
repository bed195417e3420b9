"""What is wrong with policies, schemas and objects is told on its line, and the rest is still checked."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, TypeAlias

import pytest

from reconciler.cli.main import main
from tests.cli.fleets import write_fleet

POLICY = """\
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingAdmissionPolicy
metadata: {name: bad}
spec:
  matchConstraints:
    resourceRules: [{apiGroups: ["*"], apiVersions: ["*"], operations: [CREATE], resources: ["*"]}]
  validations:
    - expression: >-
        EXPRESSION
"""
MISSING = """\
---
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingAdmissionPolicyBinding
metadata: {name: bad}
spec:
  policyName: bad
  validationActions: [Deny]
  paramRef: {name: nothing, namespace: shop, parameterNotFoundAction: Deny}
"""
CRD = """\
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: gadgets.acme.dev}
spec:
  group: acme.dev
  scope: Namespaced
  names: {kind: Gadget, plural: gadgets, singular: gadget}
  versions:
    - name: v1
      served: true
      storage: true
      schema:
        openAPIV3Schema: SCHEMA
"""
TEN = "[0, 1, 2, 3, 4, 5, 6, 7, 8, 9]"


def policy(expression: str) -> dict[str, str]:
    return {"policies/bad.yaml": POLICY.replace("EXPRESSION", expression)}


def gadget(text: str, schema: str = "") -> dict[str, str]:
    files = {
        "bases/pos/kustomization.yaml": "resources: [deployment.yaml, gadget.yaml]\n",
        "bases/pos/gadget.yaml": f"apiVersion: acme.dev/v1\nkind: Gadget\nmetadata: {{name: g}}\n{text}\n",
    }
    return {**files, **({"schemas/gadget.yaml": CRD.replace("SCHEMA", schema)} if schema else {})}


def loops(depth: int) -> str:
    names = "abcdefgh"[:depth]
    text = f"{' + '.join(names)} >= 0"
    for name in reversed(names):
        text = f"{TEN}.all({name}, {text})"
    return text


#: Files of a fleet; rule, part of the message and place of a finding.
Case: TypeAlias = tuple[dict[str, str], str, str, str]
CASES = [
    pytest.param(
        policy("object.spec. =="), "rule-error", "Syntax error", "policies/bad.yaml:9:22", id="syntax"
    ),
    pytest.param(
        policy("variables.nothing == 1"),
        "rule-error",
        "undeclared reference to 'variables'",
        "policies/bad.yaml:9:9",
        id="unknown",
    ),
    pytest.param(
        {
            "policies/bad.yaml": POLICY.replace("EXPRESSION", "variables.a == 1")
            + "  variables:\n    - {name: a, expression: variables.b}\n"
            + "    - {name: b, expression: variables.a}\n"
        },
        "rule-error",
        "undefined field 'b'",
        "policies/bad.yaml:11:38",
        id="cycle",
    ),
    pytest.param(
        policy(" && ".join(["object.a != 'x'"] * 80_000)),
        "rule-error",
        "at most 1048576 characters",
        "policies/bad.yaml:8:19",
        id="huge",
    ),
    pytest.param(
        policy("(" * 900 + "true" + ")" * 900),
        "rule-error",
        "recursion limit",
        "policies/bad.yaml:9:",
        id="nested",
    ),
    pytest.param(
        policy("'a'.matches('(((a{1,1000}){1,1000}){1,1000})')"),
        "rule-error",
        "matches",
        "policies/bad.yaml:9:21",
        id="regex",
    ),
    pytest.param(policy(loops(8)), "bad", "denied request", "bases/pos/deployment.yaml:1:1", id="runaway"),
    pytest.param(
        {
            "policies/bad.yaml": POLICY.replace("EXPRESSION", "params.data.a == 'b'").replace(
                "spec:\n", "spec:\n  paramKind: {apiVersion: v1, kind: ConfigMap}\n", 1
            )
            + MISSING
        },
        "bad",
        "no params found for policy binding",
        "bases/pos/deployment.yaml:1:1",
        id="parameter",
    ),
    pytest.param(
        {"policies/bad.yaml": POLICY.replace("Validating", "Mutating")},
        "rule-error",
        "MutatingAdmissionPolicy is not supported",
        "policies/bad.yaml:2:7",
        id="mutating",
    ),
    pytest.param(
        gadget("spec: {a: 1}", "{type: object, properties: {spec: {type: text}}}"),
        "schema",
        'Unsupported value: "text"',
        "schemas/gadget.yaml:13:67",
        id="schema-of-no-type",
    ),
    pytest.param(
        gadget(
            "spec: {a: 1}", "{type: object, properties: {spec: {type: object, $ref: '#/properties/spec'}}}"
        ),
        "schema",
        "Forbidden: $ref is not supported",
        "schemas/gadget.yaml:13:",
        id="schema-that-refers-to-itself",
    ),
    pytest.param(
        gadget("spec: {a: .nan}", "{type: object, x-kubernetes-preserve-unknown-fields: true}"),
        "schema",
        "NaN",
        "bases/pos/gadget.yaml:1:1",
        id="not-a-number",
    ),
    pytest.param(
        gadget("spec: " + "{a: " * 300 + "1" + "}" * 300),
        "render",
        "at most 100 levels",
        "bases/pos/gadget.yaml:4:",
        id="deep",
    ),
    pytest.param(
        {
            "bases/pos/kustomization.yaml": "resources: [deployment.yaml, big.yaml]\n",
            "bases/pos/big.yaml": "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: big}\ndata: {a: "
            + "x" * (10 << 20)
            + "}\n",
        },
        "schema",
        "may not be more than 1048576 bytes",
        "bases/pos/big.yaml:",
        id="ten-mebibytes",
    ),
]


@pytest.mark.parametrize("case", [pytest.param(param.values, id=param.id) for param in CASES])
def test_it_is_told_on_its_line_and_the_run_goes_on(
    case: Case, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    files, rule, message, place = case
    site = "sites/market/site.yaml"
    # Something else is wrong too: it must be told beside, unless nothing can be rendered.
    fleet = write_fleet(tmp_path, files)
    text = (fleet / site).read_text().replace("memory: 1Gi", "memory: 100Mi")
    (fleet / site).write_text(text)
    assert main(["check", str(fleet), "--format", "json"]) == 1
    document: dict[str, Any] = json.loads(capsys.readouterr().out)
    found = [f for f in document["findings"] if f["rule"] == rule and message in f["message"]]
    assert found, [(f["rule"], f["message"]) for f in document["findings"]]
    at = found[0]["location"]
    assert f"{at['path']}:{at['line']}:{at['column']}".startswith(place)
    assert found[0]["severity"] == "error"
    if rule != "render":
        assert any(f["rule"] == "memory-budget" for f in document["findings"])
