"""Whose signatures a fleet trusts, on which images: `spec.trust` of `fleet.yaml`, parsed."""

from __future__ import annotations

import datetime
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Protocol

from reconciler.model.image import ImageReference
from reconciler.model.location import Location
from reconciler.model.lock import LockedImage

__all__ = [
    "Attestation",
    "AttestationDemand",
    "CertificateOwner",
    "ImageTrust",
    "SignatureDemand",
    "Signer",
    "SigningKey",
    "Trust",
    "TrustEntry",
    "TrustJudge",
]


@dataclass(frozen=True, slots=True)
class SigningKey:
    """A public key and the time in which it counts.

    Attributes:
        path: Of the file, for messages.
        pem: The key.
        not_before: From when on, or None.
        not_after: Until when, or None.
        at: Where it is written.
    """

    path: str
    pem: bytes
    not_before: datetime.datetime | None = None
    not_after: datetime.datetime | None = None
    at: Location | None = None


@dataclass(frozen=True, slots=True)
class CertificateOwner:
    """Whose short-lived certificates count.

    Attributes:
        identity: The owner.
        issuer: The identity provider that vouches for the owner.
        identity_regexp: Whether `identity` is an expression that must match the owner whole.
        issuer_regexp: Whether `issuer` is an expression that must match the provider whole.
    """

    identity: str
    issuer: str
    identity_regexp: bool = False
    issuer_regexp: bool = False


@dataclass(frozen=True, slots=True)
class Signer:
    """Somebody who signs: any of their keys, or any of their certificates, will do.

    Attributes:
        name: By which entries name them.
        keys: Theirs; several for the time of a change.
        owners: Of certificates.
        trusted_root: The trusted root as JSON, for certificates and logs; None for the fleet's.
    """

    name: str
    keys: tuple[SigningKey, ...] = ()
    owners: tuple[CertificateOwner, ...] = ()
    trusted_root: bytes | None = None


@dataclass(frozen=True, slots=True)
class AttestationDemand:
    """A statement that must be there: its type, and who must have signed it (any of them)."""

    predicate_type: str
    any_of: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class TrustEntry:
    """What some images must have at some sites.

    Attributes:
        match: Patterns of whole repository names: `ghcr.io/acme/*`; `*` matches `/` too.
        sites: Patterns of site names; empty means all.
        any_of: Signers of whom one must have signed.
        all_of: Signers who must all have signed.
        attestations: Statements that must be there.
        any_repository: Whether a signature counts that names another repository.
        unsigned: Why these images need no signature; "" where they do.
        at: Where it is written.
    """

    match: tuple[str, ...]
    sites: tuple[str, ...] = ()
    any_of: tuple[str, ...] = ()
    all_of: tuple[str, ...] = ()
    attestations: tuple[AttestationDemand, ...] = ()
    any_repository: bool = False
    unsigned: str = ""
    at: Location | None = None


@dataclass(frozen=True, slots=True)
class Trust:
    """Everything that a fleet says about signatures.

    Attributes:
        trusted_root: The fleet's trusted root as JSON, or None for Sigstore's public one.
        signers: By name.
        entries: The first that fits an image at a site counts.
    """

    trusted_root: bytes | None = None
    signers: Mapping[str, Signer] = field(default_factory=lambda: MappingProxyType({}))
    entries: tuple[TrustEntry, ...] = ()


@dataclass(frozen=True, slots=True)
class SignatureDemand:
    """What a site's installation demands of images, whatever the fleet says.

    Attributes:
        required: Whether every image must be signed by some signer, of the fleet or of `keys`.
        keys: Public keys in PEM, of which one must have signed every image.
    """

    required: bool = False
    keys: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Attestation:
    """A statement about an image, by a signer of the fleet.

    Attributes:
        predicate_type: What kind of statement it is.
        signer: Who signed it.
        predicate: What it says, as plain values.
    """

    predicate_type: str
    signer: str
    predicate: Any


@dataclass(frozen=True, slots=True)
class ImageTrust:
    """What is known of an image's signatures at a site.

    Attributes:
        required: Whether the fleet demands something of them there.
        signed: Whether that is there. Without a demand: whether a signer of the fleet has signed.
        signers: Names of the fleet's signers whose signature is right, sorted.
        problems: What is missing or wrong, for people.
        repository: `bound` where a right signature names it, `unbound` where none does, "" for none.
        attestations: Right statements by signers of the fleet.
        exempt: Why no signature is needed, or "".
    """

    required: bool = False
    signed: bool = False
    signers: tuple[str, ...] = ()
    problems: tuple[str, ...] = ()
    repository: str = ""
    attestations: tuple[Attestation, ...] = ()
    exempt: str = ""


class TrustJudge(Protocol):
    """Says what is known of an image's signatures, for sites that are alike in this."""

    def judge(self, reference: ImageReference, locked: LockedImage | None) -> ImageTrust:
        """Judge an image by its reference as it is applied, and its entry in the lock."""
        ...
