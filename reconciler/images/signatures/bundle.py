"""Sigstore bundles: a signature with all that is needed to verify it offline.

The format is that of `sigstore_bundle.proto` (github.com/sigstore/protobuf-specs), versions 0.1 to 0.3.
"""

from __future__ import annotations

from dataclasses import dataclass

from reconciler.images.signatures.artifact import HashName
from reconciler.images.signatures.envelope import Envelope
from reconciler.images.signatures.protojson import Message

__all__ = [
    "HASH_NAMES",
    "Bundle",
    "CertificateMaterial",
    "InclusionProof",
    "KeyMaterial",
    "LogEntry",
    "MessageSignature",
]

CODE = "bundle-malformed"
_VERSIONS = {
    "application/vnd.dev.sigstore.bundle+json;version=0.1": (0, 1),
    "application/vnd.dev.sigstore.bundle+json;version=0.2": (0, 2),
    "application/vnd.dev.sigstore.bundle+json;version=0.3": (0, 3),
    "application/vnd.dev.sigstore.bundle.v0.3+json": (0, 3),
}
_MOST_ENTRIES = 32
_MOST_HASHES = 64
#: `HashAlgorithm` of sigstore_common.proto.
HASH_NAMES = {1: "SHA2_256", 2: "SHA2_384", 3: "SHA2_512", 4: "SHA3_256", 5: "SHA3_384"}
_HASHES: dict[str, HashName] = {"SHA2_256": "sha256", "SHA2_384": "sha384", "SHA2_512": "sha512"}


@dataclass(frozen=True, slots=True)
class MessageSignature:
    """A signature of the artifact itself.

    Attributes:
        signature: Its bytes.
        algorithm: Of the digest that the signer noted; None where it noted none.
        digest: That digest: a hint, which must not contradict.
    """

    signature: bytes
    algorithm: HashName | None = None
    digest: bytes = b""


@dataclass(frozen=True, slots=True)
class KeyMaterial:
    """The signature is by a key that the verifier has; the hint may say which."""

    hint: str


@dataclass(frozen=True, slots=True)
class CertificateMaterial:
    """The signature is by the key of a certificate, as DER."""

    der: bytes


@dataclass(frozen=True, slots=True)
class InclusionProof:
    """The proof that an entry is in a log of some size (RFC 9162), and the log's own word for its root.

    Attributes:
        index: The entry's place in the tree.
        size: Leaves of the tree.
        root: The tree's root hash.
        hashes: The way up.
        checkpoint: The log's signed note about size and root.
    """

    index: int
    size: int
    root: bytes
    hashes: tuple[bytes, ...]
    checkpoint: str


@dataclass(frozen=True, slots=True)
class LogEntry:
    """An entry of a transparency log.

    Attributes:
        index: Its place in the log over all its trees.
        log_id: The name of the log's key; empty where only the checkpoint says which log it is.
        kind: What it is an entry of, such as `hashedrekord`; "" where only the body says so.
        version: Of that kind.
        integrated_time: Seconds since 1970; 0 where there is none.
        promise: The log's signed promise to include it (SET); empty where there is none.
        proof: The proof that it is included, or None.
        body: What is logged.
    """

    index: int
    log_id: bytes
    kind: str
    version: str
    integrated_time: int
    promise: bytes
    proof: InclusionProof | None
    body: bytes


@dataclass(frozen=True, slots=True)
class Bundle:
    """A signature and its verification material. Nothing of it is verified yet.

    Attributes:
        version: Of the format.
        content: What is signed, and how.
        material: By whom.
        entries: Of transparency logs.
        timestamps: Responses of timestamp authorities (RFC 3161), as DER.
    """

    version: tuple[int, int]
    content: MessageSignature | Envelope
    material: KeyMaterial | CertificateMaterial
    entries: tuple[LogEntry, ...] = ()
    timestamps: tuple[bytes, ...] = ()

    @property
    def signature(self) -> bytes:
        """The bytes of the signature."""
        return self.content.signature

    @classmethod
    def parse(cls, data: bytes) -> Bundle:
        """Read a bundle.

        Raises:
            SignatureRefused: It is none, or one of another version (`bundle-malformed`).
        """
        message = Message.parse(data, what="a Sigstore bundle", code=CODE)
        version = _VERSIONS.get(message.text("mediaType"))
        if version is None:
            found = repr(message.text("mediaType")[:80])
            message.refuse("mediaType", "a Sigstore bundle of version 0.1, 0.2 or 0.3", found)
        material = message.need("verificationMaterial")
        entries = tuple(_entry(each, version) for each in material.messages("tlogEntries"))
        if len(entries) > _MOST_ENTRIES:
            material.refuse("tlogEntries", f"at most {_MOST_ENTRIES} entries", str(len(entries)))
        if len({(entry.log_id, entry.index) for entry in entries}) != len(entries):
            material.refuse("tlogEntries", "each entry once", "one twice")
        timestamps = material.message("timestampVerificationData")
        return cls(
            version=version,
            content=_content(message),
            material=_material(material, version),
            entries=entries,
            timestamps=_timestamps(timestamps) if timestamps is not None else (),
        )


