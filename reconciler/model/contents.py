"""What an image is made of, computed from its evidence."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Build", "EvidenceProblem", "ImageContents", "Layer"]


@dataclass(frozen=True, slots=True)
class Layer:
    """A compressed layer: its digest, and its size in bytes as the manifest says it."""

    digest: str
    size: int


@dataclass(frozen=True, slots=True)
class Build:
    """One image manifest: what a node of its platform pulls.

    Attributes:
        platform: The OCI platform, for example `linux/arm64` or `wasip1/wasm`; "" for an artifact, which is
            built for none.
        digest: Of the manifest.
        config: Digest of the config.
        layers: In the order of the manifest, each digest once.
    """

    platform: str
    digest: str
    config: str
    layers: tuple[Layer, ...]

    @property
    def size(self) -> int:
        """Compressed bytes of all layers."""
        return sum(layer.size for layer in self.layers)


@dataclass(frozen=True, slots=True)
class EvidenceProblem:
    """Why a part of an image's evidence cannot be believed.

    Attributes:
        code: `evidence-missing`, `evidence-altered`, `evidence-unreadable`, or `manifest` where the bytes are
            the right ones and still are no image that can be understood.
        message: One sentence.
        path: The evidence file, or "".
    """

    code: str
    message: str
    path: str = ""


@dataclass(frozen=True, slots=True)
class ImageContents:
    """What the evidence of one image digest says.

    Attributes:
        digest: Of the index, or of the manifest where there is none.
        builds: What could be computed, in the order of the index.
        problems: What could not; empty where all is known.
        artifact: Whether it is an OCI artifact, which no node can run.
        evidence: Digests of all evidence that was read for it, sorted.
    """

    digest: str
    builds: tuple[Build, ...]
    problems: tuple[EvidenceProblem, ...] = ()
    artifact: bool = False
    evidence: tuple[str, ...] = ()
