"""In which order objects are applied and pruned.

A position is (wave, stage). The wave is what the annotations ask for. Stages divide a wave where one object
must be there, and healthy, before another: a Namespace and a CRD before what needs them, a dependency before
its dependent. A Namespace or CRD that an earlier wave needs is pulled forward; a dependent of a later wave is
pushed back.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from reconciler.model.plan import Hold
from reconciler.model.resource import Resource, ResourceId
from reconciler.planning import conventions

__all__ = ["Order", "deletion_key", "kind_rank", "kind_row", "order"]

_NAMESPACE = ("", "Namespace")
_CRD = ("apiextensions.k8s.io", "CustomResourceDefinition")

#: Kinds whose objects come before others of the same stage; what is not named stands in the middle. What
#: stands in one row needs nothing of that row, so it is written at the same time.
_FIRST = (
    ("Namespace",),
    ("CustomResourceDefinition",),
    (
        "PriorityClass",
        "RuntimeClass",
        "StorageClass",
        "ResourceQuota",
        "LimitRange",
        "NetworkPolicy",
        "ServiceAccount",
        "ClusterRole",
        "Role",
    ),
    ("ClusterRoleBinding", "RoleBinding", "Secret", "ConfigMap", "PersistentVolume"),
    ("PersistentVolumeClaim", "Service"),
)
_LAST = (
    ("HorizontalPodAutoscaler", "PodDisruptionBudget", "Ingress"),
    ("APIService",),
    ("MutatingWebhookConfiguration", "ValidatingWebhookConfiguration"),
)
#: Kind to its row, and to its rank in all rows; the middle is 0 in both.
_ROWS: Mapping[str, int] = {
    **{kind: row - len(_FIRST) for row, kinds in enumerate(_FIRST) for kind in kinds},
    **{kind: 1 + row for row, kinds in enumerate(_LAST) for kind in kinds},
}
_BEFORE = [kind for kinds in _FIRST for kind in kinds]
_RANKS: Mapping[str, int] = {
    **{kind: place - len(_BEFORE) for place, kind in enumerate(_BEFORE)},
    **{kind: 1 + place for place, kind in enumerate(kind for kinds in _LAST for kind in kinds)},
}


def kind_rank(kind: str) -> int:
    """Return where objects of a kind stand within a stage; lower comes first."""
    return _RANKS.get(kind, 0)


def kind_row(kind: str) -> int:
    """Return which kinds may be written at the same time: those of one row; lower rows come first."""
    return _ROWS.get(kind, 0)


def deletion_key(id_: ResourceId, wave: int) -> tuple[int, int, int, ResourceId]:
    """Return a key that sorts deletions: later waves first, Namespaces and CRDs at the very end."""
    base = (id_.group, id_.kind) in (_NAMESPACE, _CRD)
    return (1 if base else 0, 0 if base else -wave, -kind_rank(id_.kind), id_)


@dataclass(frozen=True, slots=True)
class Order:
    """Where each object stands.

    Attributes:
        positions: (wave, stage) of each object.
        prerequisites: What each object cannot be dry-run without, of the same desired set.
        holds: Cycles, dependencies that are not there, annotations that mean nothing.
    """

    positions: Mapping[ResourceId, tuple[int, int]]
    prerequisites: Mapping[ResourceId, tuple[ResourceId, ...]]
    holds: tuple[Hold, ...] = ()


def order(resources: Sequence[Resource]) -> Order:
    """Return the order in which a desired set is applied."""
    by_id = {resource.id: resource for resource in resources}
    holds: list[Hold] = []
    implicit = _prerequisites(resources)
    explicit: dict[ResourceId, set[ResourceId]] = {id_: set() for id_ in by_id}
    waves: dict[ResourceId, int] = {}
    for id_, resource in by_id.items():
        bad = conventions.bad_values(id_, resource.manifest)
        holds.extend(bad)
        if bad:
            waves[id_] = 0
            continue
        waves[id_] = conventions.wave(resource.manifest)
        for reference in conventions.dependencies(resource.manifest):
            found = [other for other in by_id if reference.matches(other)]
            explicit[id_].update(found)
            if not found:
                named = "/".join(part for part in reference[1:] if part)
                message = f"{id_} depends on {named}, which is not among the objects of this site"
                hint = "add it to the overlay, or remove it from depends-on"
                holds.append(Hold("dependency-missing", message, hint, (id_,)))
    for id_, needed in implicit.items():
        for prerequisite in needed:
            if not explicit[prerequisite]:
                waves[prerequisite] = min(waves[prerequisite], waves[id_])
    edges = {id_: explicit[id_] | set(implicit[id_]) for id_ in by_id}
    sequence, cycle = _topological(edges)
    if cycle:
        chain = " -> ".join(str(id_) for id_ in (*cycle, cycle[0]))
        message = f"objects depend on each other in a circle: {chain}"
        hint = "remove one of these depends-on entries"
        holds.append(Hold("dependency-cycle", message, hint, cycle))
    positions: dict[ResourceId, tuple[int, int]] = {}
    for id_ in sequence:
        before = [positions[other] for other in edges[id_]]
        wave = max([waves[id_], *(position[0] for position in before)])
        stage = max((position[1] + 1 for position in before if position[0] == wave), default=0)
        positions[id_] = (wave, stage)
    for id_ in by_id:
        positions.setdefault(id_, (waves[id_], 0))
    return Order(positions, {id_: tuple(sorted(needed)) for id_, needed in implicit.items()}, tuple(holds))


def _prerequisites(resources: Sequence[Resource]) -> dict[ResourceId, set[ResourceId]]:
    """Return what each object needs of the set before the API server would even look at it."""
    ids = {resource.id for resource in resources}
    crds: dict[tuple[str, str], ResourceId] = {}
    for resource in resources:
        if (resource.id.group, resource.kind) == _CRD:
            spec = resource.manifest.get("spec") or {}
            kind = str((spec.get("names") or {}).get("kind") or "")
            crds[(str(spec.get("group") or ""), kind)] = resource.id
    needed: dict[ResourceId, set[ResourceId]] = {}
    for resource in resources:
        id_ = resource.id
        wanted = set(_references(resource))
        if id_.namespace:
            wanted.add(ResourceId("", "Namespace", "", id_.namespace))
        if crd := crds.get((id_.group, id_.kind)):
            wanted.add(crd)
        needed[id_] = (wanted & ids) - {id_}
    return needed


def _references(resource: Resource) -> list[ResourceId]:
    """Return what admission looks up when the object is made, apart from its namespace and its kind."""
    id_ = resource.id
    spec = resource.manifest.get("spec") or {}
    found: list[ResourceId] = []
    if (id_.group, id_.kind) == ("", "Pod"):
        if name := spec.get("serviceAccountName"):
            found.append(ResourceId("", "ServiceAccount", id_.namespace, str(name)))
        if name := spec.get("priorityClassName"):
            found.append(ResourceId("scheduling.k8s.io", "PriorityClass", "", str(name)))
        if name := spec.get("runtimeClassName"):
            found.append(ResourceId("node.k8s.io", "RuntimeClass", "", str(name)))
    if id_.group == "rbac.authorization.k8s.io" and id_.kind in ("RoleBinding", "ClusterRoleBinding"):
        role = resource.manifest.get("roleRef") or {}
        kind = str(role.get("kind") or "")
        namespace = id_.namespace if kind == "Role" else ""
        found.append(ResourceId("rbac.authorization.k8s.io", kind, namespace, str(role.get("name") or "")))
    return found


def _topological(
    edges: Mapping[ResourceId, set[ResourceId]],
) -> tuple[list[ResourceId], tuple[ResourceId, ...]]:
    """Return the objects, each after all that it needs, and one cycle where there is one."""
    missing = {id_: len(needed) for id_, needed in edges.items()}
    dependents: dict[ResourceId, list[ResourceId]] = {id_: [] for id_ in edges}
    for id_, needed in edges.items():
        for other in needed:
            dependents[other].append(id_)
    ready = [id_ for id_, count in missing.items() if count == 0]
    sequence: list[ResourceId] = []
    while ready:
        id_ = ready.pop()
        sequence.append(id_)
        for dependent in dependents[id_]:
            missing[dependent] -= 1
            if missing[dependent] == 0:
                ready.append(dependent)
    left = set(edges) - set(sequence)
    if not left:
        return sequence, ()
    path: list[ResourceId] = [min(left)]
    while True:
        following = min(edges[path[-1]] & left)
        if following in path:
            return sequence, tuple(path[path.index(following) :])
        path.append(following)
