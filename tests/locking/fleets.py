"""Small fleets whose sites run given images."""

from collections.abc import Mapping, Sequence
from pathlib import Path

SITE = """\
apiVersion: wayside.dev/v1alpha1
kind: Site
metadata: {{name: {name}}}
spec:
  platform: k3s
  kubernetesVersion: "1.36"
  nodes:
    - name: node-0
      architecture: linux/arm64
      allocatable: {{cpu: "4", memory: 4Gi}}
"""
FLEET = "apiVersion: wayside.dev/v1alpha1\nkind: Fleet\nmetadata: {name: shops}\n"


def pod(name: str, image: str) -> str:
    return (
        f"apiVersion: v1\nkind: Pod\nmetadata: {{name: {name}, namespace: shop}}\n"
        f"spec:\n  containers:\n    - name: c\n      image: {image}\n"
    )


def write_fleet(
    root: Path,
    sites: Mapping[str, Sequence[str]],
    *,
    fleet: str = FLEET,
    extra: Mapping[str, str] | None = None,
) -> Path:
    """Write a fleet; each site has a pod for each of its images."""
    files = {"fleet.yaml": fleet, **(extra or {})}
    for name, images in sites.items():
        files[f"sites/{name}/site.yaml"] = files.get(f"sites/{name}/site.yaml", SITE.format(name=name))
        files[f"sites/{name}/kustomization.yaml"] = "resources: [pods.yaml]\n"
        files[f"sites/{name}/pods.yaml"] = "---\n".join(
            pod(f"pod-{number}", image) for number, image in enumerate(images)
        )
    for path, text in files.items():
        file = root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")
    return root
