"""Image documents made by hand, and evidence of them."""

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from reconciler.documents.tree import MemoryTree
from reconciler.images.evidence import Evidence, digest_of, evidence_path

OCI_INDEX = "application/vnd.oci.image.index.v1+json"
OCI_MANIFEST = "application/vnd.oci.image.manifest.v1+json"
OCI_CONFIG = "application/vnd.oci.image.config.v1+json"
OCI_LAYER = "application/vnd.oci.image.layer.v1.tar+gzip"
DOCKER_LIST = "application/vnd.docker.distribution.manifest.list.v2+json"
DOCKER_MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"
DOCKER_CONFIG = "application/vnd.docker.container.image.v1+json"


def encode(value: Any) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode()


def descriptor(content: bytes, media_type: str, **more: Any) -> dict[str, Any]:
    return {"mediaType": media_type, "digest": digest_of(content), "size": len(content), **more}


def platform(text: str) -> dict[str, str]:
    return dict(zip(("os", "architecture", "variant"), text.split("/"), strict=False))


def config(text: str) -> bytes:
    return encode({**platform(text), "rootfs": {"type": "layers", "diff_ids": []}})


def manifest(
    config_bytes: bytes,
    layers: Iterable[tuple[str, int]] = (("layer", 100),),
    *,
    config_type: str = OCI_CONFIG,
    media_type: str = OCI_MANIFEST,
    layer_type: str = OCI_LAYER,
    **more: Any,
) -> bytes:
    return encode(
        {
            "schemaVersion": 2,
            "mediaType": media_type,
            "config": descriptor(config_bytes, config_type),
            "layers": [
                {"mediaType": layer_type, "digest": digest_of(name.encode()), "size": size}
                for name, size in layers
            ],
            **more,
        }
    )


def index(
    entries: Sequence[tuple[bytes, Mapping[str, Any]]],
    *,
    media_type: str = OCI_INDEX,
    entry_type: str = OCI_MANIFEST,
) -> bytes:
    return encode(
        {
            "schemaVersion": 2,
            "mediaType": media_type,
            "manifests": [descriptor(content, entry_type, **more) for content, more in entries],
        }
    )


def image(*platforms: str, layers: Iterable[tuple[str, int]] = (("layer", 100),)) -> list[bytes]:
    """Return an index of one small image for each platform, and its documents; the index is the first."""
    configs = [config(each) for each in platforms]
    shared = list(layers)
    manifests = [
        manifest(each, [(f"{name} {platform}", size) for name, size in shared])
        for each, platform in zip(configs, platforms, strict=True)
    ]
    entries = [(each, {"platform": platform(name)}) for each, name in zip(manifests, platforms, strict=True)]
    return [index(entries), *manifests, *configs]


def evidence(*contents: bytes) -> Evidence:
    return Evidence(MemoryTree({evidence_path(digest_of(content)): content for content in contents}))
