"""Random trees give what the real `kubectl kustomize` gives.

`WAYSIDE_TREES=20000` runs that many, in minutes with `WAYSIDE_ORACLE` set to the program of
`tests/render/oracle`.
"""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import pytest

from reconciler.documents.tree import MemoryTree
from reconciler.errors import InputError
from reconciler.render import build
from tests.render.cases import REFUSED, Case
from tests.render.record import kustomize
from tests.render.trees import make_case

COUNT = int(os.environ.get("WAYSIDE_TREES", "150"))
FIRST_SEED = int(os.environ.get("WAYSIDE_FIRST_TREE", "0"))


def ours(case: Case) -> str:
    try:
        return build(case.directory, tree(case)).to_yaml()
    except InputError:
        return REFUSED


def tree(case: Case) -> MemoryTree:
    return MemoryTree({path: text.encode() for path, text in case.files.items()})


class Oracle:
    """The library of kustomize in one process; started again where it panics."""

    def __init__(self, program: str) -> None:
        self._program = program
        self._process: subprocess.Popen[str] | None = None

    def ask(self, case: Case) -> str:
        if self._process is None:
            self._process = subprocess.Popen(
                [self._program],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                text=True,
            )
        process = self._process
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(json.dumps({"files": case.files, "directory": case.directory}) + "\n")
        process.stdin.flush()
        line = process.stdout.readline()
        if not line:
            self.close()
            return REFUSED
        answer = json.loads(line)
        return REFUSED if answer["error"] else str(answer["output"])

    def close(self) -> None:
        if self._process is not None:
            self._process.communicate()
            self._process = None


@pytest.mark.cluster
@pytest.mark.slow
def test_random_trees_give_what_kustomize_gives(kubectl: Path, tmp_path: Path) -> None:
    program = os.environ.get("WAYSIDE_ORACLE")
    oracle = Oracle(program) if program else None
    different = []
    built = 0

    for seed in range(FIRST_SEED, FIRST_SEED + COUNT):
        case = make_case(seed)
        if oracle is not None:
            wanted = oracle.ask(case)
        else:
            wanted = kustomize(str(kubectl), case.write(tmp_path / str(seed)))
        found = ours(case)
        built += found != REFUSED
        if found not in (wanted, REFUSED):
            different.append(seed)

    if oracle is not None:
        oracle.close()
    assert built > COUNT / 4
    assert not different, f"seeds {different}"


def test_a_tree_is_made_by_its_seed_alone() -> None:
    assert make_case(7) == make_case(7)
    assert make_case(7) != make_case(8)
