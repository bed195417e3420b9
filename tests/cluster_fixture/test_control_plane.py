"""The control plane behaves as a normal cluster does, and each test has its part of it to itself."""

import json
import os
import ssl
from pathlib import Path

import pytest
import urllib3

from tests.cluster.api import APIClient, APIError, write_kubeconfig
from tests.cluster.cluster import Cluster, KubectlFailed
from tests.cluster.fixtures import MakeApiServer
from tests.cluster.pki import CertificateAuthority
from tests.cluster.process import wait_until


def deployment(name: str, *, architecture: str, node: str = "") -> str:
    labels = {"app": name}
    container = {
        "name": "app",
        "image": "registry.example/app:1",
        "resources": {"requests": {"memory": "64Mi"}},
    }
    template = {
        "metadata": {"labels": labels},
        "spec": {
            "nodeSelector": {"kubernetes.io/arch": architecture, **({"box": node} if node else {})},
            "containers": [container],
        },
    }
    return json.dumps(
        {
            "apiVersion": "apps/v1",
            "kind": "Deployment",
            "metadata": {"name": name},
            "spec": {"replicas": 2, "selector": {"matchLabels": labels}, "template": template},
        }
    )


def test_a_deployment_becomes_available_on_a_node_of_the_chosen_architecture(
    control_plane: Cluster, namespace: str
) -> None:
    node = control_plane.add_node(
        f"{namespace}-pi", architecture="linux/arm/v7", memory="1Gi", labels={"box": namespace}
    )
    try:
        control_plane.kubectl(
            *("apply", "-n", namespace, "-f", "-"),
            input=deployment("app", architecture="arm", node=namespace),
        )
        control_plane.kubectl(
            "wait", "-n", namespace, "--for=condition=Available", "deployment/app", "--timeout=60s"
        )
        pods = json.loads(control_plane.kubectl("get", "pods", "-n", namespace, "-o", "json"))["items"]
        assert {pod["spec"]["nodeName"] for pod in pods} == {node}
        assert [pod["status"]["phase"] for pod in pods] == ["Running", "Running"]
    finally:
        control_plane.delete_node(node)


def test_a_node_has_the_facts_it_was_given(control_plane: Cluster, namespace: str) -> None:
    taint = {"key": "edge", "value": "yes", "effect": "NoSchedule"}
    name = control_plane.add_node(
        f"{namespace}-node",
        architecture="linux/amd64",
        memory="2Gi",
        cpu="2",
        labels={"ring": "canary"},
        taints=[taint],
        extended={"example.com/coral": "1"},
    )
    try:
        node = control_plane.request("GET", f"/api/v1/nodes/{name}")
        assert node["status"]["nodeInfo"]["architecture"] == "amd64"
        assert node["metadata"]["labels"].items() >= {"ring": "canary", "kubernetes.io/arch": "amd64"}.items()
        wanted = {"memory": "2Gi", "cpu": "2", "example.com/coral": "1"}
        assert node["status"]["allocatable"].items() >= wanted.items()
        assert node["spec"]["taints"] == [taint]
    finally:
        control_plane.delete_node(name)


def test_a_pod_that_asks_for_more_than_a_node_has_stays_pending(
    control_plane: Cluster, namespace: str
) -> None:
    node = control_plane.add_node(f"{namespace}-tiny", memory="256Mi", labels={"only": namespace})
    try:
        container = {"name": "app", "image": "app", "resources": {"requests": {"memory": "300Mi"}}}
        pod = {
            "metadata": {"name": "big"},
            "spec": {"nodeSelector": {"only": namespace}, "containers": [container]},
        }
        path = f"/api/v1/namespaces/{namespace}/pods"
        control_plane.request("POST", path, pod)

        def reasons() -> list[str]:
            conditions = control_plane.request("GET", f"{path}/big")["status"].get("conditions", [])
            return [condition.get("reason", "") for condition in conditions]

        wait_until(lambda: reasons() == ["Unschedulable"], what="the pod unschedulable")
    finally:
        control_plane.delete_node(node)


def test_a_client_that_trusts_another_authority_refuses_the_server(
    control_plane: Cluster, tmp_path: Path
) -> None:
    stranger = CertificateAuthority.create("stranger")
    pair = stranger.issue_client("jane")
    kubeconfig = write_kubeconfig(
        tmp_path / "config",
        server=control_plane.server,
        authority=stranger.certificate,
        certificate=pair.certificate,
        key=pair.key,
    )
    with pytest.raises(urllib3.exceptions.SSLError, match="CERTIFICATE_VERIFY_FAILED"):
        APIClient.from_kubeconfig(kubeconfig).request("GET", "/readyz")
    with pytest.raises(KubectlFailed, match="certificate signed by unknown authority"):
        control_plane.kubectl("get", "--raw", "/readyz", kubeconfig=kubeconfig)


