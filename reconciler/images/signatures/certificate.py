"""Signing certificates: their chain at a time, their owner, and the identity provider that vouched.

The profile is Fulcio's: short-lived certificates for code signing (RFC 5280), the owner as the alternative
name, the issuer of the owner's token as an extension.
"""

from __future__ import annotations

import datetime
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import lru_cache

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ed25519
from cryptography.x509.oid import ExtendedKeyUsageOID, ExtensionOID, ObjectIdentifier

from reconciler.images.signatures.keys import PublicKey
from reconciler.images.signatures.refusal import SignatureRefused
from reconciler.images.signatures.trusted_root import TrustedRoot
from reconciler.images.signatures.x509 import UNREADABLE, load_der

__all__ = ["SigningCertificate"]

_CODE = "certificate-invalid"
_OTHER_NAME = ObjectIdentifier("1.3.6.1.4.1.57264.1.7")
_ISSUER = ObjectIdentifier("1.3.6.1.4.1.57264.1.8")
_ISSUER_OLD = ObjectIdentifier("1.3.6.1.4.1.57264.1.1")
#: Critical extensions whose meaning is followed below; any other critical one is refused (RFC 5280, 4.2).
_FOLLOWED = frozenset(
    {
        ExtensionOID.BASIC_CONSTRAINTS,
        ExtensionOID.EXTENDED_KEY_USAGE,
        ExtensionOID.KEY_USAGE,
        ExtensionOID.SUBJECT_ALTERNATIVE_NAME,
    }
)
_HASHES = (hashes.SHA256, hashes.SHA384, hashes.SHA512)
_UTF8_STRING = 0x0C


@dataclass(frozen=True, slots=True)
class SigningCertificate:
    """A certificate that a signature was made with. Nothing of it is verified yet.

    Attributes:
        der: Its bytes.
        key: Whose signatures it is for.
        identities: Its owner: addresses, URIs and names as they stand in it.
        issuer: The identity provider's address, or "".
    """

    der: bytes
    key: PublicKey
    identities: tuple[str, ...]
    issuer: str
    _certificate: x509.Certificate = field(compare=False, repr=False)

    @classmethod
    def parse(cls, der: bytes) -> SigningCertificate:
        """Read a certificate.

        Raises:
            SignatureRefused: It is none, or its key or extensions cannot be used.
        """
        try:
            certificate = load_der(der)
            identities, issuer = tuple(_identities(certificate)), _issuer(certificate)
        except ValueError as err:
            raise SignatureRefused("expected a certificate, found something else", code=_CODE) from err
        key = PublicKey.of(certificate.public_key())
        return cls(der, key, identities, issuer, certificate)

    def verify(self, root: TrustedRoot, at: datetime.datetime) -> x509.Certificate:
        """Verify that the certificate was right at a time, for signing code, and return who issued it.

        Raises:
            SignatureRefused: It was not valid then, or no authority that was in use then vouches for it.
        """
        certificate = self._certificate
        if not _valid(certificate, at):
            raise SignatureRefused(
                f"expected a certificate that was valid at {at:%Y-%m-%d %H:%M:%S}Z, found one for "
                f"{certificate.not_valid_before_utc:%Y-%m-%d %H:%M:%S}Z to "
                f"{certificate.not_valid_after_utc:%H:%M:%S}Z",
                code=_CODE,
            )
        self._verify_profile()
        for authority in root.authorities:
            if authority.window.holds(at):
                issuer = _issuer_of(certificate, authority.chain[:-1], authority.chain[-1], at, depth=0)
                if issuer is not None:
                    return issuer
        raise SignatureRefused(
            "expected a certificate of an authority in the trusted root, found one of "
            f"{certificate.issuer.rfc4514_string()[:120]!r}",
            code=_CODE,
            hint="the trusted root must be of the service that the signer used",
        )

    def _verify_profile(self) -> None:
        extensions = self._certificate.extensions
        unknown = [each.oid for each in extensions if each.critical and each.oid not in _FOLLOWED]
        if unknown:
            _refuse("no critical extension that is not understood", unknown[0].dotted_string)
        if _is_authority(self._certificate):
            _refuse("a certificate for signing", "one of an authority")
        try:
            usage = extensions.get_extension_for_class(x509.KeyUsage).value
            purposes = extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
        except x509.ExtensionNotFound:
            _refuse("a certificate for signing code", "one that does not say what it is for")
        if not usage.digital_signature or ExtendedKeyUsageOID.CODE_SIGNING not in purposes:
            _refuse("a certificate for signing code", "one for something else")

    @property
    def certificate(self) -> x509.Certificate:
        """The certificate as the library reads it."""
        return self._certificate


