"""One signature: what is right is accepted, and of what is wrong the reason is said."""

import hashlib
import subprocess
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa

from reconciler.images.signatures import SignatureRefused, Verified, verify
from reconciler.images.signatures.artifact import Artifact
from reconciler.images.signatures.ed25519ph import verify_prehashed
from reconciler.images.signatures.keys import PublicKey
from reconciler.images.signatures.log import root_of
from tests.cluster.process import loopback_environment
from tests.images.signatures.cases import CONTENT, KEY_ALONE, RIGHT, WRONG, Case, Signed, as_bytes
from tests.images.signatures.service import Service, pem, tree_hash, way


@pytest.fixture(scope="module")
def service() -> Service:
    return Service()


def judge(signed: Signed) -> Verified:
    by_key = signed.key is not None
    return verify(
        as_bytes(signed.bundle),
        signed.content,
        key=signed.key,
        certificate_identity=None if by_key else signed.identity,
        certificate_oidc_issuer=None if by_key else signed.issuer,
        trusted_root=as_bytes(signed.root),
    )


@pytest.mark.parametrize("case", [*RIGHT, *KEY_ALONE], ids=lambda case: case.name)
def test_a_right_signature_is_accepted(case: Case, service: Service) -> None:
    signed = case.make(service)
    verified = judge(signed)
    assert verified.identity == ("" if signed.key else signed.identity)


@pytest.mark.parametrize("case", WRONG, ids=lambda case: case.name)
def test_a_wrong_signature_is_refused_with_its_reason(case: Case, service: Service) -> None:
    with pytest.raises(SignatureRefused) as caught:
        judge(case.make(service))
    assert caught.value.code == case.code, str(caught.value)
    assert caught.value.message.startswith("expected ")


@pytest.mark.parametrize("case", [*RIGHT, *WRONG], ids=lambda case: case.name)
def test_the_real_cosign_says_the_same(case: Case, service: Service, cosign: Path, tmp_path: Path) -> None:
    signed = case.make(service)
    for name, document in (("bundle", signed.bundle), ("root", signed.root)):
        (tmp_path / f"{name}.json").write_bytes(as_bytes(document))
    (tmp_path / "content").write_bytes(signed.content)
    command: list[str | Path] = [cosign, "verify-blob", "--bundle", tmp_path / "bundle.json"]
    command += ["--new-bundle-format", "--trusted-root", tmp_path / "root.json"]
    if "timestampVerificationData" in signed.bundle.get("verificationMaterial", {}):
        command.append("--use-signed-timestamps")
    if signed.key is not None:
        (tmp_path / "key.pub").write_bytes(signed.key)
        command += ["--key", tmp_path / "key.pub"]
    else:
        command += ["--certificate-identity", signed.identity, "--certificate-oidc-issuer", signed.issuer]
    done = subprocess.run(
        [*command, tmp_path / "content"],
        capture_output=True,
        text=True,
        timeout=60,
        env=loopback_environment(home=tmp_path),
        check=False,
    )
    expected = case.right if case.cosign is None else case.cosign
    assert (done.returncode == 0) is expected, f"{case.why}\n{done.stderr}"


def test_an_artifact_is_known_by_its_digest_alone(service: Service) -> None:
    signed = RIGHT[0].make(service)
    digest = f"sha256:{hashlib.sha256(CONTENT).hexdigest()}"
    verified = verify(
        as_bytes(signed.bundle),
        digest,
        certificate_identity=signed.identity,
        certificate_oidc_issuer=signed.issuer,
        trusted_root=as_bytes(signed.root),
    )
    assert verified.logged == 1


def test_a_digest_of_something_else_is_refused(service: Service) -> None:
    signed = RIGHT[0].make(service)
    with pytest.raises(SignatureRefused, match="expected a signature of sha256:0000"):
        verify(
            as_bytes(signed.bundle),
            f"sha256:{'0' * 64}",
            certificate_identity=signed.identity,
            certificate_oidc_issuer=signed.issuer,
            trusted_root=as_bytes(signed.root),
        )


def test_a_key_that_signs_a_digest_that_is_not_known_asks_for_the_content() -> None:
    private = ec.generate_private_key(ec.SECP384R1())
    signature = private.sign(CONTENT, ec.ECDSA(hashes.SHA384()))
    key = PublicKey.parse(pem(private))
    assert key.verifies_artifact(signature, Artifact.of(CONTENT))
    named = Artifact.named(f"sha256:{hashlib.sha256(CONTENT).hexdigest()}")
    with pytest.raises(SignatureRefused, match="not right for the sha256 digest") as caught:
        key.verifies_artifact(signature, named)
    assert "name the file" in caught.value.hint


def test_a_certificate_needs_a_trusted_root(service: Service) -> None:
    signed = RIGHT[0].make(service)
    with pytest.raises(SignatureRefused, match="expected a trusted root"):
        verify(
            as_bytes(signed.bundle),
            CONTENT,
            certificate_identity=signed.identity,
            certificate_oidc_issuer=signed.issuer,
        )


