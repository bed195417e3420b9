"""Admission: webhooks, and policies as far as their expressions are not asked."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from reconciler.rules.types.constraints.access import items, mapping, text
from reconciler.rules.types.constraints.names import not_empty, qualified_name
from reconciler.rules.types.constraints.shape import (
    REQUIRED,
    Complaint,
    Constraints,
    duplicate,
    invalid,
    unsupported,
)

__all__ = ["CONSTRAINTS"]

_REVIEWS = frozenset(("v1", "v1beta1"))
_SIDE_EFFECTS = ("None", "NoneOnDryRun")


def _rule(value: Mapping[str, Any], _: int) -> Iterator[Complaint]:
    for name in ("operations", "apiGroups", "apiVersions", "resources"):
        values = value.get(name) or ()
        if not values:
            yield (name,), REQUIRED
        if len(values) > 1 and "*" in values and name != "resources":
            yield (name,), invalid(list(values), f"if '*' is present, must not specify other {name}")
        if name in {"apiVersions", "resources"}:
            for index, item in enumerate(values):
                if not item:
                    yield (name, index), REQUIRED


def _webhooks(value: Mapping[str, Any], _: int) -> Iterator[Complaint]:
    seen: set[str] = set()
    for index, each in items(value, "webhooks"):
        name = text(each, "name")
        if name in seen:
            yield ("webhooks", index, "name"), duplicate(name)
        seen.add(name)


def _webhook(value: Mapping[str, Any], _: int) -> Iterator[Complaint]:
    versions = value.get("admissionReviewVersions") or ()
    if not versions:
        yield ("admissionReviewVersions",), f"{REQUIRED}: must specify one of v1, v1beta1"
    elif not _REVIEWS & set(versions):
        yield (
            ("admissionReviewVersions",),
            invalid(list(versions), "must include at least one of v1, v1beta1"),
        )
    effects = text(value, "sideEffects")
    if effects not in _SIDE_EFFECTS:
        yield ("sideEffects",), unsupported(effects, _SIDE_EFFECTS)
    client = mapping(value, "clientConfig")
    if (client.get("url") is None) == (client.get("service") is None):
        yield ("clientConfig",), f"{REQUIRED}: exactly one of url or service is required"
    seconds = value.get("timeoutSeconds")
    if seconds is not None and not 1 <= seconds <= 30:
        yield (
            ("timeoutSeconds",),
            invalid(seconds, "the timeout value must be between 1 and 30 seconds"),
        )


def _policy(value: Mapping[str, Any], _: int) -> Iterator[Complaint]:
    constraints = value.get("matchConstraints")
    if constraints is None:
        yield ("matchConstraints",), REQUIRED
    elif not constraints.get("resourceRules"):
        yield ("matchConstraints", "resourceRules"), REQUIRED
    if not value.get("validations") and not value.get("auditAnnotations"):
        yield (
            ("validations",),
            f"{REQUIRED}: validations or auditAnnotations must contain at least one item",
        )


_WEBHOOK = Constraints({"name": not_empty(qualified_name)}, (_webhook,))
_WEBHOOKS = Constraints({}, (_webhooks,))

CONSTRAINTS: dict[str, Constraints] = {
    "admissionregistration.v1.RuleWithOperations": Constraints({}, (_rule,)),
    "admissionregistration.v1.NamedRuleWithOperations": Constraints({}, (_rule,)),
    "admissionregistration.v1.ValidatingWebhookConfiguration": _WEBHOOKS,
    "admissionregistration.v1.MutatingWebhookConfiguration": _WEBHOOKS,
    "admissionregistration.v1.ValidatingWebhook": _WEBHOOK,
    "admissionregistration.v1.MutatingWebhook": _WEBHOOK,
    "admissionregistration.v1.ValidatingAdmissionPolicySpec": Constraints({}, (_policy,)),
    "admissionregistration.v1.Validation": Constraints({"expression": not_empty()}),
}
