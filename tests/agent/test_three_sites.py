"""Three sites of one fleet on a real API server: made, changed, pruned, and then left alone."""

from __future__ import annotations

import json
import os
import secrets
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from reconciler.agent.status import read_status
from reconciler.images.evidence import digest_of, evidence_path
from reconciler.planning import applyset_id
from tests.agent.rig import WorkTree
from tests.cluster.cluster import Cluster
from tests.images.documents import image

ARCHITECTURES = {"north": "linux/arm64", "south": "linux/amd64", "west": "linux/arm/v7"}
PATHS = {
    "ConfigMap": "/api/v1/{}/configmaps",
    "CronJob": "/apis/batch/v1/{}/cronjobs",
    "DaemonSet": "/apis/apps/v1/{}/daemonsets",
    "Deployment": "/apis/apps/v1/{}/deployments",
    "NetworkPolicy": "/apis/networking.k8s.io/v1/{}/networkpolicies",
    "PodDisruptionBudget": "/apis/policy/v1/{}/poddisruptionbudgets",
    "Role": "/apis/rbac.authorization.k8s.io/v1/{}/roles",
    "RoleBinding": "/apis/rbac.authorization.k8s.io/v1/{}/rolebindings",
    "Service": "/api/v1/{}/services",
    "ServiceAccount": "/api/v1/{}/serviceaccounts",
}


def workload(kind: str, site: str) -> dict[str, Any]:
    container = {
        "name": "app",
        "image": "registry.example.com/app:1",
        "imagePullPolicy": "IfNotPresent",
        "resources": {"requests": {"cpu": "10m", "memory": "32Mi"}, "limits": {"memory": "64Mi"}},
    }
    template = {
        "metadata": {"labels": {"app": kind.lower()}},
        "spec": {"nodeSelector": {"box": site}, "containers": [container]},
    }
    return {
        "apiVersion": "apps/v1",
        "kind": kind,
        "metadata": {"name": "app"},
        "spec": {"selector": {"matchLabels": {"app": kind.lower()}}, "template": template},
    }


