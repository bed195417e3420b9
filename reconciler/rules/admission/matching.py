"""Does a policy, or a binding, concern a request?

Follows `pkg/admission/plugin/policy/matching` of k8s.io/apiserver, its order of checks included: it decides
whether a broken part is an error or is never looked at.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from reconciler.rules.admission.kinds import GroupVersionKind, GroupVersionResource
from reconciler.rules.admission.labels import LabelSelector, labels_of
from reconciler.rules.admission.request import AdmissionRequest
from reconciler.rules.admission.spec import MatchPolicy, MatchResources, Operation, ResourceRule, Scope

__all__ = ["Match", "is_excluded", "match", "needs_namespace_labels"]

_NAMESPACES = ("", "v1", "namespaces")
_NAME_LABEL = "kubernetes.io/metadata.name"
_ADMISSION = frozenset(
    {
        "validatingadmissionpolicies",
        "validatingadmissionpolicybindings",
        "mutatingadmissionpolicies",
        "mutatingadmissionpolicybindings",
    }
)
_REVIEWS = frozenset(
    {
        ("authentication.k8s.io", "selfsubjectreviews"),
        ("authentication.k8s.io", "tokenreviews"),
        ("authorization.k8s.io", "localsubjectaccessreviews"),
        ("authorization.k8s.io", "selfsubjectaccessreviews"),
        ("authorization.k8s.io", "selfsubjectrulesreviews"),
        ("authorization.k8s.io", "subjectaccessreviews"),
    }
)
#: Resources of different groups that are one and the same in storage.
_COLOCATED = {
    ("", "events"): (GroupVersionResource("events.k8s.io", "v1", "events"),),
    ("events.k8s.io", "events"): (GroupVersionResource("", "v1", "events"),),
}


@dataclass(frozen=True, slots=True)
class Match:
    """How a request was matched: under its own resource and kind, or as another version of them."""

    resource: GroupVersionResource
    kind: GroupVersionKind


def is_excluded(request: AdmissionRequest) -> bool:
    """Tell whether no policy is ever asked: policies themselves, and reviews of tokens and access."""
    group, _, resource = request.resource
    return (group, resource) in _REVIEWS or (
        group == "admissionregistration.k8s.io" and resource in _ADMISSION
    )


def match(constraints: MatchResources, request: AdmissionRequest) -> Match | None:
    """Return how a request matches, or None where it does not."""
    if not _namespace_matches(constraints.namespaces, request):
        return None
    if not _object_matches(constraints.objects, request):
        return None
    if _first(constraints.excluded, constraints.policy, request) is not None:
        return None
    if not constraints.rules:
        return Match(request.resource, request.kind)
    return _first(constraints.rules, constraints.policy, request)


def needs_namespace_labels(selector: LabelSelector, request: AdmissionRequest) -> bool:
    """Tell whether a selector asks for labels of a Namespace that was not given, and so cannot be trusted."""
    return (
        bool(request.namespace)
        and request.namespace_object is not None
        and not request.namespace_known
        and bool(selector.keys - {_NAME_LABEL})
    )


def _namespace_matches(selector: LabelSelector, request: AdmissionRequest) -> bool:
    is_namespace = request.resource.resource == "namespaces"
    if (not request.namespace and not is_namespace) or selector.everything:
        return True
    if is_namespace and not request.subresource:
        subject = request.old_object if request.operation is Operation.DELETE else request.object
        return selector.matches(labels_of(subject))
    return selector.matches(labels_of(request.namespace_object))


def _object_matches(selector: LabelSelector, request: AdmissionRequest) -> bool:
    if selector.everything:
        return True
    return any(
        subject is not None and selector.matches(labels_of(subject))
        for subject in (request.object, request.old_object)
    )


def _first(rules: Iterable[ResourceRule], policy: MatchPolicy, request: AdmissionRequest) -> Match | None:
    """Return the match of the first rule that fits; other versions come after the request's own."""
    rules = tuple(rules)
    for rule in rules:
        if _fits(rule, request, request.resource):
            return Match(request.resource, request.kind)
    if policy is MatchPolicy.EXACT or not rules:
        return None
    equivalents = tuple(_equivalents(request))
    for rule in rules:
        for resource in equivalents:
            if _fits(rule, request, resource):
                return Match(resource, GroupVersionKind(resource.group, resource.version, request.kind.kind))
    return None


def _equivalents(request: AdmissionRequest) -> Iterator[GroupVersionResource]:
    group, version, resource = request.resource
    for other in request.api_kind.versions:
        if other != version and request.api_kind.plural == resource:
            yield GroupVersionResource(group, other, resource)
    yield from _COLOCATED.get((group, resource), ())


def _fits(rule: ResourceRule, request: AdmissionRequest, resource: GroupVersionResource) -> bool:
    return (
        _in_scope(rule.scope, request, resource)
        and _listed(rule.operations, request.operation.value)
        and _listed(rule.groups, resource.group)
        and _listed(rule.versions, resource.version)
        and any(
            name in {"*", resource.resource} and sub in {"*", request.subresource}
            for name, sub in rule.resources
        )
        and (not rule.names or request.name in rule.names)
    )


def _listed(allowed: frozenset[str], value: str) -> bool:
    return "*" in allowed or value in allowed


def _in_scope(scope: Scope, request: AdmissionRequest, resource: GroupVersionResource) -> bool:
    namespaced = bool(request.namespace) and tuple(resource) != _NAMESPACES
    return scope is Scope.ALL or namespaced == (scope is Scope.NAMESPACED)
