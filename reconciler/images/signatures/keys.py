"""Public keys and the signatures they verify.

Which algorithms a key takes follows from the key alone, never from what a signature says of itself.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa, utils

from reconciler.images.signatures.artifact import Artifact, HashName, digest_of
from reconciler.images.signatures.ed25519ph import verify_prehashed
from reconciler.images.signatures.refusal import SignatureRefused

__all__ = ["PublicKey"]

_SHA: dict[HashName, type[hashes.SHA256 | hashes.SHA384 | hashes.SHA512]] = {
    "sha256": hashes.SHA256,
    "sha384": hashes.SHA384,
    "sha512": hashes.SHA512,
}
# The hash that belongs to the curve, then SHA-256, with which clients signed on every curve for years.
_CURVES: dict[str, tuple[HashName, ...]] = {
    "secp256r1": ("sha256",),
    "secp384r1": ("sha384", "sha256"),
    "secp521r1": ("sha512", "sha256"),
}
_RSA_HASHES: tuple[HashName, ...] = ("sha256", "sha384", "sha512")
_RSA_BITS = range(2048, 16385)
_Key = ec.EllipticCurvePublicKey | rsa.RSAPublicKey | ed25519.Ed25519PublicKey


@dataclass(frozen=True, slots=True)
class PublicKey:
    """A key that signatures are verified with.

    Attributes:
        der: The key as SubjectPublicKeyInfo; two keys are equal when this is.
        sha256: SHA-256 of `der`: the name that logs give a key.
    """

    der: bytes
    sha256: bytes
    _key: _Key = field(compare=False, repr=False)

    @classmethod
    def parse(cls, data: bytes) -> PublicKey:
        """Read a key in PEM, or as DER (SubjectPublicKeyInfo, or PKCS#1 for RSA).

        Raises:
            SignatureRefused: It is not a public key, or of a kind or size that is not accepted.
        """
        try:
            if b"-----BEGIN" in data:
                key = serialization.load_pem_public_key(data)
            else:
                key = serialization.load_der_public_key(data)
        except (ValueError, UnsupportedAlgorithm) as err:
            kind = "a private key or certificate" if b"-----BEGIN" in data else "something else"
            raise SignatureRefused(
                f"expected a public key in PEM, found {kind}", code="key-unusable"
            ) from err
        return cls.of(key)

    @classmethod
    def of(cls, key: object) -> PublicKey:
        """Return a key of the library as one of ours.

        Raises:
            SignatureRefused: It is of a kind or size that is not accepted.
        """
        match key:
            case ec.EllipticCurvePublicKey() if key.curve.name in _CURVES:
                pass
            case rsa.RSAPublicKey() if key.key_size in _RSA_BITS:
                pass
            case ed25519.Ed25519PublicKey():
                pass
            case _:
                raise SignatureRefused(
                    f"expected an ECDSA (P-256, P-384, P-521), Ed25519 or RSA key (2048 bits or more), "
                    f"found {_describe(key)}",
                    code="key-unusable",
                )
        der = key.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
        return cls(der, hashlib.sha256(der).digest(), key)

    def note_id(self, name: str) -> bytes:
        """Return the key's id in signed notes under a name (c2sp.org/signed-note)."""
        if isinstance(self._key, ed25519.Ed25519PublicKey):
            return hashlib.sha256(name.encode() + b"\n\x01" + self._key.public_bytes_raw()).digest()
        return self.sha256

    def verifies(self, signature: bytes, data: bytes) -> bool:
        """Return whether a signature of these bytes is by this key."""
        if isinstance(self._key, ed25519.Ed25519PublicKey):
            return self._plain_ed25519(self._key, signature, data)
        return any(self._prehashed(signature, name, digest_of(name, data)) for name in self._hashes())

    def verifies_artifact(self, signature: bytes, artifact: Artifact) -> bool:
        """Return whether a signature of an artifact is by this key.

        Raises:
            SignatureRefused: That cannot be told from the digest that is known of the artifact.
        """
        key, known = self._key, False
        if isinstance(key, ed25519.Ed25519PublicKey):
            if artifact.content is not None and self._plain_ed25519(key, signature, artifact.content):
                return True
            digest = artifact.digest("sha512")
            known = digest is not None
            if digest is not None and verify_prehashed(key.public_bytes_raw(), signature, digest):
                return True
        for name in self._hashes():
            digest = artifact.digest(name)
            known = known or digest is not None
            if digest is not None and self._prehashed(signature, name, digest):
                return True
        if not known:
            wanted = "the content or its sha512 digest" if not self._hashes() else "the content"
            raise SignatureRefused(
                f"expected {wanted} for a signature by {self}, found only {artifact.algorithm}",
                code="digest-mismatch",
                hint="name the file instead of its digest",
            )
        if any(artifact.digest(name) is None for name in self._hashes()):
            raise SignatureRefused(
                f"expected a signature by {self}, found one not right for the {artifact.algorithm} digest",
                code="signature-invalid",
                hint="name the file instead of its digest: such keys sign other digests too",
            )
        return False

    def _hashes(self) -> tuple[HashName, ...]:
        match self._key:
            case ec.EllipticCurvePublicKey() as key:
                return _CURVES[key.curve.name]
            case rsa.RSAPublicKey():
                return _RSA_HASHES
            case ed25519.Ed25519PublicKey():
                return ()

    def _prehashed(self, signature: bytes, name: HashName, digest: bytes) -> bool:
        algorithm = utils.Prehashed(_SHA[name]())
        match self._key:
            case ec.EllipticCurvePublicKey() as key:
                try:
                    key.verify(signature, digest, ec.ECDSA(algorithm))
                except InvalidSignature:
                    return False
                return True
            case rsa.RSAPublicKey() as key:
                pss = padding.PSS(padding.MGF1(_SHA[name]()), padding.PSS.AUTO)
                for scheme in (padding.PKCS1v15(), pss):
                    try:
                        key.verify(signature, digest, scheme, algorithm)
                    except InvalidSignature:
                        continue
                    return True
                return False
            case ed25519.Ed25519PublicKey():
                return False

    @staticmethod
    def _plain_ed25519(key: ed25519.Ed25519PublicKey, signature: bytes, data: bytes) -> bool:
        try:
            key.verify(signature, data)
        except InvalidSignature:
            return False
        return True

    def __str__(self) -> str:
        return _describe(self._key)


def _describe(key: object) -> str:
    match key:
        case ec.EllipticCurvePublicKey():
            return f"an ECDSA key ({key.curve.name})"
        case rsa.RSAPublicKey():
            return f"an RSA key ({key.key_size} bits)"
        case ed25519.Ed25519PublicKey():
            return "an Ed25519 key"
        case _:
            return f"a key of another kind ({type(key).__name__})"
