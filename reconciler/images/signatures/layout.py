"""How signatures of images are stored in registries: manifests whose layers are signatures.

Three layouts are in use, and all come as an image manifest and its layers: cosign's tags (`sha256-<hex>.sig`
with simple signing, `.att` with envelopes), OCI 1.1 referrers, and the index under the tag `sha256-<hex>`.
Which it is, is told by the layers' media types, because descriptors of artifacts are often wrong.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from cryptography.hazmat.primitives.serialization import Encoding

from reconciler.images.signatures.bundle import (
    Bundle,
    CertificateMaterial,
    KeyMaterial,
    LogEntry,
    MessageSignature,
)
from reconciler.images.signatures.envelope import Envelope
from reconciler.images.signatures.protojson import Message, decode_base64, parse_json
from reconciler.images.signatures.refusal import SignatureRefused
from reconciler.images.signatures.x509 import load_pem

__all__ = ["Broken", "ImageSignature", "SimpleSigning", "read_signatures"]

_CODE = "bundle-malformed"
_BUNDLES = "application/vnd.dev.sigstore.bundle"
_SIMPLE = "application/vnd.dev.cosign.simplesigning.v1+json"
_ENVELOPE = "application/vnd.dsse.envelope.v1+json"
_SIGNATURE = "dev.cosignproject.cosign/signature"
_CERTIFICATE = "dev.sigstore.cosign/certificate"
_LOG = "dev.sigstore.cosign/bundle"
_TIMESTAMP = "dev.sigstore.cosign/rfc3161timestamp"
_MOST_LAYERS = 64


@dataclass(frozen=True, slots=True)
class SimpleSigning:
    """A payload that names an image, and the signature of that payload."""

    payload: bytes
    bundle: Bundle


#: One signature as it is stored: with a payload of its own, or a bundle about the image itself.
ImageSignature = SimpleSigning | Bundle


@dataclass(frozen=True, slots=True)
class Broken:
    """What is stored as a signature and cannot be read as one, with the reason."""

    reason: SignatureRefused


def read_signatures(
    digest: str, read: Callable[[str], bytes], *, image: str
) -> tuple[ImageSignature | Broken, ...]:
    """Return the signatures of one manifest.

    Args:
        digest: Of the manifest.
        read: Gives the content of a digest; what it raises goes through.
        image: The digest of the image, which a manifest with a subject must be about.

    Returns:
        One item for each layer that is a signature; layers of other types are passed over.
    """
    try:
        manifest = parse_json(read(digest), what="a signature's manifest", code=_CODE)
        layers = _layers(manifest, image)
    except SignatureRefused as err:
        return (Broken(err),)
    found: list[ImageSignature | Broken] = []
    for layer in layers:
        kind = layer.text("mediaType")
        try:
            if kind.startswith(_BUNDLES):
                found.append(Bundle.parse(read(layer.text("digest"))))
            elif kind == _SIMPLE:
                found.append(_simple(read(layer.text("digest")), layer))
            elif kind == _ENVELOPE:
                found.append(_enveloped(read(layer.text("digest")), layer))
        except SignatureRefused as err:
            found.append(Broken(err))
    return tuple(found)


def _layers(manifest: Any, image: str) -> list[Message]:
    if not isinstance(manifest, dict):
        raise SignatureRefused("expected a signature's manifest, found something else", code=_CODE)
    message = Message(manifest, path="", code=_CODE)
    subject = message.message("subject")
    if subject is not None and subject.text("digest") != image:
        raise SignatureRefused(
            f"expected a signature of {image}, found one of {subject.text('digest')[:80]}",
            code="digest-mismatch",
        )
    layers = list(message.messages("layers"))
    if len(layers) > _MOST_LAYERS:
        message.refuse("layers", f"at most {_MOST_LAYERS} signatures", str(len(layers)))
    return layers


def _simple(payload: bytes, layer: Message) -> SimpleSigning:
    notes = _Annotations(layer)
    content = MessageSignature(notes.signature())
    return SimpleSigning(payload, _bundle(content, notes, timestamps=notes.timestamps()))


def _enveloped(data: bytes, layer: Message) -> Bundle:
    envelope = Envelope.read(Message.parse(data, what="an envelope", code=_CODE))
    # A timestamp of this layout is over the whole envelope's text; what it would prove is not asked for here.
    return _bundle(envelope, _Annotations(layer), timestamps=())


def _bundle(
    content: MessageSignature | Envelope, notes: _Annotations, *, timestamps: tuple[bytes, ...]
) -> Bundle:
    return Bundle(
        version=(0, 1),
        content=content,
        material=notes.material(),
        entries=notes.entries(),
        timestamps=timestamps,
    )


class _Annotations:
    """What cosign writes beside a layer."""

    def __init__(self, layer: Message) -> None:
        self._notes = layer.message("annotations") or Message({}, path="annotations", code=_CODE)

    def signature(self) -> bytes:
        found = decode_base64(self._notes.text(_SIGNATURE))
        if not found:
            self._notes.refuse(_SIGNATURE, "a signature", "none")
        return found

    def material(self) -> KeyMaterial | CertificateMaterial:
        pem = self._notes.text(_CERTIFICATE)
        if not pem:
            return KeyMaterial("")
        try:
            certificate = load_pem(pem.encode())
        except ValueError as err:
            raise SignatureRefused(
                "expected a certificate beside the signature, found something else", code=_CODE
            ) from err
        return CertificateMaterial(certificate.public_bytes(Encoding.DER))

    def entries(self) -> tuple[LogEntry, ...]:
        """Return the log entry that is noted, with the log's promise; this layout has no proofs."""
        text = self._notes.text(_LOG)
        if not text:
            return ()
        noted = Message.parse(text.encode(), what="a log entry", code=_CODE)
        payload = noted.need("Payload")
        body = payload.data("body")
        logged = Message.parse(body, what="a log entry's body", code=_CODE)
        log_id = payload.text("logID")
        try:
            named = bytes.fromhex(log_id)
        except ValueError:
            payload.refuse("logID", "hexadecimal digits", "something else")
        entry = LogEntry(
            index=payload.integer("logIndex"),
            log_id=named,
            kind=logged.text("kind"),
            version=logged.text("apiVersion"),
            integrated_time=payload.integer("integratedTime"),
            promise=noted.data("SignedEntryTimestamp"),
            proof=None,
            body=body,
        )
        if not entry.promise:
            noted.refuse("SignedEntryTimestamp", "a log's promise", "none")
        return (entry,)

    def timestamps(self) -> tuple[bytes, ...]:
        text = self._notes.text(_TIMESTAMP)
        if not text:
            return ()
        noted = Message.parse(text.encode(), what="a timestamp", code=_CODE)
        return (noted.data("SignedRFC3161Timestamp"),)
