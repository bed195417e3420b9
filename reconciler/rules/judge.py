"""One rule asked about one subject: violations, or why it was not judged."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from reconciler.model.fieldpath import FieldPath, parse_field_path
from reconciler.model.finding import NotChecked, Severity, Violation
from reconciler.model.location import Location
from reconciler.model.resource import ResourceId, split_api_version
from reconciler.rules.cel.errors import CelEvaluationError
from reconciler.rules.expressions import Compiled
from reconciler.rules.facts.plain import as_mapping
from reconciler.rules.policy import SitePolicy, Validation

__all__ = ["CompiledRule", "CompiledValidation", "Outcome", "SiteReads", "Subject", "judge"]


#: Site-wide variables, and the paths at which they are read.
SiteReads = tuple[tuple[str, tuple[tuple[str, ...], ...]], ...]


@dataclass(frozen=True, slots=True)
class CompiledValidation:
    """A validation with its expressions compiled."""

    source: Validation
    expression: Compiled
    message: Compiled | None
    for_each: Compiled | None


@dataclass(frozen=True)
class CompiledRule:
    """A rule that can be asked.

    Attributes:
        policy: The rule as written.
        severity: The fleet's severity for it, or None for its own.
        parameters: Values of its parameters.
        reads: The site-wide variables that it may read, and at which paths.
        subject_reads: The same of the variables of its scope.
    """

    policy: SitePolicy
    severity: Severity | None
    parameters: Mapping[str, Any]
    variables: Mapping[str, Compiled]
    exemptions: tuple[tuple[Compiled, str], ...]
    validations: tuple[CompiledValidation, ...]
    reads: SiteReads
    subject_reads: SiteReads = ()

    def severity_of(self, validation: Validation | None) -> Severity:
        """Return how bad it is when a validation fails."""
        own = validation.severity if validation is not None else None
        return self.severity or own or self.policy.severity


@dataclass(frozen=True)
class Subject:
    """What a rule is asked about.

    Attributes:
        values: The variables of its scope.
        site_value: Gives the site-wide variables.
        resource: The object it stands for, or None for the site.
        field_path: Where a finding lands that names no field.
        pod_path: Where the object keeps its pod spec, or ().
    """

    values: Mapping[str, Any]
    site_value: Callable[[str], Any]
    resource: ResourceId | None = None
    field_path: FieldPath = ()
    pod_path: FieldPath = ()


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a rule says of a subject: violations, and reasons why it was not judged."""

    violations: tuple[Violation, ...] = ()
    not_checked: tuple[NotChecked, ...] = ()


def judge(rule: CompiledRule, subject: Subject) -> Outcome:
    """Ask a rule about a subject. An expression that cannot be evaluated is a violation that says so."""
    scope = _Scope(rule, subject)
    for expression, reason in rule.exemptions:
        try:
            exempt = scope.boolean(expression)
        except CelEvaluationError as err:
            return Outcome((_broken(rule, subject, None, err),))
        if exempt:
            return Outcome(not_checked=(NotChecked(rule.policy.name, reason, (), subject.resource),))
    violations: list[Violation] = []
    for validation in rule.validations:
        try:
            violations += _validate(rule, subject, validation, scope)
        except CelEvaluationError as err:
            violations.append(_broken(rule, subject, validation.source, err))
    return Outcome(tuple(violations))


def _validate(
    rule: CompiledRule, subject: Subject, validation: CompiledValidation, scope: _Scope
) -> list[Violation]:
    if validation.for_each is None:
        items: Sequence[Any] = [None]
    else:
        items = scope.items(validation.for_each)
        if not isinstance(items, list | tuple):
            raise CelEvaluationError(f"expected a list from forEach, found {type(items).__name__}")
    found = []
    for item in items:
        scope.each = item
        if scope.boolean(validation.expression):
            continue
        resource, path = _place(subject, validation.source, item)
        location = as_mapping(item).get("location")
        found.append(
            Violation(
                rule=rule.policy.name,
                severity=rule.severity_of(validation.source),
                message=_message(validation, scope),
                hint=validation.source.hint,
                resource=resource,
                field_path=path,
                at=Location.parse(location) if isinstance(location, str) else None,
            )
        )
    scope.each = None
    return found


