"""Defaults of services, volumes, network, policy, storage, RBAC and configuration kinds."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from reconciler.rules.defaults.fields import child, each, fill_absent, fill_zero
from reconciler.rules.defaults.pod import claim_spec, resource_list

__all__ = [
    "admission_binding",
    "admission_policy",
    "autoscaler",
    "config_map",
    "csi_driver",
    "endpoint_slice",
    "endpoints",
    "flow_schema",
    "ingress_class",
    "limit_range",
    "namespace",
    "network_policy",
    "persistent_volume",
    "persistent_volume_claim",
    "priority_class",
    "priority_level",
    "resource_quota",
    "role_binding",
    "secret",
    "service",
    "storage_class",
    "webhook_configuration",
]

Manifest = Mapping[str, Any]
Version = tuple[int, int]
_RBAC = "rbac.authorization.k8s.io"


def _spec(manifest: Manifest) -> dict[str, Any]:
    spec = manifest.get("spec")
    return dict(spec) if isinstance(spec, Mapping) else {}


def service(manifest: Manifest, version: Version) -> dict[str, Any]:
    """Default a Service. Cluster IPs and IP families are the cluster's to give."""
    del version
    spec = fill_zero(_spec(manifest), sessionAffinity="None", type="ClusterIP")
    if spec["sessionAffinity"] == "None":
        spec.pop("sessionAffinityConfig", None)
    elif spec["sessionAffinity"] == "ClientIP":
        config = spec.get("sessionAffinityConfig") or {}
        client = config.get("clientIP") or {}
        spec["sessionAffinityConfig"] = {
            **config,
            "clientIP": fill_absent(client, timeoutSeconds=10800),
        }
    each(spec, "ports", _service_port)
    external = spec["type"] in ("NodePort", "LoadBalancer") or bool(spec.get("externalIPs"))
    if external:
        spec = fill_zero(spec, externalTrafficPolicy="Cluster")
    if spec["type"] in ("ClusterIP", "NodePort", "LoadBalancer"):
        spec = fill_absent(spec, internalTrafficPolicy="Cluster")
    if spec["type"] == "LoadBalancer":
        spec = fill_absent(spec, allocateLoadBalancerNodePorts=True)
    return {**manifest, "spec": spec}


def _service_port(port: Manifest) -> dict[str, Any]:
    return fill_zero(port, protocol="TCP", targetPort=port.get("port"))


def secret(manifest: Manifest, version: Version) -> dict[str, Any]:
    """Default a Secret: `stringData` is written into `data`, encoded, and is gone when admission looks."""
    import base64

    del version
    copy = fill_zero(manifest, type="Opaque")
    plain = copy.pop("stringData", None)
    if isinstance(plain, Mapping) and plain:
        encoded = {
            key: base64.b64encode(str(value).encode("utf-8", "surrogatepass")).decode()
            for key, value in plain.items()
        }
        copy["data"] = {**(copy.get("data") or {}), **encoded}
    return copy


def config_map(manifest: Manifest, version: Version) -> dict[str, Any]:
    """Default a ConfigMap. Its empty `data` is not written back, so nothing is added."""
    del version
    return dict(manifest)


def namespace(manifest: Manifest, version: Version) -> dict[str, Any]:
    """Default a Namespace: its name is a label."""
    del version
    copy = dict(manifest)
    metadata = copy.get("metadata")
    if isinstance(metadata, Mapping) and metadata.get("name"):
        labels = {**(metadata.get("labels") or {}), "kubernetes.io/metadata.name": metadata["name"]}
        copy["metadata"] = {**metadata, "labels": labels}
    spec = _spec(manifest)
    if not spec.get("finalizers"):
        spec["finalizers"] = ["kubernetes"]
    copy["spec"] = spec
    return copy


def persistent_volume(manifest: Manifest, version: Version) -> dict[str, Any]:
    """Default a PersistentVolume."""
    del version
    spec = fill_zero(_spec(manifest), persistentVolumeReclaimPolicy="Retain")
    spec = fill_absent(spec, volumeMode="Filesystem")
    child(spec, "capacity", resource_list)
    child(spec, "hostPath", lambda source: fill_absent(source, type=""))
    child(spec, "claimRef", lambda claim: fill_zero(claim, kind="PersistentVolumeClaim", apiVersion="v1"))
    return {**manifest, "spec": spec}


