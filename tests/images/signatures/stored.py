"""Evidence as a lock would write it, from a real registry or from bytes."""

import hashlib
import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import urllib3

from reconciler.documents.tree import MemoryTree
from reconciler.images.evidence import Evidence
from reconciler.model.lock import LockedImage

_ACCEPT = ", ".join(
    (
        "application/vnd.oci.image.index.v1+json",
        "application/vnd.oci.image.manifest.v1+json",
        "application/vnd.docker.distribution.manifest.list.v2+json",
        "application/vnd.docker.distribution.manifest.v2+json",
    )
)


@dataclass
class Store:
    """Content by its digest."""

    files: dict[str, bytes] = field(default_factory=dict)

    def add(self, content: bytes) -> str:
        name = hashlib.sha256(content).hexdigest()
        self.files[f"evidence/sha256/{name}"] = content
        return f"sha256:{name}"

    def evidence(self) -> Evidence:
        return Evidence(MemoryTree(self.files))

    def manifest(self, layers: Iterable[dict[str, Any]], **more: Any) -> str:
        config = {"mediaType": "application/vnd.oci.empty.v1+json", "digest": self.add(b"{}"), "size": 2}
        kind = "application/vnd.oci.image.manifest.v1+json"
        value = {
            "schemaVersion": 2,
            "mediaType": kind,
            "config": config,
            "layers": [{"size": 0, **layer} for layer in layers],
            **more,
        }
        return self.add(json.dumps(value).encode())

    def image(self, architecture: str) -> tuple[str, str]:
        """Store the index of an image without layers; return its digest and that of the manifest in it."""
        config = self.add(json.dumps({"os": "linux", "architecture": architecture}).encode())
        kind = "application/vnd.oci.image.manifest.v1+json"
        manifest = {
            "schemaVersion": 2,
            "mediaType": kind,
            "config": {
                "mediaType": "application/vnd.oci.image.config.v1+json",
                "digest": config,
                "size": len(self.content(config)),
            },
            "layers": [],
        }
        digest = self.add(json.dumps(manifest).encode())
        listed = {"mediaType": kind, "digest": digest, "size": len(self.content(digest))}
        index = {
            "schemaVersion": 2,
            "mediaType": "application/vnd.oci.image.index.v1+json",
            "manifests": [{**listed, "platform": {"os": "linux", "architecture": architecture}}],
        }
        return self.add(json.dumps(index).encode()), digest

    def content(self, digest: str) -> bytes:
        return self.files[f"evidence/sha256/{digest.removeprefix('sha256:')}"]

    def bundle(self, bundle: dict[str, Any], subject: str) -> str:
        """Store a bundle about an image as a referrer; return its manifest's digest."""
        kind = "application/vnd.dev.sigstore.bundle.v0.3+json"
        content = json.dumps(bundle).encode()
        layer = {"mediaType": kind, "digest": self.add(content), "size": len(content)}
        index = {"mediaType": "application/vnd.oci.image.index.v1+json", "digest": subject, "size": 0}
        return self.manifest([layer], subject=index)


def fetch(url: str, repository: str, reference: str, store: Store) -> LockedImage:
    """Store an image's index or manifest and everything that signs it; return its entry of the lock."""
    with urllib3.PoolManager(retries=False, timeout=10.0) as pool:

        def manifest(name: str) -> bytes | None:
            answer = pool.request(
                "GET", f"{url}/v2/{repository}/manifests/{name}", headers={"Accept": _ACCEPT}
            )
            return answer.data if answer.status == 200 else None

        top = manifest(reference)
        assert top is not None, reference
        digest = store.add(top)
        tag = digest.replace(":", "-")
        found: list[str] = []
        for name in (f"{tag}.sig", f"{tag}.att"):
            content = manifest(name)
            if content is not None:
                found.append(store.add(content))
        fallback = manifest(tag)
        for each in json.loads(fallback)["manifests"] if fallback is not None else ():
            content = manifest(each["digest"])
            assert content is not None
            found.append(store.add(content))
        for name in found:
            for layer in json.loads(store.files[f"evidence/sha256/{name[7:]}"])["layers"]:
                store.add(pool.request("GET", f"{url}/v2/{repository}/blobs/{layer['digest']}").data)
    host = url.partition("://")[2]
    return LockedImage(f"{host}/{repository}", reference, digest, (), tuple(sorted(found)))
