"""Syncs of whole sites on a real API server."""

from __future__ import annotations

import json
import secrets
import subprocess
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from reconciler.adapters.kube import KubeTarget
from reconciler.apply import execute
from reconciler.model.outcome import Actuation, Outcome
from reconciler.model.plan import Action, HealthStatus
from reconciler.model.resource import Resource
from reconciler.planning import applyset_id
from tests.adapters.kube.site import Agent, SystemClock, config_map, deployment, manifest, shop
from tests.cluster.cluster import Cluster

pytestmark = pytest.mark.cluster


def versions(desired: Sequence[Resource], agent: Agent[KubeTarget]) -> dict[str, tuple[str, str]]:
    """Return resource versions, of kinds whose status controllers write only generations."""
    objects = agent.target.observe(desired, agent.inventory).objects
    busy = ("Deployment", "PodDisruptionBudget", "Namespace", "CustomResourceDefinition")
    return {
        str(id_): (
            live["metadata"]["uid"],
            str(live["metadata"].get("generation" if id_.kind in busy else "resourceVersion")),
        )
        for id_, live in objects.items()
    }


def actions(outcome: Outcome) -> set[Action]:
    return {result.action for result in outcome.results}


def names(outcome: Outcome, action: Action) -> list[str]:
    return [f"{result.id.kind}/{result.id.name}" for result in outcome.results if result.action is action]


def why(outcome: Outcome) -> object:
    return [*outcome.holds, *outcome.refusals, *outcome.unhealthy]


@pytest.mark.slow
def test_three_sites_are_created_changed_and_pruned_and_another_sync_writes_nothing(
    control_plane: Cluster, make_agent: Callable[..., Agent[KubeTarget]]
) -> None:
    control_plane.add_node(f"node-{secrets.token_hex(4)}", architecture="linux/amd64")
    sites = {f"test-{secrets.token_hex(4)}": make_agent() for _ in range(3)}
    for place, agent in sites.items():
        first = agent.sync(shop(place))
        assert first.succeeded, why(first)
        assert actions(first) == {Action.CREATE}
        assert {r.health.status for r in first.results if r.health} == {HealthStatus.CURRENT}
    for place, agent in sites.items():
        desired = shop(place)
        before = versions(desired, agent)
        again = agent.sync(desired)
        assert again.succeeded, why(again)
        assert actions(again) == {Action.UNCHANGED}
        assert not again.changed
        forgetful = make_agent(agent.site).sync(desired)
        assert actions(forgetful) == {Action.UNCHANGED}, names(forgetful, Action.UPDATE)
        assert versions(desired, agent) == before
    for place, agent in sites.items():
        changed = [r for r in shop(place, image="registry.example/app:2") if r.kind != "CronJob"]
        third = agent.sync(changed)
        assert third.succeeded, why(third)
        assert names(third, Action.UPDATE) == ["Deployment/web"]
        assert names(third, Action.DELETE) == ["CronJob/nightly"]
        left = control_plane.kubectl("-n", place, "get", "cronjobs,deployments", "-o", "name").split()
        assert left == ["deployment.apps/cache", "deployment.apps/web"]
        control_plane.delete_namespace(place)


def test_without_its_own_state_an_agent_finds_its_objects_again_and_writes_nothing(
    make_agent: Callable[..., Agent[KubeTarget]], namespace: str
) -> None:
    desired = [config_map(namespace, f"c{n}", value=str(n)) for n in range(4)]
    first = make_agent()
    first.sync(desired)
    before = versions(desired, first)
    anew = make_agent(first.site)
    outcome = anew.sync(desired[:3])
    assert outcome.succeeded, why(outcome)
    assert names(outcome, Action.DELETE) == ["ConfigMap/c3"]
    assert names(outcome, Action.UNCHANGED) == ["ConfigMap/c0", "ConfigMap/c1", "ConfigMap/c2"]
    del before[f"ConfigMap/{namespace}/c3"]
    assert versions(desired, anew) == before


