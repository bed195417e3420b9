"""What nobody should send to a hub is refused or bounded, and the hub goes on."""

from __future__ import annotations

import gzip
import json
import socket
import time
from collections.abc import Callable, Iterator
from email.utils import formatdate
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from reconciler.hub import connections
from reconciler.hub.core import Limits
from reconciler.hub.http import Problem
from reconciler.hub.refusals import Refusals
from tests.browser.local_hub import LocalHub, Moment
from tests.hub.conftest import Hub, start_hub
from tests.hub.events import COMMIT, applied, event

pytestmark = pytest.mark.timeout(120)

PATH = "/v1/sites/a/events"
OTHER = "f" * 40


@pytest.fixture
def hub(new_hub: Callable[..., Hub]) -> Hub:
    return new_hub()


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hub]:
    """A hub that knows one site; tests change nothing of it."""
    folder = tmp_path_factory.mktemp("shared")
    hub = start_hub(folder, f"sqlite:{folder / 'hub.db'}")
    assert hub.report(hub.token(site="known"), [event(1, site="known")]).status == 200
    yield hub
    assert hub.stop() == 0, hub.log.read_text()


@pytest.fixture
def impatient(tmp_path: Path) -> Iterator[LocalHub]:
    """A hub that waits half a second for a body."""
    started = LocalHub(tmp_path, Moment(), limits=Limits(patience=0.5))
    yield started
    started.stop()


def memory(hub: Hub) -> int:
    """The most memory that the hub has held, in MiB."""
    status = Path(f"/proc/{hub.process.pid}/status").read_text()
    return int(status.split("VmHWM:")[1].split()[0]) // 1024


def connect(url: str) -> socket.socket:
    parts = urlsplit(url)
    return socket.create_connection((parts.hostname or "", parts.port or 0), timeout=30)


def everything(link: socket.socket) -> bytes:
    """Read until the other side closes."""
    parts = []
    with link:
        try:
            while part := link.recv(65536):
                parts.append(part)
        except ConnectionResetError:
            pass
    return b"".join(parts)


def test_a_bomb_is_not_unpacked(hub: Hub) -> None:
    token = hub.token(site="a")
    hub.get("/v1/fleet")
    before = memory(hub)
    bomb = gzip.compress(bytes(200 << 20), 6)
    assert len(bomb) < 1 << 20
    for _ in range(5):
        answer = hub.request("POST", PATH, token=token, body=bomb, Content_Encoding="gzip")
        assert (answer.status, answer.json()["code"]) == (413, "too-large")
    assert memory(hub) - before < 100


def test_a_bomb_of_json_is_not_unpacked(hub: Hub) -> None:
    token = hub.token(site="a")
    for text in (b"[" * 4_000_000, b'[{"data":' * 900_000, b"[" + b"{}," * 2_000_000 + b"{}]"):
        body = gzip.compress(text)
        assert hub.request("POST", PATH, token=token, body=body, Content_Encoding="gzip").status in {400, 413}
    assert hub.get("/v1/events")["items"] == []


def test_a_gibibyte_in_chunks_is_cut_off(hub: Hub) -> None:
    token = hub.token(site="a")
    link = connect(hub.url)
    link.sendall(
        f"POST {PATH} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {token}\r\n"
        "Transfer-Encoding: chunked\r\n\r\n".encode()
    )
    chunk = b"100000\r\n" + bytes(1 << 20) + b"\r\n"
    sent = 0
    try:
        for _ in range(1024):
            link.sendall(chunk)
            sent += len(chunk)
    except (BrokenPipeError, ConnectionResetError):
        pass
    finally:
        link.close()
    assert sent < 64 << 20
    assert memory(hub) < 200
    assert hub.get("/v1/events")["items"] == []


def test_a_body_that_is_somewhat_too_large_gets_its_answer_each_time(shared: Hub) -> None:
    token = shared.token(site="known")
    for _ in range(30):
        answer = shared.request("POST", "/v1/sites/known/events", token=token, body=bytes(3 << 20))
        assert (answer.status, answer.json()["code"]) == (413, "too-large")


