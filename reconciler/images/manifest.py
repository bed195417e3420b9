"""Indexes, manifests and configs of images, parsed from the bytes that registries serve.

Formats: OCI image specification 1.1 (image-index.md, manifest.md, config.md) and Docker's image manifest
version 2, schema 2. Everything that two readers could understand differently is refused: a document that is
index and manifest at once (CVE-2021-41190), a key that is there twice, also in other letters, as Go reads it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Final

from reconciler.errors import WaysideError

__all__ = [
    "INDEX_TYPES",
    "MANIFEST_TYPES",
    "MAX_MANIFEST_BYTES",
    "Descriptor",
    "Index",
    "Manifest",
    "ManifestError",
    "parse_config",
    "parse_document",
    "platform_text",
]

INDEX_TYPES: Final = frozenset(
    {
        "application/vnd.oci.image.index.v1+json",
        "application/vnd.docker.distribution.manifest.list.v2+json",
    }
)
MANIFEST_TYPES: Final = frozenset(
    {
        "application/vnd.oci.image.manifest.v1+json",
        "application/vnd.docker.distribution.manifest.v2+json",
    }
)
#: The most that a registry has to accept, and the most that is read (OCI distribution specification).
MAX_MANIFEST_BYTES: Final = 4 * 1024 * 1024
_MOST_DESCRIPTORS: Final = 1000
_LARGEST_SIZE: Final = 2**53
_EMPTY: Mapping[str, Any] = MappingProxyType({})
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}\Z")
_OTHER_DIGEST = re.compile(r"[a-z0-9]+(?:[+._-][a-z0-9]+)*:[A-Za-z0-9=_-]{1,200}\Z")
_PLATFORM_PART = re.compile(r"[a-z0-9_.]{1,64}\Z")


class ManifestError(WaysideError):
    """Bytes are no image document that can be understood in one way only."""

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message, code="manifest", hint=hint)


@dataclass(frozen=True, slots=True)
class Descriptor:
    """A reference from one document to another, or to a layer.

    Attributes:
        media_type: What it says of the content; "" where it says nothing.
        digest: `sha256:...`; layers may have a digest of another algorithm.
        size: Bytes.
        platform: `os/architecture[/variant]`, or "" where it says nothing.
        os_version: As Windows images have it, or "".
        annotations: Text to text.
    """

    media_type: str
    digest: str
    size: int
    platform: str = ""
    os_version: str = ""
    annotations: Mapping[str, str] = field(default_factory=lambda: _EMPTY, compare=False)

    @property
    def is_attestation(self) -> bool:
        """Whether it is BuildKit's attestation of another entry, which nobody runs."""
        return self.annotations.get("vnd.docker.reference.type") == "attestation-manifest"


@dataclass(frozen=True, slots=True)
class Index:
    """An index: one manifest for each platform."""

    media_type: str
    manifests: tuple[Descriptor, ...]


@dataclass(frozen=True, slots=True)
class Manifest:
    """A manifest: a config and layers.

    Attributes:
        artifact_type: What sort of artifact it is, or "".
        subject: Digest of the manifest that it refers to, or "".
    """

    media_type: str
    config: Descriptor
    layers: tuple[Descriptor, ...]
    artifact_type: str = ""
    subject: str = ""
    annotations: Mapping[str, str] = field(default_factory=lambda: _EMPTY)


def parse_document(content: bytes) -> Index | Manifest:
    """Parse an index or a manifest.

    Raises:
        ManifestError: It is neither, or could be read in two ways, or is larger than any real one.
    """
    value = _json(content, "a manifest")
    if value.get("schemaVersion") == 1:
        raise ManifestError(
            "expected a manifest of schema 2, found Docker's schema 1, which runtimes no longer pull",
            hint="push the image again with a current tool",
        )
    if value.get("schemaVersion") != 2:
        raise ManifestError(f"expected schemaVersion 2, found {_shown(value.get('schemaVersion'))}")
    media_type = _text(value, "mediaType")
    is_index = "manifests" in value
    is_manifest = "layers" in value or "config" in value
    if is_index and is_manifest:
        raise ManifestError("expected an index or a manifest, found a document that is both")
    if is_index and (not media_type or media_type in INDEX_TYPES):
        manifests = _descriptors(value, "manifests")
        for number, each in enumerate(manifests):
            if not _DIGEST.match(each.digest):
                raise ManifestError(f"expected a SHA-256 digest in manifests[{number}], found {each.digest}")
        return Index(media_type or "application/vnd.oci.image.index.v1+json", manifests)
    if is_manifest and (not media_type or media_type in MANIFEST_TYPES):
        if "config" not in value:
            raise ManifestError("expected the field config in a manifest, found none")
        config = _descriptor(value["config"], "config")
        if not _DIGEST.match(config.digest):
            raise ManifestError(f"expected a SHA-256 digest in config, found {config.digest}")
        subject = _descriptor(value["subject"], "subject").digest if value.get("subject") is not None else ""
        return Manifest(
            media_type=media_type or "application/vnd.oci.image.manifest.v1+json",
            config=config,
            layers=_descriptors(value, "layers"),
            artifact_type=_text(value, "artifactType"),
            subject=subject,
            annotations=_annotations(value),
        )
    raise ManifestError(
        "expected an OCI or Docker v2 index or manifest, found "
        + (
            f"the media type {_shown(media_type)}"
            if media_type
            else "neither manifests nor config and layers"
        )
    )


