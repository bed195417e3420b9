"""`wayside render` prints an overlay as kustomize would, and a site as its agent would apply it."""

from __future__ import annotations

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
