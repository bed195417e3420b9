"""Modules that are imported ahead are there when the block ends, whatever happens in it."""

from __future__ import annotations

import sys
import threading
from pathlib import Path

import pytest

from reconciler.cli.ahead import imported_ahead


@pytest.fixture
def module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    (tmp_path / "wayside_imported_ahead.py").write_text("import time\ntime.sleep(0.05)\nDONE = True\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.delitem(sys.modules, "wayside_imported_ahead", raising=False)
    return "wayside_imported_ahead"


def test_a_module_is_there_when_the_block_ends(module: str) -> None:
    with imported_ahead(module):
        pass

    assert sys.modules[module].DONE is True


def test_no_thread_is_left_when_the_block_fails(module: str) -> None:
    with pytest.raises(KeyError), imported_ahead(module):
        raise KeyError

    assert "imports" not in {thread.name for thread in threading.enumerate()}


def test_a_module_that_is_not_there_is_left_to_whoever_needs_it() -> None:
    with imported_ahead("wayside_has_no_such_module"):
        pass
