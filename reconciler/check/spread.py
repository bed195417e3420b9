"""Work dealt out to processes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from reconciler.errors import UsageError

__all__ = ["spread"]

_Item = TypeVar("_Item")
_Result = TypeVar("_Result")


def spread(
    work: Callable[[Sequence[_Item]], _Result], items: Sequence[_Item], processes: int
) -> list[_Result]:
    """Deal items out to processes, do the first share in this one, and return what each share gave.

    The others are forked, so that they share what is in memory. What `work` returns must travel well.

    Raises:
        UsageError: A process ended before its answer.
    """
    dealt = [items[number::processes] for number in range(processes)]
    if processes == 1:
        return [work(dealt[0])]
    import multiprocessing  # takes longer than to check one site, which needs no other process

    context = multiprocessing.get_context("fork")
    children = []
    for share in dealt[1:]:
        receiver, sender = context.Pipe(duplex=False)
        process = context.Process(target=_child, args=(work, share, sender))
        process.start()
        sender.close()
        children.append((process, receiver))
    results = [work(dealt[0])]
    for process, receiver in children:
        try:
            results.append(receiver.recv())
        except EOFError:
            process.join()
            raise UsageError(
                f"a process of this check ended with exit code {process.exitcode}",
                code="check-process",
                hint="the machine may be out of memory; try `--processes 1`",
            ) from None
        process.join()
    return results


def _child(work: Callable[[Sequence[Any]], Any], share: Sequence[Any], sender: Any) -> None:
    sender.send(work(share))
