"""No command shows a Secret's value, whatever is wrong with it and however the result is written."""

from __future__ import annotations

import base64
from pathlib import Path

import pytest

from reconciler.cli.main import main
from tests.cli.fleets import git, write_fleet

CANARY = "c4n4ryS3cret"
ENCODED = base64.b64encode(CANARY.encode()).decode()
HEAD = "apiVersion: v1\nkind: Secret\nmetadata: {name: db}\n"
BASE = "resources: [deployment.yaml]\n"


def manifest(text: str) -> dict[str, str]:
    return {
        "bases/pos/kustomization.yaml": "resources: [deployment.yaml, db.yaml]\n",
        "bases/pos/db.yaml": HEAD + text,
    }


def kustomization(text: str) -> dict[str, str]:
    return {"bases/pos/kustomization.yaml": BASE + text}


def patched(operation: str) -> dict[str, str]:
    patch = f"patches:\n  - target: {{kind: Secret}}\n    patch: |-\n      - {operation}\n"
    files = manifest(f"stringData: {{a: {CANARY}}}\n")
    files["bases/pos/kustomization.yaml"] += patch
    return files


CASES = {
    "whole": manifest(f"stringData: {{a: {CANARY}}}\n"),
    "whole-and-encoded": manifest(f"data: {{a: {ENCODED}}}\n"),
    "not-encoded": manifest(f'data: {{a: "{CANARY}!"}}\n'),
    "no-map": manifest(f"data: {CANARY}\n"),
    "a-list": manifest(f"stringData:\n  a: [{CANARY}]\n"),
    "an-unknown-field": manifest(f"strngData: {{a: {CANARY}}}\n"),
    "a-key-twice": manifest(f"stringData:\n  a: {CANARY}\n  a: {CANARY}\n"),
    "a-syntax-error": manifest(f"stringData:\n  a: {CANARY}: b\n"),
    "a-tab": manifest(f"stringData:\n\ta: {CANARY}\n"),
    "a-merge-conflict": manifest(f"stringData:\n<<<<<<< HEAD\n  a: {CANARY}\n=======\n"),
    "an-unknown-variable": manifest(f"stringData: {{a: '{CANARY}${{NOPE}}'}}\n"),
    "a-generator": kustomization(f"secretGenerator: [{{name: db, literals: [a={CANARY}]}}]\n"),
    "a-generator-without-a-list": kustomization(f"secretGenerator: [{{name: db, literals: a={CANARY}}}]\n"),
    "a-generator-of-maps": kustomization(f"secretGenerator: [{{name: db, literals: [{{a: {CANARY}}}]}}]\n"),
    "a-generator-with-a-bad-key": kustomization(
        f"secretGenerator:\n- name: db\n  literals: ['a b={CANARY}']\n"
    ),
    "a-patch-that-tests": patched(f"{{op: test, path: /stringData/a, value: {CANARY}b}}"),
    "a-patch-of-an-unknown-operation": patched(f"{{op: ad, path: /stringData/a, value: {CANARY}b}}"),
    "a-replacement-of-another-type": {
        **manifest(f"stringData: {{a: {CANARY}}}\n"),
        "bases/pos/kustomization.yaml": "resources: [deployment.yaml, db.yaml]\nreplacements:\n"
        "- source: {kind: Secret, fieldPath: stringData.a}\n"
        "  targets: [{select: {kind: Deployment}, fieldPaths: [spec.replicas]}]\n",
        "bases/pos/deployment.yaml": "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: pos}\n"
        "spec: {replicas: 1}\n",
    },
}
COMMANDS = [
    *(["check", "--format", name] for name in ("json", "sarif", "github", "gitlab", "junit", "markdown")),
    ["check", "-v"],
    ["check", "--compact"],
    ["check", "--base", "HEAD"],
    ["diff"],
    ["diff", "--format", "markdown"],
    ["images", "list"],
    ["render", "bases/pos", "--origins"],
]


@pytest.mark.slow
@pytest.mark.parametrize("files", [pytest.param(files, id=name) for name, files in CASES.items()])
def test_a_secret_s_value_is_in_no_output(
    files: dict[str, str], tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    fleet = write_fleet(tmp_path, {})
    git(fleet, "init", "-q", "-b", "main")
    git(fleet, "add", "-A")
    git(fleet, "commit", "-q", "-m", "before")
    for path, text in files.items():
        (fleet / path).write_text(text)
    monkeypatch.chdir(fleet)
    for command in COMMANDS:
        main(list(command))
        out, err = capsys.readouterr()
        assert out + err, command
        for secret in (CANARY, ENCODED[:12]):
            assert secret not in out + err, command
