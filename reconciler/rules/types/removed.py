"""API versions that a Kubernetes version does not have, or not yet, and what takes their place."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from reconciler.rules.types.catalogue import KindVersions, TypeCatalogue
from reconciler.rules.types.problem import Problem, did_you_mean, quote

__all__ = ["absent_kind"]

#: The first minor without a version of a group, from before the catalogue begins; a kind may have its own.
_GONE: Mapping[tuple[str, str, str], int] = MappingProxyType(
    {
        ("extensions", "v1beta1", ""): 16,
        ("extensions", "v1beta1", "Ingress"): 22,
        ("apps", "v1beta1", ""): 16,
        ("apps", "v1beta2", ""): 16,
        ("networking.k8s.io", "v1beta1", "Ingress"): 22,
        ("networking.k8s.io", "v1beta1", "IngressClass"): 22,
        ("admissionregistration.k8s.io", "v1beta1", "ValidatingWebhookConfiguration"): 22,
        ("admissionregistration.k8s.io", "v1beta1", "MutatingWebhookConfiguration"): 22,
        ("apiextensions.k8s.io", "v1beta1", ""): 22,
        ("apiregistration.k8s.io", "v1beta1", ""): 22,
        ("authentication.k8s.io", "v1beta1", "TokenReview"): 22,
        ("authorization.k8s.io", "v1beta1", ""): 22,
        ("certificates.k8s.io", "v1beta1", "CertificateSigningRequest"): 22,
        ("coordination.k8s.io", "v1beta1", "Lease"): 22,
        ("rbac.authorization.k8s.io", "v1beta1", ""): 22,
        ("rbac.authorization.k8s.io", "v1alpha1", ""): 22,
        ("scheduling.k8s.io", "v1beta1", "PriorityClass"): 22,
        ("scheduling.k8s.io", "v1alpha1", "PriorityClass"): 22,
        ("storage.k8s.io", "v1beta1", ""): 22,
        ("batch", "v2alpha1", ""): 21,
        ("batch", "v1beta1", ""): 25,
        ("discovery.k8s.io", "v1beta1", ""): 25,
        ("events.k8s.io", "v1beta1", ""): 25,
        ("autoscaling", "v2beta1", ""): 25,
        ("policy", "v1beta1", ""): 25,
        ("node.k8s.io", "v1beta1", ""): 25,
    }
)
_NO_REPLACEMENT: Mapping[str, str] = MappingProxyType(
    {
        "PodSecurityPolicy": "use Pod Security Admission (labels pod-security.kubernetes.io/* of the "
        "namespace), or a ValidatingAdmissionPolicy",
        "ComponentStatus": "there is no replacement",
    }
)
_STABILITY = {"v1": 3, "v2": 4}


def absent_kind(catalogue: TypeCatalogue, group: str, version: str, kind: str) -> Problem | None:
    """Say why a version of Kubernetes has no such kind; None where the group is none of its own.

    Args:
        catalogue: The types of the version.
        group: API group as written.
        version: API version as written.
        kind: Kind as written.
    """
    written = f"{group}/{version}" if group else version
    here = f"Kubernetes 1.{catalogue.minor}"
    known = [each for each in catalogue.versions(kind) if (each.group, each.version) == (group, version)]
    usable = _usable(catalogue, group, kind)
    use = f"write apiVersion: {usable.api_version}" if usable is not None else _NO_REPLACEMENT.get(kind, "")
    if known:
        at = known[0]
        if at.first > catalogue.minor:
            message = f"{written} {kind} exists from Kubernetes 1.{at.first} on, the site has {here}"
        else:
            message = f"{written} {kind} was removed in Kubernetes 1.{at.last + 1}, the site has {here}"
        return Problem(("apiVersion",), message, use)
    gone = _GONE.get((group, version, kind), _GONE.get((group, version, "")))
    if gone is not None and (usable is not None or kind in _NO_REPLACEMENT):
        message = f"{written} {kind} was removed in Kubernetes 1.{gone}, the site has {here}"
        return Problem(("apiVersion",), message, use)
    if not catalogue.has_group(group):
        return None
    kinds = tuple(catalogue.kinds(group, version))
    if not kinds:
        return Problem(("apiVersion",), f"{here} has no API version {quote(written)}", use)
    return Problem(
        ("kind",), f"{written} of {here} has no kind {quote(kind)}", did_you_mean(kind, kinds) or use
    )


def _usable(catalogue: TypeCatalogue, group: str, kind: str) -> KindVersions | None:
    """Return the version to write instead: the most stable one, of the same group where it has any."""
    at = [each for each in catalogue.versions(kind) if each.first <= catalogue.minor <= each.last]
    own = [each for each in at if each.group == group]
    return max(own or at, key=lambda each: (_STABILITY.get(each.version, 2), each.version), default=None)
