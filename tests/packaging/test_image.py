"""The agent's image, built by the real Podman and run as the Deployment would, on a real API server."""

from __future__ import annotations

import json
import os
import secrets
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from reconciler.adapters.kube.site_crd import site_crd
from reconciler.cli.install.objects import access, base
from reconciler.cli.install.rights import cluster_wide
from tests.agent.rig import config_map
from tests.cluster.cache import cache_directory, exclusive
from tests.cluster.fixtures import MakeApiServer, missing

ROOT = Path(__file__).parents[2]
pytestmark = [pytest.mark.slow, pytest.mark.timeout(1500)]

_CONF = """\
[containers]
default_ulimits = ["nofile=1024:1024", "nproc=1024:1024"]
[engine]
runtime = "runc"
cgroup_manager = "cgroupfs"
events_logger = "file"
"""
_FLEET = "{apiVersion: wayside.dev/v1alpha1, kind: Fleet, metadata: {name: tiny}}\n"


class Podman:
    def __init__(self, folder: Path) -> None:
        if os.geteuid() != 0 or not Path("/etc/debian_version").exists():
            missing("the image is built as root on Debian")
        for tool in ("podman", "runc", "mmdebstrap"):
            if shutil.which(tool) is None:
                missing(f"{tool} is not installed; see deploy/system-packages.sh")
        conf = folder / "containers.conf"
        conf.write_text(_CONF)
        self._environment = {**os.environ, "CONTAINERS_CONF": str(conf)}
        self._store = ["--root", str(folder / "store"), "--runroot", str(folder / "run")]

    def __call__(self, *arguments: str | Path, check: bool = True) -> subprocess.CompletedProcess[str]:
        done = subprocess.run(
            ["podman", *self._store, "--storage-driver", "vfs", *arguments],
            env=self._environment,
            capture_output=True,
            text=True,
            check=False,
            cwd=ROOT,
        )
        if check and done.returncode:
            pytest.fail(f"podman {' '.join(map(str, arguments))}\n{done.stdout[-2000:]}{done.stderr[-3000:]}")
        return done


def base_archive() -> Path:
    """Return a base of Debian packages, made once and kept."""
    entry = cache_directory() / "agent-base-bookworm"
    with exclusive(entry):
        archive = entry / "base.tar"
        if not archive.exists():
            entry.mkdir(parents=True, exist_ok=True)
            aside = entry / "new.tar"
            made = subprocess.run(
                [ROOT / "deploy/agent/base-image.sh", aside], capture_output=True, text=True, check=False
            )
            if made.returncode:
                missing(f"mmdebstrap could not make a base: {made.stderr[-300:]}")
            aside.rename(archive)
    return archive


@pytest.fixture(scope="module")
def podman() -> Iterator[Podman]:
    # Podman refuses to keep its running state under a long path.
    with tempfile.TemporaryDirectory(prefix="wayside-podman-", ignore_cleanup_errors=True) as folder:
        found = Podman(Path(folder))
        yield found
        found("rm", "--all", "--force", check=False)


@pytest.fixture(scope="module")
def image(podman: Podman, tmp_path_factory: pytest.TempPathFactory) -> str:
    podman("import", base_archive(), "wayside-base")
    context = tmp_path_factory.mktemp("context")
    wheels = context / "wheels"
    done = subprocess.run(
        [sys.executable, "-m", "pip", "wheel", "--quiet", "--wheel-dir", wheels, f"{ROOT}[agent]"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    podman(
        *("build", "--network", "none", "--build-arg", "BASE=localhost/wayside-base"),
        *("-f", ROOT / "deploy/agent/Containerfile", "-t", "wayside-agent", context),
    )
    return "localhost/wayside-agent"


def test_the_image_runs_as_the_deployment_would_with_the_rights_of_the_overlay(
    podman: Podman, image: str, own_api_server: MakeApiServer, tmp_path: Path
) -> None:
    cluster = own_api_server(controllers=True)
    cluster.create_namespace("shop")
    namespace, *rest = base()
    objects = [namespace, site_crd(), *access(cluster_wide()), *rest]
    cluster.kubectl(
        "apply",
        "-f",
        "-",
        input=json.dumps({"apiVersion": "v1", "kind": "List", "items": objects}),
    )
    site = f"site-{secrets.token_hex(4)}"
    fleet = tmp_path / "fleet"
    place = fleet / "sites" / site
    place.mkdir(parents=True)
    (fleet / "fleet.yaml").write_text(_FLEET)
    spec = {
        "platform": "kubernetes",
        "kubernetesVersion": "1.36",
        "nodes": [{"name": "n", "architecture": "linux/amd64", "allocatable": {"memory": "4Gi"}}],
    }
    document = {
        "apiVersion": "wayside.dev/v1alpha1",
        "kind": "Site",
        "metadata": {"name": site},
        "spec": spec,
    }
    (place / "site.yaml").write_text(json.dumps(document))
    (place / "objects.yaml").write_text(json.dumps(config_map("a", "1", namespace="shop")))
    (place / "kustomization.yaml").write_text("resources: [objects.yaml]\n")
    for command in (["init", "-q", "-b", "main"], ["add", "."], ["commit", "-qm", "one"]):
        subprocess.run(
            ["git", "-c", "user.name=t", "-c", "user.email=t@example.org", *command], cwd=fleet, check=True
        )

    account = tmp_path / "account"
    account.mkdir()
    request = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {}}
    path = "/api/v1/namespaces/wayside-system/serviceaccounts/wayside-agent/token"
    (account / "token").write_text(cluster.request("POST", path, request)["status"]["token"])
    shutil.copy(cluster.ca_file, account / "ca.crt")
    state = tmp_path / "state"
    state.mkdir()
    # git reads nobody else's repository.
    for file in (state, fleet, *fleet.rglob("*")):
        os.chown(file, 65532, 65532)
    for file in (tmp_path, *tmp_path.rglob("*")):
        file.chmod(0o755 if file.is_dir() else 0o644)
    deployment = next(thing for thing in objects if thing["kind"] == "Deployment")
    settings = {
        "WAYSIDE_REPO": "file:///fleet",
        "WAYSIDE_BRANCH": "main",
        "WAYSIDE_SITE": site,
        "WAYSIDE_SINK": "",
    }
    arguments = deployment["spec"]["template"]["spec"]["containers"][0]["args"]
    for name, value in settings.items():
        arguments = [text.replace(f"$({name})", value) for text in arguments]
    server = urlsplit(cluster.server)
    done = podman(
        *("run", "--rm", "--network", "host", "--user", "65532:65532", "--read-only"),
        *("--cap-drop", "all", "--security-opt", "no-new-privileges"),
        *("--tmpfs", "/tmp", "-v", f"{state}:/var/lib/wayside", "-v", f"{fleet}:/fleet:ro"),  # noqa: S108 - the container's own
        *("-v", f"{account}:/var/run/secrets/kubernetes.io/serviceaccount:ro"),
        *("-e", f"KUBERNETES_SERVICE_HOST={server.hostname}", "-e", f"KUBERNETES_SERVICE_PORT={server.port}"),
        *(image, *arguments, "--once"),
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    live = cluster.request("GET", "/api/v1/namespaces/shop/configmaps/a")
    assert live["data"] == {"value": "1"}
    found = cluster.request("GET", f"/apis/wayside.dev/v1alpha1/namespaces/wayside-system/sites/{site}")
    assert {row["type"]: row["status"] for row in found["status"]["conditions"]}["Ready"] == "True"
    assert '"level": "error"' not in done.stderr
