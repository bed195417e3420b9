"""What a log entry says was signed, by whom, and whether it is this signature.

An entry proves nothing about a signature unless its body holds the same signature, signer and digest.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NoReturn

from cryptography.hazmat.primitives.serialization import Encoding

from reconciler.images.signatures.artifact import Artifact, HashName, digest_of
from reconciler.images.signatures.bundle import HASH_NAMES, LogEntry, MessageSignature
from reconciler.images.signatures.envelope import Envelope
from reconciler.images.signatures.keys import PublicKey
from reconciler.images.signatures.protojson import Message, decode_base64
from reconciler.images.signatures.refusal import SignatureRefused
from reconciler.images.signatures.x509 import load_pem

__all__ = ["Signer", "verify_logged"]

_CODE = "log-invalid"
_WHAT = "a log entry's body"
_OLD_HASHES: dict[str, HashName] = {"sha256": "sha256", "sha384": "sha384", "sha512": "sha512"}
_NEW_HASHES: dict[str, HashName] = {"SHA2_256": "sha256", "SHA2_384": "sha384", "SHA2_512": "sha512"}


@dataclass(frozen=True, slots=True)
class Signer:
    """Who signed: a key, and the certificate as DER where there is one."""

    key: PublicKey
    certificate: bytes | None = None


def verify_logged(
    entry: LogEntry, content: MessageSignature | Envelope, signer: Signer, artifact: Artifact
) -> None:
    """Verify that an entry is of this signature.

    Args:
        entry: The entry, whose inclusion is another question.
        content: The signature.
        signer: Who signed.
        artifact: What a signature without an envelope is of.

    Raises:
        SignatureRefused: The entry is of another signature, or of a kind that is not known.
    """
    body = Message.parse(entry.body, what=_WHAT, code=_CODE)
    if (body.text("kind"), body.text("apiVersion")) != (entry.kind, entry.version):
        body.refuse("kind", f"{entry.kind[:40]}/{entry.version[:20]}", "another kind")
    spec = body.need("spec")
    match content, entry.kind, entry.version:
        case MessageSignature(), "hashedrekord", "0.0.1":
            _hashedrekord(spec, content.signature, signer, artifact)
        case MessageSignature(), "hashedrekord", "0.0.2":
            _hashedrekord_new(spec.need("hashedRekordV002"), content.signature, signer, artifact)
        case Envelope(), "hashedrekord", "0.0.2":
            signed = Artifact.of(content.signed)
            _hashedrekord_new(spec.need("hashedRekordV002"), content.signature, signer, signed)
        case Envelope(), "dsse", "0.0.1":
            _dsse(spec, content, signer)
        case Envelope(), "dsse", "0.0.2":
            _dsse_new(spec.need("dsseV002"), content, signer)
        case Envelope(), "intoto", "0.0.2":
            _intoto(spec.need("content"), content, signer)
        case _:
            kind = "an envelope" if isinstance(content, Envelope) else "a message"
            _refuse(f"a log entry of {kind}", f"{entry.kind[:40]}/{entry.version[:20]}")


def _hashedrekord(spec: Message, signature: bytes, signer: Signer, artifact: Artifact) -> None:
    noted, digest = spec.need("signature"), spec.need("data").need("hash")
    _same_signature(noted.data("content"), signature)
    _same_signer(noted.need("publicKey").data("content"), signer)
    algorithm = _OLD_HASHES.get(digest.text("algorithm"))
    _same_digest(algorithm, _hex(digest.text("value")), artifact)


def _hashedrekord_new(spec: Message, signature: bytes, signer: Signer, artifact: Artifact) -> None:
    noted, digest = spec.need("signature"), spec.need("data")
    _same_signature(noted.data("content"), signature)
    _same_verifier(noted.need("verifier"), signer)
    _same_digest(_NEW_HASHES.get(digest.enum("algorithm", HASH_NAMES)), digest.data("digest"), artifact)


def _dsse(spec: Message, envelope: Envelope, signer: Signer) -> None:
    noted, digest = _only(spec), spec.need("payloadHash")
    _same_signature(noted.data("signature"), envelope.signature)
    _same_signer(noted.data("verifier"), signer)
    _same_payload(_OLD_HASHES.get(digest.text("algorithm")), _hex(digest.text("value")), envelope)


def _dsse_new(spec: Message, envelope: Envelope, signer: Signer) -> None:
    noted, digest = _only(spec), spec.need("payloadHash")
    _same_signature(noted.data("content"), envelope.signature)
    _same_verifier(noted.need("verifier"), signer)
    _same_payload(_NEW_HASHES.get(digest.enum("algorithm", HASH_NAMES)), digest.data("digest"), envelope)


def _intoto(content: Message, envelope: Envelope, signer: Signer) -> None:
    logged, digest = content.need("envelope"), content.need("payloadHash")
    noted = _only(logged)
    # This kind of entry has the signature's base64 in base64.
    inner = decode_base64(noted.data("sig").decode("latin-1"))
    _same_signature(inner or b"", envelope.signature)
    _same_signer(noted.data("publicKey"), signer)
    if logged.text("payloadType") != envelope.payload_type:
        _refuse("the envelope's payload type in the log", "another")
    _same_payload(_OLD_HASHES.get(digest.text("algorithm")), _hex(digest.text("value")), envelope)


def _only(message: Message) -> Message:
    signatures = list(message.messages("signatures"))
    if len(signatures) != 1:
        message.refuse("signatures", "exactly one signature", str(len(signatures)))
    return signatures[0]


def _same_signature(logged: bytes, signature: bytes) -> None:
    if not logged or logged != signature:
        _refuse("this signature in the log", "another")


def _same_signer(pem: bytes, signer: Signer) -> None:
    if b"-----BEGIN CERTIFICATE-----" in pem:
        try:
            der = load_pem(pem).public_bytes(Encoding.DER)
        except ValueError:
            der = b""
        if signer.certificate is None or der != signer.certificate:
            _refuse("this certificate in the log", "another")
    elif signer.certificate is not None or PublicKey.parse(pem) != signer.key:
        _refuse("this signer in the log", "another")


def _same_verifier(verifier: Message, signer: Signer) -> None:
    certificate, key = verifier.message("x509Certificate"), verifier.message("publicKey")
    if signer.certificate is not None:
        if certificate is None or key is not None or certificate.data("rawBytes") != signer.certificate:
            _refuse("this certificate in the log", "another")
    elif key is None or certificate is not None or PublicKey.parse(key.data("rawBytes")) != signer.key:
        _refuse("this key in the log", "another")


def _same_digest(algorithm: HashName | None, digest: bytes, artifact: Artifact) -> None:
    known = artifact.digest(algorithm) if algorithm is not None else None
    if algorithm is not None and known is None:
        raise SignatureRefused(
            f"expected the content, or its {algorithm} digest, for the log's entry, "
            f"found only {artifact.algorithm}",
            code="digest-mismatch",
            hint="name the file instead of its digest",
        )
    if known is None or known != digest:
        _refuse("the artifact's digest in the log", "another")


def _same_payload(algorithm: HashName | None, digest: bytes, envelope: Envelope) -> None:
    if algorithm is None or digest_of(algorithm, envelope.payload) != digest:
        _refuse("the envelope's payload in the log", "another")


def _hex(text: str) -> bytes:
    try:
        return bytes.fromhex(text) if text == text.lower() else b""
    except ValueError:
        return b""


def _refuse(expected: str, found: str) -> NoReturn:
    raise SignatureRefused(f"expected {expected}, found {found}", code=_CODE)
