"""A hub as people run it: a process of its own, over a file or over a real PostgreSQL."""

from __future__ import annotations

import gzip
import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import urllib3

from reconciler.model.event import Event
from tests.hub.postgres import Postgres, PostgresMissing

ROOT = Path(__file__).parents[2]


@dataclass
class Hub:
    """A running hub, and the tokens to talk to it."""

    database: str
    process: subprocess.Popen[str]
    url: str
    admin: str
    log: Path
    http: urllib3.PoolManager = field(default_factory=lambda: urllib3.PoolManager(retries=False))

    def token(self, *, site: str = "", operator: str = "", days: float = 0) -> str:
        kind = {"kind": "site", "subject": site} if site else {"kind": "operator", "subject": operator}
        answer = self.request("POST", "/v1/tokens", body={**kind, "role": "read", "days": days})
        assert answer.status == 201, answer.data
        return str(answer.json()["token"])

    def request(
        self, method: str, path: str, *, token: str | None = None, body: Any = None, **headers: str
    ) -> urllib3.BaseHTTPResponse:
        given = {name.replace("_", "-"): value for name, value in headers.items()}
        if token != "":
            given["Authorization"] = f"Bearer {token or self.admin}"
        content = body
        if body is not None and not isinstance(body, bytes):
            content = json.dumps(body).encode()
            given.setdefault("Content-Type", "application/json")
        return self.http.request(
            method, self.url + path, body=content, headers=given, redirect=False, timeout=20.0
        )

    def get(self, path: str) -> Any:
        answer = self.request("GET", path)
        assert answer.status == 200, answer.data
        return answer.json()

    def report(
        self, token: str, events: Sequence[Event], *, site: str = "", **headers: str
    ) -> urllib3.BaseHTTPResponse:
        body = json.dumps([event.to_cloudevent() for event in events]).encode()
        return self.request(
            "POST",
            f"/v1/sites/{site or events[0].site}/events",
            token=token,
            body=gzip.compress(body),
            Content_Encoding="gzip",
            **headers,
        )

    def stop(self, how: signal.Signals = signal.SIGTERM) -> int:
        self.process.send_signal(how)
        return self.process.wait(20)


def start_hub(folder: Path, database: str, *arguments: str) -> Hub:
    """Start a hub at a free port."""
    log = folder / "hub.log"
    before = log.stat().st_size if log.exists() else 0
    with log.open("ab") as file:
        process = subprocess.Popen(
            [
                *(sys.executable, "-P", "-m", "reconciler", "hub", "--database", database),
                *("--listen", "127.0.0.1:0", *arguments),
            ],
            stdin=subprocess.DEVNULL,
            stdout=file,
            stderr=file,
            text=True,
        )
    try:
        said = _await_address(process, log, before)
    except BaseException:
        process.kill()
        process.wait()
        raise
    admin = re.search(r"shown this once\): (wst_\S+)", log.read_text())
    address = re.search(r"the hub is at (\S+)", said)
    assert address is not None
    return Hub(database, process, address[1], admin[1] if admin else "", log)


def _await_address(process: subprocess.Popen[str], log: Path, before: int) -> str:
    import time

    deadline = time.monotonic() + 20
    while True:
        said = log.read_bytes()[before:].decode()
        if "the hub is at " in said and said.endswith("\n"):
            return said
        assert process.poll() is None, said
        assert time.monotonic() < deadline, said
        time.sleep(0.02)


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    try:
        server = Postgres.start()
    except PostgresMissing as err:
        if os.environ.get("CI"):
            raise
        pytest.skip(str(err))
    yield server
    server.stop()


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.cluster)])
def database(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "sqlite":
        return f"sqlite:{tmp_path / 'hub.db'}"
    server: Postgres = request.getfixturevalue("postgres")
    return server.new_database()


@pytest.fixture
def hub(tmp_path: Path, database: str) -> Iterator[Hub]:
    started = start_hub(tmp_path, database)
    yield started
    if started.process.poll() is None:
        assert started.stop() == 0, started.log.read_text()


@pytest.fixture
def new_hub(tmp_path: Path) -> Iterator[Callable[..., Hub]]:
    """Call it for a hub over a file, with more arguments if need be."""
    hubs: list[Hub] = []

    def start(*arguments: str, database: str = "") -> Hub:
        hubs.append(start_hub(tmp_path, database or f"sqlite:{tmp_path / 'hub.db'}", *arguments))
        return hubs[-1]

    yield start
    for started in hubs:
        if started.process.poll() is None:
            started.process.kill()
            started.process.wait()
