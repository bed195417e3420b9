"""Kill -9 at random moments of a sync: the site converges, nothing is lost, nothing is doubled."""

from __future__ import annotations

import os
import random
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest

from tests.agent.rig import Rig, assert_contiguous, config_map
from tests.cluster.cluster import Cluster

KILLS = int(os.environ.get("WAYSIDE_KILLS", "15"))


@dataclass(frozen=True, slots=True)
class Place:
    """Where a site's objects are: what the agent is told, and how the test looks at them.

    Attributes:
        target: The agent's `--target`.
        namespace: Where the objects are.
        objects: Returns name to value of the site's objects.
        longest_life: Seconds after which an agent is killed at the latest: a little more than a sync takes.
    """

    target: str
    namespace: str
    objects: Callable[[], dict[str, str]]
    longest_life: float


def kill_again_and_again(rig: Rig, place: Place, kills: int) -> None:
    """Change the site, start an agent, kill it at a random moment, and look; again and again."""
    seed = int(os.environ.get("WAYSIDE_SEED", "0")) or random.SystemRandom().randrange(1, 10**9)
    rng = random.Random(seed)  # noqa: S311 - repeatable by its seed
    wanted = {f"c{number}": "0" for number in range(12)}

    def commit() -> str:
        return rig.repository.commit(config_map(*item, namespace=place.namespace) for item in wanted.items())

    head = commit()
    assert rig.once(target=place.target) == 0, rig.told()[-2000:]
    converged = [head]
    there = dict(wanted)
    starts = 1
    for turn in range(kills):
        settled = set(there)
        for number in rng.sample(range(14), rng.randint(1, 3)):
            name = f"c{number}"
            if name in wanted and rng.random() < 0.4 and len(wanted) > 8:
                del wanted[name]
            else:
                wanted[name] = str(turn)
        head = commit()

        process = rig.start("--interval", "1", target=place.target)
        starts += 1
        time.sleep(rng.uniform(0.0, place.longest_life))
        process.kill()
        process.wait()

        there = place.objects()
        missing = (settled & set(wanted)) - set(there)
        assert not missing, f"seed {seed}, turn {turn}: {missing} should have stayed"
        if rng.random() < 0.7 or turn == kills - 1:
            starts += 1
            assert rig.once(target=place.target) == 0, f"seed {seed}, turn {turn}: {rig.told()[-2000:]}"
            there = place.objects()
            assert there == wanted, f"seed {seed}, turn {turn}"
            assert (rig.status().applied, rig.status().pending) == (head, 0)
            converged.append(head)
    look_at_events(rig, converged, starts, f"seed {seed}")


def look_at_events(rig: Rig, converged: list[str], starts: int, seed: str) -> None:
    """Every revision that was applied is reported, once; no event is missing, none is doubled."""
    events = rig.events()
    assert_contiguous(events)
    assert len({event["epoch"] for event in events}) == 1
    by_type: dict[str, list[dict[str, Any]]] = {}
    for event in events:
        by_type.setdefault(event["type"].removeprefix("dev.wayside.").removesuffix(".v1"), []).append(
            event["data"]
        )
    assert set(by_type) == {"agent.started", "sync.planned", "sync.applied"}
    applied = Counter(data["commit"] for data in by_type["sync.applied"])
    planned = Counter(data["commit"] for data in by_type["sync.planned"])
    assert set(converged) <= set(applied), f"{seed}: an applied revision was never reported"
    assert set(applied.values()) == {1}, f"{seed}: a revision was reported twice"
    assert set(planned.values()) == {1}, f"{seed}: a plan was reported twice"
    # Where nothing is left to be done, nothing is planned.
    changing = {data["commit"] for data in by_type["sync.applied"] if any(data["counts"].values())}
    assert changing <= set(planned), seed
    assert 1 <= len(by_type["agent.started"]) <= starts


@pytest.mark.slow
@pytest.mark.timeout(60 + KILLS * 6)
def test_a_folder_converges_after_kill_9_at_any_moment_and_every_event_arrives_once(rig: Rig) -> None:
    foreign = rig.manifests / "not-ours.yaml"
    foreign.write_text("apiVersion: v1\nkind: ConfigMap\nmetadata: {name: not-ours}\n")
    # A sync of this site takes about 0.4 s from the start of the process.
    place = Place(f"directory:{rig.manifests}", "default", rig.objects, longest_life=0.6)
    kill_again_and_again(rig, place, KILLS)
    assert foreign.exists()


@pytest.mark.slow
@pytest.mark.timeout(120 + KILLS * 12)
def test_a_cluster_converges_after_kill_9_at_any_moment_and_every_event_arrives_once(
    rig: Rig, control_plane: Cluster, namespace: str
) -> None:
    control_plane.client.request(
        "POST",
        f"/api/v1/namespaces/{namespace}/configmaps",
        config_map("not-ours", namespace=namespace),
    )

    def objects() -> dict[str, str]:
        answer = control_plane.client.request("GET", f"/api/v1/namespaces/{namespace}/configmaps")
        values = {item["metadata"]["name"]: item["data"].get("value", "") for item in answer["items"]}
        values.pop("kube-root-ca.crt", None)
        assert values.pop("not-ours") == "1"
        return values

    place = Place(f"kubeconfig:{control_plane.kubeconfig}", namespace, objects, longest_life=1.0)
    kill_again_and_again(rig, place, max(5, KILLS // 4))
