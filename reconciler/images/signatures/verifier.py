"""Verifying one signature: over bytes, without network, without a clock."""

from __future__ import annotations

import datetime
import re
from dataclasses import dataclass

from reconciler.images.signatures.artifact import Artifact
from reconciler.images.signatures.bundle import (
    Bundle,
    CertificateMaterial,
    KeyMaterial,
    LogEntry,
    MessageSignature,
)
from reconciler.images.signatures.certificate import SigningCertificate
from reconciler.images.signatures.checkpoint import Checkpoint
from reconciler.images.signatures.envelope import Envelope
from reconciler.images.signatures.keys import PublicKey
from reconciler.images.signatures.log import verify_inclusion, verify_promise
from reconciler.images.signatures.logged import Signer, verify_logged
from reconciler.images.signatures.refusal import SignatureRefused
from reconciler.images.signatures.sct import verify_sct
from reconciler.images.signatures.statement import STATEMENT_TYPE, Statement
from reconciler.images.signatures.timestamp import verify_timestamp
from reconciler.images.signatures.trusted_root import Log, TrustedRoot

__all__ = ["Identity", "Pattern", "Verified", "verify", "verify_content"]


@dataclass(frozen=True, slots=True)
class Pattern:
    """An exact text, or a regular expression that the whole text must match."""

    text: str
    regexp: bool = False

    def matches(self, value: str) -> bool:
        """Return whether a text is meant."""
        return re.fullmatch(self.text, value) is not None if self.regexp else self.text == value

    def __str__(self) -> str:
        return f"a match of {self.text!r}" if self.regexp else repr(self.text)


@dataclass(frozen=True, slots=True)
class Identity:
    """Whose certificate is wanted: the owner, and the identity provider that vouched."""

    identity: Pattern
    issuer: Pattern

    @classmethod
    def exactly(cls, identity: str, issuer: str) -> Identity:
        """Return the owner and issuer with these names."""
        return cls(Pattern(identity), Pattern(issuer))

    def verify(self, certificate: SigningCertificate) -> None:
        """Verify that a certificate is of this owner.

        Raises:
            SignatureRefused: It is of another, or another provider vouched.
        """
        if not any(self.identity.matches(name) for name in certificate.identities if name):
            found = ", ".join(repr(name[:200]) for name in certificate.identities[:3]) or "none"
            raise SignatureRefused(
                f"expected the identity {self.identity}, found {found}", code="identity-mismatch"
            )
        if not certificate.issuer or not self.issuer.matches(certificate.issuer):
            found = repr(certificate.issuer[:200]) if certificate.issuer else "none"
            raise SignatureRefused(
                f"expected the issuer {self.issuer}, found {found}", code="issuer-mismatch"
            )


@dataclass(frozen=True, slots=True)
class Verified:
    """A signature that is right.

    Attributes:
        statement: What was said, where more was signed than the artifact.
        times: When it was signed, by the word of logs and timestamp authorities; may be empty for a key.
        logged: How many entries of transparency logs prove it.
        identity: The owner of the certificate, or "" for a key.
        issuer: Who vouched for the owner, or "".
    """

    statement: Statement | None
    times: tuple[datetime.datetime, ...]
    logged: int
    identity: str = ""
    issuer: str = ""


def verify(
    bundle: bytes,
    artifact: bytes | str,
    *,
    key: bytes | None = None,
    certificate_identity: str | None = None,
    certificate_oidc_issuer: str | None = None,
    trusted_root: bytes | None = None,
) -> Verified:
    """Verify a Sigstore bundle.

    Args:
        bundle: The bundle, as JSON.
        artifact: The content that was signed, or its digest as `sha256:<hex>`.
        key: The public key that must have signed, in PEM; or:
        certificate_identity: the owner of the certificate that must have signed, and
        certificate_oidc_issuer: who vouched for the owner.
        trusted_root: The trusted root, as JSON. Without a key it is needed; with one, where the bundle
            holds log entries or timestamps.

    Raises:
        SignatureRefused: The signature is not right, with the reason.
        ValueError: Neither or both of a key and an identity with its issuer were given.
    """
    by_identity = certificate_identity is not None and certificate_oidc_issuer is not None
    if by_identity == (key is not None):
        raise ValueError("expected either a key, or a certificate identity with its issuer")
    wanted: PublicKey | Identity
    if key is not None:
        wanted = PublicKey.parse(key)
    else:
        wanted = Identity.exactly(certificate_identity or "", certificate_oidc_issuer or "")
    return verify_content(
        Bundle.parse(bundle),
        Artifact.named(artifact) if isinstance(artifact, str) else Artifact.of(artifact),
        wanted=wanted,
        root=TrustedRoot.parse(trusted_root) if trusted_root is not None else None,
    )


