"""Garbage is looked for rarely while a fleet is checked."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager

__all__ = ["collected_rarely"]

#: How many objects more than before make Python look for cycles, and how often the older ones are looked at.
_THRESHOLD = (20_000, 20, 100)


@contextmanager
def collected_rarely() -> Iterator[None]:
    """Let the cyclic collector run seldom within a block.

    A check builds a great many values that live to its end, and hardly any cycle: looking for them took a
    sixth of its time and gave no memory back.
    """
    before = gc.get_threshold()
    gc.freeze()
    gc.set_threshold(*_THRESHOLD)
    try:
        yield
    finally:
        gc.set_threshold(*before)
        gc.unfreeze()
