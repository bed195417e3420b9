"""The native engine: Google's C++ runtime (`cel-expr-python`) behind the interface of this package.

For a Kubernetes version it evaluates trees that were parsed and checked here; for plain CEL it does it all.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from cel_expr_python import cel

from reconciler.errors import UsageError
from reconciler.rules.cel import moments, opaque
from reconciler.rules.cel.ast import Call, CreateList, Expr
from reconciler.rules.cel.boxing import NulSearch, boxed, nested, with_keys
from reconciler.rules.cel.budget import EXCEEDED, GUARDED, Meter, guard
from reconciler.rules.cel.containers import contains
from reconciler.rules.cel.errors import CelCompileError, CelEvaluationError, CelIssue
from reconciler.rules.cel.formatting import format_as_kubernetes
from reconciler.rules.cel.library.catalog import OPAQUE, Overload, available
from reconciler.rules.cel.lowering import BY_ELEMENT, LISTED, OPTIONAL
from reconciler.rules.cel.operations import TypeName, convert, equal, format_double
from reconciler.rules.cel.references import keep_none, overload
from reconciler.rules.cel.texts import accessors, texts
from reconciler.rules.cel.types import DYN, Type, is_variable, list_of, parse_type
from reconciler.rules.cel.values import Uint
from reconciler.rules.cel.wire import serialize
from reconciler.rules.cel.words import compile_message, runtime_message

__all__ = ["NativeEngine", "NativeExpression"]

_ISSUE = re.compile(r"^ERROR: <input>:(-?\d+):(-?\d+): (.*)$", re.MULTILINE)
_EXTENSIONS = (
    "sets",
    "lists",
    "two-var-comprehensions",
    "strings",
    "math",
    "optional",
    "bindings",
    "encoders",
    "protos",
)
_KINDS = {
    "int": cel.Type.INT,
    "uint": cel.Type.UINT,
    "double": cel.Type.DOUBLE,
    "bool": cel.Type.BOOL,
    "string": cel.Type.STRING,
    "bytes": cel.Type.BYTES,
    "null_type": cel.Type.NULL,
    "google.protobuf.Duration": cel.Type.DURATION,
    "google.protobuf.Timestamp": cel.Type.TIMESTAMP,
    "dyn": cel.Type.DYN,
    "any": cel.Type.DYN,
    "type": cel.Type.TYPE,
}
_ANY_KIND = (
    *("int", "string", "bool", "double", "uint", "bytes", "null_type", "duration", "timestamp"),
    *("list(dyn)", "map(dyn, dyn)", "kubernetes.Quantity"),
)


def _native_type(term: Type) -> Any:
    match term.name:
        case "list":
            return cel.Type.List(_native_type(term.args[0]))
        case "map":
            return cel.Type.Map(_native_type(term.args[0]), _native_type(term.args[1]))
        case "wrapper":  # a value or null, which the engine takes as it is only where it has no type
            return cel.Type.DYN
        case _ if is_variable(term):
            return cel.Type.DYN
    known = _KINDS.get(term.name)
    if known is not None:
        return known
    return cel.Type(str(term).replace("(", "<").replace(")", ">"))


def _dispatch(meter: Meter, overloads: list[Overload], *args: Any) -> Any:
    """Call the overload whose opaque parameters are what the arguments are."""
    meter.charge(*args)
    values = [_taken(arg) for arg in args]
    for known in overloads:
        if known.call is not None and all(
            not (wanted := OPAQUE.get(param)) or isinstance(value, wanted)
            for param, value in zip(known.params, values, strict=True)
        ):
            found = known.call(*values)
            if known.function in LISTED:
                return [] if found is None else [found]
            if found is None and known.function in OPTIONAL:
                return [] if known.function == "validate" else opaque.no_format()
            return opaque.encode(found)
    raise CelEvaluationError("no such overload")


def _taken(arg: Any) -> Any:
    return [opaque.decode(item) for item in arg] if isinstance(arg, list) else opaque.decode(arg)


def _kind(term: Type) -> Type:
    """Return one type for each kind that the engine tells apart at evaluation."""
    if term.name in OPAQUE:
        return Type("kubernetes.Quantity")
    return parse_type("list(dyn)") if term.name == "list" else term


def _implementations(minor: int | None, meter: Meter) -> dict[str, list[Any]]:
    """Return the Kubernetes libraries as the engine takes them, grouped by kinds of arguments."""
    grouped: dict[tuple[str, tuple[Type, ...]], list[Overload]] = {}
    for known in (*available(minor), *_STRING_SEARCH):
        if known.call is None:
            continue
        for params in _spread(known):
            kinds = tuple(_kind(parse_type(param)) for param in params)
            grouped.setdefault((f"@{known.function}", kinds), []).append(known)
            if known.function in BY_ELEMENT:
                grouped.setdefault((f"@{known.id}", kinds), []).append(known)
    functions: dict[str, list[Any]] = {}
    for (name, kinds), overloads in grouped.items():
        results = {_result(known) for known in overloads}
        result = results.pop() if len(results) == 1 else DYN
        functions.setdefault(name, []).append(
            overload(
                f"{name} {len(functions.get(name, ()))}",
                _native_type(result),
                [_native_type(kind) for kind in kinds],
                partial(_dispatch, meter, overloads),
            )
        )
    return functions


def _result(known: Overload) -> Type:
    found = parse_type(known.result)
    if known.function in LISTED:
        return list_of(found.args[0])
    return found.args[0] if found.name == "optional_type" else found


def _spread(known: Overload) -> list[tuple[str, ...]]:
    if known.params[1:] == ("A",):
        return [("list(dyn)", kind) for kind in _ANY_KIND]
    return [known.params]


def _index(text: str, part: str, start: int = 0) -> int:
    if not 0 <= start <= len(text):
        raise CelEvaluationError(f"index out of range: {start}")
    return text.find(part, start)


_STRING_SEARCH = (
    Overload("indexOf", "string_index_of_string", ("string", "string"), "int", True, 0, _index),
    Overload("lastIndexOf", "string_last_index_of_string", ("string", "string"), "int", True, 0, str.rfind),
)


def _compared(compare: Callable[[Any, Any], bool], passed: list[Any]) -> bool:
    """Compare two values that may hold quantities, which are equal by amount however they are written."""
    left, right = map(_decoded, passed)
    return compare(left, right)


def _decoded(value: Any) -> Any:
    match value:
        case list():
            return [_decoded(item) for item in value]
        case dict():
            return {key: _decoded(item) for key, item in value.items()}
        case _:
            return _written(opaque.decode(value))


def _written(value: Any) -> Any:
    """Return a value that was passed as the pure engine would have it."""
    match value:
        case list():
            return [_written(item) for item in value]
        case dict():
            return {_written(key): _written(item) for key, item in value.items()}
        case bytearray():
            return bytes(value)
        case cel.Type():
            return TypeName(_type_name(value))
        case _:
            return value


def _pairs(passed: list[Any]) -> dict[Any, Any]:
    parts = _taken(passed)
    made: dict[Any, Any] = {}
    for key, value in parts:
        if key in made:
            raise CelEvaluationError(f"insert failed: key {key!r} already exists")
        made[key] = value
    return made


def _merged(passed: list[Any]) -> dict[Any, Any]:
    return _pairs([pair for part in _taken(passed) for pair in part.items()])


def _own_functions() -> dict[str, list[Any]]:
    made = {}
    impl: Callable[..., Any]
    for name, impl in (("@transformMap", _pairs), ("@transformMapEntry", _merged)):
        made[name] = [
            overload(name, cel.Type.Map(cel.Type.DYN, cel.Type.DYN), [cel.Type.List(cel.Type.DYN)], impl)
        ]
    text, number = cel.Type.STRING, cel.Type.INT
    for name, impl, params, result in (
        ("@duration_to_string", moments.format_duration, [cel.Type.DURATION], text),
        ("@double_to_string", format_double, [cel.Type.DOUBLE], text),
        ("@duration_to_Milliseconds", accessors["getMilliseconds"], [cel.Type.DURATION], number),
        ("@string_index_of_string_int", texts["indexOf"], [text, text, number], number),
        ("@string_last_index_of_string_int", texts["lastIndexOf"], [text, text, number], number),
        ("@string_split_string", texts["split"], [text, text], cel.Type.List(text)),
        ("@string_to_bool", convert["bool"], [text], cel.Type.BOOL),
    ):
        made[name] = [overload(name, result, params, impl)]
    made["@string_format"] = [
        overload(
            "@string_format",
            text,
            [text, cel.Type.List(cel.Type.DYN)],
            lambda template, passed: format_as_kubernetes(template, _written(_taken(passed))),
        )
    ]
    for name, impl in (("@same", equal), ("@among", contains)):
        made[name] = [overload(name, cel.Type.BOOL, [cel.Type.List(cel.Type.DYN)], partial(_compared, impl))]
    quantity = _native_type(Type("kubernetes.Quantity"))
    made["@equal"] = [
        overload("@equal", cel.Type.BOOL, [quantity, quantity], lambda left, right: left.text == right.text)
    ]
    return made


def _guarded_functions(meter: Meter) -> dict[str, list[Any]]:
    text, number = cel.Type.STRING, cel.Type.INT
    texts, numbers = cel.Type.List(cel.Type.DYN), cel.Type.List(cel.Type.INT)
    signatures: list[tuple[str, Any, Callable[..., Any], list[list[Any]]]] = [
        ("replace", text, meter.replace, [[text, text, text], [text, text, text, number]]),
        ("join", text, meter.join, [[texts], [texts, text]]),
        ("@toll", cel.Type.BOOL, meter.toll, [[number]]),
        ("lists.range", numbers, meter.range, [[number]]),
    ]
    return {
        GUARDED.get(name, name): [
            overload(f"{GUARDED.get(name, name)} {len(params)}", result, params, impl) for params in overloads
        ]
        for name, result, impl, overloads in signatures
    }


class NativeExpression:
    """One compiled expression."""

    def __init__(
        self,
        expression: Any,
        meter: Meter,
        *,
        scalar: bool = False,
        optional: bool = False,
        result: Type = DYN,
    ) -> None:
        self._result = result
        self._optional = optional
        self._expression = expression
        self._meter = meter
        self._scalar = scalar

    def evaluate(self, activation: Any) -> Any:
        """Return the plain value.

        Raises:
            CelEvaluationError: The evaluation ended in an error.
        """
        self._meter.reset()
        try:
            found = self._expression.eval(activation)
            if self._meter.left < 0:
                raise CelEvaluationError(EXCEEDED)
            if self._scalar and isinstance(value := found.value(), bool):
                return value  # what nearly every rule gives; an error would be a text
            kind = found.type()
            if kind == _ERROR:
                raise CelEvaluationError(runtime_message(str(found.value())))
            value = found.value() if self._scalar and kind in _SIMPLE else _plain(found)
        except (RuntimeError, TypeError, SystemError, ValueError) as err:
            words = _NO_PLAIN if "function return value" in str(err) else runtime_message(str(err))
            raise CelEvaluationError(words) from err
        if self._optional:
            return value[0] if value else None
        return value if self._result is DYN else with_keys(value, self._result)


_ERROR = cel.Type.ERROR
_NO_PLAIN = "an optional value is no plain value; use orValue() or value()"
_SIMPLE = (cel.Type.BOOL, cel.Type.STRING, cel.Type.INT, cel.Type.DOUBLE)


def _plain(found: Any) -> Any:
    kind = found.type()
    if kind == cel.Type.UINT:
        return Uint(found.value())
    if kind == cel.Type.BYTES:
        return bytes(found.value())
    name = kind.name()
    if name.startswith("optional"):
        raise CelEvaluationError(_NO_PLAIN)
    value = found.value()
    if isinstance(value, list):
        return [_plain(item) for item in value]
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    if kind == cel.Type.ERROR:
        raise CelEvaluationError(runtime_message(str(value)))
    if isinstance(value, cel.Type):
        return _type_name(value)
    return opaque.decode(value)


_TYPE_NAMES = {
    "NULL": "null_type",
    "DURATION": "google.protobuf.Duration",
    "TIMESTAMP": "google.protobuf.Timestamp",
    **{name.upper(): name for name in ("bool", "int", "uint", "double", "string", "bytes", "type", "dyn")},
    **{name.upper(): name for name in ("list", "map")},
}
_TYPE_WORD = re.compile(r"[A-Z]+(?![\w.])")


def _type_name(value: Any, *, whole: bool = False) -> str:
    """Return a type's name as CEL has it; with its arguments where `whole` is set."""
    name = str(value.name())
    if not whole:
        name = name.partition("<")[0]
    found = _TYPE_WORD.sub(lambda match: _TYPE_NAMES.get(match[0], match[0]), name)
    return found.replace("<", "(").replace(">", ")")


