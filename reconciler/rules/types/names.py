"""Names of objects: which syntax the API server demands of each kind's `metadata.name`."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from reconciler.rules.types.constraints.names import (
    dns_label,
    dns_subdomain,
    path_segment,
)
from reconciler.rules.types.constraints.network import service_name
from reconciler.rules.types.constraints.shape import REQUIRED, invalid
from reconciler.rules.types.problem import Problem

__all__ = ["name_problems"]

_RBAC = "rbac.authorization.k8s.io"
#: Kinds whose names are only segments of a URL's path.
_SEGMENTS = frozenset(
    {
        (_RBAC, "Role"),
        (_RBAC, "ClusterRole"),
        (_RBAC, "RoleBinding"),
        (_RBAC, "ClusterRoleBinding"),
        ("policy", "PodDisruptionBudget"),
        ("apiregistration.k8s.io", "APIService"),
        ("apiextensions.k8s.io", "CustomResourceDefinition"),
        ("networking.k8s.io", "IPAddress"),
        ("certificates.k8s.io", "CertificateSigningRequest"),
        ("certificates.k8s.io", "ClusterTrustBundle"),
        ("", "Event"),
        ("events.k8s.io", "Event"),
        ("flowcontrol.apiserver.k8s.io", "FlowSchema"),
        ("flowcontrol.apiserver.k8s.io", "PriorityLevelConfiguration"),
        ("internal.apiserver.k8s.io", "StorageVersion"),
        ("coordination.k8s.io", "Lease"),
    }
)
_LABELS = frozenset({("", "Namespace"), ("apps", "StatefulSet")})
_CRON_JOB_LIMIT = 52


def name_problems(group: str, kind: str, metadata: Mapping[str, Any] | None, minor: int) -> Iterator[Problem]:
    """Yield what is wrong with an object's name and namespace.

    Args:
        group: The API group.
        kind: The kind.
        metadata: The object's metadata, which decodes.
        minor: The minor of the Kubernetes version.
    """
    metadata = metadata or {}
    name, prefix = metadata.get("name") or "", metadata.get("generateName") or ""
    if not name:
        if not prefix:
            yield Problem(("metadata", "name"), f"{REQUIRED}: name or generateName is required")
    elif (wrong := _syntax(group, kind, minor)(name)) is not None:
        yield Problem(("metadata", "name"), invalid(name, wrong))
    namespace = metadata.get("namespace") or ""
    if namespace and (wrong := dns_label(namespace)) is not None:
        yield Problem(("metadata", "namespace"), invalid(namespace, wrong))


def _syntax(group: str, kind: str, minor: int) -> Callable[[str], str | None]:
    if (group, kind) in _SEGMENTS:
        return path_segment
    if (group, kind) in _LABELS:
        return dns_label
    match group, kind:
        case "", "Service":
            return lambda name: service_name(name, minor)
        case "batch", "CronJob":
            return _cron_job
        case _:
            return dns_subdomain


def _cron_job(name: str) -> str | None:
    # The controller appends eleven characters to the names of its jobs.
    if len(name) > _CRON_JOB_LIMIT:
        return f"must be no more than {_CRON_JOB_LIMIT} characters"
    return dns_subdomain(name)
