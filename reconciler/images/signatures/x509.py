"""Reading certificates from outside.

The library reads some parts of a certificate only when they are asked for, and has errors of many kinds. Here
every part that is used later is read at once, and there is one error.
"""

from __future__ import annotations

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm

__all__ = ["UNREADABLE", "load_der", "load_pem"]

#: What the library raises for a certificate that is not right.
UNREADABLE = (
    ValueError,
    TypeError,
    OverflowError,
    UnsupportedAlgorithm,
    x509.DuplicateExtension,
    x509.InvalidVersion,
    x509.UnsupportedGeneralNameType,
)


def load_der(data: bytes) -> x509.Certificate:
    """Return a certificate.

    Raises:
        ValueError: It is none, or a part of it cannot be read.
    """
    try:
        return _whole(x509.load_der_x509_certificate(data))
    except UNREADABLE as err:
        raise ValueError(str(err)) from err


def load_pem(data: bytes) -> x509.Certificate:
    """Return the only certificate of a text.

    Raises:
        ValueError: There is none or another number, or a part of it cannot be read.
    """
    try:
        found = x509.load_pem_x509_certificates(data)
        if len(found) == 1:
            return _whole(found[0])
    except UNREADABLE as err:
        raise ValueError(str(err)) from err
    raise ValueError(f"{len(found)} certificates")


def _whole(certificate: x509.Certificate) -> x509.Certificate:
    _ = (
        certificate.extensions,
        certificate.issuer.rfc4514_string(),
        certificate.subject,
        certificate.serial_number,
        certificate.not_valid_before_utc,
        certificate.not_valid_after_utc,
        certificate.public_key(),
    )
    return certificate
