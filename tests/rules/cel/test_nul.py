"""Texts and bytes with a NUL are read whole or not at all: half of a value is another value."""

from __future__ import annotations

from typing import Any

import pytest

from reconciler.rules.cel import CelEvaluationError, CelUnsupportedError, Environment

VALUES: dict[str, Any] = {
    "object": {"text": "a\0b", "raw": b"a\0b", "items": ["a\0b"], "plain": "a", "slash": "\\x00"},
}


@pytest.mark.parametrize("engine", ["native", "pure"])
@pytest.mark.parametrize("kubernetes", [None, "1.36"])
@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("object.text", "a\0b"),
        ("object.raw", b"a\0b"),
        ("object.items", ["a\0b"]),
        ("object.text == 'a'", False),
        ("object.text == 'a\\x00b'", True),
        ("object.text.size()", 3),
        ("size(object.raw)", 3),
        ("object.items[0].endsWith('b')", True),
        ("object.text.upperAscii()", "A\0B"),
        ("type(object.text) == string", True),
        ("object.plain", "a"),
        ("object.slash", "\\x00"),
    ],
)
def test_a_value_is_read_whole(text: str, expected: Any, kubernetes: str | None, engine: Any) -> None:
    environment = Environment(kubernetes, {"object": "dyn"}, engine=engine)
    assert environment.compile(text).evaluate(VALUES) == expected


@pytest.mark.parametrize("kubernetes", [None, "1.36"])
@pytest.mark.parametrize(
    ("kind", "value"),
    [
        ("string", "a\0b"),
        ("bytes", b"a\0b"),
        ("list(string)", ["a\0b"]),
        ("dyn", {"a\0b": 1}),
        ("map(string, int)", {"a\0b": 1}),
    ],
)
def test_what_the_native_engine_would_read_in_part_is_refused(
    kind: str, value: Any, kubernetes: str | None
) -> None:
    environment = Environment(kubernetes, {"x": kind}, engine="native")
    activation = environment.bind({"x": value})
    for text in ("x == x", "true"):
        with pytest.raises(CelUnsupportedError, match="with a NUL"):
            environment.compile(text).evaluate(activation)


@pytest.mark.parametrize("text", ["'a\\x00b'.replace('b', 'c')", "['a\\x00', 'b'].join('-')"])
def test_a_function_s_result_is_not_cut_either(text: str) -> None:
    with pytest.raises(CelEvaluationError, match="with a NUL"):
        Environment("1.36", engine="native").compile(text).evaluate({})


def test_values_that_never_change_are_looked_at_once_and_no_other_for_them() -> None:
    environment = Environment("1.36", {"x": "dyn"}, engine="native", frozen=True)
    program = environment.compile("x.a.size()")
    kept = {"a": "ab"}
    for _ in range(3):
        assert program.evaluate({"x": kept}) == 2
    for _ in range(600):  # more than are remembered, so that identities come again
        assert program.evaluate({"x": {"a": "a\0bc"}}) == 4
        assert program.evaluate({"x": {"a": "a"}}) == 1
