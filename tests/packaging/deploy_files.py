"""The files of `deploy/agent`, as the code of `wayside install` makes them.

python -m tests.packaging.deploy_files      writes them
"""

from __future__ import annotations

from pathlib import Path

from reconciler.adapters.kube.site_crd import site_crd
from reconciler.cli.install.objects import access, base
from reconciler.cli.install.rights import cluster_wide, namespaced
from reconciler.render.emitter import to_yaml

AGENT = Path(__file__).parents[2] / "deploy" / "agent"
_SETTINGS = """\
apiVersion: v1
kind: ConfigMap
metadata:
  name: wayside-agent
  namespace: wayside-system
data:
  WAYSIDE_REPO: https://git.example.com/fleet.git
  WAYSIDE_BRANCH: main
  WAYSIDE_SITE: my-site
  WAYSIDE_SINK: ""
"""
_KUSTOMIZATION = "apiVersion: kustomize.config.k8s.io/v1beta1\nkind: Kustomization\n"


def files() -> dict[str, str]:
    """Return path to content."""
    return {
        "base/agent.yaml": to_yaml(base()),
        "base/sites.wayside.dev.yaml": to_yaml([site_crd()]),
        "base/settings.yaml": "# Write your own values here, in an overlay.\n" + _SETTINGS,
        "base/kustomization.yaml": (
            "# The agent with its own rights, and none over the site's objects: an overlay gives those.\n"
            f"{_KUSTOMIZATION}resources:\n  - sites.wayside.dev.yaml\n  - agent.yaml\n  - settings.yaml\n"
        ),
        "overlays/cluster-wide/rights.yaml": to_yaml(access(cluster_wide())),
        "overlays/cluster-wide/kustomization.yaml": (
            "# For the kinds of a usual site, in all namespaces. `wayside install SITE` gives less.\n"
            f"{_KUSTOMIZATION}resources:\n  - ../../base\n  - rights.yaml\n"
        ),
        "overlays/namespaced/rights.yaml": to_yaml(access(namespaced(["apps"]))),
        "overlays/namespaced/kustomization.yaml": (
            "# An agent for one namespace, here `apps`: repeat rights.yaml for each other one.\n"
            f"{_KUSTOMIZATION}resources:\n  - ../../base\n  - rights.yaml\n"
        ),
    }


if __name__ == "__main__":
    for name, content in files().items():
        path = AGENT / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content, encoding="utf-8")
