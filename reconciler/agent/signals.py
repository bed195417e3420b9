"""How the agent answers signals: by stopping soon, or by a sync now."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

from reconciler.agent.wakeup import Signal
from reconciler.agent.worker_process import Cancelled

__all__ = ["answering", "keep_on"]

#: Seconds that a sync has to come to a stop by itself; then it is broken off, which is safe at any point.
_GRACE = 1.0


@contextmanager
def answering(*, stop: Signal, sync: Signal) -> Iterator[None]:
    """Answer SIGTERM and SIGINT by setting `stop`, and SIGHUP by setting `sync`.

    What has not come to a stop soon after the first is broken off.

    Raises:
        Cancelled: It is; anywhere in the main thread.
    """

    def end(_signal: int, _frame: FrameType | None) -> None:
        stop.set()
        signal.setitimer(signal.ITIMER_REAL, _GRACE)

    def break_off(_signal: int, _frame: FrameType | None) -> None:
        raise Cancelled

    def sync_now(_signal: int, _frame: FrameType | None) -> None:
        sync.set()

    handlers: dict[signal.Signals, Callable[[int, FrameType | None], None]] = {
        signal.SIGTERM: end,
        signal.SIGINT: end,
        signal.SIGHUP: sync_now,
        signal.SIGALRM: break_off,
    }
    before = {number: signal.signal(number, handler) for number, handler in handlers.items()}
    try:
        yield
    finally:
        keep_on()
        for number, handler in before.items():
            signal.signal(number, handler)


def keep_on() -> None:
    """Break nothing off any more: what follows is bounded by itself."""
    signal.setitimer(signal.ITIMER_REAL, 0)
