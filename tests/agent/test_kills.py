"""Kill -9 at random moments of a sync: the site converges, nothing is lost, nothing is doubled."""

from __future__ import annotations

import os
import random
import time
from collections import Counter

import pytest

from tests.agent.rig import Rig, assert_contiguous, config_map

KILLS = int(os.environ.get("WAYSIDE_KILLS", "15"))
#: A sync of this site takes about 0.4 s from the start of the process.
LONGEST_LIFE = 0.6


@pytest.mark.slow
@pytest.mark.timeout(60 + KILLS * 6)
def test_a_site_converges_after_kill_9_at_any_moment_and_every_event_arrives_once(rig: Rig) -> None:
    seed = int(os.environ.get("WAYSIDE_SEED", "0")) or random.SystemRandom().randrange(1, 10**9)
    rng = random.Random(seed)  # noqa: S311 - repeatable by its seed
    foreign = rig.manifests / "not-ours.yaml"
    foreign.write_text("apiVersion: v1\nkind: ConfigMap\nmetadata: {name: not-ours}\n")
    wanted = {f"c{number}": "0" for number in range(12)}
    head = rig.repository.commit([config_map(*item) for item in wanted.items()])
    assert rig.once() == 0
    converged = [head]
    there: dict[str, str] = dict(wanted)
    starts = 1

    for turn in range(KILLS):
        settled = set(there)
        for number in rng.sample(range(14), rng.randint(1, 3)):
            name = f"c{number}"
            if name in wanted and rng.random() < 0.4 and len(wanted) > 8:
                del wanted[name]
            else:
                wanted[name] = str(turn)
        head = rig.repository.commit([config_map(*item) for item in wanted.items()])

        process = rig.start("--interval", "1")
        starts += 1
        time.sleep(rng.uniform(0.0, LONGEST_LIFE))
        process.kill()
        process.wait()

        there = rig.objects()
        missing = (settled & set(wanted)) - set(there)
        assert not missing, f"seed {seed}, turn {turn}: {missing} should have stayed"
        if rng.random() < 0.7 or turn == KILLS - 1:
            starts += 1
            assert rig.once() == 0, f"seed {seed}, turn {turn}: {rig.told()[-2000:]}"
            there = rig.objects()
            assert there == wanted, f"seed {seed}, turn {turn}"
            assert rig.status().applied == head
            assert rig.status().pending == 0
            converged.append(head)

    assert foreign.exists()
    events = rig.events()
    assert_contiguous(events)
    assert len({event["epoch"] for event in events}) == 1
    applied = Counter(e["data"]["commit"] for e in events if e["type"] == "dev.wayside.sync.applied.v1")
    planned = Counter(e["data"]["commit"] for e in events if e["type"] == "dev.wayside.sync.planned.v1")
    assert set(converged) <= set(applied), f"seed {seed}: an applied revision was never reported"
    assert set(applied.values()) == {1}, f"seed {seed}: a revision was reported twice"
    assert set(planned.values()) == {1}
    # Where nothing is left to be done, nothing is planned.
    changing = {
        e["data"]["commit"]
        for e in events
        if e["type"] == "dev.wayside.sync.applied.v1" and any(e["data"]["counts"].values())
    }
    assert changing <= set(planned), f"seed {seed}"
    assert 1 <= Counter(e["type"] for e in events)["dev.wayside.agent.started.v1"] <= starts
    types = {event["type"] for event in events}
    assert types == {
        "dev.wayside.agent.started.v1",
        "dev.wayside.sync.planned.v1",
        "dev.wayside.sync.applied.v1",
    }
