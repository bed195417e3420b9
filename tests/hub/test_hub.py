"""A hub does what it promises over HTTP, on SQLite and on PostgreSQL."""

from __future__ import annotations

import dataclasses
import hashlib
import hmac
import http.server
import json
import signal
import socket
import threading
import time
from collections.abc import Callable, Iterator
from email.utils import formatdate
from pathlib import Path
from typing import Any, ClassVar
from urllib.parse import urlsplit

import pytest

from reconciler.cli.main import main
from reconciler.model.event import EventType
from tests.hub.conftest import Hub, start_hub
from tests.hub.events import COMMIT, applied, event

pytestmark = pytest.mark.timeout(120)


def test_a_site_reports_and_an_operator_sees_it(hub: Hub) -> None:
    token = hub.token(site="a")
    started = event(1, EventType.AGENT_STARTED, version="0.1.0", labels={"region": "north"})
    answer = hub.report(token, [started, applied(2, state="Ready", reason="Applied", message="fine")])
    assert (answer.status, answer.json()) == (200, {"epoch": "e1", "acknowledged": 2})
    site = hub.get("/v1/sites/a")
    assert (site["state"], site["applied"], site["resources"], site["version"]) == (
        "Ready",
        COMMIT,
        7,
        "0.1.0",
    )
    assert site["behind"] == 0
    assert hub.get("/v1/sites?selector=region%3Dnorth&state=Ready")["items"][0]["name"] == "a"
    assert hub.get("/v1/sites?selector=region!%3Dnorth")["items"] == []
    assert hub.get("/v1/fleet")["states"]["Ready"] == 1
    events = hub.get("/v1/sites/a/events?order=asc")["items"]
    assert [item["event"]["id"] for item in events] == ["e1-1", "e1-2"]
    assert hub.get("/v1/revisions")["items"][0]["applied"] == 1
    assert hub.get(f"/v1/revisions/{COMMIT}")["applied"][0]["site"] == "a"


def test_what_was_acknowledged_survives_a_kill(tmp_path: Path, hub: Hub) -> None:
    token = hub.token(site="a")
    assert hub.report(token, [event(1), applied(2)]).status == 200
    hub.stop(signal.SIGKILL)
    again = start_hub(tmp_path, hub.database)
    try:
        again.admin = hub.admin
        assert again.report(token, [event(1), applied(2), event(3)]).json()["acknowledged"] == 3
        events = again.get("/v1/events?order=asc")["items"]
        assert [item["event"]["sequence"] for item in events] == ["1", "2", "3"]
        assert again.get("/v1/sites/a")["events"] == 3
    finally:
        assert again.stop() == 0


def test_a_gap_asks_again_and_a_number_used_twice_is_a_conflict(hub: Hub) -> None:
    token = hub.token(site="a")
    assert hub.report(token, [event(1)]).status == 200
    assert hub.report(token, [event(3)]).json() == {"epoch": "e1", "acknowledged": 1}
    answer = hub.report(token, [event(1, state="Degraded")])
    assert (answer.status, answer.json()["code"]) == (409, "sequence-conflict")
    assert "two agents" in hub.get("/v1/sites/a")["conflict"]
    assert hub.request("DELETE", "/v1/sites/a/conflict").status == 204
    assert hub.get("/v1/sites/a")["conflict"] is None


def test_a_site_writes_only_as_itself_and_reads_nothing(hub: Hub) -> None:
    token = hub.token(site="a")
    answer = hub.report(token, [event(1, site="b")])
    assert (answer.status, answer.json()["code"]) == (403, "another-site")
    answer = hub.report(token, [event(1, site="b")], site="a")
    assert (answer.status, answer.json()["code"]) == (403, "another-site")
    assert hub.request("GET", "/v1/sites", token=token).status == 403
    assert hub.get("/v1/events")["items"] == []


