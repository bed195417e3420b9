"""Writing DER, as far as a timestamp authority needs it (RFC 3161, RFC 5652)."""

import datetime
import hashlib

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

_SHA256 = "2.16.840.1.101.3.4.2.1"
_ECDSA_SHA256 = "1.2.840.10045.4.3.2"
_SIGNED_DATA = "1.2.840.113549.1.7.2"
_TST_INFO = "1.2.840.113549.1.9.16.1.4"
_CONTENT_TYPE = "1.2.840.113549.1.9.3"
_MESSAGE_DIGEST = "1.2.840.113549.1.9.4"


def tlv(tag: int, *content: bytes) -> bytes:
    """Write one element."""
    body = b"".join(content)
    if len(body) < 0x80:
        return bytes([tag, len(body)]) + body
    length = len(body).to_bytes((len(body).bit_length() + 7) // 8, "big")
    return bytes([tag, 0x80 | len(length)]) + length + body


def sequence(*content: bytes) -> bytes:
    return tlv(0x30, *content)


def integer(value: int) -> bytes:
    return tlv(0x02, value.to_bytes(value.bit_length() // 8 + 1, "big"))


def oid(dotted: str) -> bytes:
    first, second, *rest = (int(part) for part in dotted.split("."))
    body = bytearray([40 * first + second])
    for part in rest:
        groups = [part & 0x7F]
        while part := part >> 7:
            groups.append(0x80 | (part & 0x7F))
        body += bytes(reversed(groups))
    return tlv(0x06, bytes(body))


def timestamp_response(
    message: bytes,
    *,
    at: datetime.datetime,
    certificate: x509.Certificate,
    key: ec.EllipticCurvePrivateKey,
    embed: bool = True,
    status: int = 0,
) -> bytes:
    """Make the answer of a timestamp authority.

    Args:
        message: What is stamped.
        at: When.
        certificate: The authority's.
        key: The authority's.
        embed: Whether the answer carries the certificate.
        status: `PKIStatus`; 0 is granted.
    """
    algorithm = sequence(oid(_SHA256))
    info = sequence(
        integer(1),
        oid("1.3.6.1.4.1.57264.2"),
        sequence(algorithm, tlv(0x04, hashlib.sha256(message).digest())),
        integer(int.from_bytes(hashlib.sha256(message).digest()[:8], "big")),
        tlv(0x18, at.strftime("%Y%m%d%H%M%SZ").encode()),
    )
    attributes = sorted(
        (
            sequence(oid(_CONTENT_TYPE), tlv(0x31, oid(_TST_INFO))),
            sequence(oid(_MESSAGE_DIGEST), tlv(0x31, tlv(0x04, hashlib.sha256(info).digest()))),
        )
    )
    signature = key.sign(tlv(0x31, *attributes), ec.ECDSA(hashes.SHA256()))
    signer = sequence(
        integer(1),
        sequence(certificate.issuer.public_bytes(), integer(certificate.serial_number)),
        algorithm,
        tlv(0xA0, *attributes),
        sequence(oid(_ECDSA_SHA256)),
        tlv(0x04, signature),
    )
    signed = sequence(
        integer(3),
        tlv(0x31, algorithm),
        sequence(oid(_TST_INFO), tlv(0xA0, tlv(0x04, info))),
        tlv(0xA0, certificate.public_bytes(serialization.Encoding.DER)) if embed else b"",
        tlv(0x31, signer),
    )
    token = sequence(oid(_SIGNED_DATA), tlv(0xA0, signed))
    return sequence(sequence(integer(status)), token)
