"""An agent on the shared cluster, and namespaces for it to make."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator

import pytest

from reconciler.adapters.kube import KubeTarget, kubeconfig
from tests.adapters.kube.site import Agent
from tests.cluster.cluster import Cluster


@pytest.fixture
def make_agent(control_plane: Cluster) -> Iterator[Callable[..., Agent[KubeTarget]]]:
    """Makes agents; each is for a new site unless it is told which."""
    made: list[Agent[KubeTarget]] = []

    def make(site: str = "") -> Agent[KubeTarget]:
        name = site or f"site-{secrets.token_hex(4)}"
        made.append(Agent(KubeTarget(kubeconfig(control_plane.kubeconfig), name), name))
        return made[-1]

    yield make
    for agent in made:
        agent.target.close()


@pytest.fixture
def agent(make_agent: Callable[..., Agent[KubeTarget]]) -> Agent[KubeTarget]:
    """The agent of a new site."""
    return make_agent()


@pytest.fixture
def place(control_plane: Cluster) -> Iterator[str]:
    """The name of a namespace that the site makes itself."""
    name = f"test-{secrets.token_hex(4)}"
    yield name
    control_plane.delete_namespace(name)