class NativeEngine:
    """An environment of the native engine.

    Args:
        minor: Minor of the Kubernetes version, or None for plain CEL.
        variables: Types of the variables.
        ask: Gives the value of a lazy variable.
        frozen: Whether values never change once they are bound.
    """

    def __init__(
        self,
        minor: int | None,
        variables: Mapping[str, Type],
        lazy: Mapping[str, Type],
        ask: Callable[[str], Any],
        *,
        frozen: bool = False,
    ) -> None:
        self._nul = NulSearch(frozen=frozen)
        self._minor = minor
        self._variables = variables
        keep_none()
        meter = self._meter = Meter()
        functions = _guarded_functions(meter) | _implementations(minor, meter) | _own_functions()
        functions |= _lazy_functions(lazy, ask)
        config = "name: wayside\nextensions:\n" + "".join(f"- name: {name}\n" for name in _EXTENSIONS)
        try:
            self._environment = cel.NewEnv(
                opaque.pool(),
                config=cel.NewEnvConfigFromYaml(config),
                variables={
                    name: _native_type(term) for name, term in variables.items() if _convertible(term)
                },
                functions=[cel.FunctionDecl(name, overloads) for name, overloads in functions.items()],
            )
            # The environment learns the types of its variables when it first compiles something.
            self._environment.compile("null")
        except (RuntimeError, TypeError) as err:
            raise UsageError(f"the CEL environment cannot be made: {err}") from err

    def load(self, expr: Expr, text: str, *, scalar: bool, optional: bool = False) -> NativeExpression:
        """Take a lowered tree.

        Raises:
            CelCompileError: It is deeper than the engine takes.
        """
        if optional:
            expr = _listed(expr)
        guard(expr)
        try:
            found = self._environment.deserialize(serialize(expr))
        except (RuntimeError, ValueError) as err:
            raise CelCompileError([CelIssue(1, 1, "expression recursion limit exceeded")], text) from err
        return NativeExpression(found, self._meter, scalar=scalar, optional=optional)

    def syntax_issues(self, text: str) -> list[CelIssue]:
        """Return what the engine's own parser, of the same grammar as the API server's, finds wrong."""
        try:
            self._environment.compile(text, disable_check=True)
        except (RuntimeError, ValueError, TypeError) as err:
            return _issues(str(err))
        return []

    def compile(self, text: str, *, check: bool) -> tuple[NativeExpression, str]:
        """Compile plain CEL.

        Returns:
            The expression and the type of its result.

        Raises:
            CelCompileError: It does not parse or does not type-check.
        """
        try:
            found = self._environment.compile(text, disable_check=not check)
            result = _type_name(found.return_type(), whole=True) if check else "dyn"
        except (RuntimeError, ValueError, TypeError) as err:
            issues = _issues(str(err)) or [CelIssue(1, 1, compile_message(str(err)))]
            raise CelCompileError(issues, text) from err
        term = parse_type(result) if "map(uint" in result else DYN
        return NativeExpression(found, self._meter, result=term), result

    def bind(self, values: Mapping[str, Any]) -> Any:
        """Convert values once, for any number of evaluations.

        Raises:
            CelEvaluationError: The engine cannot hold one of them whole.
        """
        if self._minor is not None and not self._nul.may_find(values):
            return self._environment.Activation(dict(values))
        open_ = {name: boxed(value, self._variables.get(name, DYN)) for name, value in values.items()}
        return self._environment.Activation(nested(open_))


def _listed(expr: Expr) -> Expr:
    """Return an optional as a list of one value or none, which the engine can give back."""
    at = expr.at
    some = CreateList([Call("value", expr, [], at)], at)
    return Call("_?_:_", None, [Call("hasValue", expr, [], at), some, CreateList([], at)], at)


def _convertible(term: Type) -> bool:
    return term.name not in ("optional_type", "type")


def _lazy_functions(lazy: Mapping[str, Type], ask: Callable[[str], Any]) -> dict[str, list[Any]]:
    def answer(name: str) -> Any:
        return opaque.encode(ask(name))

    return {
        f"@variable {name} {term}": [
            overload(f"@variable {name} {term}", _native_type(term), [], partial(answer, name))
        ]
        for name, term in lazy.items()
    }


def _issues(text: str) -> list[CelIssue]:
    return [
        CelIssue(max(int(line), 1), max(int(column), 1), compile_message(message))
        for line, column, message in _ISSUE.findall(compile_message(text))
    ]