def persistent_volume_claim(manifest: Manifest, version: Version) -> dict[str, Any]:
    """Default a PersistentVolumeClaim. Its storage class is the cluster's to give."""
    del version
    return {**manifest, "spec": claim_spec(_spec(manifest))}


def endpoints(manifest: Manifest, version: Version) -> dict[str, Any]:
    """Default Endpoints."""
    del version
    copy = dict(manifest)

    def subset(value: Manifest) -> dict[str, Any]:
        inner = dict(value)
        each(inner, "ports", lambda port: fill_zero(port, protocol="TCP"))
        return inner

    each(copy, "subsets", subset)
    return copy


def endpoint_slice(manifest: Manifest, version: Version) -> dict[str, Any]:
    """Default an EndpointSlice."""
    del version
    copy = dict(manifest)
    each(copy, "ports", lambda port: fill_absent(port, name="", protocol="TCP"))
    each(copy, "endpoints", lambda endpoint: fill_absent(endpoint, conditions={}))
    return copy


def limit_range(manifest: Manifest, version: Version) -> dict[str, Any]:
    """Default a LimitRange: a container's default is its maximum, its default request the default."""
    del version
    spec = _spec(manifest)

    def limit(value: Manifest) -> dict[str, Any]:
        inner = dict(value)
        for name in ("max", "min", "default", "defaultRequest", "maxLimitRequestRatio"):
            child(inner, name, resource_list)
        if inner.get("type") == "Container":
            default = {**(inner.get("max") or {}), **(inner.get("default") or {})}
            request = {**(inner.get("min") or {}), **default, **(inner.get("defaultRequest") or {})}
            if default:
                inner["default"] = default
            if request:
                inner["defaultRequest"] = request
        return inner

    each(spec, "limits", limit)
    return {**manifest, "spec": spec}


def resource_quota(manifest: Manifest, version: Version) -> dict[str, Any]:
    """Default a ResourceQuota."""
    del version
    spec = _spec(manifest)
    child(spec, "hard", resource_list)
    return {**manifest, "spec": spec}


def network_policy(manifest: Manifest, version: Version) -> dict[str, Any]:
    """Default a NetworkPolicy."""
    del version
    spec = _spec(manifest)
    if not spec.get("policyTypes"):
        spec["policyTypes"] = ["Ingress", "Egress"] if spec.get("egress") else ["Ingress"]

    def rule(value: Manifest) -> dict[str, Any]:
        inner = dict(value)
        each(inner, "ports", lambda port: fill_absent(port, protocol="TCP"))
        return inner

    each(spec, "ingress", rule)
    each(spec, "egress", rule)
    spec.setdefault("podSelector", {})
    return {**manifest, "spec": spec}


def ingress_class(manifest: Manifest, version: Version) -> dict[str, Any]:
    """Default an IngressClass."""
    del version
    spec = _spec(manifest)
    child(spec, "parameters", lambda parameters: fill_absent(parameters, scope="Cluster"))
    return {**manifest, "spec": spec}


def role_binding(manifest: Manifest, version: Version) -> dict[str, Any]:
    """Default a RoleBinding or ClusterRoleBinding."""
    del version
    copy = dict(manifest)
    child(copy, "roleRef", lambda role: fill_zero(role, apiGroup=_RBAC))
    each(
        copy,
        "subjects",
        lambda who: fill_zero(who, apiGroup=_RBAC) if who.get("kind") in ("User", "Group") else dict(who),
    )
    return copy


def storage_class(manifest: Manifest, version: Version) -> dict[str, Any]:
    """Default a StorageClass."""
    del version
    return fill_absent(manifest, reclaimPolicy="Delete", volumeBindingMode="Immediate")


def csi_driver(manifest: Manifest, version: Version) -> dict[str, Any]:
    """Default a CSIDriver."""
    spec = fill_absent(
        _spec(manifest),
        attachRequired=True,
        podInfoOnMount=False,
        storageCapacity=False,
        fsGroupPolicy="ReadWriteOnceWithFSType",
        requiresRepublish=False,
    )
    spec = fill_zero(spec, volumeLifecycleModes=["Persistent"])
    if version >= (1, 28):
        spec = fill_absent(spec, seLinuxMount=False)
    return {**manifest, "spec": spec}


def priority_class(manifest: Manifest, version: Version) -> dict[str, Any]:
    """Default a PriorityClass."""
    del version
    return fill_absent(manifest, preemptionPolicy="PreemptLowerPriority")


