"""Every case of the corpus gives what `kubectl kustomize` gave when it was recorded, byte for byte."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from reconciler.documents.tree import MemoryTree
from reconciler.errors import InputError
from reconciler.render import build
from tests.render.cases import REFUSED, Case, load_cases, load_golden
from tests.render.record import kustomize

CASES = load_cases()
GOLDEN = load_golden()


def render(case: Case) -> str:
    tree = MemoryTree({path: content.encode() for path, content in case.files.items()})
    try:
        return build(case.directory, tree).to_yaml()
    except InputError:
        return REFUSED


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.id)
def test_a_case_gives_what_kustomize_gave(case: Case) -> None:
    assert render(case) == GOLDEN[case.id]


@pytest.mark.parametrize(
    "case", [case for case in CASES if GOLDEN[case.id] == REFUSED], ids=lambda case: case.id
)
def test_a_refusal_says_where_and_what_to_do(case: Case) -> None:
    tree = MemoryTree({path: content.encode() for path, content in case.files.items()})

    with pytest.raises(InputError) as caught:
        build(case.directory, tree)

    assert caught.value.at is not None, caught.value.message
    assert caught.value.message
    assert caught.value.code not in ("error", "input")


@pytest.mark.cluster
def test_the_recorded_outputs_are_those_of_the_real_program(kubectl: Path, tmp_path: Path) -> None:
    whole = bool(os.environ.get("WAYSIDE_WHOLE_CORPUS"))
    chosen = CASES if whole else CASES[:: max(1, len(CASES) // 40)]

    for number, case in enumerate(chosen):
        directory = case.write(tmp_path / str(number))
        assert kustomize(str(kubectl), directory) == GOLDEN[case.id], case.id