def test_roles_and_expiry_hold(hub: Hub) -> None:
    reader = hub.token(operator="ann")
    assert hub.request("GET", "/v1/sites", token=reader).status == 200
    assert hub.request("DELETE", "/v1/sites/a", token=reader).status == 403
    assert hub.request("GET", "/v1/tokens", token=reader).status == 403
    for wrong in ("", "x", "wst_000000000000_" + "a" * 43, reader[:-1] + ("A" if reader[-1] != "A" else "B")):
        answer = hub.request("GET", "/v1/sites", token=wrong or "")
        assert (answer.status, answer.headers["WWW-Authenticate"]) == (401, "Bearer")
    short = hub.token(operator="bob", days=0.000001)
    time.sleep(0.2)
    assert hub.request("GET", "/v1/sites", token=short).status == 401


def test_a_token_is_rotated_without_a_pause(hub: Hub) -> None:
    made = hub.request("POST", "/v1/tokens", body={"kind": "site", "subject": "a"})
    assert made.status == 201
    old = made.json()
    new = hub.request("POST", "/v1/tokens", body={"kind": "site", "subject": "a"}).json()
    assert hub.report(old["token"], [event(1)]).status == 200
    assert hub.report(new["token"], [event(2)]).status == 200
    assert hub.request("DELETE", f"/v1/tokens/{old['id']}").status == 204
    assert hub.report(old["token"], [event(3)]).status == 401
    assert hub.report(new["token"], [event(3)]).status == 200
    shown = hub.request("GET", "/v1/tokens").data
    assert new["token"].encode() not in shown
    assert new["token"].rpartition("_")[2].encode() not in shown


def test_pages_have_cursors_and_miss_nothing(hub: Hub) -> None:
    names = [f"site-{number:02}" for number in range(7)]
    for name in names:
        assert hub.report(hub.token(site=name), [event(1, site=name)]).status == 200
    found: list[str] = []
    cursor = ""
    while True:
        page = hub.get(f"/v1/sites?limit=3{cursor and '&cursor=' + cursor}")
        found += [item["name"] for item in page["items"]]
        cursor = page["next"]
        if cursor is None:
            break
    assert found == names
    first = hub.get("/v1/events?limit=4")
    rest = hub.get(f"/v1/events?limit=4&cursor={first['next']}")
    numbers = [item["number"] for item in first["items"] + rest["items"]]
    assert numbers == sorted(numbers, reverse=True)
    assert len(numbers) == 7


BAD_QUERIES = [
    "/v1/sites?limit=0",
    "/v1/sites?limit=x",
    "/v1/sites?cursor=***",
    "/v1/sites?state=Fine",
    "/v1/sites?selector=%27%3B%20DROP%20TABLE%20sites%3B--",
    "/v1/events?type=%27%20OR%201%3D1",
    "/v1/events?cursor=eHg",
    "/v1/events?order=sideways",
]


@pytest.mark.parametrize("path", BAD_QUERIES)
def test_a_bad_query_is_refused_in_plain_words(new_hub: Callable[..., Hub], path: str) -> None:
    answer = new_hub().request("GET", path)
    assert answer.status == 400
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert answer.json()["title"].startswith("expected")


def test_huge_slow_and_damaged_bodies_are_refused(new_hub: Callable[..., Hub]) -> None:
    hub = new_hub()
    token = hub.token(site="a")
    path = "/v1/sites/a/events"
    assert hub.request("POST", path, token=token, body=bytes(2 << 20)).status == 413
    answer = hub.request("POST", path, token=token, body=b"x", Content_Encoding="gzip")
    assert (answer.status, answer.json()["code"]) == (400, "bad-batch")
    assert hub.request("POST", path, token=token, body=b"x", Content_Encoding="br").status == 415
    parts = urlsplit(hub.url)
    with socket.create_connection((parts.hostname or "", parts.port or 0), timeout=10) as link:
        head = f"POST {path} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {token}\r\n"
        link.sendall(f"{head}Content-Length: {1 << 30}\r\n\r\n".encode())
        assert b" 413 " in link.recv(1000)
    assert hub.get("/v1/events")["items"] == []


def test_names_with_markup_are_text_and_never_sites(new_hub: Callable[..., Hub]) -> None:
    hub = new_hub()
    token = hub.token(site="a")
    evil = "<script>alert(1)</script>"
    assert hub.report(token, [event(1, labels={evil: evil}, state="Ready", message=evil)]).status == 200
    assert hub.get("/v1/sites/a")["labels"] == {evil: evil}
    assert hub.request("POST", f"/v1/sites/{evil}/events", token=token, body=b"[]").status in {403, 404}
    policy = hub.request("GET", "/login", token="").headers["Content-Security-Policy"]
    assert "script-src 'self'" in policy


