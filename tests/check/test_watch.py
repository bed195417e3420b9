"""`check --watch` answers a save by itself, and says what a whole check would say."""

from __future__ import annotations

import datetime
import json
import os
import queue
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import IO

import pytest

from reconciler.check.runner import CheckSettings, check_fleet
from reconciler.check.session import CheckSession
from reconciler.documents.tree import WorkingTree
from reconciler.report.document import to_json
from tests.cli.fleets import FILES, write_fleet

SITE = "sites/market/site.yaml"
OVERLAY = "sites/market/kustomization.yaml"
BASE = "bases/pos/deployment.yaml"
SETTINGS = CheckSettings("", datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC))

STEPS: list[dict[str, str]] = [
    {SITE: FILES[SITE].replace("memory: 1Gi", "memory: 100Mi")},
    {SITE: FILES[SITE]},
    {BASE: FILES[BASE].replace("cpu: 100m", "cpu: 9")},
    {BASE: FILES[BASE], OVERLAY: "resources: [nowhere]\n"},
    {OVERLAY: FILES[OVERLAY]},
    {"fleet.yaml": FILES["fleet.yaml"] + "spec: {rules: {settings: {digest-pinned: {severity: error}}}}\n"},
    {
        "sites/pier/site.yaml": FILES[SITE].replace("market", "pier"),
        "sites/pier/kustomization.yaml": FILES[OVERLAY],
    },
    {SITE: FILES[SITE].replace("market", "harbour")},
    {SITE: FILES[SITE].replace("1.33", "1.34")},
    {SITE: "nonsense: ["},
    {SITE: FILES[SITE], "fleet.yaml": FILES["fleet.yaml"]},
    {"images.lock": "images: []\n"},
    {"fleet.yaml": "nonsense: ["},
    {"fleet.yaml": FILES["fleet.yaml"], "images.lock": FILES["images.lock"]},
]


def test_each_round_says_what_a_whole_check_would_say(tmp_path: Path) -> None:
    write_fleet(tmp_path)
    session = CheckSession(SETTINGS)
    session.check(WorkingTree(tmp_path))
    for number, step in enumerate(STEPS):
        for path, text in step.items():
            (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / path).write_text(text)
        told = session.check(WorkingTree(tmp_path), frozenset(step))
        whole = check_fleet(WorkingTree(tmp_path), settings=SETTINGS)
        assert to_json(told) == to_json(whole), f"step {number}"


@pytest.fixture
def watched(tmp_path: Path) -> Iterator[tuple[Path, queue.SimpleQueue[str]]]:
    """A fleet that a process watches, and the lines that it prints."""
    write_fleet(tmp_path)
    process = subprocess.Popen(
        [sys.executable, "-P", "-m", "reconciler", "check", "--watch", "--compact"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])},
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    lines: queue.SimpleQueue[str] = queue.SimpleQueue()
    assert process.stdout is not None
    thread = threading.Thread(target=_read, args=(process.stdout, lines), daemon=True)
    thread.start()
    try:
        yield tmp_path, lines
    finally:
        process.kill()
        process.wait(10)
        thread.join(10)
        process.stdout.close()


def _read(stream: IO[str], lines: queue.SimpleQueue[str]) -> None:
    for line in stream:
        lines.put(line)


def _round(lines: queue.SimpleQueue[str]) -> list[str]:
    """Return the lines of one round: its last one says whether the check passes."""
    found = [lines.get(timeout=60)]
    while not found[-1].startswith(("ok: ", "refused: ")):
        found.append(lines.get(timeout=60))
    return found


def test_a_save_is_answered(watched: tuple[Path, queue.SimpleQueue[str]]) -> None:
    root, lines = watched
    assert any(line.startswith("ok: ") for line in _round(lines))
    begun = time.monotonic()
    (root / SITE).write_text(FILES[SITE].replace("memory: 1Gi", "memory: 100Mi"))
    assert any("error[memory-budget]" in line for line in _round(lines))
    (root / SITE).write_text(FILES[SITE])
    assert any(line.startswith("ok: ") for line in _round(lines))
    assert time.monotonic() - begun < 60


def test_json_of_a_round_is_a_report(tmp_path: Path) -> None:
    write_fleet(tmp_path)
    told = CheckSession(SETTINGS).check(WorkingTree(tmp_path))
    assert json.loads(to_json(told))["summary"]["sites"] == 2
