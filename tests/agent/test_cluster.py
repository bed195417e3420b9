"""What people at a site's cluster see of the agent, and what they can ask of it: on a real API server."""

from __future__ import annotations

import json
import secrets
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from reconciler.agent.status import read_status
from tests.agent.rig import Rig, config_map, eventually, stop
from tests.cluster.cluster import Cluster, KubectlFailed

pytestmark = pytest.mark.slow

_NODE = {"name": "node-0", "architecture": "linux/amd64", "allocatable": {"cpu": "4", "memory": "4Gi"}}


class Bench(Rig):
    """A site of a name of its own on the shared cluster."""

    def __init__(self, folder: Path, cluster: Cluster, namespace: str) -> None:
        super().__init__(folder, site=f"site-{secrets.token_hex(4)}")
        self.cluster = cluster
        self.namespace = namespace
        self.target = f"kubeconfig:{cluster.kubeconfig}"

    def push(self, values: dict[str, str], **site: Any) -> str:
        objects = [config_map(*item, namespace=self.namespace) for item in values.items()]
        return self.repository.commit(objects, site=site)

    def live(self) -> dict[str, str]:
        answer = self.cluster.request("GET", f"/api/v1/namespaces/{self.namespace}/configmaps")
        values = {item["metadata"]["name"]: item["data"].get("value", "") for item in answer["items"]}
        values.pop("kube-root-ca.crt", None)
        return values

    def uids(self) -> dict[str, str]:
        answer = self.cluster.request("GET", f"/api/v1/namespaces/{self.namespace}/configmaps")
        return {item["metadata"]["name"]: item["metadata"]["uid"] for item in answer["items"]}

    def change(self, name: str, value: str, *, manager: str = "kubectl-edit") -> None:
        self.cluster.request(
            "PATCH",
            f"/api/v1/namespaces/{self.namespace}/configmaps/{name}",
            {"data": {"value": value}},
            query={"fieldManager": manager},
            content_type="application/merge-patch+json",
        )

    def site_object(self) -> dict[str, Any]:
        path = f"/apis/wayside.dev/v1alpha1/namespaces/wayside-system/sites/{self.site}"
        answer: dict[str, Any] = self.cluster.request("GET", path)
        return answer

    def conditions(self) -> dict[str, tuple[str, str]]:
        rows = self.site_object().get("status", {}).get("conditions", [])
        return {row["type"]: (row["status"], row["reason"]) for row in rows}

    def kubectl(self, *arguments: str) -> str:
        return self.cluster.kubectl("-n", "wayside-system", *arguments)

    def events_there(self) -> list[tuple[str, str]]:
        query = {"fieldSelector": f"involvedObject.kind=Site,involvedObject.name={self.site}"}
        answer = self.cluster.request("GET", "/api/v1/namespaces/wayside-system/events", query=query)
        return [(item["reason"], item["message"]) for item in answer["items"]]


@pytest.fixture
def bench(tmp_path: Path, control_plane: Cluster, namespace: str) -> Bench:
    return Bench(tmp_path, control_plane, namespace)


