"""The agent's side of the worker: starts it, waits for its answer, and ends it with all it started."""

from __future__ import annotations

import dataclasses
import json
import os
import selectors
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from contextlib import suppress

from reconciler.agent.assessment import Assessment, Unavailable, Unchanged, decode
from reconciler.agent.wakeup import Signal
from reconciler.agent.worker import READY, Request
from reconciler.errors import StateError

__all__ = ["Cancelled", "Worker"]

_COMMAND = (sys.executable, "-P", "-m", "reconciler.agent.worker")
_LARGEST_ANSWER = 256 * 1024 * 1024
_LARGEST_COMPLAINT = 16 * 1024


class Cancelled(BaseException):
    """The agent is to stop. No failure of a step: nothing but the end of the agent catches it."""


class Worker:
    """The process that answers: started for one question, or kept ready for the next one.

    One that is ready has loaded all its code, and has judged nothing: what it took for a judgement is given
    back with its end. It may answer that nothing is new any number of times.

    Args:
        command: The program and its arguments.
        keep_open: Descriptors that the process holds until its end: the lock of the state.
        ready: Whether one is kept ready. That takes memory while the agent is idle.
    """

    def __init__(
        self, command: Sequence[str] = _COMMAND, *, keep_open: Sequence[int] = (), ready: bool = False
    ) -> None:
        self._command = command
        self._keep_open = keep_open
        self._ready = ready
        self._process: subprocess.Popen[bytes] | None = None

    def prepare(self) -> None:
        """Have a process ready for the next question, where one is wanted and none is there."""
        if self._ready and (self._process is None or self._process.poll() is not None):
            self.close()
            # Without this word it loads what judging needs when it has something to judge.
            self._process = self._start(READY)

    def ask(self, request: Request, *, timeout: float, stop: Signal) -> Assessment:
        """Have one request answered.

        Args:
            request: The question.
            timeout: Seconds; then the worker and everything that it started are killed.
            stop: Ends the wait when it is set.

        Raises:
            Cancelled: `stop` was set.
        """
        if self._process is None or self._process.poll() is not None:
            self.close()
            self._process = self._start()
        answer: Assessment | None = None
        try:
            answer = _converse(
                self._process, request, deadline=time.monotonic() + timeout, timeout=timeout, stop=stop
            )
        finally:
            if not self._ready or not isinstance(answer, Unchanged):
                self.close()
        return answer

    def close(self) -> None:
        """End the process, with every git that it started."""
        process, self._process = self._process, None
        if process is None:
            return
        # The worker leads its own group, so this ends its git children too, also after it has ended.
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)
        for stream in (process.stdin, process.stdout, process.stderr):
            if stream is not None:
                with suppress(BrokenPipeError):
                    stream.close()
        process.wait()
        _reap_orphans()

    def _start(self, *more: str) -> subprocess.Popen[bytes]:
        return subprocess.Popen(  # noqa: S603 - our own interpreter and module
            [*self._command, *more],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,
            pass_fds=self._keep_open,
        )


def _reap_orphans() -> None:
    """Bury what a killed worker left, where this is the first process of a container and nobody else does."""
    if os.getpid() != 1:
        return
    with suppress(ChildProcessError):
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass


def _converse(
    process: subprocess.Popen[bytes], request: Request, *, deadline: float, timeout: float, stop: Signal
) -> Assessment:
    if process.stdin is None or process.stdout is None or process.stderr is None:
        raise RuntimeError("expected a process with pipes")
    with suppress(BrokenPipeError):
        process.stdin.write(json.dumps(dataclasses.asdict(request)).encode() + b"\n")
        process.stdin.flush()
    answer, complaint = bytearray(), bytearray()
    with selectors.DefaultSelector() as selector:
        selector.register(process.stdout, selectors.EVENT_READ, answer)
        selector.register(process.stderr, selectors.EVENT_READ, complaint)
        selector.register(stop, selectors.EVENT_READ)
        while not answer.endswith(b"\n") and len(selector.get_map()) > 1:
            left = deadline - time.monotonic()
            if left <= 0:
                return Unavailable(
                    "worker-timeout", f"looking at the repository took longer than {timeout:g} s"
                )
            for key, _ in selector.select(left):
                if key.fileobj is stop:
                    raise Cancelled
                part = os.read(key.fd, 65536)
                if part:
                    key.data.extend(part)
                else:
                    selector.unregister(key.fileobj)
            del complaint[:-_LARGEST_COMPLAINT]
            if len(answer) > _LARGEST_ANSWER:
                return Unavailable("worker-failed", "the worker's answer has no end")
    try:
        return decode(json.loads(answer))
    except (ValueError, StateError):
        # What it said of its end was said before that.
        os.set_blocking(process.stderr.fileno(), False)
        complaint += process.stderr.read() or b""
        return Unavailable("worker-failed", f"the worker ended without an answer{_last_words(complaint)}")


def _last_words(complaint: bytearray) -> str:
    lines = complaint.decode(errors="replace").strip().splitlines()
    return f": {lines[-1][:300]}" if lines else ""