def test_a_clock_that_is_off_is_measured(new_hub: Callable[..., Hub]) -> None:
    hub = new_hub()
    token = hub.token(site="a")
    assert hub.report(token, [event(1)], Date=formatdate(time.time() + 3600, usegmt=True)).status == 200
    assert 3590 < hub.get("/v1/sites/a")["clockSkew"] < 3610
    assert hub.get("/v1/sites/a")["state"] != "Offline"


def test_cookies_do_not_let_another_origin_change_anything(new_hub: Callable[..., Hub]) -> None:
    hub = new_hub()
    cookie = f"wayside_token={hub.admin}"
    assert hub.request("GET", "/v1/sites", token="", Cookie=cookie).status == 200
    assert hub.request("GET", "/", token="", Cookie=cookie).status == 200
    for origin in ({}, {"Origin": "https://evil.example"}):
        answer = hub.request("POST", "/v1/tokens", token="", body={}, Cookie=cookie, **origin)
        assert (answer.status, answer.json()["code"]) == (403, "origin")
    body = {"kind": "site", "subject": "a"}
    made = hub.request("POST", "/v1/tokens", token="", body=body, Cookie=cookie, Origin=hub.url)
    assert made.status == 201
    # What the browser says of who asks counts more; and a proxy may speak TLS for the hub.
    for asks, said, status in (
        ("cross-site", hub.url, 403),
        ("same-site", hub.url, 403),
        ("none", hub.url, 403),
        ("same-origin", "https://hub.example", 201),
    ):
        answer = hub.request(
            "POST", "/v1/tokens", token="", body=body, Cookie=cookie, Origin=said, Sec_Fetch_Site=asks
        )
        assert answer.status == status
    behind_tls = hub.url.replace("http://", "https://")
    assert (
        hub.request("POST", "/v1/tokens", token="", body=body, Cookie=cookie, Origin=behind_tls).status == 201
    )
    form = f"token={hub.admin}".encode()
    answer = hub.request("POST", "/login", token="", body=form, Origin="https://evil.example")
    assert answer.status == 403
    answer = hub.request("POST", "/login", token="", body=form, Origin=hub.url)
    assert answer.headers["Location"] == "/"
    assert "HttpOnly" in answer.headers["Set-Cookie"]
    assert "samesite=strict" in answer.headers["Set-Cookie"].lower()
    assert "secure" not in answer.headers["Set-Cookie"].lower()
    answer = hub.request("POST", "/login", token="", body=form, Origin=behind_tls)
    assert "secure" in answer.headers["Set-Cookie"].lower()


def test_changes_are_streamed(new_hub: Callable[..., Hub]) -> None:
    hub = new_hub()
    token = hub.token(site="a")
    stream = hub.http.request(
        "GET",
        f"{hub.url}/v1/stream",
        headers={"Authorization": f"Bearer {hub.admin}"},
        preload_content=False,
        timeout=10.0,
    )
    lines = iter(stream)
    assert next(lines) == b"retry: 3000\n"
    assert hub.report(token, [event(1, state="Ready")]).status == 200
    data = next(line for line in lines if line.startswith(b"data: "))
    assert json.loads(data[6:])["sites"][0]["state"] == "Ready"
    stream.close()


def test_a_site_that_never_reported_is_unknown(hub: Hub) -> None:
    token = hub.token(site="a")
    assert main(["hub", "--database", hub.database, "token", "create", "--site", "b"]) == 0
    site = hub.get("/v1/sites/a")
    assert (site["state"], site["reason"], site["message"]) == ("Unknown", "NeverSeen", "no report yet")
    assert (site["lastSeen"], site["offlineAt"], site["since"], site["behind"]) == (None, None, None, None)
    assert hub.get("/v1/fleet")["states"]["Unknown"] == 1
    assert hub.report(token, [event(1, state="Ready")]).status == 200
    assert hub.get("/v1/fleet")["states"]["Ready"] == 1


