"""The pages of docs/rules are those that the rule files make."""

from __future__ import annotations

import ast
from collections.abc import Iterator
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


def _ids(source: str) -> Iterator[str]:
    """Yield the ids that a module gives to findings: in calls, or in constants named for rules."""
    for node in ast.walk(ast.parse(source)):
        match node:
            case ast.Call(
                func=ast.Name(id="Finding" | "NotChecked" | "finding"), args=[ast.Constant(str(text)), *_]
            ):
                yield text
            case ast.Call(keywords=keywords):
                yield from (
                    keyword.value.value
                    for keyword in keywords
                    if keyword.arg == "rule"
                    and isinstance(keyword.value, ast.Constant)
                    and isinstance(keyword.value.value, str)
                )
            case ast.Assign(targets=[ast.Name(id=name)], value=ast.Constant(str(text))):
                if name.endswith(("RULE", "RULE_ERROR")) or name == "TRANSITION":
                    yield text
            case _:
                pass


def test_every_id_that_a_finding_may_carry_is_in_the_one_table() -> None:
    root = Path(__file__).parents[2] / "reconciler"
    known = {policy.name for policy in builtin_policies()} | set(CHECKS)
    used = {found for file in root.rglob("*.py") for found in _ids(file.read_text())}
    table = (DOCS / "index.md").read_text()

    assert {"render", "facts", "overrides", "schema", "transition", "rule-weakened"} <= used
    assert used - known == set()
    assert [name for name in known if f"`{name}`" not in table] == []