def test_a_refused_body_ends_the_connection(hub: Hub) -> None:
    token = hub.token(site="a")
    link = connect(hub.url)
    head = f"POST {PATH} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {token}\r\n"
    link.sendall(f"{head}Content-Length: {1 << 30}\r\n\r\n".encode())
    answer = everything(link)
    assert answer.startswith(b"HTTP/1.1 413 ")
    assert b"connection: close" in answer.lower()


def test_a_head_that_does_not_end_is_refused(hub: Hub) -> None:
    with connect(hub.url) as link, pytest.raises((BrokenPipeError, ConnectionResetError)):
        link.sendall(b"GET /v1/fleet HTTP/1.1\r\nHost: x\r\n")
        for number in range(20_000):
            link.sendall(f"X-{number}: {'a' * 1000}\r\n".encode())
    assert memory(hub) < 100


def test_a_client_that_sends_drops_is_let_go(impatient: LocalHub, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections, "HEAD_SECONDS", 0.5)
    for first in (b"", b"GET /v1/fl"):
        link = connect(impatient.url)
        link.sendall(first)
        begin = time.monotonic()
        assert everything(link).startswith(b"HTTP/1.1 408 ")
        assert time.monotonic() - begin < 10
    token = impatient.site_token("a").read_text()
    link = connect(impatient.url)
    head = f"POST {PATH} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {token}\r\nContent-Length: 100\r\n\r\n["
    link.sendall(head.encode())
    answer = everything(link)
    assert answer.startswith(b"HTTP/1.1 408 ")
    assert b'"code":"slow"' in answer


def test_a_thousand_idle_connections_keep_nobody_out(hub: Hub) -> None:
    idle = [connect(hub.url) for _ in range(1000)]
    try:
        assert hub.get("/v1/events")["items"] == []
    finally:
        for link in idle:
            link.close()


def test_listeners_that_do_not_read_hinder_nobody(hub: Hub) -> None:
    token = hub.token(site="a")
    head = f"GET /v1/stream HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {hub.admin}\r\n\r\n".encode()
    before = memory(hub)
    deaf = []
    for _ in range(200):
        link = connect(hub.url)
        link.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        link.sendall(head)
        deaf.append(link)
    for link in deaf:
        assert link.recv(15).startswith(b"HTTP/1.1 200")
    try:
        full = hub.request("GET", "/v1/stream")
        assert (full.status, full.json()["code"], full.headers["Retry-After"]) == (503, "busy", "30")
        for number in range(1, 40):
            long = event(number, state="Degraded", message="x" * 600)
            assert hub.report(token, [long]).status == 200
        assert memory(hub) - before < 64
    finally:
        for link in deaf:
            link.close()
    deadline = time.monotonic() + 20
    while hub.request("GET", "/metrics").data.count(b"wayside_hub_listeners 0") == 0:
        assert time.monotonic() < deadline
        time.sleep(0.2)


def test_a_stream_ends_with_its_token(hub: Hub) -> None:
    made = hub.request(
        "POST", "/v1/tokens", body={"kind": "operator", "subject": "ann", "role": "read"}
    ).json()
    link = connect(hub.url)
    request = f"GET /v1/stream HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {made['token']}\r\n\r\n"
    link.sendall(request.encode())
    assert link.recv(15).startswith(b"HTTP/1.1 200")
    assert hub.request("DELETE", f"/v1/tokens/{made['id']}").status == 204
    assert hub.report(hub.token(site="a"), [event(1, state="Ready", message="not for ann")]).status == 200
    link.settimeout(20)
    seen = b""
    with link:
        while b"0\r\n\r\n" not in seen:
            seen += link.recv(65536)
    assert b"not for ann" not in seen


BAD_EVENTS = {
    "no CloudEvent": [{"hello": "world"}],
    "another version": [{**event(1).to_cloudevent(), "specversion": "2.0"}],
    "a field of another kind": [event(1, labels={"region": 7}).to_cloudevent()],
    "a state that no site can claim": [event(1, state="Offline").to_cloudevent()],
    "numbers that do not fit": [{**event(1).to_cloudevent(), "id": "e1-99999999999999999999"}],
    "a name of a path": [{**event(1).to_cloudevent(), "source": "/sites/../b"}],
}


