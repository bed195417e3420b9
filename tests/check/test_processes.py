"""Processes share what is in memory, and nothing that only one of them may use."""

from __future__ import annotations

import datetime
import os
from dataclasses import replace

from reconciler.check.baseline import Base
from reconciler.check.runner import CheckSettings, check_fleet
from reconciler.documents.change import TreeChange
from reconciler.documents.tree import MemoryTree
from tests.cli.fleets import FILES

BASE = "bases/pos/deployment.yaml"
SETTINGS = CheckSettings(revision="", base="main", at=datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC))


class OneReader(MemoryTree):
    """A tree that reads through a child, as that of a git revision does: one process may use it."""

    def __init__(self, files: dict[str, bytes]) -> None:
        super().__init__(files)
        self._owner = 0

    def read(self, path: str) -> bytes:
        assert self._owner in (0, os.getpid()), "a child was shared between processes"
        self._owner = os.getpid()
        return super().read(path)

    def release(self) -> None:
        self._owner = 0


def fleet() -> dict[str, bytes]:
    """Return a fleet of 72 sites."""
    files = dict(FILES)
    for number in range(70):
        for name in ("site.yaml", "kustomization.yaml"):
            text = FILES[f"sites/market/{name}"]
            files[f"sites/s{number:03}/{name}"] = text.replace("market", f"s{number:03}")
    return {path: text.encode() for path, text in files.items()}


def test_each_process_reads_the_base_on_its_own_and_all_say_what_one_says() -> None:
    before = fleet()
    after = {**before, BASE: before[BASE].replace(b"memory: 128Mi", b"memory: 1900Mi")}
    for number in range(70):
        after[f"sites/s{number:03}/kustomization.yaml"] += b"namePrefix: x-\n"
    paths = frozenset(path for path in after if after[path] != before[path])
    change = TreeChange(paths, frozenset(after))
    reports = []

    for processes in (1, 3):
        tree, base = OneReader(after), OneReader(before)

        def release(tree: OneReader = tree, base: OneReader = base) -> None:
            tree.release()
            base.release()

        settings = replace(SETTINGS, processes=processes)
        report = check_fleet(tree, settings=settings, base=Base(base, change), before_fork=release)
        reports.append(replace(report, seconds=0.0))

    assert len(reports[0].sites) == 72
    assert reports[0].findings
    assert reports[0] == reports[1]
