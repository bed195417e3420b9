"""Plain CEL, without Kubernetes: extensions, and values of every type in and out."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from reconciler.rules.cel import CelCompileError, CelEvaluationError, Environment, Uint

MOMENT = datetime(2024, 1, 2, 3, 4, 5, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("math.greatest(1, 2.5)", 2.5),
        ("base64.encode(b'a')", "YQ=="),
        ("'abc'.reverse()", "cba"),
        ("cel.bind(x, 1, x + x)", 2),
        ("cel.block([1, cel.index(0) + 1], cel.index(1) * 10)", 20),
        ("[1, 2].map(cel.iterVar(0, 0), cel.iterVar(0, 0) + 1)", [2, 3]),
        ("regex.replace('hello', '(l)(o)', r'\\2\\1')", "helol"),
        ("regex.extract('id:7', 'id:(.)').value()", "7"),
        ("regex.extract('x', 'y').hasValue()", False),
        ("regex.extractAll('id:1, id:2', 'id:(.)')", ["1", "2"]),
        ("optional.unwrap([optional.of(1), optional.none()])", [1]),
        ("[5, 6].exists_one(i, v, v == 6)", True),
        ("google.protobuf.Int64Value{value: 1} + 1", 2),
        ("{1u: [2u]}", {Uint(1): [Uint(2)]}),
        ("type(1)", "int"),
    ],
)
@pytest.mark.parametrize("check", [True, False], ids=["checked", "unchecked"])
def test_every_standard_extension_is_there(text: str, expected: Any, check: bool) -> None:
    found = Environment(None, engine="native").compile(text, check=check).evaluate({})
    assert (type(found), found) == (type(expected), expected)


@pytest.mark.parametrize("kind", ["dyn", "any"])
@pytest.mark.parametrize(
    ("value", "name"),
    [
        (Uint(3), "uint"),
        (3, "int"),
        (MOMENT, "google.protobuf.Timestamp"),
        (timedelta(seconds=1), "google.protobuf.Duration"),
        (b"a", "bytes"),
        (None, "null_type"),
    ],
    ids=lambda value: str(value)[:20],
)
def test_a_value_of_any_type_keeps_its_own(kind: str, value: object, name: str) -> None:
    environment = Environment(None, {"x": kind, "l": "list(dyn)"}, engine="native")
    values = {"x": value, "l": [value]}
    assert environment.compile("type(x)").evaluate(values) == name
    assert environment.compile("type(l[0])").evaluate(values) == name
    found = environment.compile("x").evaluate(values)
    assert (type(found), found) == (type(value), value)


@pytest.mark.parametrize("check", [True, False], ids=["checked", "unchecked"])
@pytest.mark.parametrize("text", ["a.b.c", "['yes'].exists(x, x == a.b.c) ? a.b.c : 'no'", ".a.b.c"])
def test_the_longest_name_of_a_variable_wins(text: str, check: bool) -> None:
    variables = {"a.b.c": "string", "a.b": "map(string, string)"}
    program = Environment(None, variables, engine="native").compile(text, check=check)
    assert program.evaluate({"a.b.c": "yes", "a.b": {"c": "no"}}) == "yes"


@pytest.mark.parametrize("check", [True, False], ids=["checked", "unchecked"])
def test_an_optional_is_its_value_or_none(check: bool) -> None:
    environment = Environment(None, {"m": "map(string, int)"}, engine="native")
    assert environment.compile("m.?a", check=check).evaluate({"m": {"a": 1}}) == 1
    assert environment.compile("m.?b", check=check).evaluate({"m": {"a": 1}}) is None
    with pytest.raises(CelEvaluationError, match="no plain value"):
        environment.compile("[m.?a]", check=check).evaluate({"m": {"a": 1}})


@pytest.mark.parametrize("text", ["rb'a'", "regex.replace('a')", "cel.index(0)", "nope(1)"])
def test_what_is_no_cel_does_not_compile(text: str) -> None:
    with pytest.raises(CelCompileError):
        Environment(None, engine="native").compile(text)


def test_a_replacement_names_only_groups_that_are_there() -> None:
    with pytest.raises(CelEvaluationError, match="group 9"):
        Environment(None, engine="native").compile(r"regex.replace('a', 'a', '\\9')").evaluate({})
