"""Each of forty mistakes is reported once, on the right line, with a hint whose fix lets the check pass."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from reconciler.rules.builtin import builtin_policies
from tests.gallery.gallery import PAGE, apply, checked, document, page, template
from tests.gallery.mistakes import MISTAKES, Mistake

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def clean(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    yield template(tmp_path_factory.mktemp("gallery") / "clean")


def test_there_are_forty_of_many_rules_and_kinds_of_files() -> None:
    assert len(MISTAKES) >= 40
    assert len({mistake.rule for mistake in MISTAKES}) >= 25
    assert len({mistake.path.rpartition("/")[2] for mistake in MISTAKES}) >= 12
    assert len({mistake.title for mistake in MISTAKES}) == len(MISTAKES)


@pytest.mark.parametrize("mistake", MISTAKES, ids=lambda mistake: mistake.title)
def test_a_mistake_is_reported_once_on_its_line_and_its_hint_mends_it(
    clean: Path, tmp_path: Path, mistake: Mistake
) -> None:
    root = tmp_path / "fleet"
    shutil.copytree(clean, root)
    apply(root, mistake.edits)
    found = document(root)["findings"]
    assert [(finding["rule"], finding["location"]["path"]) for finding in found] == [
        (mistake.rule, mistake.path)
    ]
    (finding,) = found
    lines = (root / mistake.path).read_text().splitlines()
    assert mistake.line in lines[finding["location"]["line"] - 1]
    assert finding["hint"]
    apply(root, mistake.fix)
    code, shown = checked(root)
    assert (code, "nothing found" in shown) == (0, True)


def test_the_page_shows_what_is_said_today() -> None:
    assert PAGE.read_text() == page(), "run `python -m tests.gallery.gallery`"


def test_the_built_in_rules_that_are_not_in_the_gallery_have_tests_of_their_own() -> None:
    root = Path(__file__).parents[2] / "policies"
    missing = {policy.name for policy in builtin_policies()} - {mistake.rule for mistake in MISTAKES}
    assert not [name for name in missing if not (root / f"{name}.test.yaml").is_file()]