def parse_config(content: bytes) -> Mapping[str, Any]:
    """Parse an image config; only `os`, `architecture` and `variant` are looked at.

    Returns:
        The document; the three fields, where they are there, are texts.

    Raises:
        ManifestError: It is not a JSON object, or one of the fields is not a text.
    """
    value = _json(content, "an image config")
    for name in ("os", "architecture", "variant"):
        _text(value, name)
    return value


def platform_text(value: Mapping[str, Any]) -> str:
    """Return `os/architecture[/variant]` of a mapping that has these fields, or "" where they are not known.

    Raises:
        ManifestError: A field holds what no platform is called.
    """
    parts = [_text(value, name) for name in ("os", "architecture", "variant")]
    if not parts[0] or not parts[1] or "unknown" in parts[:2]:
        return ""
    for part in filter(None, parts):
        if not _PLATFORM_PART.match(part.lower()):
            raise ManifestError(f"expected the name of a platform, found {_shown(part)}")
    return "/".join(part.lower() for part in parts if part)


def _json(content: bytes, what: str) -> dict[str, Any]:
    if len(content) > MAX_MANIFEST_BYTES:
        raise ManifestError(f"expected at most {MAX_MANIFEST_BYTES} bytes of {what}, found {len(content)}")
    try:
        value = json.loads(content.decode("utf-8"), object_pairs_hook=_object, parse_constant=_constant)
    except UnicodeDecodeError:
        raise ManifestError(f"expected {what} as JSON, found bytes that are not UTF-8") from None
    except ManifestError:
        raise
    except (ValueError, RecursionError):
        found = "HTML" if content.lstrip()[:1] == b"<" else "something else"
        raise ManifestError(f"expected {what} as JSON, found {found}") from None
    if not isinstance(value, dict):
        raise ManifestError(f"expected {what} as a JSON object, found another value")
    return value


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    value = dict(pairs)
    if len({key.lower() for key in value}) != len(pairs):
        keys = [key.lower() for key, _ in pairs]
        twice = next((key for key in keys if keys.count(key) > 1), "")
        # Labels and annotations may differ in their letters alone; the fields of the formats may not.
        if len(value) != len(pairs) or twice in _FIELDS:
            raise ManifestError(f"expected each key once, found {_shown(twice)} twice")
    return value


_FIELDS: Final = frozenset(
    name.lower()
    for name in (
        *("schemaVersion", "mediaType", "manifests", "config", "layers", "subject", "artifactType"),
        *("annotations", "digest", "size", "platform", "os", "architecture", "variant", "os.version"),
    )
)


def _constant(name: str) -> Any:
    raise ManifestError(f"expected JSON, found the constant {name}")


def _descriptors(value: Mapping[str, Any], name: str) -> tuple[Descriptor, ...]:
    items = value.get(name)
    if items is None and name == "layers":
        return ()
    if not isinstance(items, list):
        raise ManifestError(f"expected a list in {name}, found {_shown(items)}")
    if len(items) > _MOST_DESCRIPTORS:
        raise ManifestError(f"expected at most {_MOST_DESCRIPTORS} entries in {name}, found {len(items)}")
    return tuple(_descriptor(item, f"{name}[{number}]") for number, item in enumerate(items))


def _descriptor(value: Any, at: str) -> Descriptor:
    if not isinstance(value, dict):
        raise ManifestError(f"expected an object in {at}, found {_shown(value)}")
    digest = _text(value, "digest")
    if not _OTHER_DIGEST.match(digest):
        raise ManifestError(f"expected a digest in {at}, found {_shown(digest)}")
    size = value.get("size")
    if isinstance(size, bool) or not isinstance(size, int) or not 0 <= size <= _LARGEST_SIZE:
        raise ManifestError(f"expected a size in bytes in {at}, found {_shown(size)}")
    platform = value.get("platform")
    if platform is not None and not isinstance(platform, dict):
        raise ManifestError(f"expected a platform in {at}, found {_shown(platform)}")
    return Descriptor(
        media_type=_text(value, "mediaType"),
        digest=digest,
        size=size,
        platform=platform_text(platform) if platform else "",
        os_version=_text(platform, "os.version") if platform else "",
        annotations=_annotations(value),
    )


def _annotations(value: Mapping[str, Any]) -> Mapping[str, str]:
    found = value.get("annotations")
    if found is None:
        return _EMPTY
    if not isinstance(found, dict) or not all(isinstance(item, str) for item in found.values()):
        raise ManifestError("expected texts in annotations, found something else")
    return found


def _text(value: Mapping[str, Any], name: str) -> str:
    found = value.get(name)
    if found is None:
        return ""
    if not isinstance(found, str):
        raise ManifestError(f"expected a text in {name}, found {_shown(found)}")
    return found


def _shown(value: Any) -> str:
    """Return a value for a message; never a whole document."""
    if isinstance(value, dict | list):
        return "an object" if isinstance(value, dict) else "a list"
    if value is None:
        return "nothing"
    text = (
        repr(value) if not isinstance(value, int) else str(value) if abs(value) < 2**64 else "a huge number"
    )
    return text if len(text) <= 80 else f"{text[:80]}..."
