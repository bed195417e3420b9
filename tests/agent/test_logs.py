"""The agent's log: nothing secret in it, and nothing that stops a sync."""

from __future__ import annotations

import errno
import io
import json

import pytest

from reconciler.agent.clock import SystemClock
from reconciler.agent.logs import Log


class Closed(io.StringIO):
    """A stream whose reader went away, or whose disk is full."""

    def __init__(self, number: int) -> None:
        super().__init__()
        self._number = number

    def flush(self) -> None:
        raise OSError(self._number, "no use")


@pytest.mark.parametrize("number", [errno.EPIPE, errno.ENOSPC, errno.EIO])
def test_a_log_that_cannot_be_written_stops_nothing(number: int) -> None:
    stream = Closed(number)
    log = Log(stream, clock=SystemClock())
    log.info("sync planned")
    log.failure("apply")
    assert stream.getvalue().count("\n") == 2


@pytest.mark.parametrize("as_json", [False, True], ids=["text", "json"])
def test_credentials_of_a_url_are_not_logged(as_json: bool) -> None:
    stream = io.StringIO()
    log = Log(stream, clock=SystemClock(), as_json=as_json)
    log.warning("cannot be read", reason="fatal: https://ann:hunter2@git.acme.test/fleet.git: refused")
    assert "hunter2" not in stream.getvalue()
    assert "https://***@git.acme.test/fleet.git" in stream.getvalue()
    if as_json:
        assert json.loads(stream.getvalue())["level"] == "warning"
