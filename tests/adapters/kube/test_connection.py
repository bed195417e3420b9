"""Reading how a cluster is reached, and reaching a real one in each of the common ways."""

from __future__ import annotations

import base64
import json
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from reconciler.adapters.kube import KubeTarget, in_cluster, kubeconfig
from reconciler.adapters.kube.client import KubeClient
from reconciler.errors import TargetUnreachable, UsageError
from tests.cluster.cluster import Cluster


def config(path: Path, *, user: Any = None, **cluster: Any) -> Path:
    document = {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "one",
        "contexts": [{"name": "one", "context": {"cluster": "c", "user": "u"}}],
        "clusters": [{"name": "c", "cluster": {"server": "https://127.0.0.1:6443/", **cluster}}],
        "users": [{"name": "u", "user": user or {}}],
    }
    path.write_text(yaml.safe_dump(document))
    return path


def test_files_that_a_kubeconfig_names_are_looked_for_beside_it(tmp_path: Path) -> None:
    user = {"client-certificate": "me.crt", "client-key": "/keys/me.key", "tokenFile": "token"}
    found = kubeconfig(config(tmp_path / "config", user=user, **{"certificate-authority": "pki/ca.crt"}))
    assert found.server == "https://127.0.0.1:6443"
    assert found.ca_file == str(tmp_path / "pki/ca.crt")
    assert (found.cert_file, found.key_file) == (str(tmp_path / "me.crt"), "/keys/me.key")
    assert found.token_file == str(tmp_path / "token")


def test_certificates_may_stand_in_the_kubeconfig_itself(tmp_path: Path) -> None:
    data = base64.b64encode(b"PEM").decode()
    found = kubeconfig(config(tmp_path / "config", **{"certificate-authority-data": data}))
    assert found.ca_data == "PEM"
    with pytest.raises(UsageError, match="not base64"):
        kubeconfig(config(tmp_path / "config", **{"certificate-authority-data": "###"}))


@pytest.mark.parametrize(
    ("text", "words"),
    [
        pytest.param("{", "not YAML", id="no-yaml"),
        pytest.param("[]", "no mapping", id="list"),
        pytest.param("current-context: x", "no context 'x'", id="no-context"),
        pytest.param(
            "{current-context: x, contexts: [{name: x, context: {cluster: y}}]}",
            "no cluster 'y'",
            id="no-cluster",
        ),
    ],
)
def test_a_kubeconfig_that_describes_no_cluster_is_refused(tmp_path: Path, text: str, words: str) -> None:
    (tmp_path / "config").write_text(text)
    with pytest.raises(UsageError, match=words):
        kubeconfig(tmp_path / "config")


def test_a_kubeconfig_that_is_missing_is_refused_with_its_name(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="No such file"):
        kubeconfig(tmp_path / "config")


def test_a_pod_finds_its_cluster_and_names_the_files_that_are_rotated(tmp_path: Path) -> None:
    (tmp_path / "token").write_text("t")
    (tmp_path / "ca.crt").write_text("c")
    found = in_cluster(
        {"KUBERNETES_SERVICE_HOST": "fd00::1", "KUBERNETES_SERVICE_PORT": "6443"}, directory=tmp_path
    )
    assert found.server == "https://[fd00::1]:6443"
    assert (found.token_file, found.ca_file) == (str(tmp_path / "token"), str(tmp_path / "ca.crt"))


@pytest.mark.parametrize("environment", [{}, {"KUBERNETES_SERVICE_HOST": "10.0.0.1"}])
def test_outside_of_a_pod_there_is_no_cluster_to_find(tmp_path: Path, environment: dict[str, str]) -> None:
    with pytest.raises(UsageError, match="expected to run in a Pod"):
        in_cluster(environment, directory=tmp_path)


def credentials(cluster: Cluster) -> tuple[dict[str, Any], dict[str, Any]]:
    document = yaml.safe_load(cluster.kubeconfig.read_text())
    return document["clusters"][0]["cluster"], document["users"][0]["user"]


def version(path: Path) -> str:
    target = KubeTarget(kubeconfig(path), "store")
    try:
        return str(target.describe()["version"])
    finally:
        target.close()


@pytest.mark.cluster
def test_a_real_cluster_is_reached_by_certificates_tokens_and_programs(
    control_plane: Cluster, namespace: str, tmp_path: Path
) -> None:
    cluster, user = credentials(control_plane)
    assert version(control_plane.kubeconfig).startswith("v1.")
    account = control_plane.service_account_kubeconfig(namespace, "default")
    token = yaml.safe_load(account.read_text())["users"][0]["user"]["token"]
    assert version(account).startswith("v1.")

    (tmp_path / "token").write_text(token)
    assert version(config(tmp_path / "a", user={"tokenFile": "token"}, **cluster)).startswith("v1.")

    given = {
        "apiVersion": "client.authentication.k8s.io/v1",
        "kind": "ExecCredential",
        "status": {"token": token},
    }
    (tmp_path / "plugin.py").write_text(f"print({json.dumps(json.dumps(given))})")
    exec_ = {
        "apiVersion": "client.authentication.k8s.io/v1",
        "command": sys.executable,
        "args": [str(tmp_path / "plugin.py")],
        "interactiveMode": "Never",
    }
    assert version(config(tmp_path / "b", user={"exec": exec_}, **cluster)).startswith("v1.")
    assert "kubernetes" not in sys.modules

    if "client-certificate-data" in user:
        for name in ("client-certificate", "client-key"):
            (tmp_path / name).write_bytes(base64.b64decode(user[f"{name}-data"]))
        files = {"client-certificate": "client-certificate", "client-key": "client-key"}
        assert version(config(tmp_path / "c", user=files, **cluster)).startswith("v1.")


@pytest.mark.cluster
def test_a_cluster_with_a_certificate_of_somebody_else_is_not_spoken_to(
    control_plane: Cluster, tmp_path: Path
) -> None:
    cluster, user = credentials(control_plane)
    plain = {key: value for key, value in cluster.items() if key == "server"}
    found = kubeconfig(config(tmp_path / "config", user=user, **plain))
    client = KubeClient(found)
    with pytest.raises(TargetUnreachable, match="certificate that is not trusted") as caught:
        client.request("GET", "/version")
    assert caught.value.code == "certificate"
    wrong = kubeconfig(config(tmp_path / "config", user=user, **cluster, **{"tls-server-name": "elsewhere"}))
    with pytest.raises(TargetUnreachable, match="certificate"):
        KubeClient(wrong).request("GET", "/version")


@pytest.mark.cluster
def test_a_token_that_is_not_good_is_no_refusal_of_an_object(control_plane: Cluster, tmp_path: Path) -> None:
    cluster, _ = credentials(control_plane)
    found = kubeconfig(config(tmp_path / "config", user={"token": "nonsense"}, **cluster))
    with pytest.raises(TargetUnreachable) as caught:
        KubeTarget(found, "store").describe()
    assert caught.value.code == "unauthorized"
    assert "nonsense" not in str(caught.value)


def test_a_program_that_fails_is_told_without_what_it_said(tmp_path: Path) -> None:
    exec_ = {
        "apiVersion": "client.authentication.k8s.io/v1",
        "command": "/bin/false",
        "interactiveMode": "Never",
    }
    found = kubeconfig(config(tmp_path / "config", user={"exec": exec_}))
    with pytest.raises(TargetUnreachable) as caught:
        KubeClient(found).request("GET", "/version")
    assert caught.value.code == "credentials"
