"""Signed certificate timestamps: the word of a certificate transparency log (RFC 6962)."""

from __future__ import annotations

import datetime
import hashlib
import struct

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.x509.certificate_transparency import LogEntryType, SignedCertificateTimestamp

from reconciler.images.signatures.refusal import SignatureRefused
from reconciler.images.signatures.trusted_root import Log, TrustedRoot
from reconciler.images.signatures.x509 import UNREADABLE

__all__ = ["verify_sct"]

_CODE = "sct-invalid"
_MOST = 32


def verify_sct(certificate: x509.Certificate, issuer: x509.Certificate, root: TrustedRoot) -> None:
    """Verify that a log of the trusted root has seen the certificate; other logs are passed over.

    Args:
        certificate: With its timestamps embedded.
        issuer: Who issued it.
        root: Whose `ct_logs` count.

    Raises:
        SignatureRefused: There is no timestamp, or none is right (`sct-invalid`).
    """
    try:
        extension = certificate.extensions.get_extension_for_class(
            x509.PrecertificateSignedCertificateTimestamps
        )
        timestamps = list(extension.value)[:_MOST]
        logged = certificate.tbs_precertificate_bytes
    except (x509.ExtensionNotFound, *UNREADABLE) as err:
        raise SignatureRefused(
            "expected a certificate with a timestamp of a certificate transparency log, found none",
            code=_CODE,
        ) from err
    key = issuer.public_key().public_bytes(
        serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    known = False
    for timestamp in timestamps:
        for log in root.ct_logs:
            if timestamp.log_id not in log.ids:
                continue
            known = True
            if _is_right(timestamp, logged, hashlib.sha256(key).digest(), log):
                return
    found = "one that is not right" if known else "one of a log that is not in the trusted root"
    raise SignatureRefused(
        f"expected the timestamp of a certificate transparency log, found {found}", code=_CODE
    )


def _is_right(timestamp: SignedCertificateTimestamp, logged: bytes, issuer: bytes, log: Log) -> bool:
    try:
        at = timestamp.timestamp.replace(tzinfo=datetime.UTC)
        is_sha256 = isinstance(timestamp.signature_hash_algorithm, hashes.SHA256)
        signed = _signed(timestamp, logged, issuer)
        signature = timestamp.signature
    except UNREADABLE:
        return False
    return signed is not None and is_sha256 and log.window.holds(at) and log.key.verifies(signature, signed)


def _signed(timestamp: SignedCertificateTimestamp, logged: bytes, issuer: bytes) -> bytes | None:
    """Return the bytes that a log signs for an embedded timestamp (RFC 6962, 3.2)."""
    if timestamp.entry_type is not LogEntryType.PRE_CERTIFICATE:
        return None
    # Whole milliseconds: a float of seconds would round.
    moment = timestamp.timestamp.replace(tzinfo=datetime.UTC)
    millis = int(moment.replace(microsecond=0).timestamp()) * 1000 + moment.microsecond // 1000
    extensions = timestamp.extension_bytes
    return b"".join(
        (
            struct.pack("!BBQH", timestamp.version.value, 0, millis, 1),
            issuer,
            len(logged).to_bytes(3, "big"),
            logged,
            struct.pack("!H", len(extensions)),
            extensions,
        )
    )
