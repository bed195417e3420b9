"""Writes `images.lock` and `evidence/` of the repository template.

The images are made up, so their manifests are made here: real OCI documents with true digests and sizes of
each other. Layers are named by digests of nothing that exists.

    python -m tests.fleet.template_images
"""

import hashlib
import json
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

TEMPLATE = Path(__file__).parent.parent.parent / "repo-template"
CREATED = "2026-01-15T08:00:00Z"
INDEX = "application/vnd.oci.image.index.v1+json"
MANIFEST = "application/vnd.oci.image.manifest.v1+json"
CONFIG = "application/vnd.oci.image.config.v1+json"
LAYER = "application/vnd.oci.image.layer.v1.tar+gzip"
REGISTRY = "registry.example.com/shop"

ALL = ("linux/amd64", "linux/arm64", "linux/arm/v7")
#: Name, tag, platforms, and compressed sizes of the layers.
IMAGES: tuple[tuple[str, str, tuple[str, ...], tuple[int, ...]], ...] = (
    ("kiosk", "1.8.0", ALL, (3_642_247, 18_120_554)),
    ("mosquitto", "2.0.22", ALL, (3_642_247, 4_511_930)),
    ("node-exporter", "1.10.2", ALL, (1_280_512, 11_904_338)),
    ("pos", "2.4.1", ("linux/amd64", "linux/arm64"), (28_236_714, 41_873_092)),
)


@dataclass(frozen=True)
class Blob:
    """One document of an image."""

    media_type: str
    content: bytes

    @property
    def digest(self) -> str:
        return "sha256:" + hashlib.sha256(self.content).hexdigest()

    def descriptor(self, **more: Any) -> dict[str, Any]:
        return {"mediaType": self.media_type, "digest": self.digest, "size": len(self.content), **more}


def document(media_type: str, value: Any) -> Blob:
    return Blob(media_type, json.dumps(value, separators=(",", ":")).encode())


def platform_of(text: str) -> dict[str, str]:
    return dict(zip(("os", "architecture", "variant"), text.split("/"), strict=False))


def named(text: str) -> str:
    return "sha256:" + hashlib.sha256(text.encode()).hexdigest()


def image(
    name: str, tag: str, platforms: tuple[str, ...], layers: tuple[int, ...]
) -> tuple[dict[str, Any], list[Blob]]:
    """Return the lock entry of an image and its documents."""
    blobs: list[Blob] = []
    manifests: list[dict[str, Any]] = []
    locked: list[dict[str, Any]] = []
    for platform in platforms:
        about = [f"{name} {tag} {platform} layer {number}" for number in range(len(layers))]
        config = document(
            CONFIG,
            {
                "created": CREATED,
                **platform_of(platform),
                "config": {"Entrypoint": [f"/usr/bin/{name}"]},
                "rootfs": {"type": "layers", "diff_ids": [named(f"{text}, unpacked") for text in about]},
            },
        )
        manifest = document(
            MANIFEST,
            {
                "schemaVersion": 2,
                "mediaType": MANIFEST,
                "config": config.descriptor(),
                "layers": [
                    {"mediaType": LAYER, "digest": named(text), "size": size}
                    for text, size in zip(about, layers, strict=True)
                ],
            },
        )
        blobs += [config, manifest]
        manifests.append(manifest.descriptor(platform=platform_of(platform)))
        locked.append({"platform": platform, "digest": manifest.digest, "size": sum(layers)})
    index = document(INDEX, {"schemaVersion": 2, "mediaType": INDEX, "manifests": manifests})
    entry = {
        "name": f"{REGISTRY}/{name}",
        "tag": tag,
        "digest": index.digest,
        "platforms": sorted(locked, key=lambda each: str(each["platform"])),
        "resolvedAt": CREATED,
    }
    return entry, [index, *blobs]


def lines(entry: dict[str, Any]) -> Iterator[str]:
    yield f"  - name: {entry['name']}"
    yield f"    tag: {json.dumps(entry['tag'])}"
    yield f"    digest: {entry['digest']}"
    yield "    platforms:"
    for each in entry["platforms"]:
        yield f"      - platform: {each['platform']}"
        yield f"        digest: {each['digest']}"
        yield f"        size: {each['size']}"
    yield f"    resolvedAt: {json.dumps(entry['resolvedAt'])}"


def files() -> dict[str, bytes]:
    """Return all files that this module writes, by their path in the template."""
    made = [image(*each) for each in IMAGES]
    lock = ["# Written by `wayside images lock`.", "images:"]
    lock += [line for entry, _ in made for line in lines(entry)]
    found = {"images.lock": ("\n".join(lock) + "\n").encode()}
    for _, blobs in made:
        found |= {f"evidence/sha256/{blob.digest.removeprefix('sha256:')}": blob.content for blob in blobs}
    return found


def main() -> None:
    shutil.rmtree(TEMPLATE / "evidence", ignore_errors=True)
    for path, content in files().items():
        (TEMPLATE / path).parent.mkdir(parents=True, exist_ok=True)
        (TEMPLATE / path).write_bytes(content)


if __name__ == "__main__":
    main()
