"""The agent's side of custom health: a process that lives for one sync, so that its memory is given back."""

from __future__ import annotations

import dataclasses
import json
import select
import subprocess
import sys
from collections.abc import Sequence
from contextlib import suppress

from reconciler.model.health_check import HealthCheck
from reconciler.model.plan import Health, HealthStatus
from reconciler.model.resource import Manifest, split_api_version

__all__ = ["CustomHealth"]

_COMMAND = (sys.executable, "-P", "-m", "reconciler.agent.health_worker")
_PATIENCE = 20.0


class CustomHealth:
    """Judges objects of the kinds that the fleet has checks for.

    Args:
        checks: The fleet's checks.
    """

    def __init__(self, checks: Sequence[HealthCheck]) -> None:
        self._checks = tuple(checks)
        self._kinds = frozenset((check.group, check.kind) for check in checks)
        self._process: subprocess.Popen[bytes] | None = None

    def assess(self, live: Manifest) -> Health | None:
        """Return the health of an object, or None where no check is for its kind."""
        group = split_api_version(str(live.get("apiVersion") or ""))[0]
        if (group, str(live.get("kind") or "")) not in self._kinds:
            return None
        if (live.get("metadata") or {}).get("deletionTimestamp"):
            return None
        try:
            return self._ask(live)
        except (OSError, ValueError, KeyError) as err:
            self.close()
            return Health(HealthStatus.IN_PROGRESS, f"its health check gives no answer: {type(err).__name__}")

    def close(self) -> None:
        """End the process; the next question starts another."""
        process, self._process = self._process, None
        if process is None:
            return
        process.kill()
        for stream in (process.stdin, process.stdout):
            if stream is not None:
                with suppress(OSError):
                    stream.close()
        process.wait()

    def _ask(self, live: Manifest) -> Health | None:
        process = self._process or self._start()
        if process.stdin is None or process.stdout is None:
            raise ValueError("expected a process with pipes")
        process.stdin.write(json.dumps(live).encode() + b"\n")
        process.stdin.flush()
        if not select.select([process.stdout], [], [], _PATIENCE)[0]:
            raise TimeoutError
        answer = json.loads(process.stdout.readline() or b"?")
        return None if answer is None else Health(HealthStatus(answer["status"]), str(answer["message"]))

    def _start(self) -> subprocess.Popen[bytes]:
        self._process = subprocess.Popen(  # noqa: S603 - our own interpreter and module
            _COMMAND, stdin=subprocess.PIPE, stdout=subprocess.PIPE, start_new_session=True
        )
        if self._process.stdin is not None:
            rows = [dataclasses.asdict(check) for check in self._checks]
            self._process.stdin.write(json.dumps(rows).encode() + b"\n")
        return self._process