def objects(site: str) -> list[dict[str, Any]]:
    job = {"containers": [{"name": "app", "image": "registry.example.com/app:1"}], "restartPolicy": "Never"}
    role = {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "app"}
    name = {"name": "app"}
    return [
        {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": site}},
        {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": name},
        {"apiVersion": "v1", "kind": "ConfigMap", "metadata": name, "data": {"greeting": "hello"}},
        {
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": name,
            "spec": {"selector": {"app": "deployment"}, "ports": [{"port": 80}]},
        },
        workload("Deployment", site),
        workload("DaemonSet", site),
        {
            "apiVersion": "batch/v1",
            "kind": "CronJob",
            "metadata": name,
            "spec": {"schedule": "0 3 * * *", "jobTemplate": {"spec": {"template": {"spec": job}}}},
        },
        {
            "apiVersion": "networking.k8s.io/v1",
            "kind": "NetworkPolicy",
            "metadata": name,
            "spec": {"podSelector": {}, "policyTypes": ["Ingress"]},
        },
        {
            "apiVersion": "policy/v1",
            "kind": "PodDisruptionBudget",
            "metadata": name,
            "spec": {"maxUnavailable": 1, "selector": {"matchLabels": {"app": "deployment"}}},
        },
        {
            "apiVersion": "rbac.authorization.k8s.io/v1",
            "kind": "Role",
            "metadata": name,
            "rules": [{"apiGroups": [""], "resources": ["configmaps"], "verbs": ["get"]}],
        },
        {
            "apiVersion": "rbac.authorization.k8s.io/v1",
            "kind": "RoleBinding",
            "metadata": name,
            "roleRef": role,
            "subjects": [{"kind": "ServiceAccount", "name": "app", "namespace": site}],
        },
    ]


class Fleet(WorkTree):
    """A repository with three sites, and their agents."""

    def __init__(self, folder: Path, cluster: Cluster) -> None:
        self.folder = folder
        self.path = folder / "fleet"
        self.cluster = cluster
        run = secrets.token_hex(3)
        self.sites = {f"{name}-{run}": architecture for name, architecture in ARCHITECTURES.items()}
        self.path.mkdir()
        (self.path / "fleet.yaml").write_text(
            "apiVersion: wayside.dev/v1alpha1\nkind: Fleet\nmetadata: {name: three}\n"
        )
        contents = image(*ARCHITECTURES.values())
        for content in contents:
            file = self.path / evidence_path(digest_of(content))
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(content)
        platforms = [
            {"platform": platform, "digest": digest_of(manifest), "size": len(manifest)}
            for platform, manifest in zip(ARCHITECTURES.values(), contents[1:], strict=False)
        ]
        entry = {
            "name": "registry.example.com/app",
            "tag": "1",
            "digest": digest_of(contents[0]),
            "platforms": platforms,
            "signatures": [],
            "resolvedAt": "2026-01-01T00:00:00Z",
        }
        (self.path / "images.lock").write_text(json.dumps({"images": [entry]}))
        for site in self.sites:
            self.write(site, objects(site))
        self.git("init", "--quiet", "--initial-branch=main")
        self.commit_all("Begin")

    def write(self, site: str, found: list[dict[str, Any]]) -> None:
        folder = self.path / "sites" / site
        folder.mkdir(parents=True, exist_ok=True)
        node = {
            "name": site,
            "architecture": self.sites[site],
            "allocatable": {"cpu": "2", "memory": "1Gi"},
            "labels": {"box": site},
        }
        facts = {
            "apiVersion": "wayside.dev/v1alpha1",
            "kind": "Site",
            "metadata": {"name": site},
            "spec": {
                "platform": "k3s",
                "kubernetesVersion": "1.36",
                "nodes": [node],
                "sync": {"timeout": "60s"},
            },
        }
        (folder / "site.yaml").write_text(json.dumps(facts))
        (folder / "objects.yaml").write_text("---\n".join(json.dumps(item) + "\n" for item in found))
        (folder / "kustomization.yaml").write_text(f"namespace: {site}\nresources: [objects.yaml]\n")

    def sync_all(self) -> None:
        """Run the three agents at the same time, once."""
        agents = {
            site: subprocess.Popen(
                [
                    *(sys.executable, "-P", "-m", "reconciler", "agent", "--once"),
                    *("--repo", str(self.path), "--site", site, "--state", str(self.folder / "state" / site)),
                    *("--target", f"kubeconfig:{self.cluster.kubeconfig}"),
                ],
                stdout=subprocess.DEVNULL,
                stderr=subprocess.PIPE,
                text=True,
                start_new_session=True,
            )
            for site in self.sites
        }
        for agent in agents.values():
            try:
                _, told = agent.communicate(timeout=120)
            finally:
                if agent.poll() is None:
                    os.killpg(agent.pid, signal.SIGKILL)
            assert agent.returncode == 0, told

    def live(self, site: str) -> dict[tuple[str, str], dict[str, Any]]:
        """Return what the site's agent owns in the site's namespace."""
        owned = {}
        for kind, path in PATHS.items():
            listed = self.cluster.request(
                "GET",
                path.format(f"namespaces/{site}"),
                query={"labelSelector": f"applyset.kubernetes.io/part-of={applyset_id(site)}"},
            )
            owned.update({(kind, item["metadata"]["name"]): item for item in listed["items"]})
        return owned

    def versions(self) -> dict[tuple[str, str, str], str]:
        return {
            (site, *key): item["metadata"]["resourceVersion"]
            for site in self.sites
            for key, item in self.live(site).items()
        }


@pytest.fixture
def fleet(tmp_path: Path, control_plane: Cluster) -> Iterator[Fleet]:
    made = Fleet(tmp_path, control_plane)
    for site, architecture in made.sites.items():
        control_plane.add_node(site, architecture=architecture, memory="1Gi", labels={"box": site})
    yield made
    for site in made.sites:
        control_plane.delete_namespace(site)
        control_plane.delete_node(site)


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_three_sites_are_made_changed_pruned_and_then_left_alone(fleet: Fleet) -> None:
    fleet.sync_all()
    for site in fleet.sites:
        live = fleet.live(site)
        assert len(live) >= 10
        assert len({kind for kind, _ in live}) >= 6
        deployment = live["Deployment", "app"]
        assert deployment["status"]["availableReplicas"] == 1
        pods = fleet.cluster.request("GET", f"/api/v1/namespaces/{site}/pods")["items"]
        assert {pod["spec"]["nodeName"] for pod in pods} == {site}
        status = read_status(fleet.folder / "state" / site)
        assert (status.state, status.reason) == ("Ready", "Applied")

    # The same again changes nothing: no object has a new version.
    before = fleet.versions()
    fleet.sync_all()
    assert fleet.versions() == before

    # One object is changed, one goes, one comes, at every site.
    for site in fleet.sites:
        found = [item for item in objects(site) if item["kind"] != "PodDisruptionBudget"]
        found[2]["data"]["greeting"] = "good morning"
        found.append({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "more"}})
        fleet.write(site, found)
    commit = fleet.commit_all("A change for everybody")
    fleet.sync_all()
    after = fleet.versions()
    for site in fleet.sites:
        live = fleet.live(site)
        assert live["ConfigMap", "app"]["data"] == {"greeting": "good morning"}
        assert ("ConfigMap", "more") in live
        budgets = PATHS["PodDisruptionBudget"].format(f"namespaces/{site}")
        assert fleet.cluster.request("GET", budgets)["items"] == []
        touched = {key[1:] for key in after if key[0] == site and after[key] != before.get(key)}
        assert touched == {("ConfigMap", "app"), ("ConfigMap", "more")}
        assert read_status(fleet.folder / "state" / site).applied == commit
