"""Environments, programs and activations: compile once, bind an object once, evaluate many rules over it."""

from __future__ import annotations

import importlib.util
import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Literal

from reconciler.errors import UsageError
from reconciler.rules.cel.types import Type, parse_type

if TYPE_CHECKING:
    from reconciler.rules.cel.native import NativeEngine, NativeExpression

__all__ = ["Activation", "Environment", "Program", "default_engine"]

_VERSION = re.compile(r"v?1\.(\d{1,3})(?:\.\d+)?(?:[-+].*)?\Z")


def default_engine() -> Literal["native", "pure"]:
    """Return the engine that this platform has: `native` where there is a wheel, else `pure`."""
    return "native" if importlib.util.find_spec("cel_expr_python") is not None else "pure"


class Activation:
    """Values bound to variables, converted once and shared by every program of an environment."""

    __slots__ = ("bound", "values")

    def __init__(self, bound: Any, values: Mapping[str, Any]) -> None:
        self.bound = bound
        self.values = values


class Program:
    """A compiled expression."""

    def __init__(self, environment: Environment, text: str, expression: NativeExpression) -> None:
        self._environment = environment
        self._expression = expression
        self.text = text

    @property
    def result_type(self) -> str:
        """The type that the checker found for the result, in CEL's words."""
        return self._expression.result_type

    def evaluate(self, values: Mapping[str, Any] | Activation) -> Any:
        """Return the expression's value over the values of its variables.

        Raises:
            CelEvaluationError: The evaluation ended in an error, which is neither true nor false.
        """
        activation = values if isinstance(values, Activation) else self._environment.bind(values)
        return self._expression.evaluate(activation.bound)


class Environment:
    """What expressions may use: a Kubernetes version's libraries, and variables with their types.

    Args:
        kubernetes: A version such as `1.36`, or None for plain CEL with every standard extension.
        variables: Type of each variable, as CEL writes it: `dyn`, `string`, `map(string, dyn)`.
        engine: `native` or `pure`; None takes the platform's best.

    Raises:
        UsageError: The version, a type or the engine is not known here.
    """

    def __init__(
        self,
        kubernetes: str | None = "1.36",
        variables: Mapping[str, str] | None = None,
        engine: Literal["native", "pure"] | None = None,
    ) -> None:
        self.kubernetes = kubernetes
        self.engine = engine or default_engine()
        minor = None
        if kubernetes is not None:
            match = _VERSION.match(kubernetes)
            if match is None:
                raise UsageError(f"expected a Kubernetes version such as 1.36, found {kubernetes!r}")
            minor = int(match[1])
        self.variables: dict[str, Type] = {name: parse_type(text) for name, text in (variables or {}).items()}
        self._engine = self._make(minor)

    def _make(self, minor: int | None) -> NativeEngine:
        if self.engine == "native":
            try:
                from reconciler.rules.cel.native import NativeEngine
            except ImportError as err:
                raise UsageError(
                    "expected the native CEL engine (cel-expr-python), found no build for this platform",
                    hint="use the pure engine",
                ) from err
            return NativeEngine(minor, self.variables)
        raise UsageError(f"expected the engine native, found {self.engine!r}")

    def compile(self, text: str, check: bool = True) -> Program:
        """Parse and type-check an expression.

        Args:
            text: The expression.
            check: False leaves the type check out.

        Raises:
            CelCompileError: The expression is not valid; every mistake has its line and column.
        """
        return Program(self, text, self._engine.compile(text, check=check))

    def bind(self, values: Mapping[str, Any]) -> Activation:
        """Convert values once, so that many programs can be evaluated over them."""
        return Activation(self._engine.bind(values), values)
