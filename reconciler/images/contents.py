"""From evidence to what an image is made of: platforms and layers, read from the bytes alone."""

from __future__ import annotations

from collections.abc import Sequence

from reconciler.images.evidence import Evidence, EvidenceError
from reconciler.images.manifest import (
    Descriptor,
    Index,
    Manifest,
    ManifestError,
    parse_config,
    parse_document,
    platform_text,
)
from reconciler.model.contents import Build, EvidenceProblem, ImageContents, Layer
from reconciler.model.platform import parse_platform

__all__ = ["MOST_BUILDS", "read_contents", "runnable"]

#: More builds than any image has; what an index may make a reader fetch is bounded by it.
MOST_BUILDS = 128
_WASM = "wasi/wasm"


def read_contents(digest: str, evidence: Evidence) -> ImageContents:
    """Compute what an image is made of.

    Args:
        digest: Of the index, or of the manifest where there is none.
        evidence: Where its documents are. Each is read, and so hashed, once.

    Returns:
        What could be computed, with a problem for each part that could not: evidence that is missing or
        altered, an index that lists a platform twice, a config that contradicts its index.
    """
    return _Reader(evidence).read(digest)


class _Reader:
    def __init__(self, evidence: Evidence) -> None:
        self._evidence = evidence
        self._seen: set[str] = set()
        self._problems: list[EvidenceProblem] = []

    def read(self, digest: str) -> ImageContents:
        builds: list[Build] = []
        try:
            document = parse_document(self._bytes(digest))
            if isinstance(document, Index):
                chosen = runnable(document)
                artifact = bool(chosen)
                versions: list[tuple[str, str]] = []
                for each in chosen:
                    build, is_artifact = self._child(each)
                    artifact = artifact and is_artifact
                    if build is not None:
                        builds.append(build)
                        versions.append((f"{build.platform} {each.os_version}".strip(), build.digest))
                _check_once(versions)
            else:
                build, artifact = self._build(digest, document, None)
                builds.append(build)
        except (EvidenceError, ManifestError) as err:
            self._add(err)
            builds, artifact = [], False
        return ImageContents(
            digest=digest,
            builds=tuple(builds),
            problems=tuple(self._problems),
            artifact=artifact,
            evidence=tuple(sorted(self._seen)),
        )

    def _child(self, entry: Descriptor) -> tuple[Build | None, bool]:
        try:
            return self._build(entry.digest, self._manifest(entry), entry)
        except (EvidenceError, ManifestError) as err:
            self._add(err)
            return None, False

    def _manifest(self, entry: Descriptor) -> Manifest:
        content = self._bytes(entry.digest)
        if len(content) != entry.size:
            raise ManifestError(
                f"expected {entry.size} bytes of {entry.digest} by the index, found {len(content)}"
            )
        document = parse_document(content)
        if isinstance(document, Index):
            raise ManifestError(f"expected a manifest behind {entry.digest}, found an index in an index")
        return document

    def _build(self, digest: str, manifest: Manifest, entry: Descriptor | None) -> tuple[Build, bool]:
        platform, artifact = self._platform(digest, manifest, entry)
        layers = dict.fromkeys(Layer(layer.digest, layer.size) for layer in manifest.layers)
        return Build(platform, digest, manifest.config.digest, tuple(layers)), artifact

    def _platform(self, digest: str, manifest: Manifest, entry: Descriptor | None) -> tuple[str, bool]:
        """Return the platform that the config says, and whether this is an artifact that has none.

        A runtime chooses by the index, and runs what the config and the layers are; they must agree.
        """
        claimed = entry.platform if entry is not None else ""
        kind = manifest.config.media_type
        content = self._bytes(manifest.config.digest)
        if len(content) != manifest.config.size:
            raise ManifestError(
                f"expected {manifest.config.size} bytes of the config of {digest}, found {len(content)}"
            )
        is_image = kind in _IMAGE_CONFIGS or (not kind and not manifest.artifact_type)
        found = platform_text(parse_config(content)) if is_image or kind in _WASM_CONFIGS else ""
        if not found and _is_wasm(manifest):
            found = _WASM
        if not found and not claimed:
            if is_image:
                raise ManifestError(f"expected os and architecture in the config of {digest}, found none")
            return "", True
        if claimed and found:
            in_index, in_config = parse_platform(claimed), parse_platform(found)
            same = (in_index.os, in_index.architecture) == (in_config.os, in_config.architecture)
            if not same and not (in_index.wasm and in_config.wasm):
                raise ManifestError(
                    f"the index says {claimed} of {digest}, and the config says {found}",
                    hint="build the index anew from images of the right platforms",
                )
        # An index is more exact about variants than configs are.
        return str(parse_platform(claimed or found)), False

    def _bytes(self, digest: str) -> bytes:
        content = self._evidence.read(digest)
        self._seen.add(digest)
        return content

    def _add(self, err: EvidenceError | ManifestError) -> None:
        path = err.path if isinstance(err, EvidenceError) else ""
        self._problems.append(EvidenceProblem(err.code, err.message, path))


_IMAGE_CONFIGS = frozenset(
    {"application/vnd.oci.image.config.v1+json", "application/vnd.docker.container.image.v1+json"}
)
_WASM_CONFIGS = frozenset({"application/vnd.wasm.config.v0+json"})


def _is_wasm(manifest: Manifest) -> bool:
    """Tell Wasm artifacts, the newer and the older ones, by their config or any layer."""
    kinds = (
        manifest.config.media_type,
        manifest.artifact_type,
        *(each.media_type for each in manifest.layers),
    )
    return any(
        kind == "application/wasm"
        or kind.endswith("+wasm")
        or kind.startswith(
            ("application/vnd.wasm.", "application/vnd.fermyon.spin.", "application/vnd.wasmcloud.")
        )
        for kind in kinds
    )


def runnable(index: Index) -> tuple[Descriptor, ...]:
    """Return the entries of an index that somebody could run: attestations left out.

    Raises:
        ManifestError: There are more than any image has, or one platform is there twice.
    """
    found = tuple(dict.fromkeys(each for each in index.manifests if not each.is_attestation))
    if len(found) > MOST_BUILDS:
        raise ManifestError(f"expected at most {MOST_BUILDS} images in an index, found {len(found)}")
    _check_once([(f"{each.platform} {each.os_version}".strip(), each.digest) for each in found])
    return found


def _check_once(platforms: Sequence[tuple[str, str]]) -> None:
    """Refuse an index that has two images for one platform: which of them runs is up to the runtime."""
    known: dict[str, str] = {}
    for platform, digest in platforms:
        name = str(parse_platform(platform)) if platform and " " not in platform else platform
        if name and known.setdefault(name, digest) != digest:
            raise ManifestError(
                f"expected each platform once in an index, found {name} twice, as {known[name]} and {digest}",
                hint="push an index that has one image for each platform",
            )
