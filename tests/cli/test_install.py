"""`wayside install`: what a site needs, and no right more."""

from __future__ import annotations

import base64
import stat
from pathlib import Path
from typing import Any

import pytest
import yaml

from reconciler.cli.install.rights import plural
from reconciler.cli.main import main
from tests.cli.test_live import write_site


@pytest.fixture
def fleet(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "fleet"
    write_site(folder, "corner-shop", "shop", colour="blue", word="hunter-two")
    monkeypatch.chdir(folder)
    return folder


def install(capsys: pytest.CaptureFixture[str], *arguments: str) -> list[dict[str, Any]]:
    assert main(["install", "corner-shop", "--repo", "https://git.example/f.git", *arguments]) == 0
    return list(yaml.safe_load_all(capsys.readouterr().out))


def named(objects: list[dict[str, Any]], kind: str, name: str) -> dict[str, Any]:
    return next(one for one in objects if (one["kind"], one["metadata"]["name"]) == (kind, name))


@pytest.mark.usefixtures("fleet")
def test_the_rights_are_over_the_kinds_of_the_site_alone(capsys: pytest.CaptureFixture[str]) -> None:
    objects = install(capsys)
    rules = named(objects, "ClusterRole", "wayside-agent-site")["rules"]
    assert [rule["resources"] for rule in rules] == [["configmaps", "secrets"]]
    assert "*" not in str(rules)
    settings = named(objects, "ConfigMap", "wayside-agent")["data"]
    assert settings["WAYSIDE_REPO"] == "https://git.example/f.git"
    assert settings["WAYSIDE_SITE"] == "corner-shop"


@pytest.mark.usefixtures("fleet")
def test_rights_in_namespaces_only_name_no_other(capsys: pytest.CaptureFixture[str]) -> None:
    objects = install(capsys, "--rights", "namespaced")
    assert named(objects, "Role", "wayside-agent-site")["metadata"]["namespace"] == "shop"
    assert not [
        one for one in objects if one["metadata"]["name"] == "wayside-agent-site" and "Cluster" in one["kind"]
    ]


def test_credentials_go_into_a_secret_of_a_private_file_and_nothing_else_does(
    fleet: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = fleet.parent / "credentials"
    folder.mkdir()
    (folder / "password").write_text("hunter2")
    output = fleet.parent / "agent.yaml"
    assert (
        main(
            [
                *("install", "corner-shop", "--repo", "https://git.example/f.git"),
                *("--credentials", str(folder), "--output", str(output)),
            ]
        )
        == 0
    )
    assert "keep it out of the repository" in capsys.readouterr().err
    assert stat.S_IMODE(output.stat().st_mode) == 0o600
    secret = named(list(yaml.safe_load_all(output.read_text())), "Secret", "wayside-agent-credentials")
    assert base64.b64decode(secret["data"]["password"]) == b"hunter2"
    (folder / "id_rsa").write_text("x")
    assert main(["install", "corner-shop", "--repo", "x", "--credentials", str(folder)]) == 2
    assert "found 'id_rsa'" in capsys.readouterr().err


@pytest.mark.usefixtures("fleet")
def test_a_site_that_is_not_there_is_named_with_those_that_are(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["install", "corner-shpo", "--repo", "x"]) == 2
    assert "corner-shop" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("kind", "name"),
    [
        ("Deployment", "deployments"),
        ("Ingress", "ingresses"),
        ("NetworkPolicy", "networkpolicies"),
        ("Gateway", "gateways"),
        ("StorageClass", "storageclasses"),
        ("Endpoints", "endpoints"),
    ],
)
def test_kinds_are_called_as_in_paths(kind: str, name: str) -> None:
    assert plural(kind) == name
