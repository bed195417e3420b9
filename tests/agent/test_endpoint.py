"""Probes, metrics and pushes over HTTP."""

from __future__ import annotations

import hashlib
import hmac
import re
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import urllib3

from reconciler.agent.endpoint import Endpoint
from reconciler.agent.vitals import Vitals
from reconciler.errors import UsageError
from tests.agent.rig import Rig, config_map, eventually, stop

pytestmark = pytest.mark.slow


class Clock:
    def __init__(self) -> None:
        self.time = 0.0

    def __call__(self) -> float:
        return self.time


class Visit:
    def __init__(self, folder: Path) -> None:
        self.clock = Clock()
        self.pushes = 0
        self.vitals = Vitals(self.clock)
        self.secret = folder / "secret"
        self.secret.write_text("s3cret\n")
        self.endpoint = Endpoint(
            "127.0.0.1:0",
            vitals=self.vitals,
            state=folder,
            hook=self._push,
            secret_file=str(self.secret),
        )
        self.endpoint.start()
        self.http = urllib3.PoolManager(retries=False, timeout=5)

    def _push(self) -> None:
        self.pushes += 1

    def get(self, path: str) -> tuple[int, str]:
        response = self.http.request("GET", f"http://127.0.0.1:{self.endpoint.port}{path}")
        return response.status, response.data.decode()

    def post(self, headers: dict[str, str], body: bytes = b"{}", path: str = "/hook") -> int:
        url = f"http://127.0.0.1:{self.endpoint.port}{path}"
        return self.http.request("POST", url, body=body, headers=headers).status


@pytest.fixture
def visit(tmp_path: Path) -> Iterator[Visit]:
    found = Visit(tmp_path)
    yield found
    found.http.clear()
    found.endpoint.stop()


def test_a_loop_that_misses_its_promise_is_not_healthy(visit: Visit) -> None:
    visit.vitals.expect(10)
    assert visit.get("/healthz") == (200, "ok\n")
    visit.clock.time = 11
    assert visit.get("/healthz")[0] == 503
    visit.vitals.expect(10)
    assert visit.get("/healthz")[0] == 200


def test_an_agent_is_ready_after_its_first_look(visit: Visit) -> None:
    assert visit.get("/readyz")[0] == 503
    visit.vitals.ready = True
    assert visit.get("/readyz")[0] == 200
    assert visit.get("/elsewhere")[0] == 404


def test_metrics_are_what_prometheus_reads(visit: Visit) -> None:
    visit.vitals.count("wayside_syncs_total", result="fine")
    visit.vitals.count("wayside_syncs_total", result="fine")
    visit.vitals.count("wayside_sync_seconds_sum", 0.25)
    visit.vitals.answers = lambda: {("GET", 200): 7}
    status, text = visit.get("/metrics")
    assert status == 200
    assert 'wayside_syncs_total{result="fine"} 2\n' in text
    assert "wayside_sync_seconds_sum 0.25\n" in text
    assert 'wayside_api_requests_total{method="GET",status="200"} 7\n' in text
    line = re.compile(r'(# (HELP|TYPE) \w+ .+|\w+(\{\w+="[^"]*"(,\w+="[^"]*")*\})? [0-9.e+-]+)\Z')
    assert [row for row in text.splitlines() if not line.match(row)] == []


@pytest.mark.parametrize(
    ("headers", "answer"),
    [
        pytest.param(
            {"X-Hub-Signature-256": "sha256=" + hmac.new(b"s3cret", b"{}", hashlib.sha256).hexdigest()},
            202,
            id="github",
        ),
        pytest.param(
            {"X-Gitea-Signature": hmac.new(b"s3cret", b"{}", hashlib.sha256).hexdigest()}, 202, id="gitea"
        ),
        pytest.param({"X-Gitlab-Token": "s3cret"}, 202, id="gitlab"),
        pytest.param({"Authorization": "Bearer s3cret"}, 202, id="bearer"),
        pytest.param({"X-Hub-Signature-256": "sha256=" + "0" * 64}, 403, id="wrong signature"),
        pytest.param({"X-Gitlab-Token": "other"}, 403, id="wrong token"),
        pytest.param({}, 403, id="nothing"),
    ],
)
def test_a_push_must_carry_the_secret(visit: Visit, headers: dict[str, str], answer: int) -> None:
    assert visit.post(headers) == answer
    assert visit.pushes == (1 if answer == 202 else 0)


def test_a_secret_that_is_empty_or_gone_takes_no_push(visit: Visit) -> None:
    visit.secret.write_text("\n")
    assert visit.post({"X-Gitlab-Token": ""}) == 403
    visit.secret.unlink()
    assert visit.post({"X-Gitlab-Token": "s3cret"}) == 403
    assert visit.pushes == 0


def test_a_visitor_that_says_nothing_does_not_keep_probes_out_for_long(visit: Visit) -> None:
    with socket.create_connection(("127.0.0.1", visit.endpoint.port)):
        began = time.monotonic()
        response = visit.http.request("GET", f"http://127.0.0.1:{visit.endpoint.port}/healthz", timeout=20)
        assert response.status == 200
        assert time.monotonic() - began < 10


@pytest.mark.parametrize("listen", ["8080", "host:http", ":99999", "127.0.0.1:"])
def test_an_address_that_is_none_is_refused(listen: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="expected HOST:PORT"):
        Endpoint(listen, vitals=Vitals(Clock()), state=tmp_path, hook=lambda: None)


@pytest.mark.slow
def test_a_running_agent_answers_probes_and_syncs_on_a_push(rig: Rig) -> None:
    rig.repository.commit([config_map("a", "1")])
    (rig.folder / "secret").write_text("s3cret")
    agent = rig.start(
        *("--interval", "3600", "--listen", "127.0.0.1:0", "--branch", "main"),
        *("--webhook-secret-file", str(rig.folder / "secret")),
    )
    http = urllib3.PoolManager(retries=False, timeout=5)
    try:
        eventually(lambda: rig.objects() == {"a": "1"}, what="the first sync")
        eventually(lambda: "sync.applied" in rig.types(), what="the report")
        match = re.search(r"listening.*port=(\d+)", rig.told())
        assert match is not None
        place = f"http://127.0.0.1:{match[1]}"
        eventually(lambda: http.request("GET", f"{place}/readyz").status == 200, what="readiness")
        assert http.request("GET", f"{place}/healthz").status == 200
        text = http.request("GET", f"{place}/metrics").data.decode()
        assert 'wayside_site_state{state="Unknown"} 1' in text
        assert "wayside_last_applied_timestamp_seconds" in text
        rig.repository.commit([config_map("a", "2")])
        assert http.request("POST", f"{place}/hook", headers={"X-Gitlab-Token": "s3cret"}).status == 202
        eventually(lambda: rig.objects() == {"a": "2"}, what="the sync")
    finally:
        http.clear()
        assert stop(agent) == 0
