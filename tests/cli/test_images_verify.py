"""`wayside images verify --bundle` says what a signature proves, or why it is refused."""

from __future__ import annotations

import hashlib
import json
import socket
import subprocess
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from reconciler.cli.main import main
from tests.cluster.process import loopback_environment
from tests.images.signatures.cases import CONTENT, p256
from tests.images.signatures.service import IDENTITY, ISSUER, Options, PrivateKey, Service, pem, statement
from tests.images.signatures.stored import Store

OWNER = ["--certificate-identity", IDENTITY, "--certificate-oidc-issuer", ISSUER]


@pytest.fixture(scope="module")
def service() -> Service:
    return Service()


@pytest.fixture(autouse=True)
def files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, service: Service) -> Path:
    def no_network(*_: object) -> None:
        raise AssertionError("the network was asked")

    monkeypatch.setattr(socket.socket, "connect", no_network)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "file").write_bytes(CONTENT)
    (tmp_path / "root.json").write_bytes(service.root_bytes())
    (tmp_path / "b.json").write_text(json.dumps(service.sign(CONTENT)))
    return tmp_path


def verify(*arguments: str) -> int:
    return main(["images", "verify", "--bundle", "b.json", *arguments])


def test_a_file_is_verified_by_its_owner_and_issuer(capsys: pytest.CaptureFixture[str]) -> None:
    assert verify(*OWNER, "--trusted-root", "root.json", "file") == 0
    shown = capsys.readouterr().out
    assert f"verified: sha256:{hashlib.sha256(CONTENT).hexdigest()}" in shown
    assert f"signed by         {IDENTITY}, vouched for by {ISSUER}" in shown
    assert "transparency log  1 entry" in shown
    assert "signed at         2026-03-01T12:00:00Z" in shown
    assert "trusted root      root.json" in shown


def test_a_digest_stands_for_the_file(capsys: pytest.CaptureFixture[str]) -> None:
    digest = f"sha256:{hashlib.sha256(CONTENT).hexdigest()}"
    assert verify(*OWNER, "--trusted-root", "root.json", "--format", "json", digest) == 0
    shown = json.loads(capsys.readouterr().out)
    assert shown["verified"] is True
    assert (shown["artifact"], shown["signer"], shown["issuer"]) == (digest, IDENTITY, ISSUER)


def test_an_expression_must_match_the_whole_identity(capsys: pytest.CaptureFixture[str]) -> None:
    issuer = ["--certificate-oidc-issuer-regexp", "https://token\\..*", "--trusted-root", "root.json", "file"]
    assert verify("--certificate-identity-regexp", "https://github.com/acme/.*", *issuer) == 0
    assert verify("--certificate-identity-regexp", "https://github.com/acme/", *issuer) == 1
    assert "refused[identity-mismatch]: expected the identity a match of" in capsys.readouterr().err


