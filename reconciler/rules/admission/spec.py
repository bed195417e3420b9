"""The fields of ValidatingAdmissionPolicy and its binding (`admissionregistration.k8s.io/v1`), as values."""

from __future__ import annotations

import enum
from dataclasses import dataclass, field

from reconciler.rules.admission.labels import LabelSelector

__all__ = [
    "AuditAnnotation",
    "BindingSpec",
    "FailurePolicy",
    "MatchCondition",
    "MatchPolicy",
    "MatchResources",
    "NotFoundAction",
    "Operation",
    "ParamKind",
    "ParamRef",
    "PolicySpec",
    "ResourceRule",
    "Scope",
    "Validation",
    "ValidationAction",
    "Variable",
]


class Operation(enum.Enum):
    """What a request does."""

    CREATE = "CREATE"
    UPDATE = "UPDATE"
    DELETE = "DELETE"
    CONNECT = "CONNECT"


class FailurePolicy(enum.Enum):
    """What an error means: a refusal, or nothing."""

    FAIL = "Fail"
    IGNORE = "Ignore"


class MatchPolicy(enum.Enum):
    """Whether a rule matches other versions of the resource that it names."""

    EXACT = "Exact"
    EQUIVALENT = "Equivalent"


class Scope(enum.Enum):
    """Whether a rule matches cluster-scoped objects, namespaced ones, or both."""

    ALL = "*"
    CLUSTER = "Cluster"
    NAMESPACED = "Namespaced"


class NotFoundAction(enum.Enum):
    """What a binding does when its parameter does not exist."""

    ALLOW = "Allow"
    DENY = "Deny"


class ValidationAction(enum.Enum):
    """What a binding does with a validation that fails."""

    DENY = "Deny"
    WARN = "Warn"
    AUDIT = "Audit"


@dataclass(frozen=True, slots=True)
class ResourceRule:
    """Requests that a policy is about. `*` stands for anything."""

    groups: frozenset[str]
    versions: frozenset[str]
    resources: tuple[tuple[str, str], ...]
    operations: frozenset[str]
    scope: Scope = Scope.ALL
    names: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class MatchResources:
    """Which requests match: of a policy (`matchConstraints`) or of a binding (`matchResources`)."""

    rules: tuple[ResourceRule, ...] = ()
    excluded: tuple[ResourceRule, ...] = ()
    policy: MatchPolicy = MatchPolicy.EQUIVALENT
    namespaces: LabelSelector = field(default_factory=LabelSelector)
    objects: LabelSelector = field(default_factory=LabelSelector)


@dataclass(frozen=True, slots=True)
class ParamKind:
    """The kind of a policy's parameters."""

    group: str
    version: str
    kind: str


@dataclass(frozen=True, slots=True)
class ParamRef:
    """The parameters that a binding chooses: by name, or by labels."""

    name: str
    namespace: str
    selector: LabelSelector | None
    not_found: NotFoundAction


@dataclass(frozen=True, slots=True)
class MatchCondition:
    """An expression that must hold for the policy to apply."""

    name: str
    expression: str


@dataclass(frozen=True, slots=True)
class Variable:
    """A named expression that later ones may use as `variables.<name>`."""

    name: str
    expression: str


@dataclass(frozen=True, slots=True)
class Validation:
    """An expression that must hold, and what is said where it does not."""

    expression: str
    message: str = ""
    message_expression: str = ""
    reason: str = ""


@dataclass(frozen=True, slots=True)
class AuditAnnotation:
    """An annotation of the audit event of a request."""

    key: str
    value_expression: str


@dataclass(frozen=True, slots=True)
class PolicySpec:
    """A ValidatingAdmissionPolicy."""

    name: str
    match: MatchResources
    failure_policy: FailurePolicy = FailurePolicy.FAIL
    param_kind: ParamKind | None = None
    match_conditions: tuple[MatchCondition, ...] = ()
    variables: tuple[Variable, ...] = ()
    validations: tuple[Validation, ...] = ()
    audit_annotations: tuple[AuditAnnotation, ...] = ()


@dataclass(frozen=True, slots=True)
class BindingSpec:
    """A ValidatingAdmissionPolicyBinding.

    `match` is None where the binding has no `matchResources`: it then applies wherever its policy does.
    A binding without a name is the one that is assumed where a policy is given alone.
    """

    name: str
    policy_name: str
    actions: tuple[ValidationAction, ...]
    param_ref: ParamRef | None = None
    match: MatchResources | None = None
