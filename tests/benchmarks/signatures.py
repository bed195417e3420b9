"""How long it takes to verify the images of a fleet: `python -m tests.benchmarks.signatures`.

2,000 image-site pairs: 400 images (each of its own repository and digest, each signed) at five sites each,
and 50 images at 40 sites each; by a key, and by a certificate with a log's proof. Evidence is in files.
"""

from __future__ import annotations

import json
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from reconciler.documents.tree import WorkingTree
from reconciler.fleet.loading import parse_site
from reconciler.images.evidence import Evidence
from reconciler.images.trust import TrustBook
from reconciler.model.image import ImageReference
from reconciler.model.lock import LockedImage
from reconciler.model.trust import CertificateOwner, Signer, SigningKey, Trust, TrustEntry
from tests.images.signatures.cases import p256
from tests.images.signatures.service import IDENTITY, ISSUER, NOW, Json, Options, Service, pem, statement
from tests.images.signatures.stored import Store

_SIGN = "https://sigstore.dev/cosign/sign/v1"


def _measure(what: str, images: int, sites: int, trust: Trust, sign: Callable[[bytes], Json]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        store = Store()
        locked = []
        for number in range(images):
            digest = store.add(json.dumps({"manifests": [], "number": number}).encode())
            bundle = sign(statement({"sha256": digest[7:]}, predicate_type=_SIGN))
            locked.append(
                LockedImage(f"ghcr.io/acme/app-{number}", "1", digest, (), (store.bundle(bundle, digest),))
            )
        for path, content in store.files.items():
            (Path(folder) / path).parent.mkdir(parents=True, exist_ok=True)
            (Path(folder) / path).write_bytes(content)
        node = {"name": "n", "architecture": "linux/arm64", "allocatable": {"memory": "1Gi"}}
        spec = {"platform": "k3s", "kubernetesVersion": "1.33", "nodes": [node]}
        found = [
            parse_site({"metadata": {"name": f"site-{n}"}, "spec": spec}, "site.yaml") for n in range(sites)
        ]
        references = [ImageReference(image.name, image.tag, image.digest) for image in locked]
        wall, cpu = time.perf_counter(), time.process_time()
        book = TrustBook(trust, Evidence(WorkingTree(Path(folder))))
        signed = sum(
            book.judge_of(site, NOW).judge(reference, image).signed
            for site in found
            for reference, image in zip(references, locked, strict=True)
        )
        wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    assert signed == images * sites
    sys.stdout.write(
        f"{what:<12} {images:>4} images at {sites:>3} sites: {signed} pairs "
        f"in {wall:.2f} s ({cpu:.2f} s CPU)\n"
    )


def main() -> None:
    """Measure and print."""
    key, service = p256(), Service()
    by_key = Signer("release", keys=(SigningKey("trust/release.pub", pem(key)),))
    by_owner = Signer("release", owners=(CertificateOwner(IDENTITY, ISSUER),))
    entries = (TrustEntry(match=("ghcr.io/*",), any_of=("release",)),)
    for images, sites in ((400, 5), (50, 40)):
        _measure(
            "key",
            images,
            sites,
            Trust(None, {"release": by_key}, entries),
            lambda payload: service.attest(payload, Options(log="none", key=key), keyless=False),
        )
        _measure(
            "certificate",
            images,
            sites,
            Trust(service.root_bytes(), {"release": by_owner}, entries),
            lambda payload: service.attest(payload, Options(log="new")),
        )


if __name__ == "__main__":
    main()
