"""Sinks: a file, and a hub over real HTTP."""

from __future__ import annotations

import gzip
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest

from reconciler.adapters.file_sink import FileSink
from reconciler.adapters.hub_sink import HubSink
from reconciler.model.event import Event, Receipt
from reconciler.ports.sink import SinkError


def events(first: int, last: int, *, epoch: str = "e1") -> list[Event]:
    return [
        Event(
            "shop",
            epoch,
            number,
            "dev.wayside.sync.applied.v1",
            "2026-01-01T00:00:00.000Z",
            {"n": "ü" * number},
        )
        for number in range(first, last + 1)
    ]


def numbers(path: Path) -> list[int]:
    return [int(event["sequence"]) for line in path.read_text().splitlines() for event in json.loads(line)]


def test_a_batch_is_one_line_of_the_file(tmp_path: Path) -> None:
    sink = FileSink(tmp_path / "events")
    assert sink.deliver(events(1, 3)) == Receipt("e1", 3)
    assert sink.deliver(events(4, 4)) == Receipt("e1", 4)
    assert len((tmp_path / "events").read_text().splitlines()) == 2
    assert numbers(tmp_path / "events") == [1, 2, 3, 4]


def test_a_batch_that_comes_again_is_stored_once(tmp_path: Path) -> None:
    sink = FileSink(tmp_path / "events")
    sink.deliver(events(1, 3))
    assert sink.deliver(events(1, 3)) == Receipt("e1", 3)
    assert sink.deliver(events(2, 5)) == Receipt("e1", 5)
    assert numbers(tmp_path / "events") == [1, 2, 3, 4, 5]


def test_a_new_epoch_begins_at_one_again(tmp_path: Path) -> None:
    sink = FileSink(tmp_path / "events")
    sink.deliver(events(1, 3))
    assert sink.deliver(events(1, 2, epoch="e2")) == Receipt("e2", 2)
    assert numbers(tmp_path / "events") == [1, 2, 3, 1, 2]


@pytest.mark.parametrize("cut", [1, 10, 200])
def test_a_line_torn_by_a_crash_is_cut_off(tmp_path: Path, cut: int) -> None:
    path = tmp_path / "events"
    sink = FileSink(path)
    sink.deliver(events(1, 3))
    sink.deliver(events(4, 6))
    path.write_bytes(path.read_bytes()[:-cut])
    assert sink.deliver(events(4, 6)) == Receipt("e1", 6)
    assert numbers(path) == [1, 2, 3, 4, 5, 6]


def test_lines_longer_than_what_is_read_at_once_are_understood(tmp_path: Path) -> None:
    sink = FileSink(tmp_path / "events")
    sink.deliver(events(1, 500))
    assert (tmp_path / "events").stat().st_size > 200_000
    sink.deliver(events(400, 501))
    assert numbers(tmp_path / "events") == list(range(1, 502))


def test_a_folder_gets_a_file_for_each_site(tmp_path: Path) -> None:
    FileSink(tmp_path).deliver(events(1, 1))
    assert [path.name for path in tmp_path.iterdir()] == ["shop.ndjson"]


def test_a_folder_that_is_away_is_not_made(tmp_path: Path) -> None:
    with pytest.raises(SinkError):
        FileSink(tmp_path / "usb" / "events").deliver(events(1, 1))
    assert not (tmp_path / "usb").exists()


class Hub(BaseHTTPRequestHandler):
    """Answers by script: a list of (status, headers, body)."""

    script: list[tuple[int, dict[str, str], bytes]]
    requests: list[dict[str, Any]]

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.requests.append({"path": self.path, "headers": dict(self.headers), "body": body})
        status, headers, answer = self.script.pop(0)
        self.send_response(status)
        for name, value in {**headers, "Content-Length": str(len(answer))}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the library's name
        del format, args


@contextmanager
def hub(*script: tuple[int, dict[str, str], bytes]) -> Iterator[tuple[str, list[dict[str, Any]]]]:
    requests: list[dict[str, Any]] = []
    handler = type("ScriptedHub", (Hub,), {"script": list(script), "requests": requests})
    server = HTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", requests
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def test_a_hub_gets_a_compressed_batch_of_cloudevents_and_its_answer_counts(tmp_path: Path) -> None:
    token = tmp_path / "token"
    token.write_text("first\n")
    answer: tuple[int, dict[str, str], bytes] = (200, {}, b'{"epoch": "e1", "acknowledged": 3}')
    with hub(answer, answer) as (url, requests):
        sink = HubSink(url, token_file=str(token))
        assert sink.deliver(events(1, 3)) == Receipt("e1", 3)
        token.write_text("second\n")
        sink.deliver(events(1, 3))
    headers = requests[0]["headers"]
    assert requests[0]["path"] == "/v1/sites/shop/events"
    assert headers["Content-Type"].startswith("application/cloudevents-batch+json")
    assert headers["Content-Encoding"] == "gzip"
    # A token that was rotated is used without a restart.
    assert [request["headers"]["Authorization"] for request in requests] == ["Bearer first", "Bearer second"]
    batch = json.loads(gzip.decompress(requests[0]["body"]))
    assert [event["id"] for event in batch] == ["e1-1", "e1-2", "e1-3"]
    assert {event["specversion"] for event in batch} == {"1.0"}


@pytest.mark.parametrize(
    ("answer", "code", "wait"),
    [
        ((503, {"Retry-After": "17"}, b""), "sink-refused", 17.0),
        ((429, {"Retry-After": "Wed, 21 Oct 2015 07:28:00 GMT"}, b""), "sink-refused", 0.0),
        ((503, {"Retry-After": "soon"}, b""), "sink-refused", None),
        ((401, {}, b""), "sink-refused", None),
        ((302, {"Location": "http://127.0.0.1:1/"}, b""), "sink-refused", None),
        ((200, {}, b"welcome to this hotel's network"), "sink-answer", None),
        ((200, {}, b'{"epoch": "e1"}'), "sink-answer", None),
    ],
    ids=[
        "busy",
        "busy with a date",
        "busy in words",
        "unauthorized",
        "redirect",
        "captive portal",
        "incomplete",
    ],
)
def test_any_other_answer_leaves_the_batch_where_it_is(
    answer: tuple[int, dict[str, str], bytes], code: str, wait: float | None
) -> None:
    with hub(answer) as (url, _), pytest.raises(SinkError) as caught:
        HubSink(url).deliver(events(1, 1))
    assert (caught.value.code, caught.value.retry_after, caught.value.unsent) == (code, wait, False)


def test_a_hub_that_is_not_there_is_told_without_credentials() -> None:
    with pytest.raises(SinkError) as caught:
        HubSink("http://user:hunter2@127.0.0.1:1").deliver(events(1, 1))
    assert "hunter2" not in caught.value.message
    assert (caught.value.code, caught.value.unsent) == ("sink-unreachable", True)
