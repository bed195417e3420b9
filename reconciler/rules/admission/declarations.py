"""The variables that every policy's expressions may use, with the types that the API server declares.

Follows `pkg/admission/plugin/cel/compile.go` of k8s.io/apiserver: `object` and `oldObject` may be anything,
`request` and `namespaceObject` have declared fields.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from reconciler.rules.cel import ObjectType

__all__ = ["declared_variables"]

_STRINGS = "list(string)"
_GROUP_VERSION_KIND = ObjectType(
    "kubernetes.GroupVersionKind", {"group": "string", "version": "string", "kind": "string"}
)
_GROUP_VERSION_RESOURCE = ObjectType(
    "kubernetes.GroupVersionResource", {"group": "string", "version": "string", "resource": "string"}
)
_REQUEST = ObjectType(
    "kubernetes.AdmissionRequest",
    {
        "kind": _GROUP_VERSION_KIND,
        "resource": _GROUP_VERSION_RESOURCE,
        "subResource": "string",
        "requestKind": _GROUP_VERSION_KIND,
        "requestResource": _GROUP_VERSION_RESOURCE,
        "requestSubResource": "string",
        "name": "string",
        "namespace": "string",
        "operation": "string",
        "userInfo": ObjectType(
            "kubernetes.UserInfo",
            {"username": "string", "uid": "string", "groups": _STRINGS, "extra": f"map(string, {_STRINGS})"},
        ),
        "dryRun": "bool",
        "options": "dyn",
    },
)
_NAMESPACE = ObjectType(
    "kubernetes.Namespace",
    {
        "metadata": ObjectType(
            "kubernetes.NamespaceMetadata",
            {
                "name": "string",
                "generateName": "string",
                "namespace": "string",
                "labels": "map(string, string)",
                "annotations": "map(string, string)",
                "UID": "string",
                "creationTimestamp": "timestamp",
                "deletionGracePeriodSeconds": "int",
                "deletionTimestamp": "timestamp",
                "generation": "int",
                "resourceVersion": "string",
                "finalizers": _STRINGS,
            },
        ),
        "spec": ObjectType("kubernetes.NamespaceSpec", {"finalizers": _STRINGS}),
        # Elements of `conditions` have declared fields in the API server; a mistake in their names is found
        # there at compile time, and here at evaluation.
        "status": ObjectType("kubernetes.NamespaceStatus", {"conditions": "list(dyn)", "phase": "string"}),
    },
)
_AUTHORIZER: Mapping[str, str] = MappingProxyType(
    {
        "authorizer": "kubernetes.authorization.Authorizer",
        "authorizer.requestResource": "kubernetes.authorization.ResourceCheck",
    }
)


def declared_variables(*, authorizer: bool) -> dict[str, str | ObjectType]:
    """Return the variables of every policy with their types.

    Args:
        authorizer: Whether the cluster's authorizer is among them: not in message expressions.
    """
    return {
        "object": "dyn",
        "oldObject": "dyn",
        "request": _REQUEST,
        "namespaceObject": _NAMESPACE,
        **(_AUTHORIZER if authorizer else {}),
    }