@pytest.mark.parametrize("batch", BAD_EVENTS.values(), ids=list(BAD_EVENTS))
def test_a_batch_with_a_bad_event_is_refused_whole(shared: Hub, batch: list[object]) -> None:
    token = shared.token(site="a")
    body = json.dumps([event(1).to_cloudevent() | {"id": "e1-1"}, *batch]).encode()
    answer = shared.request("POST", PATH, token=token, body=body)
    assert answer.status in {400, 403}
    assert answer.json()["title"].startswith("expected")
    assert {item["event"]["source"] for item in shared.get("/v1/events")["items"]} == {"/sites/known"}
    assert 'result="refused"}' in shared.request("GET", "/metrics").data.decode()


HOSTILE_QUERIES = [
    "search=%27%20OR%201%3D1%20--",
    "search=%00",
    "search=%25",
    "state=Ready%27%3B%20DROP%20TABLE%20sites",
    "selector=a%20in%20(%27x%27)%20OR%20b",
    "cursor=Jyk7IERST1AgVEFCTEUgc2l0ZXM7LS0",
    "limit=1%20UNION%20SELECT%201",
    "limit=%D9%A3",
]


@pytest.mark.parametrize("query", HOSTILE_QUERIES)
def test_a_filter_is_never_a_statement(shared: Hub, query: str) -> None:
    answer = shared.request("GET", f"/v1/sites?{query}")
    assert answer.status == 400 or answer.json()["items"] in ([], shared.get("/v1/sites")["items"])
    assert shared.get("/v1/sites/known")["events"] == 1
    strange = shared.request("GET", "/v1/sites/%27%20OR%201%3D1/events")
    assert (strange.status, strange.json()["code"]) == (404, "unknown-site")


@pytest.mark.parametrize("years", [-56, 40], ids=["1970", "2066"])
def test_one_wrong_clock_does_not_move_a_revision(hub: Hub, years: int) -> None:
    """A revision is as new as the sites whose clocks are right say, whatever another claims."""
    token, wrong = hub.token(site="a"), hub.token(site="b")
    now = time.time()

    def told(seconds: float) -> str:
        return time.strftime("%Y-%m-%dT%H:%M:%S.000Z", time.gmtime(seconds))

    date = formatdate(now, usegmt=True)
    # It was applied an hour ago, and the other revision half an hour ago; both are told now.
    assert hub.report(token, [applied(1, time=told(now - 3600))], Date=date).status == 200
    second = applied(2, OTHER, time=told(now - 1800))
    assert hub.report(token, [second], Date=date).status == 200
    off = now + years * 365.25 * 86400
    odd = applied(1, OTHER, site="b", time=told(off))
    assert hub.report(wrong, [odd], Date=formatdate(off, usegmt=True)).status == 200
    commits = [item["commit"] for item in hub.get("/v1/revisions")["items"]]
    assert commits == [OTHER, COMMIT]
    site = hub.get("/v1/sites/b")
    assert abs(site["clockSkew"] - years * 365.25 * 86400) < 86400
    assert site["state"] != "Offline"


def test_a_site_that_was_offline_tells_late_and_its_clock_counts(hub: Hub) -> None:
    now = time.time()
    date = formatdate(now, usegmt=True)
    assert hub.report(hub.token(site="a"), [applied(1, OTHER)], Date=date).status == 200
    early = time.strftime("%Y-%m-%dT%H:%M:%S.000Z", time.gmtime(now - 86400))
    late = applied(1, site="b", time=early)
    assert hub.report(hub.token(site="b"), [late], Date=date).status == 200
    commits = [item["commit"] for item in hub.get("/v1/revisions")["items"]]
    assert commits == [OTHER, COMMIT]
    assert hub.get("/v1/sites/b")["behind"] == 1


