from __future__ import annotations

from typing import Any

import pytest

from reconciler.rules.cel import CelCompileError, CelEvaluationError, Environment

OBJECT: dict[str, Any] = {"spec": {"replicas": 3, "memory": "100Mi", "items": [1, 2]}}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("object.spec.replicas <= 5", True),
        ("quantity(object.spec.memory).isLessThan(quantity('1Gi'))", True),
        ("[1, 2].sum()", 3),
        ("object.spec.items.all(i, v, v > i)", True),
        ("sets.contains([1, 2], [1])", True),
        ("cidr('10.0.0.0/8').containsIP('10.1.1.1')", True),
        ("'abc'.find('b.')", "bc"),
        ("semver('1.2.3').isLessThan(semver('1.10.0'))", True),
    ],
)
def test_an_expression_gives_a_plain_value(text: str, expected: object) -> None:
    program = Environment(kubernetes="1.36", variables={"object": "dyn"}).compile(text)
    assert program.evaluate({"object": OBJECT}) == expected


def test_an_activation_is_shared_by_programs() -> None:
    environment = Environment(kubernetes="1.36", variables={"object": "dyn"})
    activation = environment.bind({"object": OBJECT})
    assert environment.compile("object.spec.replicas").evaluate(activation) == 3
    assert environment.compile("size(object.spec.items)").evaluate(activation) == 2


def test_a_compile_error_has_a_place() -> None:
    with pytest.raises(CelCompileError) as caught:
        Environment().compile("1 +\n missing")
    (issue,) = caught.value.issues
    assert (issue.line, issue.column) == (2, 2)
    assert issue.message == "undeclared reference to 'missing' (in container '')"


@pytest.mark.parametrize(
    ("text", "message"),
    [("object.nope", "no such key: nope"), ("1 / 0", "division by zero")],
)
def test_an_evaluation_error_speaks_as_the_api_server(text: str, message: str) -> None:
    program = Environment(variables={"object": "dyn"}).compile(text)
    with pytest.raises(CelEvaluationError, match=message):
        program.evaluate({"object": OBJECT})
