"""What the API server's own libraries answered to a thousand expressions, asked of both engines."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from reconciler.rules.cel import (
    CelCompileError,
    CelEvaluationError,
    CelUnsupportedError,
    Environment,
    Uint,
)
from tests.rules.cel.record import DATA, HERE, VARIABLES, VERSION

ANSWERS = [json.loads(line) for line in (HERE / "recorded.jsonl").read_text(encoding="utf-8").splitlines()]
#: Where the native engine is known to answer otherwise, and why.
NATIVE_DIFFERS = {
    "has(object.spec.replicas.foo)": "a field of a number is an error to it",
    "object.spec.?replicas.foo.orValue('x')": "a field of a number is an error to it",
    "{'a': 1, 'a': 2}": "it refuses repeated keys",
    "{1.5: 2}": "it refuses keys that are no text, integer or boolean",
    "{null: 2}": "it refuses keys that are no text, integer or boolean",
    "{[1]: 2}": "it refuses keys that are no text, integer or boolean",
    "string(timestamp('2024-01-02T03:04:05+02:00'))": "it keeps no time zone",
}
BOTH_DIFFER = {
    "google.protobuf.Duration{seconds: 1}": "messages are not supported",
    "google.protobuf.Int32Value{value: 1}": "messages are not supported",
}


def value_of(recorded: Any) -> Any:
    if isinstance(recorded, list):
        return [value_of(item) for item in recorded]
    if not isinstance(recorded, dict):
        return recorded
    ((kind, value),) = recorded.items()
    match kind:
        case "int":
            return int(value)
        case "uint":
            return Uint(value)
        case "double":
            return float(value.replace("Inf", "inf"))
        case "bytes":
            return bytes.fromhex(value)
        case "null":
            return None
        case "duration":
            return timedelta(microseconds=int(value) / 1000)
        case "timestamp":
            text = re.sub(r"(\.\d{6})\d*", r"\1", value.replace("Z", "+00:00"))
            return datetime.fromisoformat(text).astimezone(UTC)
        case "map":
            return {value_of(key): value_of(item) for key, item in value}
        case "optional":
            return None if value is None else value_of(value)
        case _:
            return ...


def same(left: Any, right: Any) -> bool:
    if left is ...:
        return True
    if type(left) is not type(right):
        return False
    if isinstance(left, float):
        return bool(left == right or (left != left and right != right))  # noqa: PLR0124 - NaN is not itself
    if isinstance(left, list):
        return len(left) == len(right) and all(map(same, left, right))
    if isinstance(left, dict):
        return left.keys() == right.keys() and all(same(left[key], right[key]) for key in left)
    return bool(left == right)


@pytest.fixture(scope="module", params=["native", "pure"])
def environment(request: pytest.FixtureRequest) -> Environment:
    return Environment(kubernetes=VERSION, variables=VARIABLES, engine=request.param)


@pytest.mark.parametrize(
    "answer", [answer for answer in ANSWERS if "value" in answer], ids=lambda answer: answer["expr"][:60]
)
def test_a_value_is_the_api_servers(environment: Environment, answer: dict[str, Any]) -> None:
    text = answer["expr"]
    if text in BOTH_DIFFER or (environment.engine == "native" and text in NATIVE_DIFFERS):
        pytest.skip("known to differ")
    try:
        program = environment.compile(text)
        found = program.evaluate(DATA)
    except CelUnsupportedError:
        assert environment.engine == "pure", "only the pure engine may refuse"
        return
    assert program.result_type == answer["type"]
    assert same(value_of(answer["value"]), found), found


@pytest.mark.parametrize(
    "answer", [answer for answer in ANSWERS if "error" in answer], ids=lambda answer: answer["expr"][:60]
)
def test_an_error_is_an_error(environment: Environment, answer: dict[str, Any]) -> None:
    with pytest.raises(CelEvaluationError):
        environment.compile(answer["expr"]).evaluate(DATA)


@pytest.mark.parametrize(
    "answer", [answer for answer in ANSWERS if "compile" in answer], ids=lambda answer: answer["expr"][:60]
)
def test_what_does_not_compile_says_so_in_the_api_servers_words(
    environment: Environment, answer: dict[str, Any]
) -> None:
    with pytest.raises(CelCompileError) as caught:
        environment.compile(answer["expr"])
    expected = [line.strip() for line in answer["compile"].splitlines() if line.startswith("ERROR")]
    if expected and "Syntax error" not in expected[0]:
        found = [line for line in str(caught.value).splitlines() if line.startswith("ERROR")]
        assert found == expected
