"""An idle agent is small: the bound is the promise, the figures of the day are in the benchmark."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.benchmarks.agent_memory import measure
from tests.cluster.cluster import Cluster

MOST = 64.0


@pytest.mark.slow
def test_an_idle_agent_of_a_folder_takes_at_most_64_mib(tmp_path: Path) -> None:
    (tmp_path / "manifests").mkdir()
    figures = measure(tmp_path, f"directory:{tmp_path / 'manifests'}", seconds=2)
    assert figures.idle_pss <= MOST
    assert figures.processes <= 2


@pytest.mark.slow
def test_an_idle_agent_of_a_cluster_takes_at_most_64_mib(tmp_path: Path, control_plane: Cluster) -> None:
    figures = measure(tmp_path, f"kubeconfig:{control_plane.kubeconfig}", seconds=2)
    assert figures.idle_pss <= MOST
    assert figures.processes <= 2
