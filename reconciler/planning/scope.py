"""Whether objects of a kind live in namespaces, and what that makes of an object's identity."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from reconciler.model.resource import Resource

__all__ = ["CLUSTER_KINDS", "defined_scopes", "scoped"]

#: Built-in kinds without a namespace, for a target that cannot be asked.
CLUSTER_KINDS: frozenset[tuple[str, str]] = frozenset(
    {
        ("", "Namespace"),
        ("", "Node"),
        ("", "PersistentVolume"),
        ("admissionregistration.k8s.io", "MutatingAdmissionPolicy"),
        ("admissionregistration.k8s.io", "MutatingAdmissionPolicyBinding"),
        ("admissionregistration.k8s.io", "MutatingWebhookConfiguration"),
        ("admissionregistration.k8s.io", "ValidatingAdmissionPolicy"),
        ("admissionregistration.k8s.io", "ValidatingAdmissionPolicyBinding"),
        ("admissionregistration.k8s.io", "ValidatingWebhookConfiguration"),
        ("apiextensions.k8s.io", "CustomResourceDefinition"),
        ("apiregistration.k8s.io", "APIService"),
        ("certificates.k8s.io", "CertificateSigningRequest"),
        ("flowcontrol.apiserver.k8s.io", "FlowSchema"),
        ("flowcontrol.apiserver.k8s.io", "PriorityLevelConfiguration"),
        ("networking.k8s.io", "IngressClass"),
        ("networking.k8s.io", "IPAddress"),
        ("networking.k8s.io", "ServiceCIDR"),
        ("node.k8s.io", "RuntimeClass"),
        ("rbac.authorization.k8s.io", "ClusterRole"),
        ("rbac.authorization.k8s.io", "ClusterRoleBinding"),
        ("resource.k8s.io", "DeviceClass"),
        ("resource.k8s.io", "ResourceSlice"),
        ("scheduling.k8s.io", "PriorityClass"),
        ("storage.k8s.io", "CSIDriver"),
        ("storage.k8s.io", "CSINode"),
        ("storage.k8s.io", "StorageClass"),
        ("storage.k8s.io", "VolumeAttachment"),
    }
)


def defined_scopes(resources: Iterable[Resource]) -> dict[tuple[str, str], bool]:
    """Return the scopes of the kinds that CRDs among the resources define."""
    scopes: dict[tuple[str, str], bool] = {}
    for resource in resources:
        if resource.kind == "CustomResourceDefinition" and resource.id.group == "apiextensions.k8s.io":
            spec = resource.manifest.get("spec") or {}
            kind = (spec.get("names") or {}).get("kind")
            if kind and spec.get("group") and spec.get("scope"):
                scopes[(str(spec["group"]), str(kind))] = spec["scope"] == "Namespaced"
    return scopes


def scoped(resource: Resource, scopes: Mapping[tuple[str, str], bool]) -> Resource:
    """Return the object with the namespace that the API server would give it.

    An object of a namespaced kind without a namespace goes to `default`, as with kubectl; a namespace on a
    cluster-scoped object means nothing and is left out. Of a kind that is not known nothing is changed.
    """
    id_ = resource.id
    namespaced = scopes.get((id_.group, id_.kind))
    if namespaced is None:
        if (id_.group, id_.kind) not in CLUSTER_KINDS:
            return resource
        namespaced = False
    if namespaced == bool(id_.namespace):
        return resource
    manifest = dict(resource.manifest)
    metadata = dict(manifest.get("metadata") or {})
    if namespaced:
        metadata["namespace"] = "default"
    else:
        metadata.pop("namespace", None)
    manifest["metadata"] = metadata
    return Resource(manifest)
