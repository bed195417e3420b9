"""`check --base` looks at what a change touches, and tells what is new."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from reconciler.cli.main import main
from tests.cli.fleets import FILES, git, write_fleet

SITE = "sites/market/site.yaml"
OVERLAY = "sites/market/kustomization.yaml"
BASE = "bases/pos/deployment.yaml"
POOR = FILES[SITE].replace("memory: 1Gi", "memory: 100Mi")


@pytest.fixture
def fleet(tmp_path: Path) -> Path:
    return committed(tmp_path, {})


def committed(root: Path, changes: dict[str, str]) -> Path:
    write_fleet(root, changes)
    git(root, "init", "-q", "-b", "main")
    git(root, "add", ".")
    git(root, "commit", "-q", "-m", "first")
    return root


def check(root: Path, capsys: pytest.CaptureFixture[str], *arguments: str, code: int = 0) -> dict[str, Any]:
    capsys.readouterr()
    assert main(["check", str(root), "--base", "main", "--format", "json", *arguments]) == code
    document: dict[str, Any] = json.loads(capsys.readouterr().out)
    return document


def names(document: dict[str, Any]) -> list[str]:
    return [site["name"] for site in document["sites"]]


def write(root: Path, path: str, text: str) -> None:
    (root / path).parent.mkdir(parents=True, exist_ok=True)
    (root / path).write_text(text)


def test_without_a_change_no_site_is_checked(fleet: Path, capsys: pytest.CaptureFixture[str]) -> None:
    document = check(fleet, capsys)
    assert names(document) == []
    assert document["summary"]["unchanged"] == 2


TOUCHES = {
    "its overlay": (OVERLAY, FILES[OVERLAY] + "nameSuffix: -x\n", ["market"]),
    "its facts": (SITE, FILES[SITE].replace("memory: 1Gi", "memory: 2Gi"), ["market"]),
    "a base of both": (BASE, FILES[BASE].replace("100m", "90m"), ["harbour", "market"]),
    "a locked image of both": (
        "images.lock",
        FILES["images.lock"].replace("size: 1000", "size: 2000"),
        ["harbour", "market"],
    ),
    "a lock of another image": (
        "images.lock",
        FILES["images.lock"] + f'  - {{name: b, tag: "1", digest: "sha256:{"c" * 64}", platforms: []}}\n',
        [],
    ),
    "the lines of the lock": ("images.lock", "# of today\n" + FILES["images.lock"], []),
    "the fleet's settings": ("fleet.yaml", FILES["fleet.yaml"] + "spec: {}\n", ["harbour", "market"]),
    "a comment in the settings": ("fleet.yaml", "# ours\n" + FILES["fleet.yaml"], []),
    "a file that nothing reads": ("README.md", "# Shops\n", []),
    "a file beside the base that nothing reads": ("bases/pos/README.md", "# The till\n", []),
    "the fleet's rules": ("policies/readme.yaml", "a: b\n", ["harbour", "market"]),
}


@pytest.mark.parametrize(("path", "text", "sites"), TOUCHES.values(), ids=TOUCHES.keys())
def test_a_change_touches_exactly_the_sites_that_read_it(
    fleet: Path, capsys: pytest.CaptureFixture[str], path: str, text: str, sites: list[str]
) -> None:
    write(fleet, path, text)
    assert names(check(fleet, capsys)) == sites
    git(fleet, "checkout", "-q", "-b", "change")
    git(fleet, "add", ".")
    git(fleet, "commit", "-q", "-m", "change")
    assert names(check(fleet, capsys, "--revision", "HEAD")) == sites


REFERENCES = {
    "quoted": 'resources: ["../../bases/pos"]\n',
    "escaped": 'resources: ["..\\u002f../bases/pos"]\n',
    "aliased": "namePrefix: &base ../../bases/pos\nresources: [*base]\n",
    "over two lines": "resources:\n  -\n    ../../bases/pos\n",
    "with a comment": "resources:\n  - ../../bases/pos # the till\n",
    "with a slash": "resources: [../../bases/pos/]\n",
    "through another": "resources: [../../bases/all]\n",
    "of a folder below": "resources: [below]\n",
}


@pytest.mark.parametrize("text", REFERENCES.values(), ids=REFERENCES.keys())
def test_a_reference_is_found_however_it_is_written(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], text: str
) -> None:
    more = {
        OVERLAY: text + "namespace: shop\n",
        "bases/all/kustomization.yaml": "resources: [../pos]\n",
        "sites/market/below/kustomization.yaml": "resources: [../../../bases/pos]\n",
    }
    fleet = committed(tmp_path, more)
    write(fleet, BASE, FILES[BASE].replace("100m", "90m"))
    assert "market" in names(check(fleet, capsys))


def test_a_base_with_a_space_in_its_name_is_found(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    files = {
        OVERLAY: "resources: ['../../my base']\n",
        "my base/kustomization.yaml": "resources: [deployment.yaml]\nnamespace: shop\n",
        "my base/deployment.yaml": FILES[BASE],
    }
    fleet = committed(tmp_path, files)
    write(fleet, "my base/deployment.yaml", FILES[BASE].replace("100m", "90m"))
    assert names(check(fleet, capsys)) == ["market"]


def test_what_a_symlink_leads_to_counts(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    fleet = committed(tmp_path, {OVERLAY: "resources: [base]\nnamespace: shop\n"})
    (fleet / "sites/market/base").symlink_to("../../bases/pos")
    git(fleet, "add", ".")
    git(fleet, "commit", "-q", "-m", "link")
    write(fleet, BASE, FILES[BASE].replace("100m", "90m"))
    assert names(check(fleet, capsys)) == ["harbour", "market"]


def test_a_new_site_and_an_untracked_file_are_seen(fleet: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write(fleet, "sites/pier/site.yaml", FILES[SITE].replace("market", "pier"))
    write(fleet, "sites/pier/kustomization.yaml", FILES[OVERLAY])
    assert names(check(fleet, capsys)) == ["pier"]


def test_a_name_that_an_untouched_site_has_is_refused(
    fleet: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write(fleet, SITE, FILES[SITE].replace("name: market", "name: harbour"))
    document = check(fleet, capsys, code=1)
    assert [finding["rule"] for finding in document["findings"]] == ["site-schema"]


def test_findings_that_the_base_has_are_counted_and_refuse_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    fleet = committed(tmp_path, {SITE: POOR})
    write(fleet, SITE, "# moved down\n\n" + POOR.replace("k3s", "k0s"))
    document = check(fleet, capsys)
    assert [(f["rule"], f["new"], f["location"]["line"]) for f in document["findings"]] == [
        ("memory-budget", False, 13)
    ]
    assert (document["summary"]["old"], document["summary"]["errors"]) == (1, 0)
    assert main(["check", str(fleet), "--base", "main"]) == 0
    shown = capsys.readouterr().out
    assert "ok: nothing new, 1 finding not new; 1 site checked" in shown
    assert "memory-budget" not in shown
    main(["check", str(fleet), "--base", "main", "--verbose"])
    assert "error[memory-budget]" in capsys.readouterr().out


def test_a_finding_of_the_change_is_new(fleet: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write(fleet, SITE, POOR)
    document = check(fleet, capsys, code=1)
    assert [(f["rule"], f["new"]) for f in document["findings"]] == [("memory-budget", True)]


def test_one_cause_at_an_old_and_a_new_site_is_one_new_finding(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    privileged = FILES[BASE].replace("image: acme/pos:1", "image: acme/pos:9")
    fleet = committed(tmp_path, {BASE: privileged})
    write(fleet, "sites/pier/site.yaml", FILES[SITE].replace("market", "pier"))
    write(fleet, "sites/pier/kustomization.yaml", FILES[OVERLAY])
    document = check(fleet, capsys, code=1)
    assert {(f["rule"], f["new"], *f["sites"]) for f in document["findings"] if f["severity"] == "error"} == {
        ("image-platforms", True, "pier")
    }


def test_a_commit_after_the_branch_point_is_not_part_of_the_change(
    fleet: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    git(fleet, "checkout", "-q", "-b", "change")
    git(fleet, "checkout", "-q", "main")
    write(fleet, BASE, FILES[BASE].replace("100m", "90m"))
    git(fleet, "commit", "-q", "-a", "-m", "later")
    git(fleet, "checkout", "-q", "change")
    assert names(check(fleet, capsys)) == []


def test_a_fleet_below_the_top_of_its_repository_is_compared(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_fleet(tmp_path / "shops")
    git(tmp_path, "init", "-q", "-b", "main")
    git(tmp_path, "add", ".")
    git(tmp_path, "commit", "-q", "-m", "first")
    write(tmp_path / "shops", OVERLAY, FILES[OVERLAY] + "nameSuffix: -x\n")
    write(tmp_path, "elsewhere.txt", "x")
    assert names(check(tmp_path / "shops", capsys)) == ["market"]


def test_a_site_that_is_named_and_not_touched_is_not_checked(
    fleet: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write(fleet, SITE, POOR)
    assert names(check(fleet, capsys, "--site", "harbour")) == []
