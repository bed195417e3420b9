"""Every figure that agent and hub count is declared, and so stands in the reference."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from reconciler.agent.vitals import AGENT_METRICS, Vitals
from reconciler.hub.metrics import HUB_METRICS, Metrics

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize(
    ("folder", "name", "declared"),
    [("agent", '"(wayside_[a-z_]+)"', AGENT_METRICS), ("hub", '"(wayside_hub_[a-z_]+)"', HUB_METRICS)],
    ids=["agent", "hub"],
)
def test_every_name_in_the_code_is_declared_and_documented(
    folder: str, name: str, declared: dict[str, object]
) -> None:
    found = {
        found
        for path in (ROOT / "reconciler" / folder).rglob("*.py")
        for found in re.findall(name, path.read_text())
    }
    page = (ROOT / "docs/reference/metrics.md").read_text()

    assert found == set(declared)
    assert all(f"| `{each}` |" in page for each in found)


def test_a_figure_that_is_not_declared_is_not_counted() -> None:
    with pytest.raises(KeyError):
        Metrics().add("wayside_hub_nothing_total")
    with pytest.raises(KeyError):
        Vitals(lambda: 0.0).count("wayside_nothing_total")


def test_a_figure_with_other_labels_than_declared_is_not_counted() -> None:
    with pytest.raises(ValueError, match=r"expected the labels \['result'\] of wayside_hub_batches_total"):
        Metrics().add("wayside_hub_batches_total", label='kind="x"')
    with pytest.raises(ValueError, match=r"expected the labels \[\] of wayside_sync_seconds_count"):
        Vitals(lambda: 0.0).count("wayside_sync_seconds_count", result="fine")