def _message(validation: CompiledValidation, scope: _Scope) -> str:
    """Return the message; where its expression fails, the plain message, as admission policies do."""
    plain = validation.source.message or f"failed expression: {validation.expression.text.strip()}"
    if validation.message is None:
        return plain
    try:
        text = scope.evaluate(validation.message)
    except CelEvaluationError:
        if validation.source.message:
            return plain
        raise
    if not isinstance(text, str):
        raise CelEvaluationError(f"expected a string from messageExpression, found {type(text).__name__}")
    return text.strip() or plain


def _place(subject: Subject, validation: Validation, item: Any) -> tuple[ResourceId | None, FieldPath]:
    """Return the object and field that a violation is about."""
    path = validation.field_path
    each = as_mapping(item)
    resource = _resource_of(each) or subject.resource
    if isinstance(each.get("fieldPath"), str):
        return resource, (*parse_field_path(each["fieldPath"]), *path)
    if subject.pod_path and path[:1] == ("pod",):
        return resource, (*subject.pod_path, *path[1:])
    return resource, path or subject.field_path


def _resource_of(each: Mapping[str, Any]) -> ResourceId | None:
    """Return the object that an item names: facts by `id` or `workload`, a manifest by its own fields."""
    for key in ("id", "workload"):
        text = each.get(key)
        if isinstance(text, str) and text.count("/") in {1, 2}:
            head, _, rest = text.partition("/")
            kind, _, group = head.partition(".")
            namespace, _, name = rest.rpartition("/")
            return ResourceId(group, kind, namespace, name)
    metadata = as_mapping(each.get("metadata"))
    if isinstance(each.get("apiVersion"), str) and isinstance(each.get("kind"), str) and metadata:
        group = split_api_version(each["apiVersion"])[0]
        return ResourceId(
            group, each["kind"], str(metadata.get("namespace") or ""), str(metadata.get("name") or "")
        )
    return None


def _broken(
    rule: CompiledRule, subject: Subject, validation: Validation | None, err: CelEvaluationError
) -> Violation:
    return Violation(
        rule=rule.policy.name,
        severity=rule.severity_of(validation),
        message=f"the rule cannot be evaluated, so it counts as broken: {err}",
        hint=f"see the rule in {rule.policy.path}",
        resource=subject.resource,
        field_path=subject.field_path,
    )


class _Scope:
    """The variables of one rule for one subject; those of the rule's own are computed when first read."""

    def __init__(self, rule: CompiledRule, subject: Subject) -> None:
        self._rule = rule
        self._subject = subject
        self._computed: dict[str, Any] = {}
        self._known = SITE_WIDE | subject.values.keys() | {"params", "each", "variables"}
        self.each: Any = None

    def boolean(self, expression: Compiled) -> bool:
        """Evaluate an expression that must be true or false."""
        value = self.evaluate(expression)
        if not isinstance(value, bool):
            raise CelEvaluationError(f"expected true or false, found {type(value).__name__}")
        return value

    def items(self, expression: Compiled) -> Any:
        """Evaluate an expression that gives a list; one that only names a field needs no engine."""
        if expression.chain:
            value = self._value(expression, expression.chain[0])
            for step in expression.chain[1:]:
                value = value.get(step) if isinstance(value, Mapping) else None
            if isinstance(value, list):
                return value
        return self.evaluate(expression)

    def evaluate(self, expression: Compiled) -> Any:
        """Evaluate an expression with exactly the variables that it may read."""
        known = (name for name in expression.reads if name in self._known)
        return expression.program.evaluate({name: self._value(expression, name) for name in known})

    def _value(self, expression: Compiled, name: str) -> Any:
        match name:
            case "params":
                return self._rule.parameters
            case "each":
                return self.each
            case "variables":
                return self._own(expression)
            case _ if name in self._subject.values:
                return self._subject.values[name]
            case _:
                return self._subject.site_value(name)

    def _own(self, expression: Compiled) -> dict[str, Any]:
        wanted = expression.reads["variables"]
        names = self._rule.variables if () in wanted else {path[0] for path in wanted if path}
        for name in names:
            if name not in self._computed and name in self._rule.variables:
                self._computed[name] = self.evaluate(self._rule.variables[name])
        return {name: self._computed[name] for name in names if name in self._computed}


#: Variables that every scope has.
SITE_WIDE = frozenset(
    {
        "claims",
        "download",
        "edgeMarks",
        "fit",
        "fleet",
        "images",
        "lock",
        "nodes",
        "overlaps",
        "pods",
        "portClashes",
        "references",
        "resources",
        "site",
        "storageClasses",
        "usage",
        "workloads",
    }
)
