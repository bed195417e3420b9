"""Single requests to an API server that is slow, busy, gone or odd."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from reconciler.adapters.kube.client import KubeClient
from reconciler.adapters.kube.connection import Connection
from reconciler.adapters.kube.redact import redact
from reconciler.errors import TargetRefused, TargetUnreachable


@dataclass
class Answer:
    """What the server answers; with `drop` it closes the connection instead."""

    status: int = 200
    body: object = field(default_factory=lambda: {"kind": "Thing"})
    headers: dict[str, str] = field(default_factory=dict)
    drop: bool = False
    delay: float = 0.0


class Server(ThreadingHTTPServer):
    """A server on loopback that answers by a script; the last answer is for all that follows."""

    daemon_threads = True

    def __init__(self) -> None:
        self.answers: list[Answer] = [Answer()]
        self.seen: list[tuple[str, str, dict[str, str]]] = []
        super().__init__(("127.0.0.1", 0), Handler)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"


class Handler(BaseHTTPRequestHandler):
    """Answers every method alike."""

    protocol_version = "HTTP/1.1"
    server: Server

    def answer(self) -> None:
        self.rfile.read(int(self.headers.get("Content-Length") or 0))
        self.server.seen.append((self.command, self.path, dict(self.headers)))
        found = self.server.answers.pop(0) if len(self.server.answers) > 1 else self.server.answers[0]
        time.sleep(found.delay)
        if found.drop:
            self.close_connection = True
            return
        data = found.body.encode() if isinstance(found.body, str) else json.dumps(found.body).encode()
        self.send_response(found.status)
        for name, value in found.headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    do_GET = do_PATCH = do_DELETE = answer  # noqa: N815 - names that http.server looks for

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class' word
        """Say nothing."""


@pytest.fixture
def server() -> Iterator[Server]:
    with Server() as found:
        thread = threading.Thread(target=found.serve_forever, args=(0.02,))
        thread.start()
        yield found
        found.shutdown()
        thread.join()


@pytest.fixture
def client(server: Server) -> Iterator[KubeClient]:
    found = KubeClient(Connection(server.url, token="s3cret"), timeout=1.0)  # noqa: S106 - nobody's
    yield found
    found.close()


def refusal(status: int, message: str = "no", reason: str = "") -> Answer:
    return Answer(status, {"kind": "Status", "message": message, "reason": reason})


def test_a_busy_server_is_asked_again_after_the_time_that_it_wants(
    server: Server, client: KubeClient
) -> None:
    busy = Answer(429, {"message": "slow down"}, {"Retry-After": "0.1"})
    server.answers = [busy, busy, Answer()]
    began = time.monotonic()
    assert client.request("GET", "/x") == {"kind": "Thing"}
    assert time.monotonic() - began >= 0.2
    assert len(server.seen) == 3


@pytest.mark.parametrize("status", [429, 503])
def test_a_server_that_stays_busy_is_asked_a_bounded_number_of_times(
    server: Server, client: KubeClient, status: int
) -> None:
    server.answers = [Answer(status, {"message": "slow down"}, {"Retry-After": "0"})]
    with pytest.raises(TargetUnreachable, match="slow down"):
        client.request("GET", "/x")
    assert len(server.seen) == 5


def test_a_connection_that_was_dropped_is_opened_again(server: Server, client: KubeClient) -> None:
    server.answers = [Answer(drop=True), Answer()]
    assert client.request("PATCH", "/x", body={}) == {"kind": "Thing"}
    server.answers = [Answer(drop=True)]
    server.seen.clear()
    with pytest.raises(TargetUnreachable, match="does not answer"):
        client.request("GET", "/x")
    assert len(server.seen) == 3


def test_a_server_that_hangs_is_given_up_after_the_timeout_and_not_asked_again(server: Server) -> None:
    server.answers = [Answer(delay=1.0)]
    client = KubeClient(Connection(server.url), timeout=0.1)
    with pytest.raises(TargetUnreachable):
        client.request("GET", "/x")
    client.close()
    assert len(server.seen) == 1


def test_a_server_that_is_not_there_is_unreachable() -> None:
    client = KubeClient(Connection("http://127.0.0.1:9"), timeout=0.5)
    with pytest.raises(TargetUnreachable, match=r"http://127\.0\.0\.1:9 does not answer"):
        client.request("GET", "/x")
    client.close()


@pytest.mark.parametrize(
    ("method", "answer", "error"),
    [
        pytest.param("GET", refusal(403, reason="Forbidden"), TargetRefused, id="forbidden"),
        pytest.param("PATCH", refusal(409, reason="Conflict"), TargetRefused, id="conflict"),
        pytest.param("PATCH", refusal(422, reason="Invalid"), TargetRefused, id="invalid"),
        pytest.param("PATCH", refusal(500, ".spec.size: expected numeric"), TargetRefused, id="wrong-type"),
        pytest.param("PATCH", refusal(500, "failed calling webhook"), TargetUnreachable, id="webhook-failed"),
        pytest.param("PATCH", refusal(500, "etcdserver: leader changed"), TargetUnreachable, id="storage"),
        pytest.param("GET", refusal(500), TargetUnreachable, id="read-failed"),
        pytest.param("GET", refusal(504), TargetUnreachable, id="gateway"),
        pytest.param("GET", refusal(401), TargetUnreachable, id="unauthorized"),
        pytest.param("GET", Answer(200, "<html>"), TargetUnreachable, id="not-json"),
        pytest.param("GET", Answer(302, "", {"Location": "/y"}), TargetRefused, id="redirect"),
    ],
)
def test_a_no_is_told_from_no_answer(
    server: Server, client: KubeClient, method: str, answer: Answer, error: type[Exception]
) -> None:
    server.answers = [answer]
    with pytest.raises(error):
        client.request(method, "/x", body={} if method == "PATCH" else None)


def test_a_token_file_is_read_anew_so_that_a_rotated_token_is_used(server: Server, tmp_path: Path) -> None:
    file = tmp_path / "token"
    file.write_text("one\n")
    client = KubeClient(Connection(server.url, token_file=str(file)))
    client.request("GET", "/x")
    file.write_text("two")
    client.request("GET", "/x")
    client.close()
    assert [headers["Authorization"] for _, _, headers in server.seen] == ["Bearer one", "Bearer two"]


def test_one_connection_serves_many_requests(client: KubeClient) -> None:
    for _ in range(5):
        client.request("GET", "/x")
    pool = client._connected()
    assert pool.num_connections == 1


def test_a_path_of_the_server_comes_before_the_path_of_the_api(server: Server) -> None:
    client = KubeClient(Connection(f"{server.url}/k8s/clusters/c-1"))
    client.request("GET", "/api", query={"labelSelector": "a in (b,c)"})
    client.close()
    assert server.seen[0][1] == "/k8s/clusters/c-1/api?labelSelector=a+in+%28b%2Cc%29"


@pytest.mark.parametrize(
    ("text", "kind", "hidden"),
    [
        pytest.param("sent Bearer abc.def-123", "", "abc.def", id="bearer"),
        pytest.param("token eyJhbGciOi.eyJzdWIi.c2ln is old", "", "eyJ", id="jwt"),
        pytest.param(
            'Secret "x" is invalid: data: Invalid value: "hunter2"', "Secret", "hunter2", id="secret"
        ),
    ],
)
def test_credentials_and_values_of_secrets_are_taken_out_of_messages(
    text: str, kind: str, hidden: str
) -> None:
    assert hidden not in redact(text, kind=kind)


def test_credentials_are_in_no_representation() -> None:
    connection = Connection("https://x", token="s3cret", basic="a:s3cret", key_data="s3cret")  # noqa: S106 - nobody's
    assert "s3cret" not in repr(connection)


def test_what_a_message_says_of_other_kinds_stays() -> None:
    text = 'ConfigMap "x" is invalid: data[a b]: Invalid value: "a b"'
    assert redact(text, kind="ConfigMap") == text


def test_no_message_is_a_document() -> None:
    assert len(redact("x" * 100_000)) < 3000
