"""Images made by hand, pushed to a real registry over its API."""

import json
from collections.abc import Sequence

import urllib3

from reconciler.images.evidence import digest_of
from tests.images import documents as made


class Pusher:
    """Pushes to one registry without a login."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._pool = urllib3.PoolManager(maxsize=4, retries=False, timeout=20.0)

    def blob(self, repository: str, content: bytes) -> None:
        begun = self._pool.request("POST", f"{self._url}/v2/{repository}/blobs/uploads/")
        place = begun.headers["Location"]
        joint = "&" if "?" in place else "?"
        done = self._pool.request(
            "PUT",
            f"{place}{joint}digest={digest_of(content)}",
            body=content,
            headers={"Content-Type": "application/octet-stream"},
        )
        assert done.status == 201, done.data

    def manifest(self, repository: str, reference: str, content: bytes) -> str:
        kind = json.loads(content)["mediaType"]
        done = self._pool.request(
            "PUT",
            f"{self._url}/v2/{repository}/manifests/{reference}",
            body=content,
            headers={"Content-Type": kind},
        )
        assert done.status == 201, done.data
        return digest_of(content)

    def image(
        self, repository: str, tag: str, platforms: Sequence[str], *, layer: bytes = b"layer"
    ) -> list[bytes]:
        """Push an index of one image for each platform; return its documents, the index first."""
        layers = [(f"{layer.decode()} {platform}".encode()) for platform in platforms]
        configs = [made.config(platform) for platform in platforms]
        manifests = [
            made.manifest(config, [(content.decode(), len(content))])
            for config, content in zip(configs, layers, strict=True)
        ]
        index = made.index(
            [
                (manifest, {"platform": made.platform(name)})
                for manifest, name in zip(manifests, platforms, strict=True)
            ]
        )
        for content in (*configs, *layers):
            self.blob(repository, content)
        for manifest in manifests:
            self.manifest(repository, digest_of(manifest), manifest)
        self.manifest(repository, tag, index)
        return [index, *manifests, *configs]
