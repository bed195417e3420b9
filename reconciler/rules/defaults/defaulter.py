"""Adds the API server's defaults to objects, each only once however many sites share it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from reconciler.model.resource import Resource
from reconciler.rules.defaults import objects, workloads

__all__ = ["Defaulter"]

_Defaulting = Callable[[Mapping[str, Any], tuple[int, int]], dict[str, Any]]

_KINDS: Mapping[tuple[str, str], _Defaulting] = {
    ("", "ConfigMap"): objects.config_map,
    ("", "Endpoints"): objects.endpoints,
    ("", "LimitRange"): objects.limit_range,
    ("", "Namespace"): objects.namespace,
    ("", "PersistentVolume"): objects.persistent_volume,
    ("", "PersistentVolumeClaim"): objects.persistent_volume_claim,
    ("", "Pod"): workloads.pod,
    ("", "PodTemplate"): workloads.pod_template_object,
    ("", "ReplicationController"): workloads.replication_controller,
    ("", "ResourceQuota"): objects.resource_quota,
    ("", "Secret"): objects.secret,
    ("", "Service"): objects.service,
    ("admissionregistration.k8s.io", "MutatingWebhookConfiguration"): objects.webhook_configuration,
    ("admissionregistration.k8s.io", "ValidatingAdmissionPolicy"): objects.admission_policy,
    ("admissionregistration.k8s.io", "ValidatingAdmissionPolicyBinding"): objects.admission_binding,
    ("admissionregistration.k8s.io", "ValidatingWebhookConfiguration"): objects.webhook_configuration,
    ("apps", "DaemonSet"): workloads.daemon_set,
    ("apps", "Deployment"): workloads.deployment,
    ("apps", "ReplicaSet"): workloads.replica_set,
    ("apps", "StatefulSet"): workloads.stateful_set,
    ("autoscaling", "HorizontalPodAutoscaler"): objects.autoscaler,
    ("batch", "CronJob"): workloads.cron_job,
    ("batch", "Job"): workloads.job,
    ("discovery.k8s.io", "EndpointSlice"): objects.endpoint_slice,
    ("flowcontrol.apiserver.k8s.io", "FlowSchema"): objects.flow_schema,
    ("flowcontrol.apiserver.k8s.io", "PriorityLevelConfiguration"): objects.priority_level,
    ("networking.k8s.io", "IngressClass"): objects.ingress_class,
    ("networking.k8s.io", "NetworkPolicy"): objects.network_policy,
    ("rbac.authorization.k8s.io", "ClusterRoleBinding"): objects.role_binding,
    ("rbac.authorization.k8s.io", "RoleBinding"): objects.role_binding,
    ("scheduling.k8s.io", "PriorityClass"): objects.priority_class,
    ("storage.k8s.io", "CSIDriver"): objects.csi_driver,
    ("storage.k8s.io", "StorageClass"): objects.storage_class,
}


class Defaulter:
    """Adds defaults for one version of Kubernetes.

    Objects of many sites share their parts (a base is rendered once), and so do the defaulted ones: the
    work for a spec is done once.

    Args:
        version: (major, minor) of the site's Kubernetes.
    """

    def __init__(self, version: tuple[int, int]) -> None:
        self._version = version
        # Keyed by identity; the key objects are kept alive beside their results.
        self._specs: dict[tuple[int, str], tuple[object, Any]] = {}

    def apply(self, resource: Resource) -> Resource:
        """Return the object as admission sees it; one of a kind without defaults is returned as it is.

        A malformed object is returned with whatever defaults could be added: that it is malformed is the
        schema check's to say.
        """
        change = _KINDS.get((resource.id.group, resource.kind))
        if change is None:
            return resource
        manifest = resource.manifest
        spec = manifest.get("spec")
        key = (id(spec), resource.kind)
        if isinstance(spec, Mapping) and resource.kind not in _DEPEND_ON_METADATA:
            known = self._specs.get(key)
            if known is None:
                known = self._specs[key] = (spec, self._change(change, manifest).get("spec", spec))
            return resource.of({**manifest, "spec": known[1]})
        return resource.of(self._change(change, manifest))

    def _change(self, change: _Defaulting, manifest: Mapping[str, Any]) -> Mapping[str, Any]:
        try:
            return change(manifest, self._version)
        except (TypeError, AttributeError, ValueError, KeyError):
            # A field that is of another type than its kind has: the schema check names it.
            return manifest


#: Kinds whose defaults change more than their spec, or depend on more than it.
_DEPEND_ON_METADATA = frozenset({"Job", "Namespace", "ReplicationController"})
