"""Environments, programs and activations: compile once, bind an object once, evaluate many rules over it."""

from __future__ import annotations

import importlib.util
import re
from collections.abc import Callable, Mapping
from typing import Any, Literal

from reconciler.errors import UsageError
from reconciler.rules.cel.ast import Comprehension, Expr, walk
from reconciler.rules.cel.budget import EXCEEDED, runs_away
from reconciler.rules.cel.checker import Checked, check
from reconciler.rules.cel.errors import (
    CelCompileError,
    CelEvaluationError,
    CelUnsupportedError,
    NeedsClusterError,
)
from reconciler.rules.cel.library.catalog import CATALOG
from reconciler.rules.cel.lowering import lower
from reconciler.rules.cel.macros import Macros
from reconciler.rules.cel.parser import parse
from reconciler.rules.cel.standard import functions
from reconciler.rules.cel.types import ObjectType, Type, parse_type
from reconciler.rules.cel.validators import validate

__all__ = ["Activation", "Environment", "Program", "compiles_on", "default_engine"]

_VERSION = re.compile(r"v?1\.(\d{1,3})(?:\.\d+)?(?:[-+].*)?\Z")
_CLUSTER_ONLY = frozenset(overload.id for overload in CATALOG if overload.call is None)
_SCALARS = frozenset({"bool", "string", "int", "double"})
#: The newest minor version whose libraries are known.
NEWEST = 37
_OLDEST = 25

PLAIN_MACROS = Macros(optionals=True, two_variables=True, sorting=True, bindings=True)
#: What plain CEL has and the engine's own compiler lacks.
_OWN = re.compile(
    r"\b(?:(?:ip|cidr|isIP|isCIDR|ip\.isCanonical)\s*\(|regex\s*\.|unwrap|cel\s*\.\s*(?:block|index|iterVar))"
)
_METERED = re.compile(
    r"\b(?:map|filter|transformList|transformMap|transformMapEntry|replace|join|range|in)\b"
)
#: Macros of extensions that Kubernetes does not have; the engine's own parser expands them.
_UNKNOWN_MACRO = re.compile(r"\b(?:math\s*\.\s*(?:greatest|least)|proto\s*\.)")

EngineName = Literal["native", "pure"]


def default_engine() -> EngineName:
    """Return the engine that this platform has: `native` where there is a build of it, else `pure`."""
    return "native" if importlib.util.find_spec("cel_expr_python") is not None else "pure"


class Activation:
    """Values bound to variables: converted once, and shared by every program of an environment.

    Lazy variables (`variables.foo`) are computed when a program first asks for them, and kept.
    """

    __slots__ = ("_computed", "_computing", "_lazy", "bound", "values")

    def __init__(self, bound: Any, values: Mapping[str, Any], lazy: Mapping[str, Program]) -> None:
        self.bound = bound
        self.values = values
        self._lazy = lazy
        self._computed: dict[str, Any] = {}
        self._computing: list[str] = []

    def ask(self, name: str) -> Any:
        """Return the value of a lazy variable.

        Raises:
            CelEvaluationError: Its expression ended in an error, is not bound, or asks for itself.
        """
        if name not in self._computed:
            self._computed[name] = self._compute(name)
        found = self._computed[name]
        if isinstance(found, CelEvaluationError):
            raise found
        return found

    def _compute(self, name: str) -> Any:
        program = self._lazy.get(name)
        if program is None:
            return CelEvaluationError(f"no such attribute(s): {name}")
        if name in self._computing:
            return CelEvaluationError(f"{name} is defined by itself")
        self._computing.append(name)
        try:
            return program.evaluate(self)
        except CelEvaluationError as err:
            return err
        finally:
            self._computing.pop()


class Program:
    """A compiled expression.

    Attributes:
        text: The expression.
        result_type: Type of the result as CEL writes it; `dyn` where the type check was left out.
        variables: Names of the variables that the expression uses.
        needs_cluster: Names of what only a cluster can answer, such as `authorizer`; empty for most.
    """

    __slots__ = ("_environment", "_expression", "needs_cluster", "result_type", "text", "variables")

    def __init__(
        self,
        environment: Environment,
        expression: Any,
        text: str,
        *,
        result_type: str,
        variables: frozenset[str] = frozenset(),
        needs_cluster: tuple[str, ...] = (),
    ) -> None:
        self._environment = environment
        self._expression = expression
        self.text = text
        self.result_type = result_type
        self.variables = variables
        self.needs_cluster = needs_cluster

    def evaluate(self, values: Mapping[str, Any] | Activation) -> Any:
        """Return the expression's value over the values of its variables.

        Raises:
            CelEvaluationError: The evaluation ended in an error, which is neither true nor false.
            NeedsClusterError: The expression asks what only a cluster can answer.
        """
        if self.needs_cluster:
            raise NeedsClusterError(self.needs_cluster[0])
        activation = values if isinstance(values, Activation) else self._environment.bind(values)
        if isinstance(activation.bound, CelUnsupportedError):
            raise activation.bound
        if not self._environment.lazy:
            return self._expression.evaluate(activation.bound)
        return self._environment.within(activation, self._expression.evaluate)

    def inner(self, activation: Activation) -> Any:
        """Return the value as another expression of the environment sees it: an optional stays one.

        Raises:
            CelEvaluationError: The evaluation ended in an error.
            NeedsClusterError: The expression asks what only a cluster can answer.
        """
        if self.needs_cluster or self._environment.engine != "pure":
            return self.evaluate(activation)
        return self._environment.within(activation, self._expression.inner)