def test_a_site_is_forgotten_on_request(hub: Hub) -> None:
    token = hub.token(site="a")
    assert hub.report(token, [event(1)]).status == 200
    assert hub.request("DELETE", "/v1/sites/a").status == 204
    assert hub.report(token, [event(2)]).status == 401
    assert hub.request("GET", "/v1/sites/a").status == 404
    assert hub.get("/v1/events")["items"] == []


class Taker(http.server.BaseHTTPRequestHandler):
    taken: ClassVar[list[tuple[str, bytes]]]
    answers: ClassVar[list[int]]

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        status = self.answers.pop(0) if self.answers else 204
        if status == 204:
            self.taken.append((self.headers["Wayside-Signature"], body))
        self.send_response(status)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: Any) -> None:
        """Say nothing."""


@pytest.fixture
def taker() -> Iterator[tuple[str, list[tuple[str, bytes]]]]:
    class Handler(Taker):
        taken: ClassVar[list[tuple[str, bytes]]] = []
        answers: ClassVar[list[int]] = [500]

    server = http.server.HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}/", Handler.taken
    server.shutdown()
    thread.join()
    server.server_close()


def test_webhooks_get_signed_news_also_after_a_failure(
    new_hub: Callable[..., Hub], taker: tuple[str, list[tuple[str, bytes]]]
) -> None:
    hub = new_hub()
    url, taken = taker
    made = hub.request("PUT", "/v1/webhooks/chat", body={"url": url, "types": [EventType.SYNC_APPLIED.value]})
    assert made.status == 201
    secret = made.json()["secret"]
    assert hub.get("/v1/webhooks")["items"][0]["trouble"] == ""
    assert hub.report(hub.token(site="a"), [event(1), applied(2), event(3)]).status == 200
    deadline = time.monotonic() + 20
    while not taken and time.monotonic() < deadline:
        time.sleep(0.1)
    ((signature, body),) = taken
    # It was refused once, which is forgotten now that it was taken.
    while hub.get("/v1/webhooks")["items"][0]["trouble"] and time.monotonic() < deadline:
        time.sleep(0.1)
    assert hub.get("/v1/webhooks")["items"][0]["trouble"] == ""
    assert json.loads(body)["id"] == "e1-2"
    assert signature == "sha256=" + hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()
    assert secret.encode() not in hub.request("GET", "/v1/webhooks").data


def test_a_webhook_that_takes_nothing_says_why(new_hub: Callable[..., Hub]) -> None:
    hub = new_hub()
    assert hub.request("PUT", "/v1/webhooks/gone", body={"url": "http://127.0.0.1:9/"}).status == 201
    assert hub.report(hub.token(site="a"), [event(1)]).status == 200
    deadline = time.monotonic() + 20
    while not hub.get("/v1/webhooks")["items"][0]["trouble"] and time.monotonic() < deadline:
        time.sleep(0.1)
    assert hub.get("/v1/webhooks")["items"][0]["trouble"].startswith("no answer: ")
    assert 'wayside_hub_webhooks_total{result="failed"}' in hub.request("GET", "/metrics").data.decode()


def test_a_backup_is_a_database_of_its_own(tmp_path: Path, new_hub: Callable[..., Hub]) -> None:
    hub = new_hub()
    assert hub.report(hub.token(site="a"), [event(1)]).status == 200
    copy = tmp_path / "copy.db"
    assert main(["hub", "--database", hub.database, "backup", str(copy)]) == 0
    assert main(["hub", "--database", hub.database, "backup", str(copy)]) == 2
    hub.stop()
    again = new_hub(database=f"sqlite:{copy}")
    again.admin = hub.admin
    assert again.get("/v1/sites/a")["events"] == 1


def test_tokens_made_and_taken_back_beside_a_running_hub_count(
    new_hub: Callable[..., Hub], capsys: pytest.CaptureFixture[str]
) -> None:
    hub = new_hub()
    assert main(["hub", "--database", hub.database, "token", "create", "--site", "a"]) == 0
    token = capsys.readouterr().out.strip()
    assert hub.report(token, [event(1)]).status == 200
    assert main(["hub", "--database", hub.database, "token", "list"]) == 0
    listed = capsys.readouterr().out
    assert token.split("_")[1] in listed
    assert token.split("_", 2)[2] not in listed
    assert main(["hub", "--database", hub.database, "token", "revoke", "nobody"]) == 2
    assert main(["hub", "--database", hub.database, "token", "revoke", token.split("_")[1]]) == 0


