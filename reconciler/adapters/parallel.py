"""Several requests at once, a bounded number of them; everything else stays in one thread."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

__all__ = ["each"]

T = TypeVar("T")
R = TypeVar("R")


def each(
    items: Sequence[T],
    call: Callable[[T], R],
    *,
    width: int,
    expected: type[Exception],
    halt: bool = False,
) -> Iterator[tuple[T, R | Exception]]:
    """Yield every item with what `call` returned for it, or the expected exception, in the items' order.

    Threads end with the process, so that a request without an answer keeps no agent from stopping. Where the
    caller stops asking, nothing more is begun.

    Args:
        items: What to call with.
        call: Runs in other threads, at most `width` at a time; with a width of 1, in the caller's own.
        width: How many at a time.
        expected: What is handed back as a result.
        halt: Whether nothing more is begun after an expected exception. What has begun by then is yielded,
            what has not is left out.

    Raises:
        BaseException: What `call` raised else, when its item's turn has come and all that has begun is over.
    """
    if width <= 1 or len(items) < 2:
        for item in items:
            try:
                result: R | Exception = call(item)
            except expected as err:
                yield item, err
                if halt:
                    return
            else:
                yield item, result
        return
    run = _Run(items, call, expected if halt else None)
    threads = [threading.Thread(target=run.work, name="request", daemon=True) for _ in range(width)]
    for thread in threads[: len(items)]:
        thread.start()
    try:
        for index, item in enumerate(items):
            outcome = run.outcome(index, threads)
            if outcome is None:
                continue
            if outcome.error is None:
                yield item, outcome.value[0]
            elif isinstance(outcome.error, expected):
                yield item, outcome.error
            else:
                run.stopped.set()
                for thread in threads[: len(items)]:
                    thread.join()
                raise outcome.error
    finally:
        run.stopped.set()


@dataclass(frozen=True, slots=True)
class _Outcome(Generic[R]):
    """What a call ended with: the value in a tuple of one, or the error."""

    value: tuple[R, ...] = ()
    error: BaseException | None = None


class _Run(Generic[T, R]):
    """The calls of one `each`, and how they ended."""

    def __init__(self, items: Sequence[T], call: Callable[[T], R], halts: type[Exception] | None) -> None:
        self._items = items
        self._call = call
        self._halts = halts
        self._todo = iter(range(len(items)))
        self._done: dict[int, _Outcome[R]] = {}
        self._change = threading.Condition()
        self.stopped = threading.Event()

    def work(self) -> None:
        """Make calls until there are none left."""
        while True:
            with self._change:
                index = None if self.stopped.is_set() else next(self._todo, None)
            if index is None:
                return
            try:
                outcome = _Outcome((self._call(self._items[index]),))
            except BaseException as err:  # noqa: BLE001 - it is raised again in the caller's thread
                outcome = _Outcome(error=err)
                if self._halts is not None and isinstance(err, self._halts):
                    self.stopped.set()
            with self._change:
                self._done[index] = outcome
                self._change.notify()

    def outcome(self, index: int, threads: Sequence[threading.Thread]) -> _Outcome[R] | None:
        """Wait for one call, and return how it ended, or None where it was never begun."""
        with self._change:
            while index not in self._done and any(thread.is_alive() for thread in threads):
                # Signals are seen between two waits; a thread that ends last tells nobody.
                self._change.wait(0.05)
            return self._done.get(index)
