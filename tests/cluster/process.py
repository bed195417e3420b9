"""A real part as a process: on loopback, logged, and never outliving the tests."""

import os
import random
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Final

from tests.cluster.errors import PartFailed

# Runs between fork and exec, as a program of its own: `preexec_fn` is unsafe where there are threads.
# The kernel then kills the part when its parent goes, even by SIGKILL; one gone already is seen too.
_DIE_WITH_PARENT: Final = """
import ctypes, os, sys
ctypes.CDLL(None).prctl(1, 9)
if os.getppid() != int(sys.argv[1]): os._exit(1)
os.execv(sys.argv[2], sys.argv[2:])
"""

_PORTS: Final = range(12000, 30000)
_claimed: Final[list[socket.socket]] = []

_PROXIES: Final = frozenset({"http_proxy", "https_proxy", "all_proxy", "no_proxy"})


def bound_to_this_process(argv: Sequence[str | Path]) -> list[str]:
    """Return a command that ends when this process does.

    Start it from the main thread: the kernel goes by the thread that started it.
    """
    words = [str(word) for word in argv]
    if sys.platform != "linux":
        return words
    return [sys.executable, "-I", "-S", "-c", _DIE_WITH_PARENT, str(os.getpid()), *words]


def loopback_environment(*, home: Path) -> dict[str, str]:
    """Return an environment for a part: no proxy, nothing of the user's home or cluster settings."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if name.lower() not in _PROXIES
        and not name.startswith(("KUBE", "COSIGN", "SIGSTORE", "DOCKER", "OTEL", "ETCD"))
    }
    return {**kept, "HOME": str(home), "NO_PROXY": "*", "no_proxy": "*"}


def free_port() -> int:
    """Return a loopback port that is this process's own until it ends.

    It lies below the range from which the kernel takes ports for outgoing connections, so a part that is
    stopped and started again finds its port free; an abstract socket of the port's name keeps it from every
    other test process, and is gone when this one is.

    Raises:
        PartFailed: No port is free.
    """
    for port in random.SystemRandom().sample(_PORTS, len(_PORTS)):
        with ExitStack() as undo:
            claim = undo.enter_context(socket.socket(socket.AF_UNIX))
            listener = undo.enter_context(socket.socket())
            try:
                claim.bind(f"\0wayside-tests-port-{port}")
                listener.bind(("127.0.0.1", port))
            except OSError:
                continue
            _claimed.append(claim)
            listener.close()
            undo.pop_all()
            return port
    raise PartFailed(f"every loopback port from {_PORTS.start} to {_PORTS.stop - 1} is taken")


class Process:
    """One program, its log, and its end."""

    def __init__(self, name: str, argv: Sequence[str | Path], *, log: Path, env: Mapping[str, str]) -> None:
        self.name = name
        self.log = log
        self._argv = argv
        self._env = env
        self._running: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int:
        """The process id.

        Raises:
            PartFailed: It is not running.
        """
        self.check()
        assert self._running is not None
        return self._running.pid

    @property
    def started(self) -> bool:
        """Whether it was started, and not stopped since; it may have ended by itself."""
        return self._running is not None

    def start(self) -> None:
        """Start it in a session of its own; what it says is appended to the log."""
        assert self._running is None, f"{self.name} runs already"
        self.log.parent.mkdir(parents=True, exist_ok=True)
        with self.log.open("ab") as log:
            self._running = subprocess.Popen(
                bound_to_this_process(self._argv),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=dict(self._env),
                start_new_session=True,
            )

    def stop(self, *, timeout: float = 15.0) -> None:
        """End it by SIGTERM, and by SIGKILL after `timeout` seconds. Does nothing if it is not running."""
        self.ask_to_stop()
        if self._running is None:
            return
        try:
            self._running.wait(timeout)
        except subprocess.TimeoutExpired:
            self.kill()
        self._running = None

    def ask_to_stop(self) -> None:
        """Send SIGTERM and do not wait, so that several parts end side by side."""
        if self._running is not None and self._running.poll() is None:
            self._running.terminate()

    def kill(self) -> None:
        """End it, and whatever it started, by SIGKILL. Does nothing if it is not running."""
        if self._running is None:
            return
        if self._running.poll() is None:
            os.killpg(self._running.pid, signal.SIGKILL)
        self._running.wait()
        self._running = None

    def check(self) -> None:
        """Do nothing while it runs.

        Raises:
            PartFailed: It is not running; the message has the end of its log.
        """
        if self._running is None:
            raise PartFailed(f"{self.name} is not running")
        code = self._running.poll()
        if code is not None:
            raise PartFailed(
                f"{self.name} ended with code {code}; its log {self.log} ends:\n{self.last_words()}"
            )

    def last_words(self, *, lines: int = 20) -> str:
        """Return the end of the log."""
        text = self.log.read_text(encoding="utf-8", errors="replace") if self.log.exists() else ""
        return "\n".join(text.splitlines()[-lines:])


def wait_until(
    done: Callable[[], bool],
    *,
    what: str,
    timeout: float = 60.0,
    every: float = 0.05,
    during: Sequence[Process] = (),
) -> None:
    """Ask until the answer is yes.

    Raises:
        PartFailed: `timeout` seconds are over, or one of the processes in `during` has ended.
    """
    deadline = time.monotonic() + timeout
    while not done():
        for process in during:
            process.check()
        if time.monotonic() > deadline:
            words = "".join(f"\n{process.name}: {process.last_words(lines=5)}" for process in during)
            raise PartFailed(f"expected {what} within {timeout:.0f} s{words}")
        time.sleep(every)
