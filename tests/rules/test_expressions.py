"""What an expression may read is found in its words, and never too little."""

from __future__ import annotations

import pytest

from reconciler.rules.cel.errors import CelCompileError, CelEvaluationError
from reconciler.rules.expressions import Compiler, reads


@pytest.mark.parametrize(
    ("text", "name", "paths"),
    [
        ("site.spec.budgets.memory > 1", "site", {("spec", "budgets", "memory")}),
        ("site.spec.classes.exists(c, c == site.name)", "site", {("spec", "classes"), ("name",)}),
        ("site['spec'].x", "site", {()}),
        ("has(site.spec.x)", "site", {("spec", "x")}),
        ("site . spec . x == 1", "site", {("spec", "x")}),
        ("site.spec.?x.orValue(1)", "site", {("spec",)}),
        ("'site.a' + site.b", "site", {("b",)}),
        ("r'\\' + site.b + '\\''", "site", {("b",)}),
        ('"a\\"" + site.b', "site", {("b",)}),
        ("'''a'b''' + site.b", "site", {("b",)}),
        ("true // site.a\n && site.b", "site", {("b",)}),
    ],
)
def test_paths_of_a_variable(text: str, name: str, paths: set[tuple[str, ...]]) -> None:
    assert reads(text)[name] == paths


def test_a_field_of_that_name_is_not_the_variable() -> None:
    assert "site" not in reads("object.site == 'site'")


def test_an_expression_that_is_compiled_later_gives_the_same() -> None:
    compiler = Compiler("pure", ["site"])

    now, later = compiler.compile("site.a + 1"), compiler.compile("site.a + 2", later=True)

    assert (now.reads, now.chain) == (later.reads, later.chain)
    assert (now.program.evaluate({"site": {"a": 1}}), later.program.evaluate({"site": {"a": 1}})) == (2, 3)


def test_an_expression_that_is_no_cel_is_refused_at_once_or_counts_as_not_evaluated() -> None:
    compiler = Compiler("pure", ["site"])

    with pytest.raises(CelCompileError, match="undeclared"):
        compiler.compile("nobody.a")
    with pytest.raises(CelEvaluationError, match="undeclared"):
        _ = compiler.compile("nobody.b", later=True).program