def test_a_list_of_many_pages_is_read_whole(
    make_agent: Callable[..., Agent[KubeTarget]], namespace: str
) -> None:
    desired = [config_map(namespace, f"c{n}") for n in range(7)]
    first = make_agent()
    first.sync(desired)
    anew = Agent(KubeTarget(first.target.client, first.site, page=3), first.site)
    assert actions(anew.sync(desired)) == {Action.UNCHANGED}
    assert names(anew.sync(desired[:5]), Action.DELETE) == ["ConfigMap/c5", "ConfigMap/c6"]


def test_only_the_very_object_that_was_meant_is_deleted(agent: Agent[KubeTarget], namespace: str) -> None:
    one = config_map(namespace, "one")
    agent.sync([one])
    agent.target.delete(one.id, "v1", uid="11111111-2222-3333-4444-555555555555")
    assert agent.target.read(one.id, "v1") is not None
    agent.target.delete(one.id, "v1")
    assert agent.target.read(one.id, "v1") is None
    agent.target.delete(one.id, "v1")
    gone = manifest("nowhere.example.com/v1", "Gadget", "x", namespace)
    agent.target.delete(gone.id, gone.api_version)
    assert agent.target.read(gone.id, gone.api_version) is None


def test_what_an_admission_policy_of_the_cluster_denies_is_refused_in_its_words(
    control_plane: Cluster, agent: Agent[KubeTarget], namespace: str
) -> None:
    name = f"deny-{secrets.token_hex(4)}"
    kind = "admissionregistration.k8s.io/v1"
    rules = [{"apiGroups": [""], "apiVersions": ["v1"], "operations": ["*"], "resources": ["configmaps"]}]
    selector = {"matchLabels": {"kubernetes.io/metadata.name": namespace}}
    policy = manifest(
        kind,
        "ValidatingAdmissionPolicy",
        name,
        spec={
            "matchConstraints": {"resourceRules": rules, "namespaceSelector": selector},
            "validations": [{"expression": "!has(object.data)", "message": "no data in this house"}],
        },
    )
    spec = {"policyName": name, "validationActions": ["Deny"]}
    binding = manifest(kind, "ValidatingAdmissionPolicyBinding", name, spec=spec)
    for resource in (policy, binding):
        control_plane.kubectl("create", "-f", "-", input=json.dumps(resource.manifest))
    wanted = config_map(namespace, "one", colour="blue")
    try:
        for _ in range(50):  # the policy holds a moment after it was made
            plan = agent.plan([wanted])
            outcome = execute(plan, agent.target, clock=SystemClock(), timeout=5)
            if outcome.refusals:
                break
            control_plane.kubectl("-n", namespace, "delete", "cm", "one")
        assert "no data in this house" in outcome.refusals[0].message
        assert not outcome.changed
    finally:
        control_plane.kubectl("delete", "validatingadmissionpolicies,validatingadmissionpolicybindings", name)


