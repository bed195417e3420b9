"""Modules are imported beside work that waits for other programs."""

from __future__ import annotations

import importlib
import threading
from collections.abc import Iterator
from contextlib import contextmanager

__all__ = ["imported_ahead"]


@contextmanager
def imported_ahead(*modules: str) -> Iterator[None]:
    """Import modules in a thread while a block runs; they are there when it ends.

    What cannot be imported says so where it is imported next.

    Args:
        modules: Names of modules that will be needed.
    """

    def work() -> None:
        try:
            for name in modules:
                importlib.import_module(name)
        except ImportError:
            return

    thread = threading.Thread(target=work, name="imports")
    thread.start()
    try:
        yield
    finally:
        thread.join()