class Runaway:
    """Stands for an expression that would grow beyond any use."""

    def evaluate(self, _activation: object) -> Any:
        """Refuse.

        Raises:
            CelEvaluationError: Always.
        """
        raise CelEvaluationError(EXCEEDED, hint="build smaller values")

    inner = evaluate


class Environment:
    """What expressions may use: a Kubernetes version's libraries, and variables with their types.

    Args:
        kubernetes: A version such as `1.36`, or None for plain CEL with every standard extension.
        variables: Type of each variable: text as CEL writes it (`dyn`, `string`, `map(string, dyn)`), or a
            struct with declared fields.
        engine: `native` or `pure`; None takes the platform's best.
        lazy: Variables with dotted names, such as `variables.foo`, that are computed when they are asked for.
        frozen: Whether values never change once they are bound, so that they are looked at once.

    Raises:
        UsageError: The version, a type or the engine is not known here.
    """

    def __init__(
        self,
        kubernetes: str | None = "1.36",
        variables: Mapping[str, str | ObjectType] | None = None,
        engine: EngineName | None = None,
        *,
        lazy: Mapping[str, str] | None = None,
        frozen: bool = False,
    ) -> None:
        self.kubernetes = kubernetes
        self.engine: EngineName = engine or default_engine()
        self.minor = None if kubernetes is None else _minor(kubernetes)
        self._structs: dict[str, ObjectType] = {}
        self.variables = {name: self._type(text) for name, text in (variables or {}).items()}
        self.lazy = {name: parse_type(text) for name, text in (lazy or {}).items()}
        for name in self.lazy:
            root = name.partition(".")[0]
            if root != name and root not in self.variables:
                self.variables[root] = self._type(ObjectType(f"kubernetes.{root}"))
        self._frozen = frozen
        self._current: Activation | None = None
        self._engine = self._make()

    def _type(self, declared: str | ObjectType) -> Type:
        if isinstance(declared, str):
            return parse_type(declared)
        self._structs[declared.name] = declared
        for field in declared.fields.values():
            self._type(field)
        return Type(declared.name)

    def _make(self) -> Any:
        plain = {
            name: Type("dyn") if term.name in self._structs else term
            for name, term in self.variables.items()
            if not term.name.startswith("kubernetes.authorization.")
        }
        if self.engine == "native":
            try:
                from reconciler.rules.cel.native import NativeEngine
            except ImportError as err:
                raise UsageError(
                    "expected the native CEL engine (cel-expr-python), found no build for this platform",
                    hint="use the pure engine",
                ) from err
            return NativeEngine(self.minor, plain, self.lazy, self._ask, frozen=self._frozen)
        if self.engine == "pure":
            from reconciler.rules.cel.pure import PureEngine

            return PureEngine(self.minor, plain, self.lazy, self._ask)
        raise UsageError(f"expected the engine native or pure, found {self.engine!r}")

    def compile(self, text: str, check: bool = True) -> Program:
        """Parse and type-check an expression.

        Args:
            text: The expression.
            check: False leaves the type check out.

        Raises:
            CelCompileError: The expression is not valid; every mistake has its line and column.
        """
        if self.minor is None and self.engine == "native":
            return self._compile_plain(text, check=check)
        expr = self._parse(text)
        checked: Checked | None = None
        if check:
            everything = {**self.variables, **self.lazy}
            checked = analyse(expr, text, everything, self._structs, self.minor)
        needs = _needs_cluster(checked)
        result = "dyn" if checked is None else str(checked.result)
        expression = None
        if runs_away(expr):
            expression = Runaway()
        elif not needs:
            expression = self._load(expr, checked, text, result)
        return Program(
            self,
            expression,
            text,
            result_type=result,
            variables=frozenset() if checked is None else checked.variables,
            needs_cluster=needs,
        )

    def _load(self, expr: Expr, checked: Checked | None, text: str, result: str) -> Any:
        if self.engine == "pure":
            return self._engine.load(expr, checked)
        lowered = lower(expr, checked, self.lazy)
        optional = result.startswith("optional_type")
        return self._engine.load(lowered, text, scalar=result in _SCALARS, optional=optional)

    def _compile_plain(self, text: str, *, check: bool) -> Program:
        try:
            expr: Expr | None = parse(text, PLAIN_MACROS)
        except CelCompileError:
            expr = None  # of a dialect that only the engine's own parser knows
        if expr is not None and (_OWN.search(text) or _only_one_pair(expr)):
            return self._own_plain(expr, text, check=check)
        try:
            expression, result = self._engine.compile(text, check=check)
        except CelCompileError as err:
            # The engine takes no deep nesting; what this package's own checker accepts is evaluated.
            if expr is None:
                raise
            try:
                return self._own_plain(expr, text, check=True)
            except CelCompileError:
                raise err from None
        if expr is not None:
            if runs_away(expr):
                expression = Runaway()
            elif result.startswith("optional_type") or (not check and self._is_optional(expr, text)):
                return self._own_plain(expr, text, check=check)
            elif _METERED.search(text) and not _UNKNOWN_MACRO.search(text):
                lowered = lower(expr, None, self.lazy, library=False)
                expression = self._engine.load(lowered, text, scalar=False)
        return Program(self, expression, text, result_type=result)

    def _own_plain(self, expr: Expr, text: str, *, check: bool) -> Program:
        checked: Checked | None = None
        if check:
            checked = analyse(expr, text, {**self.variables, **self.lazy}, self._structs, None)
        result = "dyn" if checked is None else str(checked.result)
        lowered = lower(expr, checked, self.lazy, library=False)
        optional = result.startswith("optional_type") or (not check and self._is_optional(expr, text))
        expression = self._engine.load(lowered, text, scalar=False, optional=optional)
        return Program(self, expression, text, result_type=result)

    def _is_optional(self, expr: Expr, text: str) -> bool:
        try:
            found = analyse(expr, text, {**self.variables, **self.lazy}, self._structs, None).result
        except CelCompileError:
            return False
        return found.name == "optional_type"

    def _parse(self, text: str) -> Expr:
        try:
            return parse(text, PLAIN_MACROS if self.minor is None else macros_of(self.minor))
        except CelCompileError as err:
            issues = self._engine.syntax_issues(text) if err.issues[0].message.startswith("Syntax") else []
            if not issues:
                raise
            raise CelCompileError(issues, text) from err

    def bind(self, values: Mapping[str, Any], lazy: Mapping[str, Program] | None = None) -> Activation:
        """Convert values once, so that many programs can be evaluated over them.

        Args:
            values: Value of each variable.
            lazy: Program of each lazy variable, compiled in this environment.

        Returns:
            The activation. Where the engine cannot hold a value whole, every evaluation over it says so.
        """
        try:
            bound = self._engine.bind(values)
        except CelUnsupportedError as err:
            bound = err
        return Activation(bound, values, lazy or {})

    def within(self, activation: Activation, evaluate: Callable[[Any], Any]) -> Any:
        """Evaluate while an activation answers for lazy variables."""
        before, self._current = self._current, activation
        try:
            return evaluate(activation.bound)
        finally:
            self._current = before

    def _ask(self, name: str) -> Any:
        if self._current is None:
            raise CelEvaluationError(f"no such attribute(s): {name}")
        return self._current.ask(name)