def verify_content(
    bundle: Bundle, artifact: Artifact, *, wanted: PublicKey | Identity, root: TrustedRoot | None
) -> Verified:
    """Verify a signature with its material.

    A key's signature needs no log and no timestamp; those that are there must be right. A certificate's
    signature needs at least one of each: an entry in a log, and a time.

    Args:
        bundle: The signature.
        artifact: What it should be of.
        wanted: Who should have signed.
        root: Whose word counts.

    Raises:
        SignatureRefused: It is not right, with the first reason found.
    """
    certificate: SigningCertificate | None = None
    match wanted, bundle.material:
        case PublicKey() as key, KeyMaterial():
            signer = Signer(key)
        case Identity(), CertificateMaterial(der):
            certificate = SigningCertificate.parse(der)
            signer = Signer(certificate.key, der)
        case PublicKey(), CertificateMaterial():
            raise SignatureRefused(
                "expected a signature by a key, found one by a certificate", code="material-mismatch"
            )
        case _:
            raise SignatureRefused(
                "expected a signature by a certificate, found one by a key", code="material-mismatch"
            )
    statement = _verify_signature(bundle.content, signer.key, artifact)
    times, logs = _verify_log(bundle, signer, artifact, root)
    times += _verify_timestamps(bundle, root)
    _verify_use(logs, times)
    logged = len(logs)
    if certificate is None:
        return Verified(statement, tuple(times), logged)
    if root is None:
        raise _no_root("a signature by a certificate")
    if not logged:
        raise SignatureRefused("expected an entry in a transparency log, found none", code="log-missing")
    if not times:
        raise SignatureRefused(
            "expected a time of signing from a log's promise or a timestamp authority, found none",
            code="time-missing",
        )
    for at in times:
        issuer = certificate.verify(root, at)
    verify_sct(certificate.certificate, issuer, root)
    assert isinstance(wanted, Identity)  # noqa: S101  a certificate was wanted
    wanted.verify(certificate)
    identity = next(name for name in certificate.identities if wanted.identity.matches(name))
    return Verified(statement, tuple(times), logged, identity, certificate.issuer)


def _verify_signature(
    content: MessageSignature | Envelope, key: PublicKey, artifact: Artifact
) -> Statement | None:
    match content:
        case MessageSignature():
            if content.algorithm is not None:
                known = artifact.digest(content.algorithm)
                if known is not None and known != content.digest:
                    raise SignatureRefused(
                        f"expected a signature of {artifact}, found one of "
                        f"{content.algorithm}:{content.digest.hex()[:128]}",
                        code="digest-mismatch",
                    )
            if not key.verifies_artifact(content.signature, artifact):
                raise SignatureRefused(
                    f"expected a signature of {artifact} by {key}, found one that is not right",
                    code="signature-invalid",
                )
            return None
        case Envelope():
            if not key.verifies(content.signature, content.signed):
                raise SignatureRefused(
                    f"expected an envelope signed by {key}, found a signature that is not right",
                    code="signature-invalid",
                )
            if content.payload_type != STATEMENT_TYPE:
                raise SignatureRefused(
                    f"expected an in-toto statement in the envelope, found {content.payload_type[:80]!r}",
                    code="statement-invalid",
                )
            statement = Statement.parse(content.payload, content.payload_type)
            statement.subject_of(artifact)
            return statement


def _verify_log(
    bundle: Bundle, signer: Signer, artifact: Artifact, root: TrustedRoot | None
) -> tuple[list[datetime.datetime], list[Log]]:
    """Verify the entries of known logs; return the times they vouch for, and the log of each entry."""
    times: list[datetime.datetime] = []
    logs: list[Log] = []
    for entry in bundle.entries:
        if root is None:
            raise _no_root("an entry in a transparency log")
        verify_logged(entry, bundle.content, signer, artifact)
        log = _log_of(entry, root)
        if log is None:
            continue
        if entry.promise:
            times.append(verify_promise(entry, log))
        if entry.proof is not None:
            verify_inclusion(entry, entry.proof, log)
        logs.append(log)
    if bundle.entries and not logs:
        raise SignatureRefused(
            "expected an entry in a transparency log of the trusted root, found one in another log",
            code="log-invalid",
            hint="the trusted root must be of the service that the signer used",
        )
    return times, logs


def _verify_use(logs: list[Log], times: list[datetime.datetime]) -> None:
    """Verify that no log's key was out of use when the signature was made.

    What is logged is logged after it was signed: a time after the key's end says that the entry is later
    still. A time before its beginning says nothing.
    """
    for log in logs:
        for at in times:
            if log.window.end is not None and log.window.end < at:
                raise SignatureRefused(
                    f"expected a log whose key was in use at {at:%Y-%m-%d %H:%M:%S}Z, found another",
                    code="log-invalid",
                )


def _log_of(entry: LogEntry, root: TrustedRoot) -> Log | None:
    if entry.log_id or entry.proof is None:
        return root.log(entry.log_id)
    return Checkpoint.parse(entry.proof.checkpoint).log_of(root)


def _verify_timestamps(bundle: Bundle, root: TrustedRoot | None) -> list[datetime.datetime]:
    """Verify the timestamps; those of unknown authorities are passed over where another one is right."""
    times: list[datetime.datetime] = []
    refused: SignatureRefused | None = None
    for response in bundle.timestamps:
        if root is None:
            raise _no_root("a signed timestamp")
        try:
            times.append(verify_timestamp(response, bundle.signature, root))
        except SignatureRefused as err:
            refused = err
    if refused is not None and not times:
        raise refused
    return times


def _no_root(what: str) -> SignatureRefused:
    return SignatureRefused(f"expected a trusted root for {what}, found none", code="root-malformed")