def test_what_was_refused_is_logged_without_its_token(hub: Hub) -> None:
    token = hub.token(site="a")
    assert hub.report(token, [event(1, site="b")]).status == 403
    assert hub.request("POST", "/v1/sites/%0Aforged%20line/events", token=token, body=b"[]").status == 404
    guess = "wst_nothing"
    assert hub.request("POST", PATH, token=guess, body=b"[]").status == 401
    said = hub.log.read_text()
    assert " WARNING refused POST /v1/sites/b/events from 127.0.0.1: 403 another-site" in said
    assert "/v1/sites/%0Aforged%20line/events from 127.0.0.1: 404 unknown-site" in said
    assert "refused POST /v1/sites/a/events from 127.0.0.1: 401 unauthenticated" in said
    assert token not in said
    assert guess not in said


def test_a_flood_of_refusals_fills_no_log(caplog: pytest.LogCaptureFixture) -> None:
    now = [0.0]
    refusals = Refusals(most=3, period=60.0, clock=lambda: now[0])
    problem = Problem(400, "expected something else", code="bad-batch")
    for _ in range(1000):
        refusals.note(problem, method="POST", path="/v1/sites/a/events", peer="192.0.2.1")
    assert len(caplog.messages) == 3
    now[0] = 61.0
    refusals.note(problem, method="POST", path="/" + "x" * 9999, peer="192.0.2.1")
    assert caplog.messages[3] == "refused 997 more requests"
    assert len(caplog.messages[4]) < 400


def test_guessing_tokens_does_not_ask_the_database_each_time(tmp_path: Path) -> None:
    hub = LocalHub(tmp_path, Moment())
    try:
        asked = []
        real = hub.core.store.token
        guess = "wst_0123456789ab_" + "x" * 43

        class Counting:
            """The store, with its looks at tokens counted."""

            def __getattr__(self, name: str) -> object:
                return getattr(hub.core.store, name)

            def token(self, id_: str) -> object:
                asked.append(id_)
                return real(id_)

        hub.core.guard._store = Counting()  # type: ignore[assignment] # a store all the same
        assert [hub.core.guard.recognise(guess) for _ in range(50)] == [None] * 50
        assert len(asked) == 1
    finally:
        hub.stop()


def test_a_group_is_as_bad_as_its_worst_site(hub: Hub) -> None:
    for name, region, state in (
        ("a", "north", "Ready"),
        ("b", "north", "Degraded"),
        ("c", "south", "Ready"),
        ("d", "", "Held"),
    ):
        labels = {"region": region} if region else {}
        one = event(1, site=name, state=state, labels=labels)
        assert hub.report(hub.token(site=name), [one]).status == 200
    groups = hub.get("/v1/fleet?by=region")["groups"]
    assert [(group["value"], group["worst"], group["sites"]) for group in groups] == [
        ("north", "Degraded", 2),
        ("", "Held", 1),
        ("south", "Ready", 1),
    ]
    assert groups[0]["states"] == {"Ready": 1, "Degraded": 1}
    filtered = hub.get("/v1/fleet?by=region&selector=region%3Dsouth")["groups"]
    assert [group["value"] for group in filtered] == ["south"]


def test_the_overview_says_of_each_site_what_its_summary_says(hub: Hub) -> None:
    for number, state in enumerate(("Ready", "Degraded", "Held")):
        name = f"site-{number}"
        one = applied(1, site=name, state=state, message=f"it is {state}", labels={"n": str(number % 2)})
        assert hub.report(hub.token(site=name), [one]).status == 200
    told = hub.get("/v1/overview")
    rows = [dict(zip(told["fields"], row, strict=True)) for row in told["rows"]]
    for row in rows:
        site = hub.get(f"/v1/sites/{row['name']}")
        for name in ("state", "lastState", "behind", "attempt", "since"):
            assert row[name] == site[name], name
        assert told["labels"][row["labels"]] == site["labels"]
        assert told["commits"][row["applied"]] == site["applied"] == COMMIT
        assert row["message"] == ("" if site["state"] == "Ready" else site["message"])
        assert row["conflict"] is False
    assert told["newest"] == COMMIT
    assert told["revisions"][0]["applied"] == 3
