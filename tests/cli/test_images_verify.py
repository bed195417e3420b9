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
from tests.images.signatures.service import IDENTITY, ISSUER, Options, PrivateKey, Service, pem

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