def _only_one_pair(expr: Expr) -> bool:
    return any(
        isinstance(node, Comprehension) and node.second and node.macro == "exists_one" for node in walk(expr)
    )


def _minor(version: str) -> int:
    match = _VERSION.match(str(version))  # 1.30 without quotes is 1.3, and told so
    if match is None or not _OLDEST <= int(match[1]) <= NEWEST:
        raise UsageError(
            f"expected a Kubernetes version from 1.{_OLDEST} to 1.{NEWEST}, found {version!r}",
            code="kubernetes-version",
        )
    return int(match[1])


def macros_of(minor: int) -> Macros:
    """Return the macros that a Kubernetes version has."""
    return Macros(optionals=minor >= 28, two_variables=minor >= 32, sorting=minor >= 34)


def analyse(
    expr: Expr,
    text: str,
    variables: Mapping[str, Type],
    structs: Mapping[str, ObjectType],
    minor: int | None,
) -> Checked:
    """Type-check a tree as a Kubernetes version does, or for None as plain CEL.

    Raises:
        CelCompileError: It does not type-check there.
    """
    checked = check(expr, text, variables, functions(minor), structs, mixed=minor is None)
    if minor is not None:
        validate(expr, text, checked, literals=minor >= 29)
    return checked


def _needs_cluster(checked: Checked | None) -> tuple[str, ...]:
    if checked is None:
        return ()
    used = {name for name in checked.variables if name == "authorizer" or name.startswith("authorizer.")}
    if any(id_ in _CLUSTER_ONLY for ids in checked.overloads.values() if len(ids) == 1 for id_ in ids):
        used.add("authorizer")
    return tuple(sorted(used))


def compiles_on(
    text: str, version: str, variables: Mapping[str, str | ObjectType] | None = None
) -> CelCompileError | None:
    """Tell whether an expression compiles on a Kubernetes version.

    Returns:
        None if it does, else what that version finds wrong.
    """
    environment = Environment(kubernetes=version, variables=variables)
    try:
        environment.compile(text)
    except CelCompileError as err:
        return err
    return None
