"""Kinds and the resources that serve them: what API discovery says, without a cluster.

The table is what discovery of Kubernetes 1.36 lists; custom kinds come from their definitions. A kind that
neither knows gets the plural that its kind has in English.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, NamedTuple

from reconciler.model.resource import Manifest, split_api_version

__all__ = ["ApiKind", "ApiKinds", "GroupVersionKind", "GroupVersionResource", "builtin_kinds"]

_TABLE = """
v1
    Binding bindings, *ComponentStatus componentstatuses, ConfigMap configmaps, Endpoints endpoints,
    Event events, LimitRange limitranges, *Namespace namespaces, *Node nodes,
    PersistentVolumeClaim persistentvolumeclaims, *PersistentVolume persistentvolumes, Pod pods,
    PodTemplate podtemplates, ReplicationController replicationcontrollers,
    ResourceQuota resourcequotas, Secret secrets, ServiceAccount serviceaccounts, Service services
apps/v1
    ControllerRevision controllerrevisions, DaemonSet daemonsets, Deployment deployments,
    ReplicaSet replicasets, StatefulSet statefulsets
events.k8s.io/v1
    Event events
authentication.k8s.io/v1
    *SelfSubjectReview selfsubjectreviews, *TokenReview tokenreviews
authorization.k8s.io/v1
    LocalSubjectAccessReview localsubjectaccessreviews,
    *SelfSubjectAccessReview selfsubjectaccessreviews, *SelfSubjectRulesReview selfsubjectrulesreviews,
    *SubjectAccessReview subjectaccessreviews
autoscaling/v2,v1
    HorizontalPodAutoscaler horizontalpodautoscalers
batch/v1
    CronJob cronjobs, Job jobs
certificates.k8s.io/v1
    *CertificateSigningRequest certificatesigningrequests
networking.k8s.io/v1
    *IngressClass ingressclasses, Ingress ingresses, *IPAddress ipaddresses,
    NetworkPolicy networkpolicies, *ServiceCIDR servicecidrs
policy/v1
    PodDisruptionBudget poddisruptionbudgets
rbac.authorization.k8s.io/v1
    *ClusterRoleBinding clusterrolebindings, *ClusterRole clusterroles, RoleBinding rolebindings,
    Role roles
storage.k8s.io/v1
    *CSIDriver csidrivers, *CSINode csinodes, CSIStorageCapacity csistoragecapacities,
    *StorageClass storageclasses, *VolumeAttachment volumeattachments,
    *VolumeAttributesClass volumeattributesclasses
admissionregistration.k8s.io/v1
    *MutatingAdmissionPolicy mutatingadmissionpolicies,
    *MutatingAdmissionPolicyBinding mutatingadmissionpolicybindings,
    *MutatingWebhookConfiguration mutatingwebhookconfigurations,
    *ValidatingAdmissionPolicy validatingadmissionpolicies,
    *ValidatingAdmissionPolicyBinding validatingadmissionpolicybindings,
    *ValidatingWebhookConfiguration validatingwebhookconfigurations
apiextensions.k8s.io/v1
    *CustomResourceDefinition customresourcedefinitions
scheduling.k8s.io/v1
    *PriorityClass priorityclasses
coordination.k8s.io/v1
    Lease leases
node.k8s.io/v1
    *RuntimeClass runtimeclasses
discovery.k8s.io/v1
    EndpointSlice endpointslices
resource.k8s.io/v1
    *DeviceClass deviceclasses, ResourceClaim resourceclaims,
    ResourceClaimTemplate resourceclaimtemplates, *ResourceSlice resourceslices
flowcontrol.apiserver.k8s.io/v1
    *FlowSchema flowschemas, *PriorityLevelConfiguration prioritylevelconfigurations
apiregistration.k8s.io/v1
    *APIService apiservices
wayside.dev/v1alpha1
    Site sites