def test_the_site_object_tells_revisions_conditions_and_the_last_syncs_with_their_digests(
    bench: Bench,
) -> None:
    spec = {"platform": "k3s", "kubernetesVersion": "1.36", "nodes": [_NODE]}
    facts = {"labels": {"region": "r3"}, "spec": spec}
    first = bench.push({"a": "1", "b": "1"}, manifest=facts)
    assert bench.once(target=bench.target) == 0, bench.told()
    live = bench.site_object()
    status = live["status"]
    assert live["spec"] == facts["spec"]
    assert live["metadata"]["labels"]["region"] == "r3"
    assert (status["lastAppliedRevision"], status["lastAttemptedRevision"]) == (first, first)
    assert status["inventory"] == {"count": 2}
    assert bench.conditions()["Ready"] == ("True", "Applied")
    assert status["observedGeneration"] == live["metadata"]["generation"]
    assert status["syncs"][0]["digests"] == {
        "inputs": "sha256:i",
        "rules": "sha256:r",
        "verdict": "sha256:v",
    }
    bad = bench.push({"a": "2"}, deny=["needs 8Gi, the site has 4Gi"])
    assert bench.once(target=bench.target) == 1
    conditions = bench.conditions()
    assert (conditions["Ready"], conditions["Stalled"]) == (("False", "Denied"), ("True", "Denied"))
    for turn in range(6):
        bench.push({"a": str(turn)})
        assert bench.once(target=bench.target) == 0, bench.told()
    status = bench.site_object()["status"]
    assert [sync["result"] for sync in status["syncs"]] == ["applied"] * 5
    assert bad not in {sync["revision"] for sync in status["syncs"]}
    reasons = [reason for reason, _ in bench.events_there()]
    assert reasons.count("Applied") == 7
    assert reasons.count("Denied") == 1
    assert any("8Gi" in message for reason, message in bench.events_there() if reason == "Denied")


def test_kubectl_waits_for_a_site_and_prints_it_in_a_row(bench: Bench) -> None:
    head = bench.push({"a": "1"})
    assert bench.once(target=bench.target) == 0, bench.told()
    bench.kubectl("wait", "--for=condition=Ready", f"site/{bench.site}", "--timeout=5s")
    row = bench.kubectl("get", "site", bench.site, "--no-headers").split()
    assert row[:4] == [bench.site, "True", "Ready", "Applied"]
    assert head in row
    described = bench.kubectl("describe", "site", bench.site)
    assert "applied" in described


def test_an_annotation_syncs_now_and_another_leaves_the_site_alone(bench: Bench) -> None:
    bench.push({"a": "1"})
    agent = bench.start("--interval", "3600", "--drift-interval", "3600", target=bench.target)
    try:
        eventually(lambda: bench.live() == {"a": "1"}, what="the first sync")
        eventually(lambda: "Ready" in bench.conditions(), what="the first status")
        bench.kubectl("annotate", "site", bench.site, "wayside.dev/suspend=true")
        eventually(
            lambda: bench.conditions().get("Ready", ("", ""))[1] == "SuspendedHere", what="the suspension"
        )
        bench.push({"a": "2"})
        bench.cluster.kubectl("-n", bench.namespace, "delete", "configmap", "a")
        bench.kubectl("annotate", "site", bench.site, "reconcile.wayside.dev/requestedAt=one")
        eventually(
            lambda: bench.site_object()["status"].get("lastHandledReconcileAt") == "one", what="an answer"
        )
        assert bench.live() == {}
        bench.kubectl("annotate", "site", bench.site, "wayside.dev/suspend-")
        eventually(lambda: bench.live() == {"a": "2"}, what="the sync after the suspension")
        eventually(lambda: bench.conditions()["Ready"] == ("True", "Applied"), what="the status")
        bench.cluster.kubectl("-n", bench.namespace, "delete", "configmap", "a")
        bench.kubectl("annotate", "--overwrite", "site", bench.site, "reconcile.wayside.dev/requestedAt=two")
        eventually(lambda: bench.live() == {"a": "2"}, what="the sync that was asked for")
    finally:
        assert stop(agent) == 0


def test_a_second_agent_changes_nothing_while_the_first_one_lives_and_takes_over_when_it_ends(
    bench: Bench, tmp_path: Path
) -> None:
    bench.push({"a": "1"})
    agent = bench.start("--interval", "3600", target=bench.target)
    try:
        eventually(lambda: bench.live() == {"a": "1"}, what="the first sync")
        lease = bench.kubectl("get", "lease", f"wayside-{bench.site}", "-o", "jsonpath={.spec}")
        assert json.loads(lease)["leaseDurationSeconds"] == 180
        bench.cluster.kubectl("-n", bench.namespace, "delete", "configmap", "a")
        other = tmp_path / "other"
        assert bench.once("--state", str(other), target=bench.target) == 2
        assert "another agent holds the lease" in read_status(other).message
    finally:
        assert stop(agent) == 0
    assert bench.once("--state", str(other), target=bench.target) == 0, bench.told()[-2000:]
    assert bench.live() == {"a": "1"}


