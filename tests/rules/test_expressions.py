"""What an expression may read is found in its words, and never too little."""

from __future__ import annotations

import pytest

from reconciler.rules.expressions import reads


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