def test_a_kubeconfig_says_whom_to_trust_and_is_for_its_owner_alone(control_plane: Cluster) -> None:
    text = control_plane.kubeconfig.read_text(encoding="utf-8")
    assert "certificate-authority-data" in text
    assert "insecure" not in text
    assert control_plane.kubeconfig.stat().st_mode & 0o077 == 0
    assert ssl.create_default_context(cafile=control_plane.ca_file).cert_store_stats()["x509_ca"] > 0


def test_a_plain_user_may_do_nothing_until_rbac_lets_him(control_plane: Cluster, namespace: str) -> None:
    path = f"/api/v1/namespaces/{namespace}/configmaps"
    jane = control_plane.client_for("jane", ["readers"])
    with pytest.raises(APIError, match='User "jane" cannot list resource "configmaps"') as refused:
        jane.request("GET", path)
    assert refused.value.status == 403
    control_plane.kubectl(
        "create", "rolebinding", "-n", namespace, "r", "--clusterrole=view", "--group=readers"
    )

    def allowed() -> bool:
        try:
            jane.request("GET", path)
        except APIError:
            return False
        return True

    wait_until(allowed, what="jane allowed to read")
    with pytest.raises(APIError) as refused:
        jane.request("POST", path, {"metadata": {"name": "x"}})
    assert refused.value.reason == "Forbidden"


def test_a_service_account_has_a_kubeconfig_of_its_own(control_plane: Cluster, namespace: str) -> None:
    kubeconfig = control_plane.service_account_kubeconfig(namespace, "default")
    whoami = control_plane.kubectl("auth", "whoami", "-o", "json", kubeconfig=kubeconfig)
    assert (
        json.loads(whoami)["status"]["userInfo"]["username"] == f"system:serviceaccount:{namespace}:default"
    )


def test_a_namespace_is_as_a_normal_cluster_makes_it(control_plane: Cluster, namespace: str) -> None:
    ca = f"/api/v1/namespaces/{namespace}/configmaps/kube-root-ca.crt"
    wait_until(lambda: control_plane.exists(ca), what="the cluster's authority in the namespace")
    found = control_plane.request("GET", ca)["data"]["ca.crt"]
    assert found.strip() == control_plane.ca_file.read_text(encoding="utf-8").strip()


@pytest.mark.slow
def test_a_deleted_namespace_goes_with_what_is_in_it(control_plane: Cluster, namespace: str) -> None:
    control_plane.kubectl("create", "configmap", "-n", namespace, "settings", "--from-literal=a=b")
    control_plane.delete_namespace(namespace)
    wait_until(lambda: not control_plane.exists(f"/api/v1/namespaces/{namespace}"), what="the namespace gone")


def test_an_own_api_server_shares_nothing_with_the_others(
    own_api_server: MakeApiServer, tmp_path: Path
) -> None:
    one, other = own_api_server(), own_api_server()
    one.create_namespace("here")
    assert one.exists("/api/v1/namespaces/here")
    assert not other.exists("/api/v1/namespaces/here")
    stranger = tmp_path / "config"
    stranger.write_text(
        one.kubeconfig.read_text(encoding="utf-8").replace(one.server, other.server), encoding="utf-8"
    )
    with pytest.raises(urllib3.exceptions.SSLError):
        APIClient.from_kubeconfig(stranger).request("GET", "/api")


def test_an_own_api_server_comes_back_with_what_it_had(own_api_server: MakeApiServer) -> None:
    server = own_api_server()
    server.create_namespace("kept")
    server.kill()
    with pytest.raises(urllib3.exceptions.HTTPError):
        server.request("GET", "/readyz")
    server.start()
    assert server.exists("/api/v1/namespaces/kept")


@pytest.mark.slow
def test_an_own_api_server_can_have_controllers_scheduler_and_nodes(own_api_server: MakeApiServer) -> None:
    server = own_api_server(controllers=True, scheduler=True, kwok=True)
    server.add_node("only", architecture="linux/arm64")
    server.kubectl("apply", "-f", "-", input=deployment("app", architecture="arm64"))
    server.kubectl("wait", "--for=condition=Available", "deployment/app", "--timeout=60s")
    assert [item["metadata"]["name"] for item in server.request("GET", "/api/v1/nodes")["items"]] == ["only"]


def test_proxies_are_not_used_on_loopback(control_plane: Cluster, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    assert control_plane.kubectl("get", "--raw", "/readyz") == "ok"
    assert "127.0.0.1" in os.environ["NO_PROXY"].split(",")