"""


class GroupVersionKind(NamedTuple):
    """A kind as a request names it."""

    group: str
    version: str
    kind: str

    @classmethod
    def of(cls, manifest: Manifest) -> GroupVersionKind:
        """Return the kind that an object says it is of."""
        group, version = split_api_version(str(manifest.get("apiVersion") or ""))
        return cls(group, version, str(manifest.get("kind") or ""))


class GroupVersionResource(NamedTuple):
    """A resource (the plural in a URL) as a request names it."""

    group: str
    version: str
    resource: str


@dataclass(frozen=True, slots=True)
class ApiKind:
    """How one kind is served.

    Attributes:
        group: The API group, "" for the core group.
        kind: The kind's name.
        plural: The resource's name.
        namespaced: Whether its objects live in namespaces.
        versions: The versions that are served, preferred first.
        known: False where the plural and scope are guessed.
        convertible: Whether another version of an object differs by its `apiVersion` alone.
    """

    group: str
    kind: str
    plural: str
    namespaced: bool
    versions: tuple[str, ...]
    known: bool = True
    convertible: bool = False


class ApiKinds:
    """The kinds of one cluster, as far as they are known.

    Args:
        kinds: What is served. A later entry replaces an earlier one of the same group and kind.
    """

    def __init__(self, kinds: Iterable[ApiKind]) -> None:
        self._kinds = {(kind.group, kind.kind): kind for kind in kinds}

    def with_definitions(self, definitions: Iterable[Manifest]) -> ApiKinds:
        """Return these kinds and those that CustomResourceDefinitions add; other objects are passed over."""
        added = [kind for one in definitions if (kind := _of_definition(one)) is not None]
        return ApiKinds([*self._kinds.values(), *added]) if added else self

    def find(self, group: str, kind: str) -> ApiKind | None:
        """Return a kind that is known, or None."""
        return self._kinds.get((group, kind))

    def get(self, group: str, kind: str, *, namespaced: bool) -> ApiKind:
        """Return a kind; one that is not known gets a guessed plural and the scope that is given."""
        found = self._kinds.get((group, kind))
        return found or ApiKind(group, kind, _guess_plural(kind), namespaced, (), known=False)


@lru_cache(maxsize=1)
def builtin_kinds() -> ApiKinds:
    """Return the kinds that every cluster has, and Wayside's own."""
    kinds = []
    versions: list[str] = []
    group = ""
    for line in _TABLE.strip().splitlines():
        if not line[0].isspace():
            group, _, listed = line.rpartition("/")
            versions = listed.split(",")
            continue
        for entry in filter(None, (item.strip() for item in line.split(","))):
            kind, plural = entry.lstrip("*").split()
            kinds.append(ApiKind(group, kind, plural, not entry.startswith("*"), tuple(versions)))
    return ApiKinds(kinds)


def _of_definition(definition: Manifest) -> ApiKind | None:
    """Return the kind that a CustomResourceDefinition adds, or None where it is not one or is broken."""
    spec = definition.get("spec")
    if definition.get("kind") != "CustomResourceDefinition" or not isinstance(spec, Mapping):
        return None
    names = spec.get("names")
    if not isinstance(names, Mapping):
        return None
    kind, plural, group = names.get("kind"), names.get("plural"), spec.get("group")
    if not (isinstance(kind, str) and isinstance(plural, str) and isinstance(group, str)):
        return None
    return ApiKind(
        group,
        kind,
        plural,
        spec.get("scope") == "Namespaced",
        tuple(_served(spec.get("versions"))),
        convertible=_strategy(spec.get("conversion")) == "None",
    )


def _served(versions: Any) -> Iterable[str]:
    for version in versions if isinstance(versions, list) else ():
        if isinstance(version, Mapping) and version.get("served") and isinstance(version.get("name"), str):
            yield version["name"]


def _strategy(conversion: Any) -> str:
    strategy = conversion.get("strategy") if isinstance(conversion, Mapping) else None
    return strategy if isinstance(strategy, str) else "None"


def _guess_plural(kind: str) -> str:
    """Guess the plural as generators of definitions make it: gateways, policies, boxes, meshes."""
    singular = kind.lower()
    if singular.endswith("endpoints"):
        return singular
    if singular.endswith(("s", "x", "z", "ch", "sh")):
        return singular + "es"
    if singular.endswith("y") and singular[-2:-1] not in ("", *"aeiou"):
        return singular[:-1] + "ies"
    return singular + "s"
