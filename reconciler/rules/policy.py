"""`SitePolicy` (`wayside.dev/v1alpha1`): a rule about what will be applied at a site, as a parsed value."""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from reconciler.model.fieldpath import FieldPath
from reconciler.model.finding import Severity
from reconciler.rules.matching import SiteMatch, SubjectMatch

__all__ = [
    "API_VERSION",
    "KIND",
    "Documentation",
    "Exemption",
    "Expression",
    "Parameter",
    "ParameterType",
    "Scope",
    "SitePolicy",
    "Validation",
    "Variable",
]

API_VERSION = "wayside.dev/v1alpha1"
KIND = "SitePolicy"


class Scope(enum.Enum):
    """What a rule is asked about: a site, each object, each workload, or each image of each workload."""

    SITE = "Site"
    RESOURCE = "Resource"
    WORKLOAD = "Workload"
    IMAGE = "Image"


class ParameterType(enum.Enum):
    """What a parameter's value must be; `BYTES` is written as a quantity and read as a number."""

    STRING = "string"
    INTEGER = "integer"
    NUMBER = "number"
    BOOLEAN = "boolean"
    BYTES = "bytes"
    STRINGS = "strings"


@dataclass(frozen=True, slots=True)
class Expression:
    """A CEL expression and where it stands in its document."""

    text: str
    field_path: FieldPath


@dataclass(frozen=True, slots=True)
class Parameter:
    """A setting of a rule, with its default. `choices` is empty where any value of the type will do."""

    name: str
    type: ParameterType
    default: Any
    description: str = ""
    choices: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Variable:
    """A named expression that others read as `variables.<name>`; computed when first read."""

    name: str
    expression: Expression


@dataclass(frozen=True, slots=True)
class Exemption:
    """A case that the rule does not judge, and says so: reported as not checked with its reason."""

    expression: Expression
    reason: str


@dataclass(frozen=True, slots=True)
class Validation:
    """What must be true.

    Attributes:
        expression: True where all is well.
        for_each: Gives a list; `expression` is then asked of each item, as `each`.
        message: What is wrong, where `message_expression` does not say it.
        message_expression: Says what is wrong with the values at hand, or None.
        hint: What to do.
        field_path: The field that decides it: within `each.fieldPath` where there is one, within the pod spec
            where it begins with `pod`, otherwise within the object or the Site.
        severity: Replaces the rule's, or None.
    """

    expression: Expression
    message: str = ""
    message_expression: Expression | None = None
    for_each: Expression | None = None
    hint: str = ""
    field_path: FieldPath = ()
    severity: Severity | None = None


@dataclass(frozen=True, slots=True)
class Documentation:
    """Why a rule exists, and what is wrong and right by it."""

    why: str = ""
    bad: str = ""
    good: str = ""


@dataclass(frozen=True, slots=True)
class SitePolicy:
    """A parsed rule.

    Attributes:
        name: Its stable id.
        title: One line that says what it demands.
        path: The file it comes from.
        index: The number of its document in that file.
        source: The document as written, for digests.
    """

    name: str
    title: str
    scope: Scope
    severity: Severity
    enabled: bool
    sites: SiteMatch
    subjects: SubjectMatch
    parameters: Mapping[str, Parameter]
    variables: tuple[Variable, ...]
    exemptions: tuple[Exemption, ...]
    validations: tuple[Validation, ...]
    documentation: Documentation
    path: str
    index: int
    source: Mapping[str, Any]
