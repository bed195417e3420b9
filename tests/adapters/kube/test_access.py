"""Agents with few rights, and the kind that they report by."""

from __future__ import annotations

import json
import secrets
import time
from pathlib import Path

import pytest
import yaml

from reconciler.adapters.kube import KubeTarget, kubeconfig
from reconciler.adapters.kube.site_crd import site_crd
from reconciler.errors import TargetRefused, TargetUnreachable
from reconciler.model.plan import Action
from tests.adapters.kube.site import Agent, config_map
from tests.cluster.cluster import Cluster
from tests.cluster.fixtures import MakeApiServer

CRDS = Path(__file__).parents[3] / "deploy" / "crds"
RBAC = "rbac.authorization.k8s.io"


def test_the_file_in_deploy_is_the_kind_that_the_agent_installs() -> None:
    assert yaml.safe_load((CRDS / "sites.wayside.dev.yaml").read_text()) == site_crd()


def grant(cluster: Cluster, namespace: str, rules: list[dict[str, list[str]]], account: str) -> None:
    """Give a service account of `wayside-system` rights in one namespace."""
    subject = {"kind": "ServiceAccount", "name": account, "namespace": "wayside-system"}
    reference = {"apiGroup": RBAC, "kind": "Role", "name": account}
    for manifest in (
        {"kind": "Role", "metadata": {"name": account, "namespace": namespace}, "rules": rules},
        {
            "kind": "RoleBinding",
            "metadata": {"name": account, "namespace": namespace},
            "roleRef": reference,
            "subjects": [subject],
        },
    ):
        cluster.kubectl("apply", "-f", "-", input=json.dumps({"apiVersion": f"{RBAC}/v1", **manifest}))


@pytest.mark.cluster
def test_an_agent_with_rights_in_its_namespaces_only_syncs_and_prunes_there(
    control_plane: Cluster, namespace: str
) -> None:
    site = f"site-{secrets.token_hex(4)}"
    KubeTarget(kubeconfig(control_plane.kubeconfig), site).ensure_installed()
    control_plane.kubectl("-n", "wayside-system", "create", "serviceaccount", site)
    verbs = ["get", "list", "patch", "create", "delete"]
    sites = [{"apiGroups": ["wayside.dev"], "resources": ["sites"], "verbs": ["get", "patch", "create"]}]
    grant(control_plane, "wayside-system", sites, site)
    configs = [{"apiGroups": [""], "resources": ["configmaps"], "verbs": verbs}]
    grant(control_plane, "wayside-system", [*sites, *configs], site)
    grant(control_plane, namespace, configs, site)
    account = control_plane.service_account_kubeconfig("wayside-system", site)
    agent = Agent(KubeTarget(kubeconfig(account), site), site)
    desired = [config_map(namespace, name) for name in ("one", "two", "three")]
    assert agent.sync(desired).succeeded
    pruned = agent.sync(desired[:2])
    assert [r.id.name for r in pruned.results if r.action is Action.DELETE] == ["three"]
    assert not agent.sync(desired[:2]).changed
    with pytest.raises(TargetRefused, match="cannot list resource") as caught:
        agent.sync([*desired, config_map("default", "elsewhere")])
    assert caught.value.hint
    agent.target.close()


@pytest.mark.cluster
@pytest.mark.slow
def test_an_api_server_that_goes_away_is_unreachable_soon_and_is_found_again(
    own_api_server: MakeApiServer,
) -> None:
    cluster = own_api_server()
    cluster.create_namespace("shop")
    agent = Agent(KubeTarget(kubeconfig(cluster.kubeconfig), "store"), "store")
    desired = [config_map("shop", "one"), config_map("shop", "two")]
    assert agent.sync(desired).succeeded
    cluster.kill()
    began = time.monotonic()
    with pytest.raises(TargetUnreachable):
        agent.sync([])
    assert time.monotonic() - began < 5
    cluster.start()
    outcome = agent.sync(desired)
    assert outcome.succeeded
    assert not outcome.changed
    agent.target.close()


@pytest.mark.cluster
@pytest.mark.slow
def test_an_agent_that_may_not_install_its_kind_says_what_to_apply(own_api_server: MakeApiServer) -> None:
    cluster = own_api_server()
    cluster.create_namespace("shop")
    account = cluster.kubeconfig_for("nobody-special")
    rules = {"apiGroups": [""], "resources": ["configmaps"], "verbs": ["*"]}
    for manifest in (
        {"kind": "ClusterRole", "metadata": {"name": "few"}, "rules": [rules]},
        {
            "kind": "ClusterRoleBinding",
            "metadata": {"name": "few"},
            "roleRef": {"apiGroup": RBAC, "kind": "ClusterRole", "name": "few"},
            "subjects": [{"apiGroup": RBAC, "kind": "User", "name": "nobody-special"}],
        },
    ):
        cluster.kubectl("apply", "-f", "-", input=json.dumps({"apiVersion": f"{RBAC}/v1", **manifest}))
    agent = Agent(KubeTarget(kubeconfig(account), "store"), "store")
    with pytest.raises(TargetRefused) as caught:
        agent.sync([config_map("shop", "one")])
    assert "wayside install" in caught.value.hint or "service account" in caught.value.hint
    assert not cluster.exists("/api/v1/namespaces/shop/configmaps/one")

    # Somebody who may applies the file; then it goes on.
    mighty = Agent(KubeTarget(kubeconfig(cluster.kubeconfig), "store"), "store")
    assert mighty.sync([config_map("shop", "one")]).succeeded