def test_a_site_that_is_not_what_it_declares_says_so(bench: Bench, control_plane: Cluster) -> None:
    name = control_plane.add_node(f"box-{secrets.token_hex(3)}", architecture="linux/arm64", memory="2Gi")
    try:
        nodes = [{**_NODE, "name": name}]
        spec = {
            "platform": "k3s",
            "kubernetesVersion": "1.20",
            "nodes": nodes,
            "storageClasses": ["fast-one"],
        }
        bench.push({"a": "1"}, manifest={"spec": spec})
        assert bench.once(target=bench.target) == 0, bench.told()
        told = "\n".join(bench.site_object()["status"]["factDifferences"])
        assert f"node {name}: architecture: declared linux/amd64, the node is linux/arm64" in told
        assert f"node {name}: allocatable memory: declared 4Gi, the node has 2Gi" in told
        assert "kubernetesVersion: declared 1.20, the API server is 1.36" in told
        assert "storageClass fast-one: declared, but the cluster has none" in told
        assert bench.conditions()["FactsMatch"] == ("False", "NotAsDeclared")
        assert bench.types().count("facts.differ") == 1
        assert bench.once(target=bench.target) == 0
        assert bench.types().count("facts.differ") == 1
    finally:
        control_plane.delete_node(name)


def test_an_agent_that_is_gone_leaves_its_lease_to_the_next_one_at_once(
    bench: Bench, control_plane: Cluster
) -> None:
    bench.push({"a": "1"})
    assert bench.once(target=bench.target) == 0, bench.told()
    held: Callable[[], str] = lambda: bench.kubectl(  # noqa: E731 - one look
        "get", "lease", f"wayside-{bench.site}", "-o", "jsonpath={.spec.holderIdentity}"
    )
    assert held() == ""
    with pytest.raises(KubectlFailed):
        control_plane.kubectl("-n", "wayside-system", "get", "lease", "wayside-nobody")


def test_what_is_applied_is_watched_and_put_right_at_once(bench: Bench) -> None:
    bench.push({"a": "1", "b": "1"})
    agent = bench.start("--interval", "3600", target=bench.target)
    try:
        eventually(lambda: bench.live() == {"a": "1", "b": "1"}, what="the first sync")
        # The watch begins beside the first report.
        eventually(lambda: "Ready" in bench.conditions(), what="the first status")
        bench.cluster.kubectl("-n", bench.namespace, "delete", "configmap", "a")
        eventually(lambda: bench.live() == {"a": "1", "b": "1"}, within=15, what="the deleted object")
        bench.change("b", "bent")
        eventually(lambda: bench.live()["b"] == "1", within=15, what="the changed object")
        eventually(lambda: bench.types().count("drift.corrected") >= 1, what="the report")
        # What is not ours is left alone.
        bench.cluster.kubectl("-n", bench.namespace, "label", "configmap", "b", "extra=1")
    finally:
        assert stop(agent) == 0
    live = bench.cluster.request("GET", f"/api/v1/namespaces/{bench.namespace}/configmaps/b")
    assert live["metadata"]["labels"]["extra"] == "1"


