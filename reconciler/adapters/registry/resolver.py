"""From an image reference to everything that is kept of the image: its documents and its signatures."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Final

from reconciler.adapters.registry.client import RegistryClient
from reconciler.documents.tree import MemoryTree
from reconciler.errors import RegistryError
from reconciler.images.contents import read_contents, runnable
from reconciler.images.evidence import Evidence, digest_of, evidence_path
from reconciler.images.manifest import (
    MAX_MANIFEST_BYTES,
    Descriptor,
    Index,
    Manifest,
    ManifestError,
    parse_document,
)
from reconciler.model.contents import ImageContents

__all__ = ["ResolvedImage", "resolve_image"]

#: The most bytes of one signature payload or bundle, and the most manifests that sign one image.
_LARGEST_PAYLOAD: Final = 8 * 1024 * 1024
_MOST_SIGNATURES: Final = 64
_MOST_PAYLOADS: Final = 256
_SIGNATURE_TYPES: Final = (
    "application/vnd.dev.sigstore.bundle",
    "application/vnd.dev.cosign.",
    "application/vnd.dsse.envelope",
)


@dataclass(frozen=True, slots=True)
class ResolvedImage:
    """An image as its registry has it.

    Attributes:
        digest: Of the index, or of the manifest where there is none.
        contents: What it is made of; without problems.
        signatures: Digests of the manifests that sign or attest it, sorted.
        blobs: Digest to content of everything that was fetched.
    """

    digest: str
    contents: ImageContents
    signatures: tuple[str, ...]
    blobs: Mapping[str, bytes] = field(repr=False)


def resolve_image(
    client: RegistryClient,
    name: str,
    reference: str,
    *,
    known: Callable[[str], bytes | None] = lambda _: None,
) -> ResolvedImage:
    """Fetch what is kept of an image.

    Args:
        client: Speaks with registries.
        name: The whole repository: `docker.io/library/nginx`.
        reference: A tag or a digest.
        known: Returns content that is at hand already, by its digest, or None.

    Raises:
        RegistryError: There is no such image, or no answer that can be used.
        ManifestError: Its documents cannot be understood in one way only.
    """
    return _Resolution(client, name, known).resolve(reference)


class _Resolution:
    def __init__(self, client: RegistryClient, name: str, known: Callable[[str], bytes | None]) -> None:
        self._client = client
        self._name = name
        self._known = known
        self._blobs: dict[str, bytes] = {}

    def resolve(self, reference: str) -> ResolvedImage:
        if ":" in reference:
            content = self._manifest(reference)
        else:
            content = self._client.manifest(self._name, reference)
        digest = digest_of(content)
        self._blobs[digest] = content
        document = parse_document(content)
        if isinstance(document, Index):
            for entry in runnable(document):
                child = parse_document(self._manifest(entry.digest))
                if isinstance(child, Manifest):
                    self._config(child.config)
        else:
            self._config(document.config)
        tree = MemoryTree({evidence_path(each): content for each, content in self._blobs.items()})
        contents = read_contents(digest, Evidence(tree))
        if contents.problems:
            raise ManifestError(contents.problems[0].message)
        signatures = self._signatures(digest)
        return ResolvedImage(digest, contents, tuple(sorted(signatures)), self._blobs)

    def _manifest(self, digest: str) -> bytes:
        if digest not in self._blobs:
            known = self._known(digest)
            self._blobs[digest] = self._client.manifest(self._name, digest) if known is None else known
        return self._blobs[digest]

    def _config(self, config: Descriptor) -> None:
        self._blob(config, MAX_MANIFEST_BYTES)

    def _blob(self, descriptor: Descriptor, most: int) -> None:
        digest = descriptor.digest
        if digest not in self._blobs:
            known = self._known(digest)
            self._blobs[digest] = (
                self._client.blob(self._name, digest, descriptor.size, most=most) if known is None else known
            )

    def _signatures(self, digest: str) -> set[str]:
        stem = digest.replace(":", "-")
        found = {each for suffix in ("sig", "att") for each in self._tagged(f"{stem}.{suffix}")}
        pages = self._client.referrers(self._name, digest)
        if pages is None:
            fallback = self._optional(stem)
            pages = () if fallback is None else (fallback,)
        candidates: dict[str, None] = {}
        for page in pages:
            index = _referrers(page)
            candidates |= dict.fromkeys(each.digest for each in index.manifests)
        if len(candidates) > _MOST_SIGNATURES:
            raise RegistryError(
                f"expected at most {_MOST_SIGNATURES} documents that refer to {self._name}@{digest}, "
                f"found {len(candidates)}",
                code="registry-answer",
            )
        for each in candidates:
            content = self._referrer(each)
            manifest = _manifest_or_none(content) if content is not None else None
            # What a descriptor says of its type may be of no use, so the manifest itself is asked.
            if content is None or manifest is None:
                continue
            if manifest.subject == digest and _signs(manifest):
                self._blobs[each] = content
                self._payloads(manifest)
                found.add(each)
        return found

    def _tagged(self, tag: str) -> tuple[str, ...]:
        content = self._optional(tag)
        if content is None:
            return ()
        manifest = parse_document(content)
        if isinstance(manifest, Index):
            raise ManifestError(f"expected a manifest behind {self._name}:{tag}, found an index")
        digest = digest_of(content)
        self._blobs[digest] = content
        self._payloads(manifest)
        return (digest,)

    def _payloads(self, manifest: Manifest) -> None:
        if len(manifest.layers) > _MOST_PAYLOADS:
            raise ManifestError(
                f"expected at most {_MOST_PAYLOADS} signatures in one manifest, found {len(manifest.layers)}"
            )
        for layer in manifest.layers:
            if not layer.digest.startswith("sha256:"):
                raise ManifestError(f"expected a SHA-256 digest of a signature, found {layer.digest[:80]}")
            self._blob(layer, _LARGEST_PAYLOAD)

    def _optional(self, tag: str) -> bytes | None:
        try:
            return self._client.manifest(self._name, tag)
        except RegistryError as err:
            if err.code == "image-missing":
                return None
            raise

    def _referrer(self, digest: str) -> bytes | None:
        """Return a manifest that refers to the image; one that was removed refers to nothing any more."""
        known = self._known(digest)
        return known if known is not None else self._optional(digest)


def _referrers(page: bytes) -> Index:
    document = parse_document(page)
    if isinstance(document, Index):
        return document
    raise ManifestError("expected an index of referrers, found a manifest")


def _manifest_or_none(content: bytes) -> Manifest | None:
    """Return a manifest; what refers to an image and is none, such as an index, is passed over."""
    try:
        document = parse_document(content)
    except ManifestError:
        return None
    return document if isinstance(document, Manifest) else None


def _signs(manifest: Manifest) -> bool:
    kinds = (
        manifest.artifact_type,
        manifest.config.media_type,
        *(each.media_type for each in manifest.layers),
    )
    return any(kind.startswith(_SIGNATURE_TYPES) for kind in kinds)
