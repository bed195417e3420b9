"""Sites that were cut off come back at once, and the hub has every event of theirs, once."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.benchmarks.hub import DAY, benches, come_back, compare, steady

pytestmark = [pytest.mark.slow, pytest.mark.timeout(240)]

SITES = 60


def test_a_day_offline_of_many_sites_arrives_once_and_in_order(
    tmp_path: Path, database: str, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "sites").mkdir()
    with benches(tmp_path, tmp_path / "sites", database, SITES) as bench:
        steady(bench, 3.0)
        come_back(bench, DAY)
        # Raises where an event is lost, doubled, or another.
        compare(bench)
        assert all(site.made >= DAY for site in bench.sites)
        assert bench.memory() < 200
    told = capsys.readouterr().out
    assert f"events of {SITES} sites are there, once, in order" in told
    assert " 0 failed" in told