@pytest.mark.parametrize(
    "wanted",
    [
        {},
        {"certificate_identity": "me"},
        {"certificate_oidc_issuer": "https://issuer.test"},
        {"key": b"", "certificate_identity": "me", "certificate_oidc_issuer": "https://issuer.test"},
    ],
    ids=["nobody", "an identity alone", "an issuer alone", "both"],
)
def test_it_must_be_said_who_should_have_signed(wanted: dict[str, str]) -> None:
    with pytest.raises(ValueError, match="expected either a key"):
        verify(b"{}", b"", **wanted)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"[]",
        b'"text"',
        b"{",
        b"\xff",
        b'{"a": NaN}',
        b'{"a": 1, "a": 2}',
        b"[" * 100_000,
        b'{"a":' + b"1" * 5000 + b"}",
    ],
    ids=[
        "nothing",
        "a list",
        "a text",
        "cut off",
        "not UTF-8",
        "not a number",
        "a member twice",
        "a nest",
        "a long number",
    ],
)
def test_what_is_no_bundle_is_refused(data: bytes) -> None:
    with pytest.raises(SignatureRefused) as caught:
        verify(data, b"", key=pem(ec.generate_private_key(ec.SECP256R1())))
    assert caught.value.code == "bundle-malformed"


@pytest.mark.parametrize("name", ["sha256", "sha384", "sha512"])
def test_rsa_signatures_of_either_scheme_are_verified(name: str) -> None:
    key = rsa.generate_private_key(65537, 2048)
    algorithm = {"sha256": hashes.SHA256(), "sha384": hashes.SHA384(), "sha512": hashes.SHA512()}[name]
    public = PublicKey.of(key.public_key())
    pss = padding.PSS(padding.MGF1(algorithm), padding.PSS.MAX_LENGTH)
    for scheme in (padding.PKCS1v15(), pss, padding.PSS(padding.MGF1(algorithm), algorithm.digest_size)):
        signature = key.sign(b"data", scheme, algorithm)
        assert public.verifies(signature, b"data")
        assert not public.verifies(signature, b"date")


def test_a_small_rsa_key_cannot_be_used() -> None:
    small = rsa.generate_private_key(65537, 1024)  # noqa: S505  what is refused
    with pytest.raises(SignatureRefused, match="found an RSA key \\(1024 bits\\)"):
        PublicKey.of(small.public_key())


@pytest.mark.parametrize(
    ("data", "found"),
    [
        (b"hello", "something else"),
        (b"-----BEGIN CERTIFICATE-----\n-----END CERTIFICATE-----\n", "a private key or certificate"),
        (pem(ec.generate_private_key(ec.SECP256K1())), "secp256k1"),
    ],
    ids=["a text", "a certificate", "another curve"],
)
def test_what_is_no_public_key_is_refused(data: bytes, found: str) -> None:
    with pytest.raises(SignatureRefused, match=found):
        PublicKey.parse(data)


def test_ed25519ph_verifies_the_signature_that_its_standard_shows() -> None:
    # RFC 8032, 7.3
    key = bytes.fromhex("ec172b93ad5e563bf4932c70e1245034c35467ef2efd4d64ebf819683467e2bf")
    signature = bytes.fromhex(
        "98a70222f0b8121aa9d30f813d683f809e462b469c7ff87639499bb94e6dae41"
        "31f85042463c2a355a2003d062adf5aaa10b8c61e636062aaad11c2a26083406"
    )
    digest = hashlib.sha512(b"abc").digest()
    assert verify_prehashed(key, signature, digest)
    assert not verify_prehashed(key, signature, hashlib.sha512(b"abd").digest())
    for place in (0, 31, 32, 63):
        changed = bytearray(signature)
        changed[place] ^= 1
        assert not verify_prehashed(key, bytes(changed), digest)
        changed = bytearray(key)
        changed[place % 32] ^= 1
        assert not verify_prehashed(bytes(changed), signature, digest)


def test_a_key_of_small_order_verifies_nothing() -> None:
    neutral = (1).to_bytes(32, "little")
    assert not verify_prehashed(neutral, neutral + bytes(32), hashlib.sha512(b"").digest())


def test_plain_ed25519_needs_the_content() -> None:
    key = ed25519.Ed25519PrivateKey.generate()
    public = PublicKey.of(key.public_key())
    signature = key.sign(CONTENT)
    assert public.verifies_artifact(signature, Artifact.of(CONTENT))
    with pytest.raises(SignatureRefused, match="expected the content or its sha512 digest"):
        public.verifies_artifact(signature, Artifact.named(f"sha256:{'0' * 64}"))


@pytest.mark.parametrize("size", [1, 2, 3, 4, 7, 8, 9, 31, 33])
def test_every_leaf_of_a_tree_is_proved_and_no_other(size: int) -> None:
    leaves = [bytes([number]) for number in range(size)]
    root = tree_hash(leaves)
    for index, leaf in enumerate(leaves):
        hashed, proof = hashlib.sha256(b"\x00" + leaf).digest(), tuple(way(leaves, index))
        assert root_of(hashed, index=index, size=size, way=proof) == root
        for other in range(-1, size + 2):
            if other != index:
                assert root_of(hashed, index=other, size=size, way=proof) != root
        assert root_of(hashed, index=index, size=size, way=(*proof, bytes(32))) is None
