"""The rights of an agent: its own, and those over the objects of a site, no more than it needs."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from reconciler.errors import UsageError
from reconciler.model.resource import Resource
from reconciler.planning.scope import CLUSTER_KINDS, defined_scopes

__all__ = ["OWN_CLUSTER_RULES", "OWN_RULES", "Rights", "cluster_wide", "namespaced", "plural", "rights_over"]

#: What the agent does with each object of the site.
_VERBS = ("get", "list", "watch", "create", "patch", "delete")
_RBAC = "rbac.authorization.k8s.io"
#: Where a failure is looked into: the pods of a workload, and what was said of an object.
_DIAGNOSIS = ({"apiGroups": [""], "resources": ["pods", "events"], "verbs": ["list"]},)
_WORKLOADS = frozenset({"Deployment", "StatefulSet", "DaemonSet", "ReplicaSet", "Job", "CronJob"})

#: In the agent's own namespace.
OWN_RULES: tuple[Mapping[str, Any], ...] = (
    {
        "apiGroups": ["wayside.dev"],
        "resources": ["sites"],
        "verbs": ["get", "list", "watch", "create", "patch", "delete"],
    },
    {"apiGroups": ["wayside.dev"], "resources": ["sites/status"], "verbs": ["patch"]},
    {
        "apiGroups": ["coordination.k8s.io"],
        "resources": ["leases"],
        "verbs": ["get", "create", "update", "delete"],
    },
    {"apiGroups": [""], "resources": ["events"], "verbs": ["create"]},
    {"apiGroups": [""], "resources": ["secrets"], "verbs": ["get", "create", "patch", "delete"]},
)
#: In the whole cluster: the facts that `site.yaml` is compared with.
OWN_CLUSTER_RULES: tuple[Mapping[str, Any], ...] = (
    {"apiGroups": [""], "resources": ["nodes"], "verbs": ["list"]},
    {"apiGroups": ["node.k8s.io"], "resources": ["runtimeclasses"], "verbs": ["list"]},
    {"apiGroups": ["storage.k8s.io"], "resources": ["storageclasses"], "verbs": ["list"]},
)

#: The kinds of a usual site, for installations that are not made for one overlay.
_USUAL: Mapping[str, tuple[str, ...]] = {
    "": (
        "configmaps",
        "limitranges",
        "namespaces",
        "persistentvolumeclaims",
        "pods",
        "resourcequotas",
        "secrets",
        "serviceaccounts",
        "services",
    ),
    "apps": ("daemonsets", "deployments", "replicasets", "statefulsets"),
    "autoscaling": ("horizontalpodautoscalers",),
    "batch": ("cronjobs", "jobs"),
    "networking.k8s.io": ("ingresses", "networkpolicies"),
    "policy": ("poddisruptionbudgets",),
    "scheduling.k8s.io": ("priorityclasses",),
}
_CLUSTER_SCOPED = frozenset({"namespaces", "priorityclasses"})


@dataclass(frozen=True, slots=True)
class Rights:
    """Rights over a site's objects.

    Attributes:
        cluster: Rules that hold in the whole cluster.
        namespaces: Namespace to the rules that hold in it.
        guessed: Kinds whose plural is guessed, because no CRD of theirs is in the fleet.
    """

    cluster: tuple[Mapping[str, Any], ...] = ()
    namespaces: Mapping[str, tuple[Mapping[str, Any], ...]] | None = None
    guessed: tuple[str, ...] = ()


def cluster_wide() -> Rights:
    """Return the rights for the kinds of a usual site, in all namespaces."""
    rules = tuple(_rule(group, resources) for group, resources in _USUAL.items())
    return Rights(cluster=(*rules, *_DIAGNOSIS))


def namespaced(names: Sequence[str]) -> Rights:
    """Return the rights for the kinds of a usual site, in some namespaces only."""
    rules = tuple(
        _rule(group, inside)
        for group, resources in _USUAL.items()
        if (inside := tuple(name for name in resources if name not in _CLUSTER_SCOPED))
    )
    return Rights(namespaces=dict.fromkeys(names, (*rules, *_DIAGNOSIS)))


def rights_over(
    resources: Sequence[Resource], definitions: Iterable[Resource] = (), *, everywhere: bool
) -> Rights:
    """Return the rights over exactly these objects' kinds.

    Args:
        resources: The site's objects.
        definitions: CRDs of the fleet, for the plurals of kinds that the site does not define itself.
        everywhere: Whether kinds may be handled in all namespaces; otherwise only where the site has them.

    Raises:
        UsageError: Something of the site has no namespace, and rights are wanted in namespaces only.
    """
    known = _plurals([*resources, *definitions])
    scopes = defined_scopes([*resources, *definitions])
    kinds = sorted({(resource.id.group, resource.id.kind) for resource in resources})
    guessed = tuple(
        f"{kind}.{group}" for group, kind in kinds if "." in group and not _is_known(group, kind, known)
    )
    more = _more(resources)
    if everywhere:
        return Rights(cluster=(*_rules(kinds, known), *more), guessed=guessed)
    outside = [
        resource.id
        for resource in resources
        if (resource.id.group, resource.id.kind) in CLUSTER_KINDS
        or scopes.get((resource.id.group, resource.id.kind)) is False
    ]
    if outside:
        raise UsageError(
            f"{outside[0]} lives in no namespace, so rights in namespaces only are not enough for this site",
            code="rights",
            hint="take --rights exact, or have somebody else make it and leave it out of the overlay",
        )
    places = sorted({resource.id.namespace or "default" for resource in resources})
    rules = {
        place: (
            *_rules(
                sorted(
                    {
                        (resource.id.group, resource.id.kind)
                        for resource in resources
                        if (resource.id.namespace or "default") == place
                    }
                ),
                known,
            ),
            *more,
        )
        for place in places
    }
    return Rights(namespaces=rules, guessed=guessed)


def plural(kind: str) -> str:
    """Return what a kind is most probably called in paths, by the rule of apimachinery."""
    word = kind.lower()
    if word == "endpoints":
        return word
    if word.endswith("s"):
        return f"{word}es"
    if word.endswith("y") and word[-2:-1] not in "aeiou":
        return f"{word[:-1]}ies"
    return f"{word}s"


def _is_known(group: str, kind: str, known: Mapping[tuple[str, str], str]) -> bool:
    return (group, kind) in known or group.endswith(".k8s.io") or (group, kind) in CLUSTER_KINDS


def _plurals(resources: Iterable[Resource]) -> dict[tuple[str, str], str]:
    found: dict[tuple[str, str], str] = {}
    for resource in resources:
        if resource.kind == "CustomResourceDefinition":
            spec = resource.manifest.get("spec") or {}
            names = spec.get("names") or {}
            found[str(spec.get("group")), str(names.get("kind"))] = str(names.get("plural"))
    return found


def _rules(
    kinds: Iterable[tuple[str, str]], known: Mapping[tuple[str, str], str]
) -> tuple[Mapping[str, Any], ...]:
    groups: dict[str, list[str]] = {}
    for group, kind in kinds:
        groups.setdefault(group, []).append(known.get((group, kind)) or plural(kind))
    return tuple(_rule(group, sorted(names)) for group, names in sorted(groups.items()))


def _rule(group: str, resources: Sequence[str]) -> Mapping[str, Any]:
    return {"apiGroups": [group], "resources": list(resources), "verbs": list(_VERBS)}


def _more(resources: Sequence[Resource]) -> tuple[Mapping[str, Any], ...]:
    """Return what particular kinds need on top of the verbs of all.

    Who writes a role that may do more than they may themselves needs `escalate` and `bind`; they are given
    for the roles of the site by name.
    """
    rules: list[Mapping[str, Any]] = []
    if any(resource.kind in _WORKLOADS for resource in resources):
        rules += _DIAGNOSIS
    for kind in ("ClusterRole", "Role"):
        written = {resource.id.name for resource in resources if _is_rbac(resource) and resource.kind == kind}
        bound = {
            str((resource.manifest.get("roleRef") or {}).get("name"))
            for resource in resources
            if _is_rbac(resource) and (resource.manifest.get("roleRef") or {}).get("kind") == kind
        }
        for names, verb in ((written, "escalate"), (bound, "bind")):
            if names:
                rules.append(
                    {
                        "apiGroups": [_RBAC],
                        "resources": [plural(kind)],
                        "resourceNames": sorted(names),
                        "verbs": [verb],
                    }
                )
    return tuple(rules)


def _is_rbac(resource: Resource) -> bool:
    return resource.id.group == _RBAC
