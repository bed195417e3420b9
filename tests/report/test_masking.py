"""Excerpts show no value of a Secret, and everything else as it is."""

from __future__ import annotations

import pytest

from reconciler.model.finding import Finding, Severity
from reconciler.model.location import Location
from reconciler.report.excerpt import shown_excerpt
from reconciler.report.text import TextStyle, finding_lines

OBJECT = "apiVersion: v1\nkind: Secret\nmetadata:\n  name: db\n"
KUSTOMIZATION = (
    "resources: [a.yaml]\nsecretGenerator:\n  - name: db\n    literals:\n      - password=hunter2\n"
)
PATCH = "patches:\n  - target: {kind: Secret, name: db}\n    patch: |-\n      - {op: ad, value: hunter2}\n"
LIST = "kind: List\nitems:\n  - kind: Secret\n    data: {a: hunter2!}\n"
POD = "kind: Pod\nspec:\n  containers:\n    - env:\n        - {name: DB_PASSWORD, value: hunter2}\n"
BROKEN = OBJECT + "stringData:\n<<<<<<< HEAD\n  a: hunter2\n=======\n  a: hunter3\n"


def shown(text: str, line: int, *, path: str = "a.yaml", rule: str = "schema", column: int = 1) -> str:
    lines = text.splitlines()
    at = Location(path, line, column)
    finding = Finding(rule=rule, severity=Severity.ERROR, message="wrong", location=at)

    def read_line(_path: str, number: int) -> str | None:
        return lines[number - 1] if 0 < number <= len(lines) else None

    told = "\n".join(finding_lines(finding, read_line, TextStyle()))
    assert "hunter" not in told
    found = shown_excerpt(finding, read_line)
    assert found is not None
    assert 0 <= found.start <= found.end <= len(found.text)
    return found.text


@pytest.mark.parametrize(
    ("text", "line", "expected"),
    [
        pytest.param(OBJECT + "stringData:\n  a: hunter2\n", 6, "  a: ***", id="a-value"),
        pytest.param(OBJECT + "stringData: {a: hunter2}\n", 5, "stringData: ***", id="a-flow-map"),
        pytest.param(OBJECT + "data:\n  a: |\n    hunter2\n", 7, "    ***", id="a-block"),
        pytest.param(OBJECT + "strngData:\n  - hunter2\n", 6, "  - ***", id="an-unknown-field"),
        pytest.param(OBJECT + "a: hunter2\n", 5, "a: ***", id="a-field-in-the-wrong-column"),
        pytest.param(BROKEN, 7, "  a: ***", id="a-merge-conflict"),
        pytest.param('{"kind": "Secret", "data": {"a": "hunter2"}}', 1, "***", id="json"),
        pytest.param("kind: Pod\n---\n" + OBJECT + "data: {a: hunter2}\n", 7, "data: ***", id="a-document"),
        pytest.param(KUSTOMIZATION, 5, "      - ***", id="a-generator"),
        pytest.param(PATCH, 4, "      - ***", id="a-patch"),
        pytest.param(LIST, 4, "    data: ***", id="a-list"),
        pytest.param(POD, 5, "        - ***", id="a-variable-called-like-a-password"),
    ],
)
def test_a_value_that_may_be_secret_is_not_shown(text: str, line: int, expected: str) -> None:
    for column in (1, 5, 400):
        assert shown(text, line, column=column) == expected


def test_a_file_of_variables_shows_none() -> None:
    assert shown("A=1\nB=hunter2\n", 2, path="db.env") == "***"


def test_a_finding_about_a_secret_shows_none_wherever_it_stands() -> None:
    assert shown("spec:\n  value: hunter2\n", 2, rule="plain-secrets") == "  value: ***"


@pytest.mark.parametrize(
    ("text", "line"),
    [
        pytest.param(OBJECT + "data: {}\n", 4, id="the-name-of-a-secret"),
        pytest.param(KUSTOMIZATION, 1, id="beside-a-generator"),
        pytest.param("kind: Pod\nspec:\n  replicas: 3\n---\n" + OBJECT, 3, id="another-document"),
        pytest.param("kind: Pod\nspec:\n  volumes: [{secret: }]\n  replicas: 3\n", 4, id="no-secret"),
        pytest.param("spec:\n  secretName: db\n", 2, id="a-reference"),
        pytest.param("spec:\n  automountServiceAccountToken: true\n", 2, id="a-switch"),
    ],
)
def test_everything_else_is_shown(text: str, line: int) -> None:
    assert shown(text, line) == text.splitlines()[line - 1]
