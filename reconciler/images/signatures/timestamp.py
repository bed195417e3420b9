"""Signed timestamps: an authority's word that a signature was there at a time (RFC 3161)."""

from __future__ import annotations

import datetime

from cryptography import x509
from rfc3161_client import VerificationError, VerifierBuilder, decode_timestamp_response

from reconciler.images.signatures.refusal import SignatureRefused
from reconciler.images.signatures.trusted_root import Authority, TrustedRoot
from reconciler.images.signatures.x509 import UNREADABLE

__all__ = ["verify_timestamp"]

_CODE = "timestamp-invalid"


def verify_timestamp(response: bytes, signature: bytes, root: TrustedRoot) -> datetime.datetime:
    """Verify a timestamp of a signature's bytes and return its time.

    Args:
        response: `TimeStampResp` as DER.
        signature: What was stamped.
        root: Whose `timestamp_authorities` count.

    Raises:
        SignatureRefused: No authority that was in use at that time signed it for this signature.
    """
    if not root.timestamp_authorities:
        raise SignatureRefused(
            "expected a timestamp authority in the trusted root for the signature's timestamp, found none",
            code=_CODE,
        )
    for authority in root.timestamp_authorities:
        at = _stamped(response, signature, authority)
        if at is not None and authority.window.holds(at):
            return at
    raise SignatureRefused(
        "expected a timestamp of this signature by an authority in the trusted root, "
        "found none that is right",
        code=_CODE,
    )


def _stamped(response: bytes, signature: bytes, authority: Authority) -> datetime.datetime | None:
    chain = authority.chain
    leaf = None if _is_authority(chain[0]) else chain[0]
    try:
        parsed = decode_timestamp_response(response)
        # Lists of its own each time: the builder keeps and fills the ones that it is given.
        verifier = VerifierBuilder(
            tsa_certificate=leaf,
            intermediates=list(chain[1:-1] if leaf is not None else chain[:-1]),
            roots=[chain[-1]],
        ).build()
        verifier.verify_message(parsed, signature)
        at: datetime.datetime = parsed.tst_info.gen_time
    except (VerificationError, *UNREADABLE):
        return None
    return at


def _is_authority(certificate: x509.Certificate) -> bool:
    try:
        return certificate.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    except x509.ExtensionNotFound:
        return False
