"""What goes wrong between an agent and its API server, by a proxy that makes it go wrong."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.agent.fault_proxy import FaultProxy, fault_proxy
from tests.agent.rig import assert_contiguous, eventually, stop
from tests.agent.test_cluster import Bench
from tests.cluster.cluster import Cluster

pytestmark = [pytest.mark.slow, pytest.mark.timeout(180)]

#: Seconds for which a fault lasts, and the most requests meanwhile: the first tries come close together.
_LASTS, _MOST = 8.0, 60
#: A sample runs every time, all of them with `WAYSIDE_FAULTS=all`.
_EVERY = ("away", "hang", "slow", "429", "503", "401", "gone", "cut", "conflict", "contest", "garbage")
_FAULTS = _EVERY if os.environ.get("WAYSIDE_FAULTS") == "all" else ("away", "429", "gone", "contest")


@pytest.fixture
def proxy(control_plane: Cluster) -> Iterator[FaultProxy]:
    with fault_proxy(control_plane.kubeconfig) as found:
        yield found


@pytest.mark.parametrize("fault", _FAULTS)
def test_a_fault_of_the_api_server_makes_no_hot_loop_and_passes(
    fault: str, proxy: FaultProxy, tmp_path: Path, control_plane: Cluster, namespace: str
) -> None:
    bench = Bench(tmp_path, control_plane, namespace)
    target = f"kubeconfig:{proxy.kubeconfig(tmp_path / 'kubeconfig')}"
    bench.push({"a": "1", "b": "1"})
    agent = bench.start("--interval", "2", target=target)
    try:
        eventually(lambda: "sync.applied" in bench.types(), what="the first sync")
        proxy.fault = fault
        proxy.seen.clear()
        bench.push({"a": "2", "b": "2"})
        time.sleep(_LASTS)
        made = sum(proxy.seen.values())
        assert made <= _MOST, f"{made} requests in {_LASTS} s: {dict(proxy.seen)}"
        # Nothing is lost meanwhile: what was there is there, old or new.
        assert set(bench.live()) == {"a", "b"}
        proxy.fault = ""
        agent.send_signal(1)
        eventually(lambda: bench.live() == {"a": "2", "b": "2"}, within=90, what="the sync after the fault")
        assert agent.poll() is None, "the agent lives"
    finally:
        stop(agent, within=10)
    assert_contiguous(bench.events())
    # The revision is not to blame, so it is not held.
    assert not {"sync.rolledback", "sync.failed"} & set(bench.types())
    assert "a step failed unexpectedly" not in bench.told(), bench.told()[-3000:]
