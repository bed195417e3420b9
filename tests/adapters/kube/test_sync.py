"""Syncs of whole sites on a real API server."""

from __future__ import annotations

import secrets
from collections.abc import Iterator

import pytest

from reconciler.adapters.kube import KubeTarget, kubeconfig
from reconciler.model.outcome import Outcome
from reconciler.model.plan import Action, HealthStatus
from reconciler.model.resource import Resource
from tests.adapters.kube.site import Agent, config_map, shop
from tests.cluster.cluster import Cluster

pytestmark = pytest.mark.cluster


@pytest.fixture
def agent(control_plane: Cluster) -> Iterator[Agent]:
    site = f"site-{secrets.token_hex(4)}"
    target = KubeTarget(kubeconfig(control_plane.kubeconfig), site)
    yield Agent(target, site)
    target.close()


@pytest.fixture
def place(control_plane: Cluster) -> Iterator[str]:
    """A namespace that the site makes itself."""
    name = f"test-{secrets.token_hex(4)}"
    yield name
    control_plane.delete_namespace(name)


def versions(desired: list[Resource], agent: Agent) -> dict[str, str]:
    objects = agent.target.observe(desired, agent.inventory).objects
    return {
        str(id_): str(objects[id_]["metadata"]["resourceVersion"])
        for id_ in objects
        if id_.kind in ("ConfigMap", "Secret", "Service", "Role", "RoleBinding", "CronJob", "LimitRange")
    }


def actions(outcome: Outcome) -> set[Action]:
    return {result.action for result in outcome.results}


@pytest.mark.slow
def test_a_site_is_created_changed_and_pruned_and_a_second_sync_writes_nothing(
    control_plane: Cluster, agent: Agent, place: str
) -> None:
    control_plane.add_node(f"node-{secrets.token_hex(4)}")
    desired = shop(place)
    first = agent.sync(desired)
    assert first.succeeded, [*first.refusals, *first.unhealthy]
    assert actions(first) == {Action.CREATE}
    assert {r.health.status for r in first.results if r.health} == {HealthStatus.CURRENT}
    before = versions(desired, agent)

    second = agent.sync(desired)
    assert second.succeeded
    assert actions(second) == {Action.UNCHANGED}
    assert not second.changed
    assert versions(desired, agent) == before

    changed = [r for r in shop(place, image="registry.example/app:2") if r.kind != "CronJob"]
    third = agent.sync(changed)
    assert third.succeeded, [*third.refusals, *third.unhealthy]
    assert [r.id.name for r in third.results if r.action is Action.UPDATE] == ["web"]
    assert [r.id.kind for r in third.results if r.action is Action.DELETE] == ["CronJob"]
    assert "CronJob" not in control_plane.kubectl("-n", place, "get", "cronjobs,deployments", "-o", "name")


def test_without_its_own_state_an_agent_finds_its_objects_again_and_writes_nothing(
    control_plane: Cluster, agent: Agent, namespace: str
) -> None:
    desired = [config_map(namespace, f"c{n}", value=str(n)) for n in range(4)]
    agent.sync(desired)
    before = versions(desired, agent)
    anew = Agent(KubeTarget(kubeconfig(control_plane.kubeconfig), agent.site), agent.site)
    outcome = anew.sync(desired[:3])
    assert outcome.succeeded
    assert [r.id.name for r in outcome.results if r.action is Action.DELETE] == ["c3"]
    del before[f"ConfigMap/{namespace}/c3"]
    assert versions(desired, anew) == before
