"""A real agent and a real hub: what the hub shows of a site, while the agent lives and after."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.agent.rig import Rig, config_map, eventually, stop
from tests.hub.conftest import Hub


@pytest.mark.slow
@pytest.mark.timeout(120)
def test_a_hub_shows_a_site_by_its_own_pulse(tmp_path: Path, new_hub: Callable[..., Hub]) -> None:
    hub = new_hub()
    rig = Rig(tmp_path / "site")
    token = tmp_path / "token"
    token.write_text(hub.token(site=rig.site))
    declared = {"manifest": {"labels": {"region": "r3"}, "spec": {"platform": "k3s"}}}
    commit = rig.repository.commit([config_map("a", "1")], site=declared)

    def shown() -> dict[str, Any]:
        items: list[dict[str, Any]] = hub.get("/v1/sites?selector=region%3Dr3")["items"]
        return dict(hub.get(f"/v1/sites/{rig.site}")) if items else {}

    agent = rig.start(
        *("--sink", hub.url, "--sink-token-file", str(token)),
        *("--heartbeat-interval", "1", "--interval", "3600"),
    )
    try:
        eventually(lambda: shown().get("applied") == commit, what="the report")
        site = shown()
        # A folder cannot tell how its objects are, so nothing is claimed of them.
        assert (site["state"], site["reason"]) == ("Unknown", "HealthUnknown")
        assert (site["platform"], site["heartbeatInterval"]) == ("k3s", 1.0)
        # Nothing is new, and the site stays alive for longer than three intervals.
        events = shown()["events"]
        seen = shown()["lastSeen"]
        eventually(lambda: shown()["lastSeen"] > seen, what="a sign of life")
        seen = shown()["lastSeen"]
        eventually(lambda: shown()["lastSeen"] > seen, what="another one")
        assert shown()["state"] == "Unknown"
        assert shown()["events"] <= events + 2
    finally:
        assert stop(agent) == 0
    eventually(lambda: shown()["state"] == "Offline", what="the silence")
    assert shown()["lastState"] == "Unknown"
