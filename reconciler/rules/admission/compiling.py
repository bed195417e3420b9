"""A policy's expressions, compiled as the API server compiles them.

Follows `pkg/admission/plugin/cel` of k8s.io/apiserver: `object`, `oldObject` and `params` may be anything,
`request` and `namespaceObject` have declared fields, and each variable has the type that its expression has.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache, lru_cache
from types import MappingProxyType
from typing import Literal

from reconciler.model.fieldpath import FieldPath
from reconciler.rules.admission.declarations import declared_variables
from reconciler.rules.admission.problem import Problem
from reconciler.rules.admission.spec import AuditAnnotation, PolicySpec, Validation
from reconciler.rules.cel import CelCompileError, Environment, ObjectType, Program
from reconciler.rules.cel.fusing import fuse
from reconciler.rules.cel.types import Type, parse_type

__all__ = [
    "CompiledAnnotation",
    "CompiledCondition",
    "CompiledPolicy",
    "CompiledValidation",
    "Engine",
    "Expression",
    "compile_policy",
    "policy_environment",
]

#: Which CEL engine; None is the platform's best.
Engine = Literal["native", "pure"] | None
#: Types that a variable keeps; of any other type it is `dyn`, as in the API server.
_KEPT = frozenset(
    {
        "any",
        "bool",
        "bytes",
        "double",
        "google.protobuf.Duration",
        "google.protobuf.Timestamp",
        "int",
        "null_type",
        "string",
        "uint",
    }
)
_MAX_EXPRESSION = 1 << 20
_ROOT = "variables"
_UNDECLARED: Mapping[str, str] = MappingProxyType(
    {
        "params": "a policy has parameters where spec.paramKind says of which kind they are",
        _ROOT: "the policy has no spec.variables, and a match condition never sees any",
    }
)
_UNDEFINED = re.compile(r"undefined field '([^']+)'")


@dataclass(frozen=True, slots=True)
class Expression:
    """A compiled expression.

    Attributes:
        text: As written.
        program: What evaluates it.
        field: Where it stands in the policy.
        variables: The variables of the policy that it reads itself.
        fast: What evaluates it together with its variables, or None where that is no faster or cannot be.
        careful: The same with cel-go's finer errors, made when it is first wanted.
    """

    text: str
    program: Program
    field: FieldPath
    variables: frozenset[str]
    fast: Program | None
    careful: Callable[[], Program | None]


@dataclass(frozen=True, slots=True)
class CompiledCondition:
    """A match condition."""

    name: str
    expression: Expression


@dataclass(frozen=True, slots=True)
class CompiledValidation:
    """A validation, and the expression of its message where it has one."""

    spec: Validation
    expression: Expression
    message: Expression | None


@dataclass(frozen=True, slots=True)
class CompiledAnnotation:
    """An audit annotation."""

    spec: AuditAnnotation
    expression: Expression


@dataclass(frozen=True, slots=True)
class CompiledPolicy:
    """All expressions of a policy.

    Attributes:
        environment: One in which values can be bound for all of them.
        conditions: In order.
        variables: By name, in order.
        validations: In order.
        annotations: In order.
    """

    environment: Environment
    conditions: tuple[CompiledCondition, ...]
    variables: Mapping[str, Expression]
    validations: tuple[CompiledValidation, ...]
    annotations: tuple[CompiledAnnotation, ...]


def compile_policy(
    spec: PolicySpec, problems: list[Problem], *, kubernetes: str, engine: Engine = None
) -> CompiledPolicy:
    """Compile a policy's expressions.

    Args:
        spec: The policy.
        problems: What does not compile is added here; where anything was added the result is not to be used.
        kubernetes: The version whose libraries expressions may use.
        engine: Which engine evaluates them.
    """
    compiler = _Compiler(spec, problems, kubernetes, engine)
    conditions = [
        CompiledCondition(condition.name, found)
        for index, condition in enumerate(spec.match_conditions)
        if (found := compiler.condition(condition.expression, ("matchConditions", index, "expression")))
    ]
    for index, variable in enumerate(spec.variables):
        compiler.variable(variable.name, variable.expression, ("variables", index, "expression"))
    validations = []
    for index, validation in enumerate(spec.validations):
        at: FieldPath = ("validations", index)
        found = compiler.compile(validation.expression, (*at, "expression"), ("bool",))
        message = None
        if validation.message_expression.strip():
            message = compiler.compile(
                validation.message_expression, (*at, "messageExpression"), ("string",), authorizer=False
            )
        if found is not None:
            validations.append(CompiledValidation(validation, found, message))
    annotations = [
        CompiledAnnotation(annotation, found)
        for index, annotation in enumerate(spec.audit_annotations)
        if (found := compiler.annotation(annotation, ("auditAnnotations", index, "valueExpression")))
    ]
    return CompiledPolicy(
        compiler.environment(),
        tuple(conditions),
        MappingProxyType(compiler.variables),
        tuple(validations),
        tuple(annotations),
    )


def policy_environment(kubernetes: str | None, engine: Engine = None) -> Environment:
    """Return what an expression of a policy with parameters may use, its variables left out."""
    types = {**declared_variables(authorizer=True), "params": "dyn"}
    return Environment(kubernetes=kubernetes, variables=types, engine=engine)


class _Compiler:
    """Compiles one policy. Variables must come before what reads them."""

    def __init__(self, spec: PolicySpec, problems: list[Problem], kubernetes: str, engine: Engine) -> None:
        self._problems = problems
        self._kubernetes = kubernetes
        self._engine: Engine = engine
        self._params = spec.param_kind is not None
        self._has_variables = bool(spec.variables)
        self._declared = tuple(variable.name for variable in spec.variables)
        self._types: dict[str, str] = {}
        self.variables: dict[str, Expression] = {}

    def environment(self, *, variables: bool = False, authorizer: bool = True) -> Environment:
        """Return what an expression may use."""
        types = tuple(self._types.items()) if variables and self._has_variables else None
        return _environment(
            self._kubernetes, self._engine, params=self._params, authorizer=authorizer, variables=types
        )

    def condition(self, text: str, field: FieldPath) -> Expression | None:
        """Compile a match condition, which knows no variables."""
        return self.compile(text, field, ("bool",), variables=False)

    def annotation(self, annotation: AuditAnnotation, field: FieldPath) -> Expression | None:
        """Compile an audit annotation."""
        return self.compile(annotation.value_expression, field, ("string", "null_type"))

    def variable(self, name: str, text: str, field: FieldPath) -> None:
        """Compile a variable, which knows those before it."""
        found = self.compile(text, field, ())
        self._types[name] = _variable_type(found.program.result_type) if found is not None else "dyn"
        if found is not None:
            self.variables[name] = found

    def compile(
        self,
        text: str,
        field: FieldPath,
        types: tuple[str, ...],
        *,
        variables: bool = True,
        authorizer: bool = True,
    ) -> Expression | None:
        """Compile an expression, whose result must have one of the types; () stands for any."""
        field = ("spec", *field)
        if not text.strip():
            return None
        if len(text) > _MAX_EXPRESSION:
            self._problem(field, f"expected at most {_MAX_EXPRESSION} characters, found {len(text)}")
            return None
        environment = self.environment(variables=variables and _ROOT in text, authorizer=authorizer)
        try:
            program = environment.compile(text)
        except CelCompileError as err:
            for issue in err.issues:
                hint = self._hint(issue.message, text)
                self._problem(field, issue.message, hint, within=(issue.line, issue.column))
            return None
        result = _written(parse_type(program.result_type))
        if types and result not in types:
            wanted = types[0] if len(types) == 1 else f"one of {', '.join(types)}"
            self._problem(field, f"must evaluate to {wanted} but got {result}", within=(1, 1))
            return None
        names = frozenset(name.removeprefix(f"{_ROOT}.") for name in program.variables)
        texts = {f"{_ROOT}.{name}": found.text for name, found in self.variables.items()}
        if f"{_ROOT}." not in text:
            texts = {}
        fused = environment.lazy.keys() & program.variables and fuse(environment, text, texts)
        return Expression(
            text,
            program,
            field,
            names & self._types.keys(),
            fused or None,
            cache(lambda: fuse(environment, text, texts, careful=True)),
        )

    def _hint(self, message: str, text: str) -> str:
        """Say what to do about a variable that is not there."""
        for name, hint in _UNDECLARED.items():
            if message.startswith(f"undeclared reference to '{name}'"):
                return hint
        match = _UNDEFINED.search(message)
        if match is None or not re.search(rf"\b{_ROOT}\s*\.\s*{re.escape(match[1])}\b", text):
            return ""
        name = match[1]
        if name in self._declared:
            return (
                f"the variable {name!r} stands below: a variable may read those above it only, so that none "
                "hangs on itself"
            )
        close = difflib.get_close_matches(name, self._declared, 1, 0.6)
        if close:
            return f"did you mean {_ROOT}.{close[0]}?"
        return (
            f"the policy's variables are {', '.join(self._declared)}"
            if self._declared
            else "it has no variables"
        )

    def _problem(
        self, field: FieldPath, message: str, hint: str = "", *, within: tuple[int, int] | None = None
    ) -> None:
        self._problems.append(Problem(field, message, hint, within=within))


@lru_cache(maxsize=256)
def _environment(
    kubernetes: str | None,
    engine: Engine,
    *,
    params: bool,
    authorizer: bool,
    variables: tuple[tuple[str, str], ...] | None,
) -> Environment:
    """Return an environment; equal ones are made once, as each takes milliseconds."""
    types = declared_variables(authorizer=authorizer)
    # What differs between policies is asked for lazily, so that all of them share one bound request.
    lazy: dict[str, str] = {}
    if variables is not None:
        types[_ROOT] = ObjectType("kubernetes.variables", dict(variables))
        lazy = {f"{_ROOT}.{name}": kind for name, kind in variables}
    if params:
        lazy["params"] = "dyn"
    return Environment(kubernetes=kubernetes, variables=types, engine=engine, lazy=lazy)


def _variable_type(text: str) -> str:
    return _written(_kept(parse_type(text)))


def _written(term: Type) -> str:
    """Write a type so that it can be read again, and as cel-go writes it."""
    return f"{term.name}({', '.join(map(_written, term.args))})" if term.args else term.name


def _kept(term: Type) -> Type:
    if term.name in {"list", "map"} and term.args:
        return Type(term.name, tuple(_kept(arg) for arg in term.args))
    return term if term.name in _KEPT else Type("dyn")