def test_kubectl_sees_the_set_and_keeps_its_hands_off_it(
    control_plane: Cluster, kubectl: Path, agent: Agent[KubeTarget], namespace: str, tmp_path: Path
) -> None:
    agent.sync([config_map(namespace, "one"), manifest("v1", "Secret", "two", namespace)])
    label = f"applyset.kubernetes.io/part-of={applyset_id(agent.site)}"
    found = control_plane.kubectl("-n", namespace, "get", "configmaps,secrets", "-l", label, "-o", "name")
    assert found.split() == ["configmap/one", "secret/two"]
    parent = json.loads(
        control_plane.kubectl("-n", "wayside-system", "get", "site", agent.site, "-o", "json")
    )
    assert parent["metadata"]["labels"] == {"applyset.kubernetes.io/id": applyset_id(agent.site)}
    assert parent["metadata"]["annotations"] == {
        "applyset.kubernetes.io/tooling": "wayside/v0.1",
        "applyset.kubernetes.io/contains-group-kinds": "ConfigMap,Secret",
        "applyset.kubernetes.io/additional-namespaces": namespace,
    }
    text = json.dumps(config_map("wayside-system", "three").manifest)
    words = (
        *("--kubeconfig", control_plane.kubeconfig, "apply", "--server-side", "-n", "wayside-system"),
        *("--prune", f"--applyset=sites.wayside.dev/{agent.site}", "-f", "-"),
    )
    environment = {"KUBECTL_APPLYSET": "true", "HOME": str(tmp_path), "NO_PROXY": "127.0.0.1"}
    done = subprocess.run(
        [kubectl, *words],
        input=text,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert 'is managed by tooling "wayside" instead of "kubectl"' in done.stderr


def test_a_refusal_of_one_object_leaves_everything_as_it_was_and_all_refusals_are_told(
    agent: Agent[KubeTarget], namespace: str
) -> None:
    good = config_map(namespace, "settings", colour="blue")
    agent.sync([good])
    before = versions([good], agent)
    unknown = manifest("v1", "ConfigMap", "unknown", namespace, colour="blue")
    negative = deployment(namespace, "negative", replicas=-1)
    kindless = manifest("example.com/v1", "Gadget", "gadget", namespace)
    outcome = agent.sync([config_map(namespace, "settings", colour="red"), unknown, negative, kindless])
    assert not outcome.changed
    refusals = {refusal.id.name: refusal.message for refusal in outcome.refusals}
    assert refusals.keys() == {"unknown", "negative", "gadget"}
    assert ".colour: field not declared in schema" in refusals["unknown"]
    assert "must be greater than or equal to 0" in refusals["negative"]
    assert 'no matches for kind "Gadget"' in refusals["gadget"]
    assert versions([good, unknown, negative], agent) == before


def test_the_value_of_a_secret_is_in_no_message(agent: Agent[KubeTarget], namespace: str) -> None:
    bad = manifest("v1", "Secret", "login", namespace, data={"password": "hunter2 is not base64"})
    worse = manifest("v1", "Secret", "other", namespace, type="hunter2", stringData={"a b": "hunter2"})
    outcome = agent.sync([bad, worse])
    assert len(outcome.refusals) == 2
    assert "hunter2" not in repr(outcome)


def crd(group: str, *, extra: str = "") -> Resource:
    properties = {"size": {"type": "integer"}} | ({extra: {"type": "string"}} if extra else {})
    schema = {"type": "object", "properties": {"spec": {"type": "object", "properties": properties}}}
    return manifest(
        "apiextensions.k8s.io/v1",
        "CustomResourceDefinition",
        f"gadgets.{group}",
        spec={
            "group": group,
            "scope": "Namespaced",
            "names": {"kind": "Gadget", "plural": "gadgets", "singular": "gadget"},
            "versions": [
                {"name": "v1", "served": True, "storage": True, "schema": {"openAPIV3Schema": schema}}
            ],
        },
    )


def gadget(group: str, namespace: str, **spec: object) -> Resource:
    return manifest(f"{group}/v1", "Gadget", "mine", namespace, spec=spec)


@pytest.mark.slow
def test_a_kind_its_namespace_and_an_object_of_it_come_in_one_sync_and_go_in_reverse(
    control_plane: Cluster, agent: Agent[KubeTarget], place: str
) -> None:
    group = f"g{secrets.token_hex(4)}.example.com"
    desired = [gadget(group, place, size=1), crd(group), manifest("v1", "Namespace", place)]
    staged = next(change for change in agent.plan(desired).changes if change.id.kind == "Gadget")
    assert {id_.kind for id_ in staged.after} == {"Namespace", "CustomResourceDefinition"}
    outcome = agent.sync(desired)
    assert outcome.succeeded, why(outcome)

    # The schema and an object that needs it change in one sync as well.
    outcome = agent.sync([gadget(group, place, colour="red"), crd(group, extra="colour"), desired[2]])
    assert outcome.succeeded, why(outcome)
    assert names(outcome, Action.UPDATE) == [f"CustomResourceDefinition/gadgets.{group}", "Gadget/mine"]

    held = agent.sync([])
    assert not held.changed
    assert {hold.code for hold in held.holds} == {"prune-guarded", "prune-too-much"}
    gone = agent.sync([], decommission=True)
    assert gone.succeeded, why(gone)
    assert names(gone, Action.DELETE)[0] == "Gadget/mine"
    assert not control_plane.exists(f"/api/v1/namespaces/{place}")


@pytest.mark.slow
def test_a_kind_that_somebody_deleted_under_a_running_agent_is_made_again_with_its_objects(
    control_plane: Cluster, agent: Agent[KubeTarget], namespace: str
) -> None:
    group = f"g{secrets.token_hex(4)}.example.com"
    desired = [crd(group), gadget(group, namespace, size=1)]
    assert agent.sync(desired).succeeded
    control_plane.kubectl("delete", "crd", f"gadgets.{group}", "--wait")
    outcome = agent.sync(desired)
    assert outcome.succeeded, why(outcome)
    assert actions(outcome) == {Action.CREATE}
    control_plane.kubectl("delete", "crd", f"gadgets.{group}", "--wait")
    alone = agent.sync([gadget(group, namespace, size=1)])
    assert "no matches for kind" in alone.refusals[0].message


def test_what_only_the_new_kind_can_refuse_is_refused_after_its_stage_and_said(
    control_plane: Cluster, agent: Agent[KubeTarget], namespace: str
) -> None:
    group = f"g{secrets.token_hex(4)}.example.com"
    outcome = agent.sync([crd(group), gadget(group, namespace, size="large")])
    assert [refusal.id.kind for refusal in outcome.refusals] == ["Gadget"]
    assert "spec.size" in outcome.refusals[0].message
    assert {r.id.kind: r.actuation for r in outcome.results} == {
        "CustomResourceDefinition": Actuation.SUCCEEDED,
        "Gadget": Actuation.FAILED,
    }
    control_plane.kubectl("delete", "crd", f"gadgets.{group}")


def test_what_somebody_changed_by_hand_is_put_back_and_what_they_added_stays(
    control_plane: Cluster, agent: Agent[KubeTarget], namespace: str
) -> None:
    desired = [config_map(namespace, "settings", colour="blue", size="1")]
    agent.sync(desired)
    patch = json.dumps({"data": {"colour": "red", "size": None, "more": "x"}})
    control_plane.kubectl("-n", namespace, "patch", "cm", "settings", "--type=merge", "-p", patch)

    reported = agent.sync(desired, drift="report")
    assert not reported.changed
    assert "drifted" in reported.results[0].reason
    assert actions(agent.sync(desired, drift="ignore")) == {Action.UNCHANGED}

    corrected = agent.sync(desired)
    assert corrected.succeeded
    assert names(corrected, Action.UPDATE) == ["ConfigMap/settings"]
    live = json.loads(control_plane.kubectl("-n", namespace, "get", "cm", "settings", "-o", "json"))
    assert live["data"] == {"colour": "blue", "size": "1", "more": "x"}
    assert not agent.sync(desired).changed


def test_replicas_are_left_to_an_autoscaler_of_the_set_and_to_nobody_else(
    control_plane: Cluster, agent: Agent[KubeTarget], namespace: str
) -> None:
    def scale(replicas: int) -> None:
        control_plane.kubectl("-n", namespace, "scale", "deployment/web", f"--replicas={replicas}")

    def replicas() -> str:
        path = "jsonpath={.spec.replicas}"
        return control_plane.kubectl("-n", namespace, "get", "deployment", "web", "-o", path)

    agent.timeout = 0  # whether pods come up is not what this is about
    web = deployment(namespace, "web", replicas=1)
    target = {"apiVersion": "apps/v1", "kind": "Deployment", "name": "web"}
    scaler = manifest(
        "autoscaling/v2",
        "HorizontalPodAutoscaler",
        "web",
        namespace,
        spec={"scaleTargetRef": target, "minReplicas": 1, "maxReplicas": 9},
    )
    agent.sync([web, scaler])
    agent.sync([web, scaler])
    scale(4)
    agent.sync([web, scaler])
    assert replicas() == "4"
    again = agent.plan([web, scaler])
    assert {change.action for change in again.changes} == {Action.UNCHANGED}
    newer = deployment(namespace, "web", replicas=1, image="registry.example/app:2")
    agent.sync([newer, scaler])
    assert replicas() == "4"
    scale(5)
    agent.sync([newer])
    assert replicas() == "1"


def test_a_state_that_was_restored_from_an_old_copy_hides_no_change(
    control_plane: Cluster, agent: Agent[KubeTarget], namespace: str
) -> None:
    agent.sync([config_map(namespace, "settings", colour="blue")])
    copy = agent.inventory
    time.sleep(1.1)  # the API server tells times of changes in whole seconds
    agent.sync([config_map(namespace, "settings", colour="red")])
    agent.inventory = copy
    assert names(agent.sync([config_map(namespace, "settings", colour="blue")]), Action.UPDATE)
    live = control_plane.kubectl("-n", namespace, "get", "cm", "settings", "-o", "jsonpath={.data.colour}")
    assert live == "blue"


def test_a_secret_that_somebody_changed_is_put_back_though_it_was_written_as_text(
    control_plane: Cluster, agent: Agent[KubeTarget], namespace: str
) -> None:
    desired = [manifest("v1", "Secret", "login", namespace, stringData={"password": "right"})]
    agent.sync(desired)
    patch = json.dumps({"stringData": {"password": "wrong"}})
    control_plane.kubectl("-n", namespace, "patch", "secret", "login", "--type=merge", "-p", patch)
    assert names(agent.sync(desired), Action.UPDATE) == ["Secret/login"]
    assert not agent.sync(desired).changed


@pytest.mark.slow
def test_a_dependent_is_made_only_when_what_it_needs_is_available(
    control_plane: Cluster, agent: Agent[KubeTarget], namespace: str
) -> None:
    control_plane.add_node(f"node-{secrets.token_hex(4)}", architecture="linux/amd64")
    needs = {"wayside.dev/depends-on": f"Deployment/{namespace}/db"}
    web = deployment(namespace, "web").manifest
    dependent = Resource({**web, "metadata": {**web["metadata"], "annotations": needs}})
    outcome = agent.sync([dependent, deployment(namespace, "db")])
    assert outcome.succeeded, why(outcome)
    read = {
        name: json.loads(control_plane.kubectl("-n", namespace, "get", "deployment", name, "-o", "json"))
        for name in ("db", "web")
    }
    available = next(c for c in read["db"]["status"]["conditions"] if c["type"] == "Available")
    assert available["lastTransitionTime"] <= read["web"]["metadata"]["creationTimestamp"]


def test_a_conflict_is_reported_with_the_other_owner_where_that_is_wanted(
    control_plane: Cluster, agent: Agent[KubeTarget], namespace: str
) -> None:
    theirs = json.dumps(config_map(namespace, "shared", colour="red").manifest)
    control_plane.kubectl("apply", "--server-side", "--field-manager=the-other", "-f", "-", input=theirs)
    desired = [config_map(namespace, "shared", colour="blue")]
    refused = agent.sync(desired, conflicts="report")
    assert not refused.changed
    assert 'conflict with "the-other"' in refused.refusals[0].message
    assert ".data.colour" in refused.refusals[0].message
    taken = agent.sync(desired)
    assert taken.succeeded, why(taken)


@pytest.mark.parametrize(
    "other_tool",
    [
        pytest.param(("labels", "applyset.kubernetes.io/part-of", "the ApplySet"), id="applyset"),
        pytest.param(("labels", "kustomize.toolkit.fluxcd.io/name", "the Flux Kustomization"), id="flux"),
        pytest.param(("annotations", "argocd.argoproj.io/tracking-id", "the Argo CD application"), id="argo"),
        pytest.param(("annotations", "meta.helm.sh/release-name", "the Helm release"), id="helm"),
    ],
)
def test_what_belongs_to_another_tool_is_not_taken_without_a_word(
    control_plane: Cluster,
    agent: Agent[KubeTarget],
    namespace: str,
    other_tool: tuple[str, str, str],
) -> None:
    place, key, owner = other_tool
    theirs = manifest("v1", "ConfigMap", "theirs", namespace, **{place: {key: "theirs"}})
    control_plane.kubectl("create", "-f", "-", input=json.dumps(theirs.manifest))
    wanted = config_map(namespace, "theirs", colour="blue")
    held = agent.sync([wanted, config_map(namespace, "mine")])
    assert not held.changed
    assert held.holds[0].code == "foreign-owner"
    assert owner in held.holds[0].message
    assert "wayside.dev/adopt" in held.holds[0].hint
    adopted = config_map(namespace, "theirs", annotations={"wayside.dev/adopt": "enabled"}, colour="blue")
    taken = agent.sync([adopted])
    assert taken.succeeded, why(taken)
    assert not agent.sync([adopted]).changed


def test_a_field_that_cannot_change_is_refused_or_made_anew_where_that_is_allowed(
    control_plane: Cluster, agent: Agent[KubeTarget], namespace: str
) -> None:
    def job(image: str, **annotations: str) -> Resource:
        pod = {"restartPolicy": "Never", "containers": [{"name": "once", "image": image}]}
        spec = {"suspend": True, "template": {"spec": pod}}
        return manifest("batch/v1", "Job", "once", namespace, spec=spec, annotations=annotations)

    def uid() -> str:
        return control_plane.kubectl("-n", namespace, "get", "job", "once", "-o", "jsonpath={.metadata.uid}")

    assert agent.sync([job("registry.example/once:1")]).succeeded
    first = uid()
    refused = agent.sync([job("registry.example/once:2")])
    assert "field is immutable" in refused.refusals[0].message
    recreate = {"wayside.dev/recreate": "enabled"}
    broken = agent.sync([job("", **recreate)])
    assert broken.refusals
    assert uid() == first
    outcome = agent.sync([job("registry.example/once:2", **recreate)])
    assert outcome.succeeded, why(outcome)
    assert uid() != first


def test_an_object_that_a_finalizer_holds_stays_in_the_inventory_until_it_is_gone(
    control_plane: Cluster, agent: Agent[KubeTarget], namespace: str
) -> None:
    held = manifest("v1", "ConfigMap", "held", namespace)
    held = Resource(
        {**held.manifest, "metadata": {**held.manifest["metadata"], "finalizers": ["example.com/x"]}}
    )
    other = config_map(namespace, "other")
    agent.sync([held, other])
    agent.timeout = 0.5
    outcome = agent.sync([other])
    assert outcome.timed_out
    assert [r.health.status for r in outcome.unhealthy if r.health] == [HealthStatus.TERMINATING]
    assert held.id in agent.inventory.entries
    control_plane.kubectl(
        *("-n", namespace, "patch", "cm", "held", "--type=merge", "-p", '{"metadata":{"finalizers":null}}')
    )
    agent.sync([other])
    assert held.id not in agent.inventory.entries


def test_a_renamed_site_takes_over_its_objects_instead_of_deleting_them(
    make_agent: Callable[..., Agent[KubeTarget]], namespace: str
) -> None:
    desired = [config_map(namespace, f"c{n}") for n in range(3)]
    old = make_agent()
    old.sync(desired)
    before = {id_: uid for id_, (uid, _) in versions(desired, old).items()}
    new = make_agent()
    new.former_sites = (old.site,)
    new.target = KubeTarget(old.target.client, new.site, former_sites=(old.site,))
    outcome = new.sync(desired[:2])
    assert outcome.succeeded, why(outcome)
    assert names(outcome, Action.DELETE) == ["ConfigMap/c2"]
    del before[f"ConfigMap/{namespace}/c2"]
    assert {id_: uid for id_, (uid, _) in versions(desired[:2], new).items()} == before
    assert not old.plan([]).changes


def test_the_site_object_carries_facts_and_status_for_people(
    control_plane: Cluster, agent: Agent[KubeTarget]
) -> None:
    agent.sync([])
    site = agent.target.site_object
    site.ensure_installed()
    site.publish({"platform": "k3s", "nodes": [{"name": "n"}]}, {"region": "r3"})
    condition = {
        "type": "Ready",
        "status": "True",
        "reason": "Synced",
        "message": "12 objects",
        "lastTransitionTime": "2026-01-01T00:00:00Z",
    }
    site.publish_status(
        {"conditions": [condition], "lastAppliedRevision": "main@abc", "inventory": {"count": 12}}
    )
    line = control_plane.kubectl("-n", "wayside-system", "get", "site", agent.site).splitlines()[1]
    assert line.split()[:5] == [agent.site, "True", "Synced", "main@abc", "12"]
