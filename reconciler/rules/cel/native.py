"""The native engine: Google's C++ runtime (`cel-expr-python`) behind the interface of this package."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import partial
from typing import Any

from cel_expr_python import cel

from reconciler.errors import UsageError
from reconciler.rules.cel import opaque
from reconciler.rules.cel.errors import CelCompileError, CelEvaluationError, CelIssue
from reconciler.rules.cel.library.catalog import CATALOG, OPAQUE, Overload
from reconciler.rules.cel.types import Type, is_variable, parse_type
from reconciler.rules.cel.values import Uint
from reconciler.rules.cel.words import runtime_message

__all__ = ["NativeEngine", "NativeExpression"]

_ISSUE = re.compile(r"ERROR: <input>:(-?\d+):(-?\d+): (.*)")
_PLAIN_EXTENSIONS = (
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
    "type": cel.Type.TYPE,
}


def _native_type(term: Type) -> Any:
    if term.name == "list":
        return cel.Type.List(_native_type(term.args[0]))
    if term.name == "map":
        return cel.Type.Map(_native_type(term.args[0]), _native_type(term.args[1]))
    if is_variable(term):
        return cel.Type.DYN
    known = _KINDS.get(term.name)
    return cel.Type(str(term).replace("(", "<").replace(")", ">")) if known is None else known


def _extensions(minor: int | None) -> list[str]:
    if minor is None:
        return list(_PLAIN_EXTENSIONS)
    found = ["strings", "optional"]
    if minor >= 29:
        found.append("sets")
    if minor >= 32:
        found.append("two-var-comprehensions")
    if minor >= 34:
        found.append("lists")
    return found


def _dispatch(overloads: list[Overload], *args: Any) -> Any:
    """Call the overload whose opaque parameters are what the arguments are."""
    values = [opaque.decode(arg) for arg in args]
    for overload in overloads:
        if overload.call is not None and all(
            not (wanted := OPAQUE.get(param)) or isinstance(value, wanted)
            for param, value in zip(overload.params, values, strict=True)
        ):
            return opaque.encode(overload.call(*values))
    raise CelEvaluationError("no such overload")


def _available(minor: int | None) -> list[Overload]:
    return [
        overload
        for overload in (CATALOG if minor is not None else ())
        if overload.since <= (minor or 0) and overload.function not in ("string", "indexOf", "lastIndexOf")
    ]


def _signatures(minor: int | None) -> list[Any]:
    """Return declarations for the type checker: every overload with its own types, and nothing to call."""
    functions: dict[str, list[Any]] = {}
    for overload in _available(minor):
        functions.setdefault(overload.function, []).append(
            cel.Overload(
                overload.id,
                return_type=_native_type(parse_type(overload.result)),
                parameters=[_native_type(parse_type(param)) for param in overload.params],
                is_member=overload.member,
            )
        )
    return [cel.FunctionDecl(name, overloads) for name, overloads in functions.items()]


def _kind(term: Type) -> Type:
    return (
        Type("kubernetes.Quantity")
        if str(term) in OPAQUE
        else parse_type("list(dyn)")
        if term.name == "list"
        else term
    )


def _implementations(minor: int | None) -> list[Any]:
    """Return declarations for evaluation: the engine dispatches by kind, and all messages are one kind."""
    grouped: dict[tuple[str, bool, tuple[Type, ...]], list[Overload]] = {}
    for overload in _available(minor):
        if "optional_type" not in overload.result and overload.call is not None:
            kinds = tuple(_kind(parse_type(param)) for param in overload.params)
            grouped.setdefault((overload.function, overload.member, kinds), []).append(overload)
    functions: dict[str, list[Any]] = {}
    for (name, member, kinds), overloads in grouped.items():
        results = {overload.result for overload in overloads}
        result = parse_type(results.pop()) if len(results) == 1 else parse_type("dyn")
        functions.setdefault(name, []).append(
            cel.Overload(
                f"{overloads[0].id}_impl",
                return_type=_native_type(result),
                parameters=[_native_type(kind) for kind in kinds],
                is_member=member,
                impl=partial(_dispatch, overloads),
            )
        )
    return [cel.FunctionDecl(name, overloads) for name, overloads in functions.items()]


class NativeExpression:
    """One compiled expression."""

    def __init__(self, expression: Any, result_type: str) -> None:
        self._expression = expression
        self.result_type = result_type

    def evaluate(self, activation: Any) -> Any:
        """Return the plain value.

        Raises:
            CelEvaluationError: The evaluation ended in an error.
        """
        try:
            found = self._expression.eval(activation)
            kind = found.type()
            if kind == cel.Type.ERROR:
                raise CelEvaluationError(runtime_message(str(found.value())))
            if kind == cel.Type.UINT:
                return Uint(found.value())
            value = found.plain_value()
        except (RuntimeError, TypeError, SystemError) as err:
            raise CelEvaluationError(runtime_message(str(err))) from err
        return bytes(value) if isinstance(value, bytearray) else value


def _environment(config: str, variables: dict[str, Any], functions: list[Any]) -> Any:
    try:
        return cel.NewEnv(
            opaque.pool(), config=cel.NewEnvConfigFromYaml(config), variables=variables, functions=functions
        )
    except (RuntimeError, TypeError) as err:
        raise UsageError(f"the CEL environment cannot be made: {err}") from err


class NativeEngine:
    """An environment of the native engine."""

    def __init__(self, minor: int | None, variables: Mapping[str, Type]) -> None:
        lines = ["name: wayside", "extensions:"]
        for name in _extensions(minor):
            lines += [f"- name: {name}"]
            if name == "strings" and minor is not None:
                lines.append("  version: 2")
        text = "\n".join(lines) + "\n"
        types = {name: _native_type(term) for name, term in variables.items()}
        self._checker = _environment(text, types, _signatures(minor))
        self._environment = _environment(text, types, _implementations(minor))

    def compile(self, text: str, *, check: bool) -> NativeExpression:
        """Compile an expression.

        Raises:
            CelCompileError: It does not parse or does not type-check.
        """
        try:
            found = "dyn"
            if check:
                found = str(self._checker.compile(text).return_type().name()).lower()
            return NativeExpression(self._environment.compile(text, disable_check=True), found)
        except (RuntimeError, ValueError, TypeError) as err:
            issues = [
                CelIssue(max(int(line), 1), max(int(column), 1), message)
                for line, column, message in _ISSUE.findall(str(err))
            ]
            raise CelCompileError(issues or [CelIssue(1, 1, runtime_message(str(err)))], text) from err

    def bind(self, values: Mapping[str, Any]) -> Any:
        """Convert values once, for any number of evaluations."""
        return self._environment.Activation(dict(values))