def _content(message: Message) -> MessageSignature | Envelope:
    signed, envelope = message.message("messageSignature"), message.message("dsseEnvelope")
    if (signed is None) == (envelope is None):
        found = "both" if signed is not None else "none"
        message.refuse("messageSignature", "either messageSignature or dsseEnvelope", found)
    if envelope is not None:
        return Envelope.read(envelope)
    assert signed is not None  # noqa: S101  exactly one is there
    signature = signed.data("signature")
    if not signature:
        signed.refuse("signature", "a signature", "none")
    noted = signed.message("messageDigest")
    if noted is None:
        return MessageSignature(signature)
    algorithm = _HASHES.get(noted.enum("algorithm", HASH_NAMES))
    if algorithm is None:
        noted.refuse("algorithm", "SHA2_256, SHA2_384 or SHA2_512", "another")
    return MessageSignature(signature, algorithm, noted.data("digest"))


def _material(message: Message, version: tuple[int, int]) -> KeyMaterial | CertificateMaterial:
    key, certificate = message.message("publicKey"), message.message("certificate")
    chain = message.message("x509CertificateChain")
    if sum(each is not None for each in (key, certificate, chain)) != 1:
        message.refuse(
            "certificate", "one of publicKey, certificate and x509CertificateChain", "another number"
        )
    if key is not None:
        return KeyMaterial(key.text("hint"))
    if chain is not None:
        if version >= (0, 3):
            message.refuse("x509CertificateChain", "a single certificate in version 0.3", "a chain")
        certificate = next(chain.messages("certificates"), None)
        if certificate is None:
            chain.refuse("certificates", "a certificate", "none")
    assert certificate is not None  # noqa: S101  one of the three is there
    der = certificate.data("rawBytes")
    if not der:
        certificate.refuse("rawBytes", "a certificate", "none")
    return CertificateMaterial(der)


def _timestamps(message: Message) -> tuple[bytes, ...]:
    found = tuple(each.data("signedTimestamp") for each in message.messages("rfc3161Timestamps"))
    if len(found) > _MOST_ENTRIES:
        message.refuse("rfc3161Timestamps", f"at most {_MOST_ENTRIES} timestamps", str(len(found)))
    if len(set(found)) != len(found):
        message.refuse("rfc3161Timestamps", "each timestamp once", "one twice")
    return found


def _entry(message: Message, version: tuple[int, int]) -> LogEntry:
    kind = message.need("kindVersion")
    promise = message.message("inclusionPromise")
    given = message.message("inclusionProof")
    named = message.message("logId")
    entry = LogEntry(
        index=message.integer("logIndex"),
        log_id=named.data("keyId") if named is not None else b"",
        kind=kind.text("kind"),
        version=kind.text("version"),
        integrated_time=message.integer("integratedTime"),
        promise=promise.data("signedEntryTimestamp") if promise is not None else b"",
        proof=_proof(given) if given is not None else None,
        body=message.data("canonicalizedBody"),
    )
    if entry.index < 0 or entry.integrated_time < 0:
        message.refuse("logIndex", "an index and a time that are not negative", "a negative number")
    if not entry.kind or not entry.body:
        message.refuse("canonicalizedBody", "an entry's kind and body", "none")
    if version == (0, 1) and not entry.promise:
        message.refuse("inclusionPromise", "a promise, which version 0.1 requires", "none")
    if version >= (0, 2) and entry.proof is None:
        message.refuse("inclusionProof", "a proof, which versions 0.2 and later require", "none")
    return entry


def _proof(message: Message) -> InclusionProof:
    checkpoint = message.message("checkpoint")
    envelope = checkpoint.text("envelope") if checkpoint is not None else ""
    if not envelope:
        message.refuse("checkpoint", "a signed checkpoint", "none")
    hashes = tuple(message.datas("hashes"))
    if len(hashes) > _MOST_HASHES:
        message.refuse("hashes", f"at most {_MOST_HASHES} hashes", str(len(hashes)))
    return InclusionProof(
        index=message.integer("logIndex"),
        size=message.integer("treeSize"),
        root=message.data("rootHash"),
        hashes=hashes,
        checkpoint=envelope,
    )
