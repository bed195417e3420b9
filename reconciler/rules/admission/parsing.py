"""Documents to specs, refusing what the API server refuses.

Follows `pkg/apis/admissionregistration/validation` of Kubernetes 1.36, with the defaults of
`pkg/apis/admissionregistration/v1`. Expressions are compiled elsewhere.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from reconciler.errors import RuleError
from reconciler.model.resource import Manifest, split_api_version
from reconciler.rules.admission.documents import GROUP
from reconciler.rules.admission.match_parsing import parse_match_resources, parse_selector, unique
from reconciler.rules.admission.problem import InvalidPolicy, Problem
from reconciler.rules.admission.reader import Reader
from reconciler.rules.admission.spec import (
    AuditAnnotation,
    BindingSpec,
    FailurePolicy,
    MatchCondition,
    MatchResources,
    NotFoundAction,
    ParamKind,
    ParamRef,
    PolicySpec,
    Validation,
    ValidationAction,
    Variable,
)
from reconciler.rules.admission.syntax import (
    cel_identifier_fault,
    dns_label_fault,
    dns_subdomain_fault,
    path_segment_fault,
    qualified_name_fault,
)
from reconciler.rules.admission.values import require_json

__all__ = ["check_kind", "parse_binding", "parse_policy"]

_MUTATING = frozenset({"MutatingAdmissionPolicy", "MutatingAdmissionPolicyBinding"})
_VERSIONS = ("v1", "v1beta1", "v1alpha1")
_REASONS = ("Forbidden", "Invalid", "RequestEntityTooLarge")
_MAX_CONDITIONS = 64
_MAX_AUDIT_ANNOTATIONS = 20
_MAX_VALUE_EXPRESSION = 5 * 1024


def check_kind(document: Any, kind: str, *, binding: int | None = None) -> Mapping[str, Any]:
    """Return a document that is of a kind.

    Args:
        document: The document.
        kind: What it must be.
        binding: Which of the bindings it is, or None for the policy.

    Raises:
        InvalidPolicy: It is of another kind, or is nothing that JSON can hold.
    """
    if not isinstance(document, Mapping):
        problem = Problem((), f"expected a mapping, found {type(document).__name__}", binding=binding)
        raise InvalidPolicy(kind, [problem])
    try:
        require_json(document, "the document")
    except RuleError as err:
        raise InvalidPolicy(kind, [Problem((), err.message, err.hint, binding)]) from err
    found = document.get("kind")
    group, version = split_api_version(str(document.get("apiVersion") or ""))
    if found != kind:
        message, hint = f"expected {kind}, found {_shown(found)}", ""
        if isinstance(found, str) and found in _MUTATING:
            message = f"{found} is not supported"
            hint = "only the API server knows what a mutation makes of an object: write a validation instead"
        raise InvalidPolicy(kind, [Problem(("kind",), message, hint, binding)])
    if group != GROUP or version not in _VERSIONS:
        message = f"expected {GROUP}/v1, found {_shown(document.get('apiVersion'))}"
        raise InvalidPolicy(kind, [Problem(("apiVersion",), message, binding=binding)])
    return document


def parse_policy(document: Manifest, problems: list[Problem]) -> PolicySpec:
    """Read a policy.

    Args:
        document: The policy; `check_kind` has passed it.
        problems: What is wrong is added here; where anything was added the result is not to be used.
    """
    root = Reader(document, (), problems)
    root.allow("apiVersion", "kind", "status")
    name = _metadata_name(root)
    spec = root.mapping("spec")
    if spec is None:
        root.problem("spec", message="expected a spec, found none")
        root.finish()
        return PolicySpec(name, MatchResources())
    root.finish()
    policy = PolicySpec(
        name,
        _match_constraints(spec),
        FailurePolicy(spec.choice("failurePolicy", ("Fail", "Ignore"), "Fail")),
        _param_kind(spec),
        tuple(_match_conditions(spec)),
        tuple(_variables(spec)),
        tuple(_validation(item) for item in spec.items("validations")),
        tuple(_audit_annotations(spec, name)),
    )
    if ("validations" not in spec and "auditAnnotations" not in spec) or not (
        policy.validations or policy.audit_annotations
    ):
        spec.problem(
            "validations", message="expected at least one of validations or auditAnnotations, found none"
        )
    spec.finish()
    return policy


def parse_binding(document: Manifest, index: int, problems: list[Problem]) -> BindingSpec:
    """Read a binding; `index` is its number among the bindings. See `parse_policy`."""
    root = Reader(document, (), problems, binding=index)
    root.allow("apiVersion", "kind", "status")
    name = _metadata_name(root)
    spec = root.mapping("spec")
    root.finish()
    if spec is None:
        root.problem("spec", message="expected a spec, found none")
        return BindingSpec(name, "", ())
    policy_name = spec.string("policyName")
    if not policy_name:
        spec.problem("policyName", message="expected the name of a policy, found none")
    elif fault := dns_subdomain_fault(policy_name):
        spec.problem("policyName", message=f"{fault}; found {policy_name!r}")
    match = spec.mapping("matchResources")
    binding = BindingSpec(
        name,
        policy_name,
        _actions(spec),
        _param_ref(spec),
        None if match is None else parse_match_resources(match),
    )
    spec.finish()
    return binding


def _metadata_name(root: Reader) -> str:
    metadata = root.mapping("metadata")
    name = metadata.string("name") if metadata is not None else ""
    if not name:
        root.problem("metadata", "name", message="expected a name, found none")
    elif fault := dns_subdomain_fault(name):
        root.problem("metadata", "name", message=f"{fault}; found {name!r}")
    return name


def _param_kind(spec: Reader) -> ParamKind | None:
    reader = spec.mapping("paramKind")
    if reader is None:
        return None
    api_version, kind = reader.string("apiVersion"), reader.string("kind")
    group, version = split_api_version(api_version)
    if not api_version:
        reader.problem("apiVersion", message="expected a version such as v1 or apps/v1, found none")
    elif api_version.count("/") > 1:
        reader.problem("apiVersion", message=f"expected group/version, found {api_version!r}")
    else:
        if group and (fault := dns_subdomain_fault(group)):
            reader.problem("apiVersion", message=f"in the group: {fault}; found {api_version!r}")
        if fault := dns_label_fault(version):
            reader.problem("apiVersion", message=f"in the version: {fault}; found {api_version!r}")
    if not kind:
        reader.problem("kind", message="expected a kind, found none")
    elif fault := dns_label_fault(kind.lower()):
        reader.problem("kind", message=f"{fault} (in any case); found {kind!r}")
    reader.finish()
    return ParamKind(group, version, kind)


def _match_constraints(spec: Reader) -> MatchResources:
    reader = spec.mapping("matchConstraints")
    if reader is None:
        spec.problem("matchConstraints", message="expected matchConstraints with resourceRules, found none")
        return MatchResources()
    match = parse_match_resources(reader)
    if "resourceRules" not in reader or not match.rules:
        reader.problem("resourceRules", message="expected at least one rule, found none")
    return match


def _match_conditions(spec: Reader) -> Iterable[MatchCondition]:
    conditions: list[MatchCondition] = []
    for reader in spec.items("matchConditions"):
        name, expression = reader.string("name"), reader.string("expression")
        if not expression.strip():
            reader.problem("expression", message="expected an expression, found none")
        if not name:
            reader.problem("name", message="expected a name, found none")
        elif fault := qualified_name_fault(name):
            reader.problem("name", message=f"{fault}; found {name!r}")
        elif name in {condition.name for condition in conditions}:
            reader.problem(
                "name", message=f"duplicate name {name!r}", hint="give each condition its own name"
            )
        reader.finish()
        conditions.append(MatchCondition(name, expression))
    if len(conditions) > _MAX_CONDITIONS:
        spec.problem(
            "matchConditions", message=f"expected at most {_MAX_CONDITIONS}, found {len(conditions)}"
        )
    return conditions


def _variables(spec: Reader) -> Iterable[Variable]:
    for reader in spec.items("variables"):
        name, expression = reader.string("name"), reader.string("expression")
        if not name.strip():
            reader.problem("name", message="expected a name, found none")
        elif fault := cel_identifier_fault(name):
            reader.problem("name", message=f"{fault}; found {name!r}")
        if not expression.strip():
            reader.problem("expression", message="expected an expression, found none")
        reader.finish()
        yield Variable(name, expression)


def _validation(reader: Reader) -> Validation:
    validation = Validation(
        reader.string("expression"),
        reader.string("message"),
        reader.string("messageExpression"),
        reader.choice("reason", _REASONS),
    )
    if not validation.expression.strip():
        reader.problem("expression", message="expected an expression, found none")
    if validation.message_expression and not validation.message_expression.strip():
        reader.problem("messageExpression", message="expected an expression, found only white space")
    message = validation.message.strip()
    if validation.message and not message:
        reader.problem("message", message="expected a message, found only white space")
    if "\n" in message or "\r" in message:
        reader.problem(
            "message", message="expected one line, found line breaks", hint="write >- before the text"
        )
    reader.finish()
    return validation


def _audit_annotations(spec: Reader, policy: str) -> Iterable[AuditAnnotation]:
    seen: set[str] = set()
    items = spec.items("auditAnnotations")
    if len(items) > _MAX_AUDIT_ANNOTATIONS:
        spec.problem(
            "auditAnnotations", message=f"expected at most {_MAX_AUDIT_ANNOTATIONS}, found {len(items)}"
        )
    for reader in items:
        key, expression = reader.string("key"), reader.string("valueExpression")
        if policy and (fault := qualified_name_fault(f"{policy}/{key}")):
            reader.problem("key", message=f"{fault}; found {key!r}")
        if key in seen:
            reader.problem("key", message=f"duplicate key {key!r}", hint="give each annotation its own key")
        seen.add(key)
        if not expression.strip():
            reader.problem("valueExpression", message="expected an expression, found none")
        elif (size := len(expression.strip().encode())) > _MAX_VALUE_EXPRESSION:
            reader.problem(
                "valueExpression", message=f"expected at most {_MAX_VALUE_EXPRESSION} bytes, found {size}"
            )
        reader.finish()
        yield AuditAnnotation(key, expression)


def _actions(spec: Reader) -> tuple[ValidationAction, ...]:
    words = spec.strings("validationActions")
    allowed = tuple(action.value for action in ValidationAction)
    for index, word in enumerate(words):
        if word not in allowed:
            message = f"expected one of {', '.join(allowed)}, found {word!r}"
            spec.problem("validationActions", index, message=message)
    unique(spec, "validationActions", words)
    if not words:
        spec.problem("validationActions", message="expected at least one of Deny, Warn or Audit, found none")
    if "Deny" in words and "Warn" in words:
        spec.problem(
            "validationActions",
            message="expected Deny or Warn, found both",
            hint="a refusal already says what a warning would",
        )
    return tuple(ValidationAction(word) for word in words if word in allowed)


def _param_ref(spec: Reader) -> ParamRef | None:
    reader = spec.mapping("paramRef")
    if reader is None:
        return None
    name, selector = reader.string("name"), parse_selector(reader, "selector")
    if name and (fault := path_segment_fault(name)):
        reader.problem("name", message=f"{fault}; found {name!r}")
    if name and selector is not None:
        reader.problem("selector", message="expected name or selector, found both")
    if not name and selector is None:
        reader.problem("name", message="expected name or selector, found neither")
    action = reader.choice("parameterNotFoundAction", ("Allow", "Deny"), "")
    if "parameterNotFoundAction" not in reader:
        reader.problem("parameterNotFoundAction", message="expected Allow or Deny, found none")
    ref = ParamRef(name, reader.string("namespace"), selector, NotFoundAction(action or "Deny"))
    reader.finish()
    return ref


def _shown(value: object) -> str:
    return repr(value) if isinstance(value, str) else "none" if value is None else type(value).__name__
