"""`wayside render` prints an overlay as kustomize would, and a site as its agent would apply it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from reconciler.cli.main import main
from tests.cli.fleets import DIGEST, write_fleet


@pytest.fixture(autouse=True)
def fleet(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(write_fleet(tmp_path))
    return tmp_path


def test_a_directory_is_built_and_no_more(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["render", "sites/market"]) == 0
    shown = capsys.readouterr().out
    assert "image: acme/pos:1\n" in shown
    assert "applyset" not in shown


def test_a_site_has_its_digests_and_its_owner(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["render", "market"]) == 0
    shown = capsys.readouterr().out
    assert f"image: acme/pos:1@{DIGEST}\n" in shown
    assert "applyset.kubernetes.io/part-of: applyset-" in shown


def test_an_unknown_name_says_what_there_is(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["render", "markt"]) == 2
    assert "the fleet's sites are harbour, market" in capsys.readouterr().err


def test_a_mistake_in_the_overlay_is_shown_with_its_place(
    fleet: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (fleet / "sites/market/kustomization.yaml").write_text("resorces: []\n")
    assert main(["render", "sites/market"]) == 2
    shown = capsys.readouterr().err
    assert "kustomization.yaml:1:1" in shown
    assert "resorces" in shown


def test_the_origins_of_fields_are_shown_from_the_base_to_the_last_change(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "base").mkdir()
    (tmp_path / "site").mkdir()
    (tmp_path / "base/kustomization.yaml").write_text("resources: [app.yaml]\n")
    (tmp_path / "base/app.yaml").write_text(
        "apiVersion: apps/v1\nkind: Deployment\nmetadata:\n  name: app\nspec:\n  replicas: 1\n"
    )
    (tmp_path / "site/kustomization.yaml").write_text(
        "resources: [../base]\n"
        "patches:\n"
        "- patch: |\n"
        "    apiVersion: apps/v1\n"
        "    kind: Deployment\n"
        "    metadata: {name: app}\n"
        "    spec: {replicas: 2}\n"
        "replicas:\n"
        "- {name: app, count: 3}\n"
        "secretGenerator:\n"
        "- name: keys\n"
        "  literals: [token=hidden]\n"
    )

    assert main(["render", "site", "--origins"]) == 0

    shown = capsys.readouterr().out.splitlines()
    assert "Deployment.apps/app" in shown
    assert '  kind: "Deployment"  <- base/app.yaml:2:7 (resource)' in shown
    assert (
        "  spec.replicas: 3  <- base/app.yaml:6:13 (resource) -> site/kustomization.yaml:7:22 (patch)"
        " -> site/kustomization.yaml:9:22 (replicas)"
    ) in shown
    assert "  data.token: (not shown)  <- site/kustomization.yaml:12:14 (generator)" in shown


def test_origins_of_a_site_by_name_ask_for_its_directory(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["render", "market", "--origins"]) == 2
    assert "sites/market" in capsys.readouterr().err


SETTINGS = (
    "resources: [../../bases/pos]\n"
    "namespace: shop\n"
    "configMapGenerator:\n"
    "- name: settings\n"
    "  literals:\n"
    "  - where=${SITE_NAME}-${CITY}\n"
)


def test_a_value_of_a_site_that_a_hash_does_not_cover_is_warned_of_at_its_line(
    fleet: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    site = fleet / "sites/market/site.yaml"
    site.write_text(f"{site.read_text()}  vars: {{CITY: Turin}}\n")
    (fleet / "sites/market/kustomization.yaml").write_text(SETTINGS)

    main(["check", "--site", "market", "--format", "json"])

    report = json.loads(capsys.readouterr().out)
    (found,) = [each for each in report["findings"] if each["rule"] == "vars"]
    assert found["severity"] == "warning"
    assert "hash does not cover" in found["message"]
    place = found["location"]
    assert (place["path"], place["line"]) == ("sites/market/kustomization.yaml", 6)

    assert main(["render", "market"]) == 0
    assert "where: market-Turin\n" in capsys.readouterr().out


def test_a_missing_value_of_a_site_fails_the_check_at_the_line_that_wants_it(
    fleet: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    site = fleet / "sites/market/site.yaml"
    site.write_text(f"{site.read_text()}  vars: {{TOWN: Turin}}\n")
    (fleet / "sites/market/kustomization.yaml").write_text(SETTINGS)

    assert main(["check", "--site", "market", "--format", "json"]) == 1

    report = json.loads(capsys.readouterr().out)
    (found,) = [each for each in report["findings"] if "CITY" in each["message"]]
    place = found["location"]
    assert (place["path"], place["line"]) == ("sites/market/kustomization.yaml", 6)


def test_text_with_dollar_signs_is_left_alone_where_a_site_has_no_vars(
    fleet: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (fleet / "sites/market/kustomization.yaml").write_text(SETTINGS)

    assert main(["render", "market"]) == 0

    assert "where: ${SITE_NAME}-${CITY}\n" in capsys.readouterr().out