def _refuse(expected: str, found: str) -> None:
    raise SignatureRefused(f"expected {expected}, found {found}", code=_CODE)


def _valid(certificate: x509.Certificate, at: datetime.datetime) -> bool:
    return certificate.not_valid_before_utc <= at <= certificate.not_valid_after_utc


def _issuer_of(
    certificate: x509.Certificate,
    between: tuple[x509.Certificate, ...],
    root: x509.Certificate,
    at: datetime.datetime,
    *,
    depth: int,
) -> x509.Certificate | None:
    """Return the issuer of a certificate where a path leads from it to the root, else None.

    Args:
        certificate: Whose issuer is wanted.
        between: Authorities that may stand on the path.
        root: Where the path must end.
        at: When every certificate of the path must have been valid.
        depth: Authorities under the issuer.
    """
    if _issued(certificate, root, at, depth=depth):
        return root
    for number, authority in enumerate(between):
        if _issued(certificate, authority, at, depth=depth):
            rest = between[:number] + between[number + 1 :]
            if _issuer_of(authority, rest, root, at, depth=depth + 1) is not None:
                return authority
    return None


def _issued(
    certificate: x509.Certificate, by: x509.Certificate, at: datetime.datetime, *, depth: int
) -> bool:
    if not _valid(by, at) or not _may_issue(by, depth):
        return False
    # Authorities are few and their signatures never change; certificates of signers are seen once.
    return _is_signed(certificate, by) if depth == 0 else _is_authority_signed(certificate, by)


def _is_signed(certificate: x509.Certificate, by: x509.Certificate) -> bool:
    try:
        certificate.verify_directly_issued_by(by)
        algorithm = certificate.signature_hash_algorithm
    except (InvalidSignature, *UNREADABLE):
        return False
    if algorithm is None:  # no hash of its own: Ed25519 has it inside, nothing else may
        return isinstance(by.public_key(), ed25519.Ed25519PublicKey)
    return isinstance(algorithm, _HASHES)


_is_authority_signed = lru_cache(maxsize=256)(_is_signed)


def _may_issue(authority: x509.Certificate, depth: int) -> bool:
    try:
        extensions = authority.extensions
        if any(each.critical and each.oid not in _FOLLOWED for each in extensions):
            return False
        constraints = extensions.get_extension_for_class(x509.BasicConstraints).value
    except x509.ExtensionNotFound:
        return False
    if not constraints.ca or (constraints.path_length is not None and depth > constraints.path_length):
        return False
    for each in extensions:
        match each.value:
            case x509.KeyUsage() as usage:
                if not usage.key_cert_sign:
                    return False
            case x509.ExtendedKeyUsage() as purposes:
                wanted = {ExtendedKeyUsageOID.CODE_SIGNING, ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE}
                if not wanted & set(purposes):
                    return False
            case x509.NameConstraints():
                return False
            case _:
                pass
    return True


def _is_authority(certificate: x509.Certificate) -> bool:
    try:
        return certificate.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    except x509.ExtensionNotFound:
        return False


def _identities(certificate: x509.Certificate) -> Iterator[str]:
    try:
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return
    for name in names:
        match name:
            case x509.RFC822Name() | x509.UniformResourceIdentifier() | x509.DNSName():
                yield name.value
            case x509.OtherName() if name.type_id == _OTHER_NAME:
                yield _utf8_string(name.value)
            case _:
                pass


def _issuer(certificate: x509.Certificate) -> str:
    found = {
        each.oid: each.value.value
        for each in certificate.extensions
        if isinstance(each.value, x509.UnrecognizedExtension) and each.oid in {_ISSUER, _ISSUER_OLD}
    }
    if _ISSUER in found:
        return _utf8_string(found[_ISSUER])
    return found.get(_ISSUER_OLD, b"").decode("utf-8")


def _utf8_string(der: bytes) -> str:
    """Return a DER UTF8String of less than 64 KiB."""
    if len(der) >= 2 and der[0] == _UTF8_STRING:
        start, length = 2, der[1]
        if length in {0x81, 0x82}:
            start = 2 + length - 0x80
            length = int.from_bytes(der[2:start], "big")
        if length == len(der) - start:
            return der[start:].decode("utf-8")
    raise ValueError("not a UTF8String")
