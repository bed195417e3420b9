"""A whole fleet for benchmarks of `wayside check`: overlays, sites and an image lock, in a git repository."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

from tests.benchmarks.render_fleet import WORKLOADS, write_fleet
from tests.fleet.template_images import image

__all__ = ["commit", "write_checked_fleet"]

_PLATFORMS = ("linux/amd64", "linux/arm64")

_SITE = """\
apiVersion: wayside.dev/v1alpha1
kind: Site
metadata:
  name: {name}
  labels: {{region: r{region}, ring: {ring}}}
spec:
  platform: k3s
  kubernetesVersion: "1.33"
  nodes:
    - name: node-0
      architecture: linux/{architecture}
      allocatable: {{cpu: "4", memory: 4Gi, ephemeral-storage: 32Gi, pods: "110"}}
      labels: {{kubernetes.io/os: linux, kubernetes.io/arch: {architecture}}}
  budgets: {{memory: 3Gi, cpu: "3"}}
  storageClasses: [local-path]
"""


def write_checked_fleet(root: Path, *, sites: int) -> list[str]:
    """Write a fleet that passes every built-in rule, commit it, and return its overlays."""
    overlays = write_fleet(root, sites=sites)
    for number, overlay in enumerate(overlays):
        text = _SITE.format(
            name=overlay.rpartition("/")[2],
            region=number % 7,
            ring="canary" if number % 10 == 0 else "main",
            architecture="arm64" if number % 2 else "amd64",
        )
        (root / overlay / "site.yaml").write_text(text)
    (root / "fleet.yaml").write_text(
        "apiVersion: wayside.dev/v1alpha1\nkind: Fleet\nmetadata: {name: bench}\n"
    )
    images = [(f"app-{number}", "1.4.2") for number in range(WORKLOADS)]
    images += [("app-0", f"1.5.{number}") for number in range(9)]
    entries = []
    evidence = root / "evidence" / "sha256"
    evidence.mkdir(parents=True)
    for name, tag in sorted(images):
        entry, blobs = image(name, tag, _PLATFORMS, (10_000_000, 20_000_000))
        entries.append({**entry, "name": f"registry.example.com/team/{name}"})
        for blob in blobs:
            (evidence / blob.digest.removeprefix("sha256:")).write_bytes(blob.content)
    (root / "images.lock").write_text(json.dumps({"images": entries}))
    _git(root, "init", "-q", "-b", "main")
    commit(root, "the fleet")
    return overlays


def commit(root: Path, message: str) -> None:
    """Commit everything that is there."""
    _git(root, "add", "-A")
    _git(root, "commit", "-q", "-m", message)


def _git(root: Path, *arguments: str) -> None:
    subprocess.run(
        ["git", "-c", "user.name=T", "-c", "user.email=t@example.org", "-c", "gc.auto=0", *arguments],
        cwd=root,
        check=True,
        timeout=300,
    )
