"""The agent with the rights that `wayside install` gives it, and with one rule less each time."""

from __future__ import annotations

import copy
import json
import os
import random
import secrets
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from reconciler.adapters.kube.site_crd import site_crd
from reconciler.cli.install.objects import access, base
from reconciler.cli.install.rights import OWN_CLUSTER_RULES, OWN_RULES, rights_over
from reconciler.model.resource import Resource
from tests.agent.rig import Rig, eventually, stop
from tests.cluster.cluster import Cluster
from tests.cluster.fixtures import MakeApiServer

pytestmark = pytest.mark.slow

#: How many rules are taken away, one by one: a sample in every run, all of them on demand.
RULES = os.environ.get("WAYSIDE_RULES", "3")
_RBAC = "rbac.authorization.k8s.io"
_SPACE = "shop"


def site_objects(value: str) -> list[dict[str, Any]]:
    """A site with an object for each kind of rule."""
    place = {"namespace": _SPACE}
    labels = {"app": "web"}
    pod = {
        "metadata": {"labels": labels},
        "spec": {"containers": [{"name": "web", "image": "r.example/a:1"}]},
    }
    rules = [{"apiGroups": ["batch"], "resources": ["jobs"], "verbs": ["get"]}]
    subject = {"kind": "ServiceAccount", "name": "default", "namespace": _SPACE}
    ref = {"apiGroup": _RBAC, "kind": "Role", "name": "reader"}
    meta = {"annotations": {"value": value}}
    return [
        {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "c", **place}, "data": {"v": value}},
        {
            "apiVersion": "apps/v1",
            "kind": "Deployment",
            "metadata": {"name": "web", **place, **meta},
            "spec": {"replicas": 0, "selector": {"matchLabels": labels}, "template": pod},
        },
        {
            "apiVersion": f"{_RBAC}/v1",
            "kind": "Role",
            "metadata": {"name": "reader", **place, **meta},
            "rules": rules,
        },
        {
            "apiVersion": f"{_RBAC}/v1",
            "kind": "RoleBinding",
            "metadata": {"name": "reader", **place, **meta},
            "roleRef": ref,
            "subjects": [subject],
        },
    ]


