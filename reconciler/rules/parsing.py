"""From a document to a `SitePolicy`, with everything that is wrong with it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from reconciler.model.fieldpath import FieldPath, parse_field_path
from reconciler.model.finding import Severity
from reconciler.model.quantity import QuantityError, parse_quantity
from reconciler.rules.admission.problem import Problem
from reconciler.rules.admission.reader import Reader
from reconciler.rules.facts.plain import as_mapping, dig
from reconciler.rules.matching import LabelSelector, Requirement, SiteMatch, SubjectMatch
from reconciler.rules.policy import (
    API_VERSION,
    KIND,
    Documentation,
    Exemption,
    Expression,
    Parameter,
    ParameterType,
    Scope,
    SitePolicy,
    Validation,
    Variable,
)

__all__ = ["parse_parameter", "parse_policy"]

_RULE_ID = re.compile(r"[a-z0-9]+(?:-[a-z0-9]+)*\Z")
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*\Z")
_OPERATORS = ("In", "NotIn", "Exists", "DoesNotExist")
_SEVERITIES = tuple(severity.value for severity in Severity)


def parse_policy(
    value: Any, *, path: str = "", index: int = 0
) -> tuple[SitePolicy | None, tuple[Problem, ...]]:
    """Parse one document of kind SitePolicy.

    Args:
        value: The document.
        path: The file it comes from.
        index: Its number in that file.

    Returns:
        The rule, or None where it cannot be used, and all that is wrong with it.
    """
    problems: list[Problem] = []
    if not isinstance(value, Mapping):
        return None, (Problem((), f"expected a {KIND}, found {type(value).__name__}"),)
    root = Reader(value, (), problems)
    root.choice("apiVersion", (API_VERSION,))
    root.choice("kind", (KIND,))
    name = _rule_id(root)
    spec = root.mapping("spec")
    root.finish()
    if spec is None:
        problems.append(Problem((), "expected a spec, found none", "see docs/rules/writing-rules.md"))
        return None, tuple(problems)
    policy = _spec(spec, name, value, path=path, index=index)
    return (None if problems else policy), tuple(problems)


def _rule_id(root: Reader) -> str:
    metadata = root.mapping("metadata")
    if metadata is None:
        root.problem(message="expected metadata.name, the rule's id, found none")
        return ""
    name = metadata.string("name")
    if not _RULE_ID.match(name):
        metadata.problem("name", message=f"expected a rule id such as no-latest-tag, found {name!r}")
    metadata.allow("labels", "annotations")
    metadata.finish()
    return name


def _spec(spec: Reader, name: str, source: Mapping[str, Any], *, path: str, index: int) -> SitePolicy:
    scope_text = spec.choice("scope", tuple(scope.value for scope in Scope))
    if not scope_text and "scope" not in spec:
        spec.problem(message="expected a scope, found none", hint="one of Site, Resource, Workload, Image")
    scope = Scope(scope_text) if scope_text else Scope.SITE
    sites, subjects = _match(spec.mapping("match"), scope)
    validations = tuple(_validation(item, scope) for item in spec.items("validations"))
    if not validations:
        spec.problem("validations", message="expected at least one validation, found none")
    policy = SitePolicy(
        name=name,
        title=spec.string("title"),
        scope=scope,
        severity=Severity(spec.choice("severity", _SEVERITIES, "error") or "error"),
        enabled=_enabled(spec, source),
        sites=sites,
        subjects=subjects,
        parameters=_parameters(spec.mapping("parameters"), as_mapping(dig(source, "spec", "parameters"))),
        variables=_variables(spec),
        exemptions=tuple(_exemption(item) for item in spec.items("notChecked")),
        validations=validations,
        documentation=_documentation(spec.mapping("documentation")),
        path=path,
        index=index,
        source=source,
    )
    spec.finish()
    return policy


def _exemption(reader: Reader) -> Exemption:
    exemption = Exemption(_required(reader, "expression"), reader.string("reason"))
    if not exemption.reason:
        reader.problem("reason", message="expected a reason, which the report gives, found none")
    reader.finish()
    return exemption


def _enabled(spec: Reader, source: Mapping[str, Any]) -> bool:
    spec.allow("enabled")
    found = dig(source, "spec", "enabled")
    if found is None or isinstance(found, bool):
        return found is not False
    spec.problem("enabled", message=f"expected true or false, found {found!r}")
    return True


def _required(reader: Reader, key: str) -> Expression:
    text = reader.string(key)
    if not text.strip():
        reader.problem(key, message=f"expected a CEL expression in {key}, found none")
    return Expression(text, (*reader.path, key))


def _optional(reader: Reader, key: str) -> Expression | None:
    text = reader.string(key)
    return Expression(text, (*reader.path, key)) if text.strip() else None


def _match(reader: Reader | None, scope: Scope) -> tuple[SiteMatch, SubjectMatch]:
    if reader is None:
        return SiteMatch(), SubjectMatch()
    sites = SiteMatch()
    below = reader.mapping("sites")
    if below is not None:
        sites = SiteMatch(below.strings("names"), _selector(below))
        below.finish()
    if scope is Scope.SITE:
        for key in ("kinds", "names", "namespaces", "excludedNamespaces", "labels"):
            if key in reader:
                reader.problem(
                    key,
                    message=f"expected no {key} in a rule of scope Site, found some",
                    hint="a rule of scope Site is asked once for a site; use sites, or scope Workload",
                )
    subjects = SubjectMatch(
        kinds=reader.strings("kinds"),
        names=reader.strings("names"),
        namespaces=reader.strings("namespaces"),
        excluded_namespaces=reader.strings("excludedNamespaces"),
        labels=_selector(reader),
    )
    reader.finish()
    return sites, subjects


def _selector(reader: Reader) -> LabelSelector:
    below = reader.mapping("labels")
    if below is None:
        return LabelSelector()
    requirements = [Requirement(key, "In", (value,)) for key, value in below.labels("matchLabels").items()]
    for item in below.items("matchExpressions"):
        key, operator = item.string("key"), item.choice("operator", _OPERATORS)
        values = item.strings("values")
        if operator in {"In", "NotIn"} and not values:
            item.problem("values", message=f"expected values for {operator}, found none")
        requirements.append(Requirement(key, operator, values))
        item.finish()
    below.finish()
    return LabelSelector(tuple(requirements))


def _validation(reader: Reader, scope: Scope) -> Validation:
    text = reader.string("fieldPath")
    field_path: FieldPath = ()
    try:
        field_path = parse_field_path(text)
    except ValueError as err:
        reader.problem("fieldPath", message=str(err))
    if scope is Scope.IMAGE and field_path:
        reader.problem(
            "fieldPath",
            message="expected no fieldPath in a rule of scope Image, found one",
            hint="the finding lands on the image itself",
        )
    severity = reader.choice("severity", _SEVERITIES)
    validation = Validation(
        expression=_required(reader, "expression"),
        message=reader.string("message"),
        message_expression=_optional(reader, "messageExpression"),
        for_each=_optional(reader, "forEach"),
        hint=reader.string("hint"),
        field_path=field_path,
        severity=Severity(severity) if severity else None,
    )
    if not validation.message and validation.message_expression is None:
        reader.problem(message="expected a message or a messageExpression, found neither")
    reader.finish()
    return validation


def _variables(spec: Reader) -> tuple[Variable, ...]:
    variables: list[Variable] = []
    for item in spec.items("variables"):
        name = item.string("name")
        if not _NAME.match(name):
            item.problem("name", message=f"expected a CEL identifier, found {name!r}")
        if any(variable.name == name for variable in variables):
            item.problem("name", message=f"expected each name once, found {name!r} twice")
        variables.append(Variable(name, _required(item, "expression")))
        item.finish()
    return tuple(variables)


def _documentation(reader: Reader | None) -> Documentation:
    if reader is None:
        return Documentation()
    found = Documentation(reader.string("why"), reader.string("bad"), reader.string("good"))
    reader.finish()
    return found


def _parameters(reader: Reader | None, source: Mapping[str, Any]) -> dict[str, Parameter]:
    parameters: dict[str, Parameter] = {}
    if reader is None:
        return parameters
    for name in source:
        item = reader.mapping(name)
        if item is None:
            continue
        if not _NAME.match(name):
            item.problem(message=f"expected a CEL identifier, found {name!r}")
        kind = item.choice("type", tuple(t.value for t in ParameterType), "string") or "string"
        item.allow("default")
        parameter = Parameter(
            name, ParameterType(kind), None, item.string("description"), item.strings("choices")
        )
        try:
            default = parse_parameter(parameter, dig(source, name, "default"))
        except ValueError as err:
            item.problem("default", message=str(err))
            default = None
        parameters[name] = Parameter(name, parameter.type, default, parameter.description, parameter.choices)
        item.finish()
    return parameters


def parse_parameter(parameter: Parameter, value: Any) -> Any:
    """Return a parameter's value as expressions see it.

    Raises:
        ValueError: The value is not of the parameter's type, or not one of its choices.
    """
    match parameter.type:
        case ParameterType.STRING:
            ok = isinstance(value, str)
        case ParameterType.INTEGER:
            ok = isinstance(value, int) and not isinstance(value, bool)
        case ParameterType.NUMBER:
            ok = isinstance(value, int | float) and not isinstance(value, bool)
        case ParameterType.BOOLEAN:
            ok = isinstance(value, bool)
        case ParameterType.STRINGS:
            ok = isinstance(value, list) and all(isinstance(item, str) for item in value)
        case ParameterType.BYTES:
            try:
                return int(parse_quantity(str(value)))
            except QuantityError as err:
                raise ValueError(f"parameter {parameter.name}: {err}") from err
    if not ok:
        raise ValueError(f"parameter {parameter.name}: expected {_EXPECTED[parameter.type]}, found {value!r}")
    if parameter.choices and value not in parameter.choices:
        raise ValueError(
            f"parameter {parameter.name}: expected one of {', '.join(parameter.choices)}, found {value!r}"
        )
    return float(value) if parameter.type is ParameterType.NUMBER else value


_EXPECTED = {
    ParameterType.STRING: "a string",
    ParameterType.INTEGER: "a whole number",
    ParameterType.NUMBER: "a number",
    ParameterType.BOOLEAN: "true or false",
    ParameterType.BYTES: "a quantity",
    ParameterType.STRINGS: "a list of strings",
}
