"""Small fleets on disk, for tests of commands."""

from __future__ import annotations

import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from reconciler.images.evidence import digest_of, evidence_path
from tests.images.documents import image

__all__ = ["FILES", "git", "write_fleet"]

#: An image for linux/arm64, whole: index, manifest and config.
POS: Final = tuple(image("linux/arm64", layers=[("layer", 1000)]))
DIGEST: Final = digest_of(POS[0])

FILES: Final[Mapping[str, str]] = {
    "fleet.yaml": "apiVersion: wayside.dev/v1alpha1\nkind: Fleet\nmetadata: {name: shops}\n",
    "images.lock": f"""\
images:
  - name: acme/pos
    tag: "1"
    digest: {DIGEST}
    platforms:
      - {{platform: linux/arm64, digest: "{digest_of(POS[1])}", size: 1000}}
""",
    **{evidence_path(digest_of(content)): content.decode() for content in POS},
    "bases/pos/kustomization.yaml": "resources: [deployment.yaml]\n",
    "bases/pos/deployment.yaml": """\
apiVersion: apps/v1
kind: Deployment
metadata: {name: pos}
spec:
  selector: {matchLabels: {app: pos}}
  template:
    metadata: {labels: {app: pos}}
    spec:
      containers:
        - name: pos
          image: acme/pos:1
          resources:
            requests: {cpu: 100m, memory: 128Mi}
            limits: {memory: 128Mi}
""",
    **{
        f"sites/{site}/{name}": text
        for site, architecture in (("harbour", "linux/arm64"), ("market", "linux/arm64"))
        for name, text in {
            "kustomization.yaml": "resources: [../../bases/pos]\nnamespace: shop\n",
            "site.yaml": f"""\
apiVersion: wayside.dev/v1alpha1
kind: Site
metadata: {{name: {site}}}
spec:
  platform: k3s
  kubernetesVersion: "1.33"
  nodes:
    - name: node-0
      architecture: {architecture}
      allocatable: {{cpu: "4", memory: 4Gi}}
  budgets: {{memory: 1Gi}}
""",
        }.items()
    },
}


def write_fleet(root: Path, changes: Mapping[str, str] | None = None) -> Path:
    """Write the files of a fleet that is right, with changes, and return its root."""
    for path, text in {**FILES, **(changes or {})}.items():
        file = root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")
    return root


def git(root: Path, *arguments: str) -> str:
    """Run git in a repository and return what it prints."""
    done = subprocess.run(
        ["git", "-c", "user.name=T", "-c", "user.email=t@example.org", *arguments],
        cwd=root,
        capture_output=True,
        text=True,
        check=True,
        timeout=30,
    )
    return done.stdout.strip()