def test_a_refusal_says_what_was_expected_and_found(files: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (files / "file").write_bytes(b"something else")
    assert verify(*OWNER, "--trusted-root", "root.json", "--format", "json", "file") == 1
    shown = capsys.readouterr()
    assert json.loads(shown.out)["code"] == "digest-mismatch"
    assert "refused[digest-mismatch]: expected a signature of sha256:" in shown.err


def test_without_a_trusted_root_the_public_one_counts_and_that_is_said(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert verify(*OWNER, "file") == 1
    shown = capsys.readouterr().err
    assert "expected an entry in a transparency log of the trusted root, found one in another log" in shown
    assert "trusted root: Sigstore's public one, as it comes with this version of Wayside" in shown


def test_in_a_fleet_its_trusted_root_counts(files: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (files / "fleet.yaml").write_text("apiVersion: wayside.dev/v1alpha1\nkind: Fleet\nmetadata: {name: a}\n")
    (files / "trust").mkdir()
    (files / "root.json").rename(files / "trust/trusted_root.json")
    assert verify(*OWNER, "file") == 0
    assert "trust/trusted_root.json" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["file"], "expected --key, or --certificate-identity with --certificate-oidc-issuer, found none"),
        ([*OWNER[:2], "file"], "found --certificate-identity alone"),
        ([*OWNER, "--key", "key.pub", "file"], "expected either --key or --certificate-identity"),
        ([*OWNER, "--certificate-identity-regexp", ".*", "file"], "found both"),
        (["--certificate-identity-regexp", "(", *OWNER[2:], "file"], "expected a regular expression"),
        (OWNER, "expected one file or digest with --bundle, found none"),
        ([*OWNER, "file", "file"], "found 2 of them"),
        ([*OWNER, "nothing"], "cannot read nothing: No such file or directory"),
        ([*OWNER, "sha256:abc"], "expected a digest such as sha256:<64 hexadecimal digits>"),
        ([*OWNER, "--trusted-root", "none.json", "file"], "cannot read none.json"),
    ],
    ids=lambda value: value if isinstance(value, str) else None,
)
def test_a_wrong_command_line_says_what_was_expected(
    arguments: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert verify(*arguments) == 2
    assert said in capsys.readouterr().err


@pytest.mark.parametrize(
    "make",
    [
        p256,
        lambda: ec.generate_private_key(ec.SECP384R1()),
        lambda: ec.generate_private_key(ec.SECP521R1()),
        lambda: rsa.generate_private_key(65537, 2048),
    ],
    ids=["P-256", "P-384", "P-521", "RSA"],
)
# Not with Ed25519: cosign 3.0.4 ends with a panic when it signs a file with such a key.
def test_what_the_real_cosign_signs_with_a_key_is_verified(
    make: type[PrivateKey],
    cosign: Path,
    files: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("COSIGN_PASSWORD", "")
    key = make()
    (files / "raw.pem").write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
    )
    environment = {**loopback_environment(home=files), "COSIGN_PASSWORD": ""}

    def run(*arguments: str) -> None:
        subprocess.run([cosign, *arguments], check=True, capture_output=True, timeout=60, env=environment)

    run("import-key-pair", "--key", "raw.pem", "--output-key-prefix", "cosign")
    run("sign-blob", "--yes", "--key", "cosign.key", "--bundle", "b.json", "--new-bundle-format",
        "--tlog-upload=false", "--use-signing-config=false", "file")  # fmt: skip
    assert verify("--key", "cosign.pub", "file") == 0
    assert "transparency log  none: the key alone vouches" in capsys.readouterr().out
    (files / "file").write_bytes(b"something else")
    assert verify("--key", "cosign.pub", "file") == 1


def test_the_wrong_key_is_refused(service: Service, files: Path, capsys: pytest.CaptureFixture[str]) -> None:
    bundle = service.sign(CONTENT, Options(log="none"), keyless=False)
    (files / "b.json").write_text(json.dumps(bundle))
    (files / "key.pub").write_bytes(pem(p256()))
    assert verify("--key", "key.pub", "file") == 1
    assert "refused[signature-invalid]" in capsys.readouterr().err


@pytest.fixture
def fleet(files: Path) -> Path:
    """A fleet with an image that is signed, one that is not, and one that no entry is about."""
    key, store = p256(), Store()
    digest = store.add(b'{"manifests": []}')
    payload = statement({"sha256": digest[7:]}, predicate_type="https://sigstore.dev/cosign/sign/v1")
    bundle = Service().attest(payload, Options(log="none", key=key), keyless=False)
    signature = store.bundle(bundle, digest)
    images = [
        {"name": name, "tag": "1", "digest": digest, "platforms": [], "signatures": signatures}
        for name, signatures in (
            ("ghcr.io/acme/pos", [signature]),
            ("ghcr.io/acme/till", []),
            ("quay.io/free", [signature]),
        )
    ]
    trust = {
        "signers": [{"name": "release", "keys": [{"path": "trust/release.pub"}]}],
        "images": [
            {"match": ["ghcr.io/acme/till"], "sites": ["old"], "unsigned": "it is older than the key"},
            {"match": ["ghcr.io/acme/*"], "anyOf": ["release"]},
        ],
    }
    head = {"apiVersion": "wayside.dev/v1alpha1", "kind": "Fleet", "metadata": {"name": "shops"}}
    node = {"name": "n", "architecture": "linux/arm64", "allocatable": {"memory": "1Gi"}}
    site = {"platform": "k3s", "kubernetesVersion": "1.33", "nodes": [node]}
    documents: dict[str, bytes] = {
        "fleet.yaml": json.dumps({**head, "spec": {"trust": trust}}).encode(),
        "images.lock": json.dumps({"images": images}).encode(),
        "trust/release.pub": pem(key),
        **{
            f"sites/{name}/site.yaml": json.dumps(
                {**head, "kind": "Site", "metadata": {"name": name}, "spec": site}
            ).encode()
            for name in ("old", "new")
        },
        **store.files,
    }
    for path, content in documents.items():
        (files / path).parent.mkdir(parents=True, exist_ok=True)
        (files / path).write_bytes(content)
    return files


@pytest.mark.usefixtures("fleet")
def test_every_image_of_the_lock_is_verified(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["images", "verify"]) == 1
    shown = capsys.readouterr().out.splitlines()
    assert shown == [
        "signed   ghcr.io/acme/pos:1: signed by release (repository: unbound)",
        "refused  ghcr.io/acme/till:1 at new: it is not signed by release: it has no signature",
        "free     ghcr.io/acme/till:1 at old: needs no signature: it is older than the key",
        "free     quay.io/free:1: signed by release (repository: unbound)",
        "2 that must be signed, 1 refused",
    ]


@pytest.mark.usefixtures("fleet")
@pytest.mark.parametrize(
    ("name", "code"),
    [("ghcr.io/acme/pos", 0), ("ghcr.io/acme/pos:1", 0), ("*/pos", 0), ("ghcr.io/acme/till:1", 1)],
)
def test_single_images_are_verified_by_their_names(
    name: str, code: int, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["images", "verify", "--format", "json", name]) == code
    (first, *_) = json.loads(capsys.readouterr().out)["images"]
    assert first["signed"] is (code == 0)


@pytest.mark.usefixtures("fleet")
def test_an_image_that_is_not_locked_is_named_with_what_was_meant(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["images", "verify", "ghcr.io/acme/pso:1"]) == 2
    shown = capsys.readouterr().err
    assert "expected an image of images.lock, found 'ghcr.io/acme/pso:1'" in shown
    assert "did you mean ghcr.io/acme/pos:1?" in shown


@pytest.mark.usefixtures("fleet")
def test_who_should_have_signed_is_not_said_on_the_command_line_for_a_fleet(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["images", "verify", "--key", "trust/release.pub"]) == 2
    assert "who signs the images of a fleet is said in fleet.yaml" in capsys.readouterr().err


def test_without_a_lock_it_is_said_what_writes_one(fleet: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (fleet / "images.lock").unlink()
    assert main(["images", "verify"]) == 2
    assert "`wayside images lock` writes it" in capsys.readouterr().err
