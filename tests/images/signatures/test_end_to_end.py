"""Signed in a real registry, locked, and verified without it: by the check, by hand and at a site."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from reconciler.cli.main import main
from tests.agent.rig import ROOT
from tests.cli.fleets import FILES, git
from tests.cluster.fixtures import MakeRegistry
from tests.cluster.image import push_index
from tests.cluster.process import loopback_environment

pytestmark = pytest.mark.slow


def run(program: Path, *arguments: str, folder: Path) -> None:
    environment = {**loopback_environment(home=folder), "COSIGN_PASSWORD": ""}
    done = subprocess.run(
        [program, *arguments],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    "layout", [[], ["--new-bundle-format=false"]], ids=["new bundles", "the older layout"]
)
def test_what_is_signed_and_locked_is_verified_when_the_registry_is_gone(
    layout: list[str],
    own_registry: MakeRegistry,
    *,
    cosign: Path,
    crane: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    registry = own_registry()
    pos, till = f"{registry.host}/acme/pos", f"{registry.host}/acme/till"
    platforms = ["linux/amd64", "linux/arm64"]
    signed = push_index(crane, f"{pos}:1", platforms)
    push_index(crane, f"{till}:1", platforms, content=b"till")
    run(cosign, "generate-key-pair", folder=tmp_path)
    offline = ["--key", "cosign.key", "--tlog-upload=false", "--use-signing-config=false", "--yes"]
    run(cosign, "sign", *offline, *layout, f"{pos}@{signed}", folder=tmp_path)

    fleet = tmp_path / "fleet"
    trust = {
        "signers": [{"name": "release", "keys": [{"path": "trust/cosign.pub"}]}],
        "images": [{"match": [f"{registry.host}/*"], "anyOf": ["release"]}],
    }
    head = {"apiVersion": "wayside.dev/v1alpha1", "kind": "Fleet", "metadata": {"name": "shops"}}
    files = {
        path: text.replace("acme/pos:1", f"{pos}:1") for path, text in FILES.items() if path != "images.lock"
    }
    files["fleet.yaml"] = yaml.safe_dump({**head, "spec": {"trust": trust}})
    files["trust/cosign.pub"] = (tmp_path / "cosign.pub").read_text()
    for path, text in files.items():
        (fleet / path).parent.mkdir(parents=True, exist_ok=True)
        (fleet / path).write_text(text)
    assert main(["images", "lock", str(fleet)]) == 0
    base = fleet / "bases/pos/deployment.yaml"
    signed_base, unsigned_base = base.read_text(), base.read_text().replace(f"{pos}:1", f"{till}:1")
    base.write_text(unsigned_base)
    assert main(["images", "lock", str(fleet)]) == 0
    unsigned_lock = (fleet / "images.lock").read_text()
    base.write_text(signed_base)
    assert main(["images", "lock", str(fleet)]) == 0
    registry.stop()

    capsys.readouterr()
    assert main(["images", "verify", "--fleet", str(fleet)]) == 0
    bound = "unbound" if not layout else "bound"
    assert f"signed   {pos}:1: signed by release (repository: {bound})" in capsys.readouterr().out
    assert main(["images", "list", str(fleet), "--format", "json"]) == 0
    listed = {
        row["image"]: (row["signers"], row["signatures"]) for row in json.loads(capsys.readouterr().out)
    }
    assert listed[f"{pos}:1"] == (["release"], 1)
    assert main(["check", str(fleet)]) == 0, capsys.readouterr().out
    capsys.readouterr()

    git(fleet, "init", "--quiet", "--initial-branch=main")
    assert sync(fleet, tmp_path) == 0
    assert f"{pos}:1@{signed}" in "".join(file.read_text() for file in (tmp_path / "site").rglob("*.yaml"))

    base.write_text(unsigned_base)
    (fleet / "images.lock").write_text(unsigned_lock)
    assert main(["check", "--format", "json", str(fleet)]) == 1
    found = [
        each for each in json.loads(capsys.readouterr().out)["findings"] if each["rule"] == "signed-images"
    ]
    assert [each["message"] for each in found] == [
        f"image {till}:1 is not trusted: it is not signed by release: it has no signature"
    ]
    assert sync(fleet, tmp_path) == 1
    assert f"{pos}:1@{signed}" in "".join(file.read_text() for file in (tmp_path / "site").rglob("*.yaml"))


def sync(fleet: Path, folder: Path) -> int:
    git(fleet, "add", "--all")
    git(fleet, "commit", "--quiet", "--message", "x")
    (folder / "site").mkdir(exist_ok=True)
    command: list[str | Path] = [sys.executable, "-m", "reconciler", "agent", "--once", "--repo", fleet]
    command += ["--site", "market", "--state", folder / "state", "--target", f"directory:{folder / 'site'}"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    return subprocess.run(command, env=environment, capture_output=True, timeout=120, check=False).returncode