class Yard:
    """An API server with the agent's objects, and agents of sites of their own."""

    def __init__(self, cluster: Cluster, folder: Path) -> None:
        self.cluster = cluster
        self.folder = folder
        rights = rights_over([Resource(thing) for thing in site_objects("0")], everywhere=True)
        self.objects = [*base(), *access(rights)]
        self.rules = [
            (thing["metadata"]["name"], thing["kind"], index)
            for thing in self.objects
            if thing["kind"] in ("Role", "ClusterRole")
            for index in range(len(thing["rules"]))
        ]
        cluster.create_namespace(_SPACE)
        self.apply([site_crd(), *(thing for thing in self.objects if thing["kind"] != "Deployment")])
        self.account = cluster.service_account_kubeconfig("wayside-system", "wayside-agent")

    def apply(self, objects: list[dict[str, Any]]) -> None:
        text = json.dumps({"apiVersion": "v1", "kind": "List", "items": objects})
        self.cluster.kubectl("apply", "-f", "-", input=text)

    def without(self, name: str, kind: str, index: int) -> dict[str, Any]:
        thing = next(t for t in self.objects if (t["metadata"]["name"], t["kind"]) == (name, kind))
        less = copy.deepcopy(thing)
        del less["rules"][index]
        return less

    def exercise(self) -> str:
        """Sync, change and prune at a site of its own, and return all that is not as it should be."""
        folder = self.folder / secrets.token_hex(4)
        folder.mkdir()
        rig = Rig(folder, site=f"site-{secrets.token_hex(4)}")
        spec = {
            "platform": "kubernetes",
            "kubernetesVersion": "1.36",
            "nodes": [],
            "storageClasses": [],
        }
        manifest = {"spec": spec}
        target = f"kubeconfig:{self.account}"
        wrong: list[str] = []
        for value in ("1", "2"):
            rig.repository.commit(site_objects(value), site={"manifest": manifest, "sync": {"timeout": 3}})
            if code := rig.once(target=target):
                wrong.append(f"exit code {code}")
        agent = rig.start("--interval", "3600", target=target)
        try:
            eventually(lambda: "agent started" in rig.told().rpartition("sync applied")[2], what="a start")
            eventually(lambda: rig.told().count("agent started") == 3, what="the third start")
        finally:
            stop(agent)
        rig.repository.commit([], site={"manifest": manifest, "sync": {"decommission": True}})
        if code := rig.once(target=target):
            wrong.append(f"exit code {code}")
        wrong += [line for line in rig.told().splitlines() if " warning " in line or " error " in line]
        return "\n".join(wrong)

    def failure(self) -> str:
        """Have a rollout fail at a site of its own, and return what its agent says of it."""
        folder = self.folder / secrets.token_hex(4)
        folder.mkdir()
        rig = Rig(folder, site=f"site-{secrets.token_hex(4)}")
        target = f"kubeconfig:{self.account}"
        rig.repository.commit(site_objects("1"))
        assert rig.once(target=target) == 0, rig.told()
        broken = site_objects("1")
        broken[1]["spec"]["replicas"] = 1
        rig.repository.commit(broken, site={"sync": {"timeout": 10}})
        agent = rig.start("--interval", "3600", target=target)
        pods = f"/api/v1/namespaces/{_SPACE}/pods"
        try:
            eventually(lambda: bool(self.cluster.request("GET", pods)["items"]), what="a pod")
            (pod,) = self.cluster.request("GET", pods)["items"]
            waiting = {"reason": "CrashLoopBackOff", "message": "back-off"}
            container = {"name": "web", "image": "r.example/a:1", "imageID": "", "restartCount": 3}
            status = {"containerStatuses": [{**container, "ready": False, "state": {"waiting": waiting}}]}
            self.cluster.request(
                "PATCH",
                f"{pods}/{pod['metadata']['name']}/status",
                {"status": status},
                content_type="application/merge-patch+json",
            )
            eventually(lambda: rig.status().state == "RolledBack", within=40, what="the way back")
            return rig.status().message
        finally:
            stop(agent)
            rig.repository.commit([], site={"sync": {"decommission": True}})
            assert rig.once(target=target) == 0, rig.told()
            eventually(lambda: not self.cluster.request("GET", pods)["items"], what="the end of the pod")


@pytest.fixture(scope="module")
def yard(module_api_server: MakeApiServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Yard]:
    yield Yard(module_api_server(controllers=True), tmp_path_factory.mktemp("yard"))


def test_the_rights_are_enough(yard: Yard) -> None:
    assert yard.exercise() == ""


@pytest.mark.timeout(600)
def test_each_rule_is_needed(yard: Yard) -> None:
    count = len(yard.rules) if RULES == "all" else int(RULES)
    for name, kind, index in random.SystemRandom().sample(yard.rules, count):
        whole = next(t for t in yard.objects if (t["metadata"]["name"], t["kind"]) == (name, kind))
        rule = whole["rules"][index]
        if rule["resources"] == ["pods", "events"]:
            continue  # shown below, where a failure is looked into
        yard.apply([yard.without(name, kind, index)])
        try:
            assert yard.exercise() != "", f"nothing misses {rule} of {kind} {name}"
        finally:
            yard.apply([whole])


def test_the_right_to_list_pods_and_events_is_what_says_why_a_workload_fails(yard: Yard) -> None:
    assert "CrashLoopBackOff" in yard.failure()
    for name, kind, index in yard.rules:
        whole = next(t for t in yard.objects if (t["metadata"]["name"], t["kind"]) == (name, kind))
        if whole["rules"][index]["resources"] == ["pods", "events"]:
            break
    else:
        pytest.fail("there is no such rule")
    yard.apply([yard.without(name, kind, index)])
    try:
        assert "CrashLoopBackOff" not in yard.failure()
    finally:
        yard.apply([whole])


def test_own_rules_name_no_verb_on_everything() -> None:
    for rule in (*OWN_RULES, *OWN_CLUSTER_RULES):
        assert "*" not in {*rule["apiGroups"], *rule["resources"], *rule["verbs"]}
