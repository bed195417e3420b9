"""An expression with its variables in it comes to what it comes to with lazy variables."""

from typing import Any

import pytest

from reconciler.rules.cel import Activation, CelEvaluationError, Environment, default_engine
from reconciler.rules.cel.fusing import fuse

VARIABLES = {
    "variables.number": "object.number + 1",
    "variables.list": "object.list.map(i, i + variables.number)",
    "variables.quantity": "quantity(object.quantity)",
    "variables.maybe": "object.?nothing",
    "variables.bad": "object.nothing",
}
OBJECT = {"number": 1, "list": [1, 2, 3], "quantity": "1Gi", "text": "a"}

pytestmark = pytest.mark.skipif(default_engine() != "native", reason="only the native engine fuses")


@pytest.fixture(scope="module")
def environment() -> Environment:
    lazy = dict.fromkeys(VARIABLES, "dyn") | {"variables.list": "list(dyn)", "params": "dyn"}
    return Environment("1.36", {"object": "dyn"}, lazy=lazy)


class Parameter:
    """A lazy variable that counts how often it is asked for."""

    def __init__(self) -> None:
        self.asked = 0

    def evaluate(self, values: object) -> Any:
        del values
        self.asked += 1
        return {"most": 5}


def evaluate(environment: Environment, text: str, *, careful: bool = False) -> tuple[Any, int]:
    program = fuse(environment, text, VARIABLES, careful=careful)
    assert program is not None
    bound = environment.bind({"object": OBJECT})
    parameter = Parameter()
    lazy: dict[str, Any] = {"params": parameter}
    return program.evaluate(Activation(bound.bound, bound.values, lazy)), parameter.asked


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param("variables.number == 2", True, id="a variable"),
        pytest.param("variables.list", [3, 4, 5], id="a variable of a variable"),
        pytest.param("variables.quantity.isLessThan(quantity('2Gi'))", True, id="an opaque value"),
        pytest.param("variables.maybe.orValue('none')", "none", id="an optional value"),
        pytest.param("true || variables.bad", True, id="an error that is not needed"),
        pytest.param("variables.bad || true", True, id="an error on the left"),
        pytest.param("[1, 2].exists(i, i == 2 || i == variables.bad)", True, id="an error in a loop"),
        pytest.param("object.list.map(object, object + variables.number)", [3, 4, 5], id="a hidden name"),
    ],
)
def test_the_value_is_the_same(environment: Environment, text: str, expected: Any) -> None:
    assert evaluate(environment, text)[0] == expected


def test_an_error_in_a_variable_that_is_read_is_an_error(environment: Environment) -> None:
    with pytest.raises(CelEvaluationError, match="no such key: nothing"):
        evaluate(environment, "variables.bad == 1")


def test_what_stays_lazy_is_asked_for_once(environment: Environment) -> None:
    assert evaluate(environment, "variables.list.all(i, i <= params.most)") == (True, 1)
    assert evaluate(environment, "variables.list.size() == 3") == (True, 0)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param("has(object.text.field)", False, id="a field of a text is not there"),
        pytest.param("has(object.list.field)", False, id="nor of a list"),
        pytest.param("has(object.text)", True, id="one that is there is there"),
    ],
)
def test_care_finds_no_field_in_what_is_no_map(
    environment: Environment, text: str, *, expected: bool
) -> None:
    assert evaluate(environment, text, careful=True)[0] is expected


@pytest.mark.parametrize("text", ["object.text.field == 1", "object.text['field'] == 1"])
def test_care_says_which_field_is_missing(environment: Environment, text: str) -> None:
    with pytest.raises(CelEvaluationError, match="no such key: field"):
        evaluate(environment, text, careful=True)
