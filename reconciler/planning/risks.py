"""What changing or deleting an object does beside that.

Which fields cannot be changed is what the API server's validation of updates refuses, by kind.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from reconciler.model.difference import Risk
from reconciler.model.quantity import QuantityError, parse_quantity
from reconciler.model.resource import Resource
from reconciler.planning.guard import guarded

__all__ = ["deletion_risks", "update_risks"]

_FieldNames = tuple[str, ...]

#: Fields that the API server does not let anyone change.
_FIXED: Mapping[tuple[str, str], tuple[_FieldNames, ...]] = {
    ("apps", "DaemonSet"): (("spec", "selector"),),
    ("apps", "Deployment"): (("spec", "selector"),),
    ("apps", "ReplicaSet"): (("spec", "selector"),),
    ("batch", "Job"): (("spec", "selector"), ("spec", "template"), ("spec", "completionMode")),
    ("", "Service"): (("spec", "clusterIP"), ("spec", "clusterIPs")),
    ("", "Secret"): (("type",),),
    ("storage.k8s.io", "StorageClass"): (
        ("provisioner",),
        ("parameters",),
        ("reclaimPolicy",),
        ("volumeBindingMode",),
    ),
    ("rbac.authorization.k8s.io", "RoleBinding"): (("roleRef",),),
    ("rbac.authorization.k8s.io", "ClusterRoleBinding"): (("roleRef",),),
    ("apiextensions.k8s.io", "CustomResourceDefinition"): (("spec", "scope"), ("spec", "group")),
    ("scheduling.k8s.io", "PriorityClass"): (("value",), ("preemptionPolicy",)),
    ("node.k8s.io", "RuntimeClass"): (("handler",),),
    ("networking.k8s.io", "IngressClass"): (("spec", "controller"),),
}
#: Kinds of which everything in `spec` is fixed but these fields.
_ONLY_THESE: Mapping[tuple[str, str], frozenset[str]] = {
    ("apps", "StatefulSet"): frozenset(
        {
            "replicas",
            "ordinals",
            "template",
            "updateStrategy",
            "persistentVolumeClaimRetentionPolicy",
            "minReadySeconds",
            "revisionHistoryLimit",
        }
    ),
    ("", "PersistentVolumeClaim"): frozenset({"resources", "volumeAttributesClassName"}),
}
_ROLLED = frozenset({("apps", "DaemonSet"), ("apps", "Deployment"), ("apps", "StatefulSet")})
_STORES = frozenset({("", "PersistentVolumeClaim"), ("", "PersistentVolume")})


def update_risks(
    before: Resource, after: Resource, paths: Sequence[_FieldNames]
) -> Iterator[tuple[Risk, str]]:
    """Yield what an update brings with it.

    Args:
        before: The object before.
        after: The object after.
        paths: The fields that differ.
    """
    kind = (after.id.group, after.id.kind)
    fixed = _fixed(before, kind, paths)
    if fixed:
        risk = Risk.DELETES_DATA if kind in _STORES or kind == ("", "Namespace") else Risk.RECREATES
        yield risk, f"{'.'.join(fixed)} cannot be changed in place"
    elif kind in _ROLLED and any(path[:2] == ("spec", "template") for path in paths):
        yield Risk.RESTARTS, _rollout(after)
    if kind == ("", "PersistentVolumeClaim") and _shrinks(before, after):
        yield Risk.DELETES_DATA, "a volume cannot become smaller"


def deletion_risks(resource: Resource) -> Iterator[tuple[Risk, str]]:
    """Yield what a deletion takes along."""
    if guarded(resource.id) or (resource.id.group, resource.id.kind) in _STORES:
        what = {
            "Namespace": "everything in it goes along",
            "CustomResourceDefinition": "all objects of its kind go along",
        }.get(resource.kind, "what is stored in it is lost")
        yield Risk.DELETES_DATA, what


def _fixed(before: Resource, kind: tuple[str, str], paths: Sequence[_FieldNames]) -> _FieldNames:
    if kind[1] in ("ConfigMap", "Secret") and before.manifest.get("immutable") is True:
        found = next((path for path in paths if path[0] in ("data", "binaryData", "immutable")), None)
        if found is not None:
            return found[:1]
    for fixed in _FIXED.get(kind, ()):
        if any(path[: len(fixed)] == fixed for path in paths):
            return fixed
    free = _ONLY_THESE.get(kind)
    if free is not None:
        for path in paths:
            if path[:1] == ("spec",) and (len(path) < 2 or path[1] not in free):
                return path[:2]
    return ()


def _rollout(resource: Resource) -> str:
    spec = _mapping(resource.manifest.get("spec"))
    strategy = _mapping(spec.get("strategy") or spec.get("updateStrategy")).get("type")
    match strategy:
        case "Recreate":
            return "all at once (strategy Recreate)"
        case "OnDelete":
            return "when somebody deletes them (strategy OnDelete)"
        case _:
            return "one after the other"


def _shrinks(before: Resource, after: Resource) -> bool:
    sizes = []
    for resource in (before, after):
        spec = _mapping(resource.manifest.get("spec"))
        text = _mapping(_mapping(spec.get("resources")).get("requests")).get("storage")
        try:
            sizes.append(parse_quantity(str(text)))
        except QuantityError:
            return False
    return sizes[1] < sizes[0]


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}