def test_a_fight_over_an_object_is_damped_and_the_other_one_is_named(bench: Bench) -> None:
    bench.push({"a": "1", "b": "1"})
    agent = bench.start("--interval", "3600", target=bench.target)
    try:
        eventually(lambda: "sync.applied" in bench.types(), what="the first sync")
        eventually(lambda: "Ready" in bench.conditions(), what="the first status")
        for turn in range(3):
            bench.change("a", f"bent-{turn}", manager="rival")
            eventually(lambda: bench.live()["a"] == "1", within=15, what=f"correction {turn}")
        eventually(lambda: "drift contested" in bench.told(), what="the end of patience")
        bench.change("a", "for a while", manager="rival")
        bench.change("b", "bent", manager="somebody-else")
        eventually(lambda: bench.live()["b"] == "1", within=15, what="the peaceful object")
        assert bench.live()["a"] == "for a while"
        eventually(lambda: "drift.contested" in bench.types(), what="the report")
        contested = next(event for event in bench.events() if "drift.contested" in event["type"])
        assert contested["data"]["by"] == "rival"
        eventually(lambda: "contest" in bench.site_object()["status"]["faults"], what="the status")
        fault = bench.site_object()["status"]["faults"]["contest"]
        assert f"ConfigMap/{bench.namespace}/a: rival changes it again and again" in fault["message"]
    finally:
        assert stop(agent) == 0


def test_a_field_that_is_left_to_others_stays_theirs_and_the_rest_is_put_right(bench: Bench) -> None:
    rule = {"kind": "ConfigMap", "fields": ("/data/value",)}
    bench.push({"a": "1"}, sync={"drift_rules": [rule]})
    assert bench.once(target=bench.target) == 0, bench.told()
    assert bench.live() == {"a": "1"}
    bench.change("a", "theirs", manager="tuner")
    for _ in range(2):
        assert bench.once(target=bench.target) == 0, bench.told()
        assert bench.live() == {"a": "theirs"}
    bench.cluster.kubectl("-n", bench.namespace, "delete", "configmap", "a")
    assert bench.once(target=bench.target) == 0
    assert bench.live() == {"a": "1"}


def test_a_lost_state_is_restored_from_the_cluster_while_git_is_away(bench: Bench) -> None:
    head = bench.push({"a": "1", "b": "1"})
    assert bench.once(target=bench.target) == 0, bench.told()
    for path in bench.state.glob("state.db*"):
        path.unlink()
    bench.repository.path.rename(bench.folder / "elsewhere")
    bench.cluster.kubectl("-n", bench.namespace, "delete", "configmap", "a")
    assert bench.once(target=bench.target) == 2
    assert bench.live() == {"a": "1", "b": "1"}
    assert bench.status().applied == head
    epochs = {event["epoch"] for event in bench.events()}
    assert len(epochs) == 2


def test_a_renamed_site_takes_its_objects_along(bench: Bench, tmp_path: Path) -> None:
    bench.push({"a": "1", "b": "1"})
    assert bench.once(target=bench.target) == 0, bench.told()
    before = bench.uids()
    renamed = Bench(tmp_path / "renamed", bench.cluster, bench.namespace)
    renamed.push({"a": "1", "b": "2"}, former=[bench.site])
    assert renamed.once(target=bench.target) == 0, renamed.told()
    assert renamed.live() == {"a": "1", "b": "2"}
    assert renamed.uids() == before
    # Nobody is left to look after what the old name had there.
    kinds = {f"site/{bench.site}", f"lease/wayside-{bench.site}", f"secret/wayside-good-{bench.site}"}
    left = bench.kubectl("get", *sorted(kinds), "--ignore-not-found", "-o", "name")
    assert left == ""


def test_a_former_name_is_not_retired_while_an_agent_of_it_runs(bench: Bench, tmp_path: Path) -> None:
    bench.push({"a": "1"})
    renamed = Bench(tmp_path / "renamed", bench.cluster, bench.namespace)
    renamed.push({"a": "1"}, former=[bench.site])
    old = bench.start("--interval", "3600", target=bench.target)
    try:
        eventually(lambda: bench.live() == {"a": "1"}, what="the first sync")
        eventually(lambda: "Ready" in bench.conditions(), what="the first status")
        assert renamed.once(target=bench.target) == 0, renamed.told()
        assert bench.conditions()["Ready"][0] == "True"
        assert "still runs" in renamed.told()
    finally:
        stop(old)
    assert renamed.once(target=bench.target) == 0, renamed.told()
    with pytest.raises(KubectlFailed, match="not found"):
        bench.kubectl("get", "site", bench.site)


