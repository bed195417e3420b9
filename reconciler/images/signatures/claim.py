"""What a signature says of an image: which digest, which repository, and what more."""

from __future__ import annotations

import enum
from dataclasses import dataclass
from typing import Any

from reconciler.images.signatures.artifact import Artifact
from reconciler.images.signatures.keys import PublicKey
from reconciler.images.signatures.layout import ImageSignature, SimpleSigning
from reconciler.images.signatures.protojson import Message
from reconciler.images.signatures.refusal import SignatureRefused
from reconciler.images.signatures.trusted_root import TrustedRoot
from reconciler.images.signatures.verifier import Identity, verify_content
from reconciler.model.image import ImageReference, ImageReferenceError

__all__ = ["Binding", "Claim", "verify_image"]

#: By which cosign says that a statement is a signature and nothing more.
_SIGNED = "https://sigstore.dev/cosign/sign/v1"
_SIMPLE_TYPES = frozenset({"cosign container image signature", "atomic container signature"})


class Binding(enum.Enum):
    """Whether a signature names the repository: newer ones name only the digest."""

    BOUND = "bound"
    UNBOUND = "unbound"
    ELSEWHERE = "elsewhere"


@dataclass(frozen=True, slots=True)
class Claim:
    """What a right signature says.

    Attributes:
        named: The repository that it names, or "".
        predicate_type: For an attestation, what kind of statement it makes; "" for a plain signature.
        predicate: That statement.
    """

    named: str
    predicate_type: str = ""
    predicate: Any = None

    def binding(self, repository: str) -> Binding:
        """Return how the claim stands to a repository, given by its whole name."""
        if not self.named:
            return Binding.UNBOUND
        return Binding.BOUND if self.named == repository else Binding.ELSEWHERE


def verify_image(
    signature: ImageSignature, digest: str, *, wanted: PublicKey | Identity, root: TrustedRoot | None
) -> Claim:
    """Verify a signature of an image.

    Args:
        signature: As it is stored.
        digest: The image's, `sha256:...`.
        wanted: Who should have signed.
        root: Whose word counts for certificates and logs.

    Raises:
        SignatureRefused: It is not right, or of another image.
    """
    if isinstance(signature, SimpleSigning):
        verify_content(signature.bundle, Artifact.of(signature.payload), wanted=wanted, root=root)
        return _simple(signature.payload, digest)
    image = Artifact.named(digest)
    statement = verify_content(signature, image, wanted=wanted, root=root).statement
    if statement is None:
        return Claim("")
    named = _repository(statement.subject_of(image).name)
    if statement.predicate_type == _SIGNED:
        return Claim(named)
    return Claim(named, statement.predicate_type, statement.predicate)


def _simple(payload: bytes, digest: str) -> Claim:
    message = Message.parse(payload, what="a simple-signing payload", code="statement-invalid")
    critical = message.need("critical")
    if critical.text("type") not in _SIMPLE_TYPES:
        critical.refuse("type", "the type of a signature", repr(critical.text("type")[:60]))
    signed = critical.need("image").text("docker-manifest-digest")
    if signed != digest:
        raise SignatureRefused(
            f"expected a signature of {digest}, found one of {signed[:100]}", code="digest-mismatch"
        )
    identity = critical.message("identity")
    return Claim(_repository(identity.text("docker-reference") if identity is not None else ""))


def _repository(name: str) -> str:
    """Return the whole name of a repository; "" for a name that is none, such as that of a file."""
    try:
        reference = ImageReference.parse(name)
    except ImageReferenceError:
        return ""
    return reference.normalized_name if "/" in reference.name else ""
