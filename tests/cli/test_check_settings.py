"""What is wrong in `fleet.yaml` is told on its line, with what to do."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from reconciler.cli.main import main
from reconciler.rules.types.catalogue import FIRST_MINOR, LAST_MINOR
from tests.cli.fleets import write_fleet

HEAD = "apiVersion: wayside.dev/v1alpha1\nkind: Fleet\nmetadata: {name: shops}\nspec:\n"
SETTINGS = HEAD + "  rules:\n    settings:\n      host-paths:\n        parameters:\n"
CASES = [
    pytest.param(
        SETTINGS + "          alowed: [/proc]\n",
        ("rule-error", "error", "expected a parameter of the rule host-paths, found 'alowed'"),
        ("9:11", "did you mean allowed?"),
        id="unknown-parameter",
    ),
    pytest.param(
        SETTINGS + "          allowed: /proc\n",
        ("rule-error", "error", "parameter allowed: expected a list of strings, found '/proc'"),
        ("9:11", "parameters of host-paths and their types: docs/rules/host-paths.md"),
        id="parameter-of-another-type",
    ),
    pytest.param(
        HEAD + "  rules: {failOn: never}\n",
        ("fleet-schema", "error", "expected error or warning or info in spec.rules.failOn, found 'never'"),
        ("5:19", "`wayside export schemas` writes the schema, which editors can use"),
        id="not-a-severity",
    ),
    pytest.param(
        HEAD + "  requires: {wayside: '>=97'}\n",
        ("wayside-version", "warning", "expected a Wayside of the versions >=97"),
        ("5:23", "pip install 'wayside>=97'"),
        id="a-fleet-for-another-version",
    ),
]


def findings(fleet: Path, capsys: pytest.CaptureFixture[str]) -> list[dict[str, Any]]:
    main(["check", str(fleet), "--format", "json"])
    found: list[dict[str, Any]] = json.loads(capsys.readouterr().out)["findings"]
    return found


@pytest.mark.parametrize(("text", "wanted", "told"), CASES)
def test_it_is_told_on_its_line_with_what_to_do(
    text: str,
    wanted: tuple[str, str, str],
    told: tuple[str, str],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    (found,) = findings(write_fleet(tmp_path, {"fleet.yaml": text}), capsys)
    assert (found["rule"], found["severity"]) == wanted[:2]
    assert found["message"].startswith(wanted[2])
    at = found["location"]
    assert (at["path"], f"{at['line']}:{at['column']}") == ("fleet.yaml", told[0])
    assert told[1] in found["hint"]


@pytest.mark.parametrize(
    ("minor", "mentioned"),
    [(FIRST_MINOR - 1, True), (FIRST_MINOR, False), (LAST_MINOR, False), (LAST_MINOR + 1, True)],
)
def test_a_kubernetes_version_without_schemas_is_mentioned(
    minor: int, mentioned: bool, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    fleet = write_fleet(tmp_path, {})
    site = fleet / "sites/market/site.yaml"
    before = site.read_text()
    site.write_text(before.replace(before.partition('kubernetesVersion: "')[2][:4], f"1.{minor}", 1))
    found = [one for one in findings(fleet, capsys) if one["rule"] == "site-facts"]
    assert [one["fieldPath"] for one in found] == ["spec.kubernetesVersion"] * mentioned