def test_a_failed_rollout_goes_back_and_says_why_in_a_line(bench: Bench) -> None:
    labels = {"app": "web"}
    spec = {
        "replicas": 1,
        "selector": {"matchLabels": labels},
        "template": {
            "metadata": {"labels": labels},
            "spec": {
                "nodeSelector": {"no": "such-node"},
                "containers": [{"name": "web", "image": "registry.example/web:1"}],
            },
        },
    }
    web = {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "web", "namespace": bench.namespace},
        "spec": spec,
    }
    good = bench.push({"a": "1"})
    assert bench.once(target=bench.target) == 0, bench.told()
    place = config_map("a", "2", namespace=bench.namespace)
    bad = bench.repository.commit([place, web], site={"sync": {"timeout": 4}})
    assert bench.once(target=bench.target) == 1
    assert bench.live() == {"a": "1"}
    status = bench.status()
    assert (status.state, status.applied, status.attempted) == ("RolledBack", good, bad)
    assert "Unschedulable" in status.message, status.message
    assert "didn't match Pod's node affinity/selector" in status.message or "no nodes" in status.message


def test_what_cannot_go_back_is_said_and_left_in_peace(bench: Bench) -> None:
    bench.push({"a": "1"})
    assert bench.once(target=bench.target) == 0, bench.told()
    claim = {
        "apiVersion": "v1",
        "kind": "PersistentVolumeClaim",
        "metadata": {"name": "data", "namespace": bench.namespace},
        "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}},
    }
    labels = {"app": "web"}
    pod = {
        "nodeSelector": {"no": "such-node"},
        "containers": [{"name": "web", "image": "registry.example/web:1"}],
        "volumes": [{"name": "data", "persistentVolumeClaim": {"claimName": "data"}}],
    }
    web = {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "web", "namespace": bench.namespace},
        "spec": {
            "selector": {"matchLabels": labels},
            "template": {"metadata": {"labels": labels}, "spec": pod},
        },
    }
    job = {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {"name": "migrate", "namespace": bench.namespace},
        "spec": {"template": {"spec": {**pod, "volumes": [], "restartPolicy": "Never"}}},
    }
    place = config_map("a", "1", namespace=bench.namespace)
    bench.repository.commit([place, claim, job, web], site={"sync": {"timeout": 3}})
    assert bench.once(target=bench.target) == 1
    kept = bench.cluster.kubectl("-n", bench.namespace, "get", "pvc,deploy,job", "-o", "name").split()
    assert kept == ["persistentvolumeclaim/data"]
    name = f"PersistentVolumeClaim/{bench.namespace}/data"
    (event,) = [event for event in bench.events() if event["type"].endswith("rolledback.v1")]
    assert event["data"]["lasting"][0].startswith(f"{name}: kept: a revision that failed made it")
    assert set(event["data"]["lasting"][1:]) <= {
        f"{name}: what Deployment.apps/{bench.namespace}/web may have written to it stays",
        f"Job.batch/{bench.namespace}/migrate: what it has done stays done",
    }
    assert f"cannot go back: {name}" in bench.status().message


def test_a_kind_that_kstatus_does_not_know_is_judged_by_the_fleets_own_check(bench: Bench) -> None:
    ready = {"group": "", "kind": "ConfigMap", "current": "data.value == 'ready'"}
    good = bench.push({"a": "ready"}, health=[ready])
    assert bench.once(target=bench.target) == 0, bench.told()
    bench.push({"a": "never"}, health=[ready], sync={"timeout": 2})
    assert bench.once(target=bench.target) == 1
    assert bench.live() == {"a": "ready"}
    assert (bench.status().state, bench.status().applied) == ("RolledBack", good)
