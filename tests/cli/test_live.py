"""`wayside diff --live` and `wayside status --kubeconfig` against a real API server."""

from __future__ import annotations

import json
import secrets
from pathlib import Path

import pytest

from reconciler.cli.main import main
from tests.cluster.cluster import Cluster

pytestmark = pytest.mark.slow

_FLEET = "{apiVersion: wayside.dev/v1alpha1, kind: Fleet, metadata: {name: tiny}}\n"
_SITE = """\
apiVersion: wayside.dev/v1alpha1
kind: Site
metadata: {{name: {site}}}
spec:
  platform: kubernetes
  kubernetesVersion: "1.36"
  nodes: [{{name: n, architecture: linux/amd64, allocatable: {{cpu: "4", memory: 4Gi}}}}]
"""


def write_site(folder: Path, site: str, namespace: str, *, colour: str, word: str) -> None:
    place = folder / "sites" / site
    place.mkdir(parents=True, exist_ok=True)
    (folder / "fleet.yaml").write_text(_FLEET)
    (place / "site.yaml").write_text(_SITE.format(site=site))
    objects = [
        {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": {"name": "settings", "namespace": namespace},
            "data": {"colour": colour},
        },
        {
            "apiVersion": "v1",
            "kind": "Secret",
            "metadata": {"name": "login", "namespace": namespace},
            "stringData": {"password": word},
        },
    ]
    (place / "objects.yaml").write_text("\n---\n".join(json.dumps(thing) for thing in objects))
    (place / "kustomization.yaml").write_text("resources: [objects.yaml]\n")


def test_live_differences_are_told_field_by_field_without_values_of_secrets(
    tmp_path: Path,
    control_plane: Cluster,
    namespace: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    site = f"site-{secrets.token_hex(4)}"
    target = f"kubeconfig:{control_plane.kubeconfig}"
    fleet = tmp_path / "fleet"
    write_site(fleet, site, namespace, colour="blue", word="hunter-two")
    monkeypatch.chdir(fleet)

    assert main(["diff", site, "--live", "--target", target]) == 1
    told = capsys.readouterr().out
    assert f"+ ConfigMap/{namespace}/settings" in told
    assert "2 to create, 0 to update, 0 to delete" in told

    import subprocess

    for command in (["init", "-q", "-b", "main"], ["add", "."], ["commit", "-qm", "one"]):
        subprocess.run(
            ["git", "-c", "user.name=t", "-c", "user.email=t@example.org", *command], cwd=fleet, check=True
        )
    agent = ["agent", "--once", "--repo", str(fleet), "--site", site, "--state", str(tmp_path / "state")]
    assert main([*agent, "--target", target]) == 0
    assert main(["diff", site, "--live", "--target", target]) == 0
    assert "0 to create, 0 to update, 0 to delete" in capsys.readouterr().out

    write_site(fleet, site, namespace, colour="green", word="correct-horse")
    assert main(["diff", site, "--live", "--target", target]) == 1
    told = capsys.readouterr().out
    assert 'data.colour: "blue" -> "green"' in told
    assert "data.password: *** -> ***" in told
    assert "hunter" not in told
    assert "correct" not in told
    live = control_plane.request("GET", f"/api/v1/namespaces/{namespace}/configmaps/settings")
    assert live["data"]["colour"] == "blue"

    assert main(["status", "--kubeconfig", str(control_plane.kubeconfig)]) in (0, 1)
    told = capsys.readouterr().out
    assert f"{site}: Ready" in told


def test_status_without_a_place_says_where_to_look(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["status"]) == 2
    assert "--kubeconfig" in capsys.readouterr().err
