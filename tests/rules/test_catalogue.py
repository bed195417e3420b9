"""The pages of docs/rules are those that the rule files make."""

from __future__ import annotations

from pathlib import Path

from reconciler.rules.builtin import builtin_policies
from reconciler.rules.catalogue import CHECKS, pages

DOCS = Path(__file__).parents[2] / "docs" / "rules"


def test_the_pages_in_the_repository_are_up_to_date() -> None:
    wanted = pages(builtin_policies())
    found = {file.name: file.read_text() for file in DOCS.glob("*.md") if file.name != "writing-rules.md"}

    assert found == wanted, "run `python docs/rules/generate.py`"


def test_no_rule_has_the_id_of_another_check() -> None:
    assert not {policy.name for policy in builtin_policies()} & set(CHECKS)
