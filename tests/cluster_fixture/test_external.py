"""A contributor's own cluster takes the place of ours, if it is on his machine and named on purpose."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.cluster.api import APIError, write_kubeconfig
from tests.cluster.errors import PartMissing
from tests.cluster.external import ExternalCluster
from tests.cluster.fixtures import MakeApiServer
from tests.cluster.pki import CertificateAuthority


@pytest.mark.slow
def test_a_named_cluster_does_what_ours_does(
    own_api_server: MakeApiServer, part: Callable[[str], Path], tmp_path: Path
) -> None:
    given = own_api_server(controllers=True, scheduler=True).kubeconfig
    cluster = ExternalCluster(given, part, directory=tmp_path / "data", logs=tmp_path / "logs")
    try:
        cluster.create_namespace("here")
        cluster.add_node("fake", architecture="linux/arm64")
        pod = {"metadata": {"name": "app"}, "spec": {"containers": [{"name": "app", "image": "app"}]}}
        cluster.request("POST", "/api/v1/namespaces/here/pods", pod)
        cluster.kubectl("wait", "-n", "here", "--for=condition=Ready", "pod/app", "--timeout=60s")
        jane = cluster.kubeconfig_for("jane", ["readers"])
        who = json.loads(cluster.kubectl("auth", "whoami", "-o", "json", kubeconfig=jane))["status"][
            "userInfo"
        ]
        assert (who["username"], who["groups"]) == ("jane", ["readers", "system:authenticated"])
        with pytest.raises(APIError, match="cannot list"):
            cluster.client_for("jane").request("GET", "/api/v1/secrets")
    finally:
        cluster.close()


def test_a_cluster_elsewhere_is_never_touched(
    part: Callable[[str], Path], kubectl: Path, tmp_path: Path
) -> None:
    del kubectl
    authority = CertificateAuthority.create("production")
    kubeconfig = write_kubeconfig(
        tmp_path / "config",
        server="https://api.example.com:6443",
        authority=authority.certificate,
        namespace="x",
    )
    with pytest.raises(
        PartMissing, match=r"https://api\.example\.com:6443: expected a cluster on this machine"
    ):
        ExternalCluster(kubeconfig, part, directory=tmp_path / "data", logs=tmp_path)


def test_a_kubeconfig_that_is_not_there_is_said(
    part: Callable[[str], Path], kubectl: Path, tmp_path: Path
) -> None:
    del kubectl
    with pytest.raises(PartMissing, match="WAYSIDE_TEST_KUBECONFIG"):
        ExternalCluster(tmp_path / "none", part, directory=tmp_path / "data", logs=tmp_path)