_SCALE_UP: Manifest = {
    "stabilizationWindowSeconds": 0,
    "selectPolicy": "Max",
    "policies": [
        {"type": "Pods", "value": 4, "periodSeconds": 15},
        {"type": "Percent", "value": 100, "periodSeconds": 15},
    ],
}
_SCALE_DOWN: Manifest = {
    "selectPolicy": "Max",
    "policies": [{"type": "Percent", "value": 100, "periodSeconds": 15}],
}


def autoscaler(manifest: Manifest, version: Version) -> dict[str, Any]:
    """Default a HorizontalPodAutoscaler (autoscaling/v2; v1 has only its minimum)."""
    del version
    spec = fill_absent(_spec(manifest), minReplicas=1)
    if str(manifest.get("apiVersion", "")).endswith("/v2"):
        if not spec.get("metrics"):
            target = {"type": "Utilization", "averageUtilization": 80}
            spec["metrics"] = [{"type": "Resource", "resource": {"name": "cpu", "target": target}}]
        if isinstance(spec.get("behavior"), Mapping):
            behavior = dict(spec["behavior"])
            behavior["scaleUp"] = fill_absent(behavior.get("scaleUp") or {}, **_SCALE_UP)
            behavior["scaleDown"] = fill_absent(behavior.get("scaleDown") or {}, **_SCALE_DOWN)
            spec["behavior"] = behavior
    return {**manifest, "spec": spec}


def admission_policy(manifest: Manifest, version: Version) -> dict[str, Any]:
    """Default a ValidatingAdmissionPolicy."""
    del version
    spec = fill_absent(_spec(manifest), failurePolicy="Fail")
    child(spec, "matchConstraints", _match_resources)
    return {**manifest, "spec": spec}


def admission_binding(manifest: Manifest, version: Version) -> dict[str, Any]:
    """Default a ValidatingAdmissionPolicyBinding."""
    del version
    spec = _spec(manifest)
    child(spec, "matchResources", _match_resources)
    return {**manifest, "spec": spec}


def _match_resources(match: Manifest) -> dict[str, Any]:
    copy = fill_absent(match, matchPolicy="Equivalent", namespaceSelector={}, objectSelector={})
    for name in ("resourceRules", "excludeResourceRules"):
        each(copy, name, lambda rule: fill_absent(rule, scope="*"))
    return copy


def webhook_configuration(manifest: Manifest, version: Version) -> dict[str, Any]:
    """Default a validating or mutating webhook configuration."""
    del version
    copy = dict(manifest)
    mutating = copy.get("kind") == "MutatingWebhookConfiguration"

    def webhook(value: Manifest) -> dict[str, Any]:
        inner = fill_absent(
            value,
            failurePolicy="Fail",
            matchPolicy="Equivalent",
            namespaceSelector={},
            objectSelector={},
            timeoutSeconds=10,
        )
        if mutating:
            inner = fill_absent(inner, reinvocationPolicy="Never")
        each(inner, "rules", lambda rule: fill_absent(rule, scope="*"))

        def client(config: Manifest) -> dict[str, Any]:
            reached = dict(config)
            child(reached, "service", lambda service: fill_absent(service, port=443))
            return reached

        child(inner, "clientConfig", client)
        return inner

    each(copy, "webhooks", webhook)
    return copy


def flow_schema(manifest: Manifest, version: Version) -> dict[str, Any]:
    """Default a FlowSchema."""
    del version
    return {**manifest, "spec": fill_zero(_spec(manifest), matchingPrecedence=1000)}


def priority_level(manifest: Manifest, version: Version) -> dict[str, Any]:
    """Default a PriorityLevelConfiguration."""
    del version
    spec = _spec(manifest)
    child(spec, "exempt", lambda exempt: fill_absent(exempt, nominalConcurrencyShares=0, lendablePercent=0))

    def limited(value: Manifest) -> dict[str, Any]:
        inner = fill_absent(value, nominalConcurrencyShares=30, lendablePercent=0)

        def response(answer: Manifest) -> dict[str, Any]:
            queued = dict(answer)
            child(
                queued,
                "queuing",
                lambda queuing: fill_zero(queuing, handSize=8, queues=64, queueLengthLimit=50),
            )
            return queued

        child(inner, "limitResponse", response)
        return inner

    child(spec, "limited", limited)
    return {**manifest, "spec": spec}
