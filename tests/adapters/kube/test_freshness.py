"""Lists have what was written and seen here, and are answered at once."""

from __future__ import annotations

import pytest

from reconciler.adapters.kube import KubeTarget
from reconciler.adapters.kube.freshness import Freshness
from tests.adapters.kube.site import Agent, config_map


def test_the_newest_version_counts_whatever_the_order() -> None:
    freshness = Freshness()
    assert freshness.of("/api/v1/pods") == ""
    for version in ("7", "12", "9"):
        freshness.note("/api/v1/pods", {"metadata": {"resourceVersion": version}})
    assert freshness.of("/api/v1/pods") == "12"
    assert freshness.of("/api/v1/secrets") == ""
    freshness.forget("/api/v1/pods")
    assert freshness.of("/api/v1/pods") == ""


@pytest.mark.parametrize("version", ["", "abc", "12a", "²", "-1"])
def test_versions_that_are_no_numbers_tell_nothing(version: str) -> None:
    freshness = Freshness()
    freshness.note("/api/v1/pods", {"metadata": {"resourceVersion": version}})
    assert freshness.of("/api/v1/pods") == ""


@pytest.mark.cluster
@pytest.mark.slow
def test_what_was_written_is_seen_and_what_was_deleted_is_not_however_soon_it_is_asked(
    agent: Agent[KubeTarget], namespace: str
) -> None:
    for turn in range(10):
        wanted = [config_map(namespace, f"c{number}") for number in range(3)]
        assert agent.sync(wanted).succeeded
        observed = agent.target.observe(wanted, agent.inventory)
        assert len(observed.objects) == 3, turn
        live = observed.objects[wanted[0].id]
        agent.target.delete(wanted[0].id, "v1", uid=live["metadata"]["uid"])
        assert wanted[0].id not in agent.target.observe(wanted, agent.inventory).objects, turn
        assert agent.sync(wanted).succeeded
        assert len(agent.target.observe(wanted, agent.inventory).objects) == 3, turn


@pytest.mark.cluster
@pytest.mark.slow
def test_a_server_that_was_restored_from_a_backup_is_asked_for_the_newest(
    agent: Agent[KubeTarget], namespace: str
) -> None:
    wanted = [config_map(namespace, "c")]
    assert agent.sync(wanted).succeeded
    future = {"metadata": {"resourceVersion": str(10**12)}}
    agent.target.client.freshness.note("/api/v1/configmaps", future)
    assert len(agent.target.observe(wanted, agent.inventory).objects) == 1
    assert agent.target.client.answers["GET", 504] >= 1, "no server was asked for what it never had"
    assert int(agent.target.client.freshness.of("/api/v1/configmaps")) < 10**12
