from __future__ import annotations

import contextlib
import gc
import subprocess
import sys
import time
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reconciler.rules.cel import CelCompileError, CelEvaluationError, Environment

TEN = "[1, 2, 3, 4, 5, 6, 7, 8, 9, 10]"
NESTED = f"{TEN}.all(a, {TEN}.all(b, {TEN}.all(c, {TEN}.all(d, {TEN}.all(e, a + b + c + d + e > 0)))))"
RUNAWAY = {
    "nested loops": NESTED,
    "a text doubled": "['aaaaaaaaaa']" + ".map(x, x + x)" * 30 + ".size() > 0",
    "a text times eight": "['aaaaaaaaaa']" + ".map(x, x + x + x + x + x + x + x + x)" * 12 + ".size() > 0",
    "a list doubled": "['aaaaaaaaaa']" + ".map(x, [x, x])" * 20 + ".size() > 0",
    "a text replaced into itself": "'aaaaaaaaaa'" + ".replace('a', 'aaaaaaaaaa')" * 15 + ".size() > 0",
    "a huge range": "lists.range(1000000000).size() > 0",
    "ranges of ranges": "lists.range(9000).map(x, lists.range(9000)).size() > 0",
    "gathering from a long list": "object.map(a, object.map(b, b)).size() > 0",
}
BINDINGS = "cel.bind(x, 'aaaaaaaa', " + "cel.bind(x, x + x, " * 25 + "x.size() > 0" + ")" * 26
#: Generous, for a machine that does other things as well; the aim on a quiet one is 50 ms.
SECONDS = 0.5


@pytest.fixture(scope="module")
def plain() -> Environment:
    return Environment(None, {"object": "dyn"})


@pytest.fixture(scope="module", params=["native", "pure"])
def environment(request: pytest.FixtureRequest) -> Environment:
    return Environment(variables={"object": "dyn"}, engine=request.param)


@pytest.mark.parametrize("text", RUNAWAY.values(), ids=list(RUNAWAY))
def test_a_runaway_expression_stops_with_an_error(environment: Environment, text: str) -> None:
    program = environment.compile(text)
    activation = environment.bind({"object": list(range(3000))})
    began = time.process_time()
    with pytest.raises(CelEvaluationError, match=r"cost limit|too long"):
        program.evaluate(activation)
    assert time.process_time() - began < SECONDS


@pytest.mark.parametrize("name", ["contains", "equivalent", "intersects"])
def test_sets_of_fields_are_compared(environment: Environment, name: str) -> None:
    text = f"sets.{name}(object.a, object.b)"
    assert environment.compile(text).evaluate({"object": {"a": [1, 2], "b": [2, 1]}}) is True


def test_names_for_values_cannot_double_without_end(plain: Environment) -> None:
    with pytest.raises(CelEvaluationError, match="cost limit"):
        plain.compile(BINDINGS).evaluate({})


@pytest.mark.parametrize(
    "pattern",
    ["(a*)*b", "(a|aa)+$", "(x+x+)+y", "(.*)(.*)(.*)(.*)(.*)b", "a{1000}{1000}", "((a{100}){100}){100}"],
)
def test_a_regular_expression_cannot_explode(environment: Environment, pattern: str) -> None:
    text = "object.matches(pattern) || true"
    both = Environment(variables={"object": "dyn", "pattern": "string"}, engine=environment.engine)
    began = time.process_time()
    both.compile(text).evaluate({"object": "a" * 20_000, "pattern": pattern})
    assert time.process_time() - began < SECONDS