def test_a_database_has_one_hub(tmp_path: Path, hub: Hub) -> None:
    with pytest.raises(AssertionError, match="another hub uses"):
        start_hub(tmp_path, hub.database)


def test_old_events_are_forgotten_and_the_state_stays(new_hub: Callable[..., Hub]) -> None:
    hub = new_hub("--retention", "0.00001")
    token = hub.token(site="a")
    assert hub.report(token, [event(1), applied(2, state="Ready")]).status == 200
    time.sleep(1.0)
    hub.stop()
    again = new_hub("--retention", "0.00001")
    again.admin = hub.admin
    deadline = time.monotonic() + 10
    while again.get("/v1/events")["items"] and time.monotonic() < deadline:
        time.sleep(0.1)
    assert again.get("/v1/events")["items"] == []
    assert again.get("/v1/sites/a")["applied"] == COMMIT
    # A repeated batch is known by its number, although its events are gone.
    assert again.report(token, [event(1), applied(2, state="Ready")]).json()["acknowledged"] == 2
    assert again.get("/v1/sites/a")["events"] == 2


def test_figures_are_in_the_format_of_prometheus(new_hub: Callable[..., Hub]) -> None:
    hub = new_hub()
    hub.report(hub.token(site="a"), [event(1)])
    text = hub.request("GET", "/metrics").data.decode()
    assert 'wayside_hub_batches_total{result="stored"} 1' in text
    assert 'wayside_hub_sites{state="Unknown"} 1' in text
    assert "wayside_hub_ingest_seconds_count 1" in text
    assert hub.request("GET", "/healthz", token="").data == b"ok\n"
    assert hub.request("GET", "/readyz", token="").status == 200


def test_a_quiet_site_is_alive_and_learns_what_the_hub_has(hub: Hub) -> None:
    token = hub.token(site="a")
    nothing = hub.request("POST", "/v1/sites/a/events", token=token, body=b"[]")
    assert (nothing.status, nothing.json()) == (200, {"epoch": "", "acknowledged": 0})
    assert hub.report(token, [event(1), event(2)]).status == 200
    before = hub.get("/v1/sites/a")["lastSeen"]
    time.sleep(0.01)
    again = hub.request("POST", "/v1/sites/a/events", token=token, body=b"[]")
    assert again.json() == {"epoch": "e1", "acknowledged": 2}
    assert hub.get("/v1/sites/a")["lastSeen"] > before
    assert hub.get("/v1/sites/a")["events"] == 2
    assert hub.request("POST", "/v1/sites/a/events", token=hub.token(site="b"), body=b"[]").status == 403


def test_an_event_that_is_not_as_its_schema_says_is_refused_with_the_field(hub: Hub) -> None:
    token = hub.token(site="a")
    answer = hub.report(token, [event(1), event(2, EventType.SYNC_APPLIED, commit=7)])
    assert answer.status == 400
    assert answer.json()["code"] == "bad-batch"
    assert "data.commit" in answer.json()["title"]
    answer = hub.report(token, [event(1, EventType.SYNC_DENIED, commit=COMMIT)])
    assert "data.reasons" in answer.json()["title"]
    assert hub.get("/v1/events")["items"] == []
    # A newer agent may say more, and things that this hub has not heard of.
    newer = dataclasses.replace(event(1, more=1), type="dev.wayside.moon.risen.v1")
    assert hub.report(token, [newer, event(2, unheard={"of": []})]).status == 200


def test_a_site_is_offline_after_three_of_its_own_intervals(hub: Hub) -> None:
    token = hub.token(site="a")
    assert hub.report(token, [event(1, state="Ready", heartbeatInterval=1.0)]).status == 200
    assert hub.get("/v1/sites/a")["state"] == "Ready"
    time.sleep(3.2)
    site = hub.get("/v1/sites/a")
    assert (site["state"], site["lastState"], site["heartbeatInterval"]) == ("Offline", "Ready", 1.0)
