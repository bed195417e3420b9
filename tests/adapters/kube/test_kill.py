"""An agent that is killed at any request to a real API server."""

from __future__ import annotations

import os
import random
import secrets
from contextlib import suppress
from typing import Any

import pytest

from reconciler.adapters.kube import KubeTarget, kubeconfig
from reconciler.adapters.kube.client import KubeClient
from reconciler.adapters.kube.connection import Connection
from reconciler.model.plan import Inventory
from reconciler.model.resource import Resource
from reconciler.planning import applyset_id
from tests.adapters.kube.site import Agent, config_map, manifest
from tests.cluster.cluster import Cluster

pytestmark = [pytest.mark.cluster, pytest.mark.slow]

#: How many syncs are killed; each is followed by one that is not, now and then.
ROUNDS = int(os.environ.get("WAYSIDE_KILLS", "40"))
NAMES = "abcdefgh"


class Killed(BaseException):
    """Nothing of the agent runs any more."""


class MortalClient(KubeClient):
    """A client whose process is killed after some requests: before one is sent, or before its answer."""

    def __init__(self, connection: Connection, chance: random.Random) -> None:
        super().__init__(connection)
        self._left = chance.randrange(1, 60)
        self._answered = chance.random() < 0.5

    def request(self, method: str, path: str, **settings: Any) -> Any:
        self._left -= 1
        if self._left == 0 and not self._answered:
            raise Killed
        answer = super().request(method, path, **settings)
        if self._left == 0:
            raise Killed
        return answer


def revision(namespace: str, chance: random.Random) -> list[Resource]:
    """Return a random set, over kinds that the API server changes in the ways it has."""
    wanted: list[Resource] = [config_map(namespace, "always", value="1")]
    for name in chance.sample(NAMES, chance.randrange(3, len(NAMES))):
        wave = {"wayside.dev/wave": str(chance.randrange(3))}
        value = str(chance.randrange(3))
        match chance.randrange(4):
            case 0:
                wanted.append(config_map(namespace, name, annotations=wave, value=value))
            case 1:
                wanted.append(
                    manifest("v1", "Secret", name, namespace, annotations=wave, stringData={"value": value})
                )
            case 2:
                ports = [{"port": 80 + int(value), "targetPort": "http"}]
                spec = {"selector": {"app": name}, "ports": ports}
                wanted.append(manifest("v1", "Service", name, namespace, annotations=wave, spec=spec))
            case _:
                wanted.append(manifest("v1", "ServiceAccount", name, namespace, annotations=wave))
    return wanted


def test_wherever_an_agent_is_killed_the_site_converges_and_nothing_is_lost_or_orphaned(
    control_plane: Cluster, namespace: str
) -> None:
    seed = int(os.environ.get("WAYSIDE_SEED", "0")) or secrets.randbelow(2**31)
    chance = random.Random(seed)  # noqa: S311 - a test's moments of death are no secret
    connection = kubeconfig(control_plane.kubeconfig)
    site = f"site-{secrets.token_hex(4)}"
    state = Inventory()
    confirmed = tuple(
        f"{kind}/{namespace}/{name}"
        for kind in ("ConfigMap", "Secret", "Service", "ServiceAccount")
        for name in NAMES
    )
    label = f"applyset.kubernetes.io/part-of={applyset_id(site)}"
    first_uid = ""
    for number in range(ROUNDS):
        desired = revision(namespace, chance)
        if chance.random() < 0.7:
            agent = Agent(KubeTarget(MortalClient(connection, chance), site), site, state)
            with suppress(Killed):
                agent.sync(desired, confirm_deletes=confirmed)
            agent.target.close()
            state = Inventory() if chance.random() < 0.2 else agent.inventory
            if number < ROUNDS - 1:
                continue
        agent = Agent(KubeTarget(connection, site), site, state)
        outcome = agent.sync(desired, confirm_deletes=confirmed)
        assert outcome.succeeded, (seed, outcome)
        kinds = "configmaps,secrets,services,serviceaccounts"
        found = control_plane.kubectl("-n", namespace, "get", kinds, "-l", label, "-o", "name").split()
        assert sorted(found) == sorted(f"{r.kind.lower()}/{r.id.name}" for r in desired), seed
        again = agent.sync(desired, confirm_deletes=confirmed)
        assert again.succeeded
        assert not again.changed, (seed, again)
        state = agent.inventory
        agent.target.close()
        uid = control_plane.kubectl("-n", namespace, "get", "cm", "always", "-o", "jsonpath={.metadata.uid}")
        first_uid = first_uid or uid
        assert uid == first_uid, seed
