from __future__ import annotations

import subprocess
import sys
from typing import Any

import pytest

from reconciler.errors import UsageError
from reconciler.rules.cel import (
    CelCompileError,
    CelEvaluationError,
    Environment,
    NeedsClusterError,
    ObjectType,
    Uint,
    compiles_on,
)

OBJECT: dict[str, Any] = {"spec": {"replicas": 3, "memory": "100Mi", "items": [1, 2]}}
ENGINES = ["native", "pure"]


@pytest.fixture(params=ENGINES)
def engine(request: pytest.FixtureRequest) -> Any:
    return request.param


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
        ("[1u, 2u].sum()", Uint(3)),
        ("b'\\xff'", b"\xff"),
        ("object.spec.?nothing.orValue('none')", "none"),
    ],
)
def test_an_expression_gives_a_plain_value(engine: Any, text: str, expected: object) -> None:
    program = Environment(kubernetes="1.36", variables={"object": "dyn"}, engine=engine).compile(text)
    found = program.evaluate({"object": OBJECT})
    assert (type(found), found) == (type(expected), expected)


def test_null_is_no_quantity(engine: Any) -> None:
    program = Environment(engine=engine).compile("null.add(quantity('1')) == quantity('1')")
    with pytest.raises(CelEvaluationError, match="no such overload"):
        program.evaluate({})


def test_an_activation_is_shared_by_programs(engine: Any) -> None:
    environment = Environment(kubernetes="1.36", variables={"object": "dyn"}, engine=engine)
    activation = environment.bind({"object": OBJECT})
    assert environment.compile("object.spec.replicas").evaluate(activation) == 3
    assert environment.compile("size(object.spec.items)").evaluate(activation) == 2


def test_a_compile_error_has_a_place() -> None:
    with pytest.raises(CelCompileError) as caught:
        Environment().compile("1 +\n missing")
    (issue,) = caught.value.issues
    assert (issue.line, issue.column) == (2, 2)
    assert str(caught.value) == (
        "ERROR: <input>:2:2: undeclared reference to 'missing' (in container '')\n |  missing\n | .^"
    )


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("object.nope", "no such key: nope"),
        ("1 / 0", "division by zero"),
        ("[1][1]", "index out of bounds: 1"),
        ("dyn(1) + 'a'", "no such overload"),
    ],
)
def test_an_evaluation_error_speaks_as_the_api_server(engine: Any, text: str, message: str) -> None:
    program = Environment(variables={"object": "dyn"}, engine=engine).compile(text)
    with pytest.raises(CelEvaluationError, match=f"^{message}$"):
        program.evaluate({"object": OBJECT})


def test_opaque_types_are_types() -> None:
    environment = Environment()
    assert environment.compile("quantity('1').isLessThan(quantity('2'))").result_type == "bool"
    assert environment.compile("quantity('1')").result_type == "kubernetes.Quantity"
    with pytest.raises(CelCompileError, match=r"no matching overload for '_\+_'"):
        environment.compile("quantity('x') + 1")


@pytest.mark.parametrize(
    ("text", "first"),
    [
        ("object.?a.hasValue()", 28),
        ("sets.contains([1], [1])", 29),
        ("ip('10.0.0.1').family() == 4", 30),
        ("format.dns1123Label().validate('a').hasValue()", 31),
        ("[1].all(i, v, v > i)", 32),
        ("semver('1.0.0').major() == 1", 33),
        ("[[1]].flatten() == [1]", 34),
        ("1 < 1.5", 28),
    ],
)
def test_a_library_is_there_from_its_version_on(text: str, first: int) -> None:
    assert compiles_on(text, f"1.{first}", {"object": "dyn"}) is None
    error = compiles_on(text, f"1.{first - 1}", {"object": "dyn"})
    assert isinstance(error, CelCompileError)


def test_what_only_a_cluster_answers_is_said_and_not_evaluated(engine: Any) -> None:
    environment = Environment(
        variables={"authorizer": "kubernetes.authorization.Authorizer", "object": "dyn"}, engine=engine
    )
    program = environment.compile("object.a || authorizer.group('').resource('pods').check('get').allowed()")
    assert program.needs_cluster == ("authorizer",)
    assert program.result_type == "bool"
    with pytest.raises(NeedsClusterError, match="authorizer"):
        program.evaluate({"object": {"a": True}})
    assert environment.compile("object.a").needs_cluster == ()


class TestLazyVariables:
    def environment(self, engine: Any) -> Environment:
        return Environment(
            variables={"object": "dyn"},
            engine=engine,
            lazy={"variables.bad": "int", "variables.names": "list(string)", "variables.limit": "int"},
        )

    def test_they_are_computed_when_they_are_asked_for_and_once(self, engine: Any) -> None:
        environment = self.environment(engine)
        lazy = {
            "variables.bad": environment.compile("1 / 0"),
            "variables.limit": environment.compile("object.limit + 1"),
            "variables.names": environment.compile("['a', string(variables.limit)]"),
        }
        activation = environment.bind({"object": {"limit": 4}}, lazy)
        assert environment.compile("variables.names").evaluate(activation) == ["a", "5"]
        assert environment.compile("variables.limit == 5 || variables.bad == 1").evaluate(activation) is True
        assert environment.compile("variables.bad == 1 || variables.limit == 5").evaluate(activation) is True
        with pytest.raises(CelEvaluationError, match="division by zero"):
            environment.compile("variables.bad == 1").evaluate(activation)

    def test_they_are_typed(self, engine: Any) -> None:
        with pytest.raises(CelCompileError, match=r"no matching overload"):
            self.environment(engine).compile("variables.limit == 'a'")
        with pytest.raises(CelCompileError, match="undefined field 'missing'"):
            self.environment(engine).compile("variables.missing")

    def test_one_that_asks_for_itself_is_an_error(self, engine: Any) -> None:
        environment = self.environment(engine)
        program = environment.compile("variables.limit + 1")
        with pytest.raises(CelEvaluationError, match="defined by itself"):
            program.evaluate(environment.bind({"object": {}}, {"variables.limit": program}))


def test_a_struct_has_only_its_declared_fields(engine: Any) -> None:
    request = ObjectType(
        "kubernetes.AdmissionRequest",
        {"operation": "string", "userInfo": ObjectType("kubernetes.UserInfo", {"groups": "list(string)"})},
    )
    environment = Environment(variables={"request": request}, engine=engine)
    program = environment.compile("request.operation == 'CREATE' && 'a' in request.userInfo.groups")
    assert program.evaluate({"request": {"operation": "CREATE", "userInfo": {"groups": ["a"]}}}) is True
    with pytest.raises(CelCompileError, match="undefined field 'nope'"):
        environment.compile("request.nope")
    with pytest.raises(CelEvaluationError, match="no such key: operation"):
        environment.compile("request.operation").evaluate({"request": {}})


@pytest.mark.parametrize("version", ["1.2", "2.0", "latest", "1.99", 1.3])
def test_an_unknown_version_is_refused(version: Any) -> None:
    with pytest.raises(UsageError, match="Kubernetes version"):
        Environment(kubernetes=version)


@pytest.mark.parametrize("kind", ["list(", "map(int)", "", "int)", "list(int"])
def test_an_unknown_type_is_refused(kind: str) -> None:
    with pytest.raises(UsageError):
        Environment(variables={"x": kind})


def test_importing_the_package_loads_neither_engine() -> None:
    code = (
        "import sys, reconciler.rules.cel\n"
        "print(sorted({'celpy', 'cel_expr_python', 'google.protobuf', 're2'} & set(sys.modules)))"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"
