"""A site verifies signatures itself, without a registry, and keeps what it has where they are not right."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from tests.agent.rig import ROOT
from tests.cli.fleets import FILES, git
from tests.images.signatures.cases import p256
from tests.images.signatures.service import Options, PrivateKey, Service, pem, statement
from tests.images.signatures.stored import Store

TRUST = {
    "signers": [{"name": "release", "keys": [{"path": "trust/release.pub"}]}],
    "images": [{"match": ["docker.io/acme/*"], "anyOf": ["release"]}],
}


class Fleet:
    """A fleet in git with one signed image, and an agent of its site `market`."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.repository = folder / "fleet"
        self.manifests = folder / "manifests"
        self.manifests.mkdir()
        self.key = p256()
        for path, text in FILES.items():
            self.write(path, text)
        self.write("trust/release.pub", pem(self.key).decode())
        self.trust(TRUST)
        self.lock(self.key)
        git(self.repository, "init", "--quiet", "--initial-branch=main")
        self.commit()

    def write(self, path: str, text: str) -> None:
        file = self.repository / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)

    def trust(self, trust: object) -> None:
        fleet = {"apiVersion": "wayside.dev/v1alpha1", "kind": "Fleet", "metadata": {"name": "shops"}}
        self.write("fleet.yaml", yaml.safe_dump({**fleet, "spec": {"trust": trust} if trust else {}}))

    def lock(self, key: PrivateKey) -> None:
        """Lock the image with a signature by a key."""
        store = Store()
        digest, manifest = store.image("arm64")
        image_files = set(store.files)
        payload = statement({"sha256": digest[7:]}, predicate_type="https://sigstore.dev/cosign/sign/v1")
        bundle = Service().attest(payload, Options(log="none", key=key), keyless=False)
        signature = store.bundle(bundle, digest)
        for path, content in store.files.items():
            self.write(path, content.decode())
        self.signature_files = [self.repository / path for path in store.files if path not in image_files]
        platform = {"platform": "linux/arm64", "digest": manifest, "size": 0}
        image = {"name": "acme/pos", "tag": "1", "digest": digest, "platforms": [platform]}
        self.write("images.lock", yaml.safe_dump({"images": [{**image, "signatures": [signature]}]}))

    def commit(self) -> None:
        git(self.repository, "add", "--all")
        git(self.repository, "commit", "--quiet", "--message", "x")

    def sync(self, *more: str) -> tuple[int, str]:
        """Run the agent once; return its exit code and what it told."""
        command: list[str | Path] = [
            sys.executable,
            "-m",
            "reconciler",
            "agent",
            "--once",
            "--repo",
            self.repository,
        ]
        command += ["--site", "market", "--state", self.folder / "state", *more]
        done = subprocess.run(
            [*command, "--target", f"directory:{self.manifests}"],
            capture_output=True,
            text=True,
            timeout=120,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            check=False,
        )
        return done.returncode, done.stdout + done.stderr

    @property
    def applied(self) -> str:
        return "".join(file.read_text() for file in self.manifests.rglob("*.yaml"))


@pytest.fixture
def fleet(tmp_path: Path) -> Fleet:
    return Fleet(tmp_path)


def foreign_signature(fleet: Fleet) -> None:
    fleet.lock(p256())


def lost_evidence(fleet: Fleet) -> None:
    for file in fleet.signature_files:
        file.unlink()


def altered_evidence(fleet: Fleet) -> None:
    for file in fleet.signature_files:
        file.write_text(file.read_text() + " ")


def expired_key(fleet: Fleet) -> None:
    key = {"path": "trust/release.pub", "notAfter": "2020-12-31"}
    fleet.trust({**TRUST, "signers": [{"name": "release", "keys": [key]}]})


@pytest.mark.slow
@pytest.mark.parametrize(
    ("change", "said"),
    [
        (foreign_signature, "found a signature that is not right"),
        (lost_evidence, "found no such file"),
        (altered_evidence, "expected content with the digest"),
        (expired_key, "trust/release.pub counts until 2020-12-31"),
    ],
    ids=["a signature by another key", "lost evidence", "altered evidence", "an expired key"],
)
def test_a_site_refuses_what_is_not_signed_as_demanded_and_keeps_what_it_has(
    change: Callable[[Fleet], None], said: str, fleet: Fleet
) -> None:
    code, told = fleet.sync()
    assert (code, "acme/pos:1@sha256:" in fleet.applied) == (0, True), told
    before = fleet.applied
    change(fleet)
    fleet.write("bases/pos/deployment.yaml", FILES["bases/pos/deployment.yaml"].replace("100m", "200m"))
    fleet.commit()
    code, told = fleet.sync()
    assert code == 1
    assert "signed-images" in told
    assert said in told
    assert fleet.applied == before


@pytest.mark.slow
def test_an_installation_demands_signatures_whatever_the_fleet_says(fleet: Fleet) -> None:
    settings = {"settings": {"signed-images": {"enabled": False}}}
    head = {"apiVersion": "wayside.dev/v1alpha1", "kind": "Fleet", "metadata": {"name": "shops"}}
    fleet.write("fleet.yaml", yaml.safe_dump({**head, "spec": {"rules": settings}}))
    fleet.commit()
    code, told = fleet.sync()
    assert code == 0, told
    code, told = fleet.sync("--require-signed-images")
    assert code == 1
    assert "this site takes signed images only" in told
    own = fleet.folder / "own.pub"
    own.write_bytes(pem(p256()))
    code, told = fleet.sync("--image-key", str(own))
    assert (code, "found a signature that is not right" in told) == (1, True)
    own.write_bytes(pem(fleet.key))
    assert fleet.sync("--image-key", str(own))[0] == 0
    trust = fleet.folder / "trust"
    trust.mkdir()
    (trust / "image-keys.pub").write_bytes(pem(p256()))
    assert fleet.sync("--trust", str(trust))[0] == 1
    (trust / "image-keys.pub").write_bytes(pem(p256()) + pem(fleet.key))
    assert fleet.sync("--trust", str(trust))[0] == 0
    own.write_text("no key")
    code, told = fleet.sync("--image-key", str(own))
    assert (code, "expected a public key in PEM" in told) == (2, True)
