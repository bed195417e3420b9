"""From a parsed rule to one that can be asked."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from reconciler.model.fieldpath import FieldPath
from reconciler.model.fleet import RuleSetting
from reconciler.rules.cel.errors import CelCompileError
from reconciler.rules.expressions import Compiled, Compiler, Engine, reads
from reconciler.rules.judge import SITE_WIDE, CompiledRule, CompiledValidation, SiteReads
from reconciler.rules.parsing import parse_parameter
from reconciler.rules.policy import Expression, Scope, SitePolicy

__all__ = ["CompileProblem", "RuleCompiler"]

_OF_SCOPE: Mapping[Scope, frozenset[str]] = {
    Scope.SITE: frozenset(),
    Scope.RESOURCE: frozenset({"object"}),
    Scope.WORKLOAD: frozenset({"workload", "object"}),
    Scope.IMAGE: frozenset({"workload", "object", "image"}),
}
_ALWAYS = frozenset({"params", "variables"})
_ALL = SITE_WIDE | _ALWAYS | {"each"} | frozenset().union(*_OF_SCOPE.values())


@dataclass(frozen=True, slots=True)
class CompileProblem:
    """One reason why a rule cannot be used.

    Attributes:
        message: What is wrong.
        field_path: The field of the rule's document, or () where it is a setting of the fleet.
        within: Line and column in the field's text, both from 1, or None.
        hint: What to do.
        setting: The field of the fleet's settings for the rule, where it is one.
    """

    message: str
    field_path: FieldPath
    within: tuple[int, int] | None = None
    hint: str = ""
    setting: FieldPath = ()


class RuleCompiler:
    """Compiles rules for one engine.

    Args:
        engine: `native` or `pure`, or None for the platform's best.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._compilers: dict[frozenset[str], Compiler] = {}

    def compile(
        self, policy: SitePolicy, setting: RuleSetting, *, later: bool = False
    ) -> tuple[CompiledRule | None, tuple[CompileProblem, ...]]:
        """Compile a rule with the fleet's settings for it.

        Args:
            policy: The rule.
            setting: What the fleet sets for it.
            later: Whether its expressions are known to compile, so that each can wait until it is evaluated.

        Returns:
            The rule, or None where it cannot be used, and every reason.
        """
        problems: list[CompileProblem] = []
        parameters = _parameters(policy, setting.parameters, problems)
        expressions: list[Compiled] = []

        def one(expression: Expression | None, *, each: bool = False) -> Compiled | None:
            if expression is None:
                return None
            try:
                compiled = self._compile(expression.text, policy.scope, each=each, later=later)
            except CelCompileError as err:
                problems.extend(_compile_problems(err, expression))
                return None
            problems.extend(_unknown_names(policy, compiled, expression))
            expressions.append(compiled)
            return compiled

        variables = {variable.name: one(variable.expression) for variable in policy.variables}
        exemptions = [(one(exemption.expression), exemption.reason) for exemption in policy.exemptions]
        validations = []
        for validation in policy.validations:
            for_each = one(validation.for_each)
            each = validation.for_each is not None
            expression = one(validation.expression, each=each)
            message = one(validation.message_expression, each=each)
            if expression is not None:
                validations.append(CompiledValidation(validation, expression, message, for_each))
        _refuse_cycles(policy, variables, problems)
        if problems:
            return None, tuple(problems)
        return (
            CompiledRule(
                policy=policy,
                severity=setting.severity,
                parameters=parameters,
                variables={name: found for name, found in variables.items() if found is not None},
                exemptions=tuple((found, reason) for found, reason in exemptions if found is not None),
                validations=tuple(validations),
                reads=_reads_of(expressions, SITE_WIDE),
                subject_reads=_reads_of(expressions, _OF_SCOPE[policy.scope]),
            ),
            (),
        )

    def _compile(self, text: str, scope: Scope, *, each: bool, later: bool) -> Compiled:
        """Compile an expression over the variables of its scope.

        One environment with all variables serves each expression that names none beyond its scope; others,
        which are wrong or use such a name in a macro, get an environment of exactly their variables.
        """
        allowed = SITE_WIDE | _OF_SCOPE[scope] | _ALWAYS | ({"each"} if each else frozenset())
        names = _ALL if not (_ALL - allowed) & reads(text).keys() else allowed
        found = self._compilers.get(names)
        if found is None:
            found = self._compilers[names] = Compiler(self._engine, sorted(names))
        return found.compile(text, later=later)


def _compile_problems(err: CelCompileError, expression: Expression) -> list[CompileProblem]:
    return [
        CompileProblem(
            f"the expression does not compile: {issue.message}",
            expression.field_path,
            (issue.line, issue.column),
        )
        for issue in err.issues
    ]


def _unknown_names(policy: SitePolicy, compiled: Compiled, expression: Expression) -> list[CompileProblem]:
    """Report reads of parameters and variables that the rule does not declare."""
    problems = []
    declared = {"params": set(policy.parameters), "variables": {v.name for v in policy.variables}}
    for root, known in declared.items():
        for path in sorted(compiled.reads.get(root, ())):
            if path and path[0] not in known:
                names = ", ".join(sorted(known)) or "none"
                problems.append(
                    CompileProblem(
                        f"{root}.{path[0]} is not declared by this rule",
                        expression.field_path,
                        hint=f"declared {root}: {names}",
                    )
                )
    return problems


def _parameters(
    policy: SitePolicy, settings: Mapping[str, Any], problems: list[CompileProblem]
) -> dict[str, Any]:
    values = {name: parameter.default for name, parameter in policy.parameters.items()}
    for name, value in settings.items():
        parameter = policy.parameters.get(name)
        if parameter is None:
            known = ", ".join(sorted(policy.parameters)) or "none"
            close = difflib.get_close_matches(name, sorted(policy.parameters), 1, 0.6)
            problems.append(
                CompileProblem(
                    f"expected a parameter of the rule {policy.name}, found {name!r}",
                    (),
                    hint=f"did you mean {close[0]}?" if close else f"parameters of {policy.name}: {known}",
                    setting=("parameters", name),
                )
            )
            continue
        try:
            values[name] = parse_parameter(parameter, value)
        except ValueError as err:
            hint = f"parameters of {policy.name} and their types: docs/rules/{policy.name}.md"
            problems.append(CompileProblem(str(err), (), hint=hint, setting=("parameters", name)))
    return values


def _refuse_cycles(
    policy: SitePolicy, variables: Mapping[str, Compiled | None], problems: list[CompileProblem]
) -> None:
    """A variable may read only those that stand before it, as in admission policies."""
    before: set[str] = set()
    for variable in policy.variables:
        compiled = variables[variable.name]
        paths = sorted(compiled.reads.get("variables", ())) if compiled is not None else []
        problems.extend(
            CompileProblem(
                f"variable {variable.name} reads {'.'.join(('variables', *path[:1]))}, "
                "which does not stand before it",
                variable.expression.field_path,
                hint="put variables in the order in which they need each other",
            )
            for path in paths
            if not path or path[0] not in before
        )
        before.add(variable.name)


def _reads_of(expressions: Iterable[Compiled], names: frozenset[str]) -> SiteReads:
    """Return which of some variables the expressions read, and at which paths."""
    found: dict[str, set[tuple[str, ...]]] = {}
    for compiled in expressions:
        for name, paths in compiled.reads.items():
            if name in names:
                found.setdefault(name, set()).update(paths)
    return tuple((name, tuple(sorted(paths))) for name, paths in sorted(found.items()))