@pytest.mark.parametrize(
    "text",
    [
        "(" * 2000 + "1" + ")" * 2000,
        "[" * 500 + "1" + "]" * 500,
        "-" * 20_000 + "(" * 200,
        "!" * 3001 + "(" * 300,
        "a" + ".a" * 5000,
        "1" + " + 1" * 20_000,
        "true ? " * 3000 + "1",
        "'" + "a" * 200_000 + "'",
        "[1]" + ".map(x, x)" * 1000,
        "{1: " * 300 + "1" + "}" * 300,
    ],
    ids=range(10),
)
def test_a_huge_or_deep_expression_is_refused(environment: Environment, text: str) -> None:
    began = time.process_time()
    with pytest.raises(CelCompileError):
        environment.compile(text)
    assert time.process_time() - began < 4 * SECONDS


def test_a_long_condition_is_not_deep(environment: Environment) -> None:
    text = " && ".join(f"object != 'x{number}'" for number in range(500))
    assert environment.compile(text).evaluate({"object": "a"}) is True


@pytest.mark.parametrize(
    "value",
    [2**64, object(), {1, 2}, {None: 1}, "\ud800", [{"a": 1 + 2j}]],
    ids=["70 bits", "object", "set", "null key", "surrogate", "complex"],
)
def test_what_is_no_value_of_cel_is_an_error(environment: Environment, value: Any) -> None:
    with pytest.raises(CelEvaluationError):
        environment.compile("object.a == 1 || object == 1").evaluate({"object": value})


def test_an_object_of_three_hundred_levels_is_a_value_or_an_error(environment: Environment) -> None:
    value: Any = 1
    for _ in range(300):
        value = {"a": value}
    program = environment.compile("has(object.a)")
    try:
        assert program.evaluate({"object": value}) is True
    except CelEvaluationError as err:
        assert "deep" in err.message


def test_a_large_object_is_a_value(environment: Environment) -> None:
    value = {f"key-{number}": "x" * 100 for number in range(50_000)}
    assert environment.compile("object['key-7'].size()").evaluate({"object": value}) == 100


@settings(max_examples=200, deadline=None)
@given(st.text(alphabet=st.sampled_from("ax1.,:?!-+*/%()[]{}'\"\\<>=&| \n\ud800é"), max_size=40))
def test_any_text_compiles_or_is_refused(text: str) -> None:
    for engine in ENVIRONMENTS:
        with contextlib.suppress(CelCompileError, CelEvaluationError):
            engine.compile(text).evaluate({"object": 1})


ENVIRONMENTS = [
    Environment(variables={"object": "dyn"}, engine="native"),
    Environment(variables={"object": "dyn"}, engine="pure"),
    Environment(None, {"object": "dyn"}),
]


def _resident() -> int:
    gc.collect()
    with open("/proc/self/statm", encoding="ascii") as file:  # noqa: PTH123 - one number of the kernel's
        return int(file.read().split()[1]) * 4096


@pytest.mark.slow
def test_a_hundred_thousand_evaluations_leak_nothing() -> None:
    environment = Environment(variables={"object": "dyn"}, engine="native")
    programs = [
        environment.compile(text)
        for text in (
            "object.items.all(i, i.name.startsWith('n'))",
            "quantity(object.memory).isLessThan(quantity('1Gi'))",
            "object.missing == 1",
            "object.items.map(i, i.name).join(',')",
            "object.memory.findAll('[0-9]')",
        )
    ]
    value = {"memory": "64Mi", "items": [{"name": f"n{number}"} for number in range(10)]}

    def evaluate(times: int) -> None:
        for _ in range(times // len(programs)):
            activation = environment.bind({"object": value})
            for program in programs:
                try:
                    program.evaluate(activation)
                except CelEvaluationError:
                    continue

    evaluate(10_000)
    before = _resident()
    evaluate(100_000)
    assert _resident() - before < 4 << 20


def test_nulls_do_not_wear_none_out() -> None:
    code = (
        "from reconciler.rules.cel import Environment\n"
        "environment = Environment(variables={'object': 'dyn'}, engine='native')\n"
        "program = environment.compile('object')\n"
        "for _ in range(50_000):\n"
        "    assert program.evaluate({'object': [None, None]}) == [None, None]\n"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (found.returncode, found.stderr) == (0, "")
