"""The one thread that writes goes on, whatever one batch does to it."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator, Sequence

import pytest

from reconciler.errors import StateError
from reconciler.hub.writer import Busy, Writer
from reconciler.ports.hub_store import RevisionRow, Write
from tests.hub.events import event
from tests.hub.memory_store import MemoryStore


class Poisoned(MemoryStore):
    """A store that fails in an unforeseen way on the batches of one site."""

    def write(self, writes: Sequence[Write], revisions: Iterable[RevisionRow]) -> int:
        if any(item.record.name == "poison" for item in writes):
            raise ZeroDivisionError
        return super().write(writes, revisions)


@pytest.fixture
def writer() -> Iterator[Writer]:
    store = Poisoned()
    made = Writer(store, store.fleet(), changed=lambda _: None)  # type: ignore[arg-type] # as much as is used
    yield made
    made.stop()


def test_a_batch_that_nobody_foresaw_fails_alone(writer: Writer, caplog: pytest.LogCaptureFixture) -> None:
    names = ["a", "poison", "b"]
    with caplog.at_level(logging.CRITICAL, "reconciler.hub.writer"):
        futures = [
            writer.submit(name, [event(1, site=name)], size=10, received=1.0, skew=None) for name in names
        ]
        # They wait together, and so are tried together.
        writer.start()
        assert futures[0].result(10).receipt.acknowledged == 1
        with pytest.raises(StateError, match="cannot be stored"):
            futures[1].result(10)
        assert futures[2].result(10).receipt.acknowledged == 1
    later = writer.submit("a", [event(2)], size=10, received=2.0, skew=None)
    assert later.result(10).receipt.acknowledged == 2
    assert writer.waiting == 0


def test_more_than_memory_should_hold_is_turned_away(writer: Writer) -> None:
    writer.submit("a", [event(1)], size=60 << 20, received=1.0, skew=None)
    with pytest.raises(Busy):
        writer.submit("b", [event(1, site="b")], size=8 << 20, received=1.0, skew=None)
    writer.start()
