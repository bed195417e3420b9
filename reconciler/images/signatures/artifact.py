"""What is signed: content, or nothing but its digest."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from typing import Literal

from reconciler.images.signatures.refusal import SignatureRefused

__all__ = ["HASHES", "Artifact", "HashName", "digest_of"]

HashName = Literal["sha256", "sha384", "sha512"]
HASHES: tuple[HashName, ...] = ("sha256", "sha384", "sha512")
_DIGEST = re.compile(r"(sha256|sha384|sha512):([0-9a-f]+)\Z")


def digest_of(algorithm: HashName, data: bytes) -> bytes:
    """Return the digest of some bytes."""
    return hashlib.new(algorithm, data).digest()


@dataclass(frozen=True, slots=True)
class Artifact:
    """What a signature should be of.

    Attributes:
        content: Its bytes, or None where only a digest is known.
        algorithm: Of the digest that is known.
        value: The digest that is known.
    """

    content: bytes | None
    algorithm: HashName
    value: bytes

    @classmethod
    def of(cls, content: bytes) -> Artifact:
        """Return the artifact with this content."""
        return cls(content, "sha256", digest_of("sha256", content))

    @classmethod
    def named(cls, digest: str) -> Artifact:
        """Return the artifact with a digest such as `sha256:...`, whose content is not at hand.

        Raises:
            SignatureRefused: The text is no such digest.
        """
        match = _DIGEST.match(digest)
        if match is not None:
            for name in HASHES:
                if name == match[1] and len(match[2]) == 2 * hashlib.new(name).digest_size:
                    return cls(None, name, bytes.fromhex(match[2]))
        raise SignatureRefused(
            f"expected a digest such as sha256:<64 hexadecimal digits>, found {digest[:100]!r}",
            code="digest-mismatch",
        )

    def digest(self, algorithm: HashName) -> bytes | None:
        """Return the artifact's digest, or None where it cannot be known without the content."""
        if algorithm == self.algorithm:
            return self.value
        return None if self.content is None else digest_of(algorithm, self.content)

    def __str__(self) -> str:
        return f"{self.algorithm}:{self.value.hex()}"
