"""What rules are asked about at one site: the values behind the CEL variables.

Everything is computed when a rule first reads it, and equal work is shared: facts of equal workloads on equal
nodes are one object, whatever the site. `key` names what a variable holds, so that an answer that depends on
nothing else can be used again.
"""

from __future__ import annotations

import marshal
from collections import Counter
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import cached_property, partial
from typing import Any

from reconciler.model.fleet import Fleet
from reconciler.model.kinds import BUILT_IN, WorkloadKinds
from reconciler.model.lock import ImagesLock
from reconciler.model.resource import Resource, ResourceId
from reconciler.model.site import Site
from reconciler.model.trust import TrustJudge
from reconciler.rules.defaults import Defaulter
from reconciler.rules.facts.admission import PodAdmission, limit_range_defaults, runtime_classes
from reconciler.rules.facts.amounts import Amounts
from reconciler.rules.facts.claim import claim_values
from reconciler.rules.facts.download import download_values
from reconciler.rules.facts.embedded import embeds_containers
from reconciler.rules.facts.evidence import lock_values
from reconciler.rules.facts.fitting import fit_values
from reconciler.rules.facts.locked import LockIndex
from reconciler.rules.facts.mark import edge_marks
from reconciler.rules.facts.node import NodeFacts, node_facts
from reconciler.rules.facts.overlap import overlap_values
from reconciler.rules.facts.plain import as_mapping, dig
from reconciler.rules.facts.port import port_clash_values
from reconciler.rules.facts.problem import FactProblem
from reconciler.rules.facts.reference import reference_values
from reconciler.rules.facts.scale import autoscalers
from reconciler.rules.facts.usage import usage_values
from reconciler.rules.facts.workload import OWNERSHIP_LABELS, WorkloadFacts, workload_facts
from reconciler.rules.made.group import GROUP_KINDS, Made, Making, in_node_groups
from reconciler.rules.made.making import is_made_of, make

__all__ = ["SiteSubjects", "SubjectMemo", "at", "fingerprint", "plain"]

_MARSHAL_VERSION = 2  # the last without references, so that equal values give equal bytes


def fingerprint(value: Any) -> Hashable:
    """Return a key that is equal only for equal plain values."""
    try:
        return marshal.dumps(value, _MARSHAL_VERSION)
    except ValueError:
        return repr(value)


class SubjectMemo:
    """Values that sites share; it lives as long as the pack of rules."""

    def __init__(self) -> None:
        self._values: dict[Hashable, Any] = {}
        self._locks: dict[tuple[int, int], tuple[ImagesLock | None, TrustJudge | None, LockIndex]] = {}
        self.hits = 0
        self.misses = 0
        self._made: Counter[Hashable] = Counter()

    def share(self, key: Hashable, make: Callable[[], Any]) -> Any:
        """Return the value of a key, made once."""
        try:
            found = self._values[key]
        except KeyError:
            self.misses += 1
            self._made[key[0] if isinstance(key, tuple) else key] += 1
            found = self._values[key] = make()
            return found
        self.hits += 1
        return found

    def counted(self, what: str) -> int:
        """Return how many values of one sort were made: `workload`, `answer`, `fit` ..."""
        return self._made[what]

    def lock(self, lock: ImagesLock | None, trust: TrustJudge | None = None) -> LockIndex:
        """Return the index of a lock, made once for each way of judging signatures."""
        key = (id(lock), id(trust))
        found = self._locks.get(key)
        if found is None or found[0] is not lock or found[1] is not trust:
            found = self._locks[key] = (lock, trust, LockIndex(lock, trust))
        return found[2]


class SiteSubjects:
    """One site and its desired set, as rules see them.

    Args:
        site: The site.
        resources: Its desired set, defaulted.
        fleet: The fleet.
        lock: The fleet's images.lock, or None.
        trust: Judges signatures of images at the site; None where nobody does.
        memo: What is shared with other sites.
        kinds: Where workloads of each kind say what they run.
        installed: Digests of layers that the last applied revision has at the site; None where nobody knows.
    """

    def __init__(
        self,
        site: Site,
        resources: Sequence[Resource],
        *,
        fleet: Fleet,
        lock: ImagesLock | None,
        memo: SubjectMemo,
        trust: TrustJudge | None = None,
        kinds: WorkloadKinds = BUILT_IN,
        installed: frozenset[str] | None = None,
    ) -> None:
        self._site = site
        self._installed = installed
        self._given = resources
        self._fleet = fleet
        self._memo = memo
        self._lock = memo.lock(lock, trust)
        self._kinds = kinds

    def share(self, key: Hashable, make: Callable[[], Any]) -> Any:
        """Return what sites share by a key, made once."""
        return self._memo.share(key, make)

    def value(self, name: str) -> Any:
        """Return what a site-wide variable holds."""
        match name:
            case "site":
                return self._site_values
            case "fleet":
                return self._fleet_values
            case "usage":
                return self._usage
            case "fit":
                return self._fit
            case "nodes":
                return self._node_values
            case "resources":
                return self._resource_values
            case "workloads":
                return [workload.values for workload in self.workloads]
            case "images":
                return self._image_values
            case "references":
                return self._references
            case "claims":
                return self._claims
            case "edgeMarks":
                return self._edge_marks
            case "storageClasses":
                return self._storage_classes
            case "overlaps":
                return self._overlaps
            case "pods":
                return self._pods
            case "lock":
                return self._lock_values
            case "download":
                return self.download
            case "portClashes":
                return self._port_clashes
            case _:
                raise KeyError(name)

    def key(self, name: str, paths: Iterable[tuple[str, ...]]) -> Hashable:
        """Return a key of what a site-wide variable holds, at the paths that are read of it."""
        match name:
            case "site" | "usage" | "download" | "lock" | "fit" | "overlaps" | "pods" | "portClashes":
                value = self.value(name)
                return tuple(fingerprint(at(value, path)) for path in sorted(paths))
            case "workloads":
                marks = [(w.labels, w.values["annotations"]) for w in self.workloads]
                return (self._workloads_key, id(self.nodes), fingerprint(marks))
            case "images":
                return (self._workloads_key, id(self.nodes))
            case "nodes":
                return id(self.nodes)
            case "resources":
                return tuple(map(fingerprint, self.manifests))
            case "references":
                return fingerprint(self._references)
            case "claims":
                return fingerprint(self._claims)
            case "edgeMarks":
                return fingerprint(self._edge_marks)
            case "storageClasses":
                return fingerprint(self._storage_classes)
            case _:
                return None

    @cached_property
    def nodes(self) -> tuple[NodeFacts, ...]:
        """Facts of the site's nodes."""
        nodes: tuple[NodeFacts, ...] = self._memo.share(
            ("nodes", self._nodes_key, self._groups_key),
            lambda: in_node_groups(node_facts(self._site.nodes), self._groups),
        )
        return nodes

    @cached_property
    def resources(self) -> tuple[Resource, ...]:
        """The desired set, and what controllers at the site make of it."""
        return (*self._given, *(one.resource for _, making in self.makings for one in making.made))

    @cached_property
    def makings(self) -> tuple[tuple[ResourceId, Making], ...]:
        """What is made of objects such as a YurtAppSet: a workload for each group of nodes."""
        found = []
        for resource in self._given:
            if is_made_of(resource.id, self._kinds):
                plain_key = fingerprint(_without_ownership(resource.manifest))
                key = ("made", plain_key, id(self.nodes), self._groups_key, self._site.kubernetes_version)
                making: Making = self._memo.share(key, partial(self._make, resource))
                found.append((resource.id, making))
        return tuple(found)

    def _make(self, resource: Resource) -> Making:
        making = make(resource, nodes=self.nodes, resources=self._given)
        defaulter = Defaulter(self._site.kubernetes_version)
        made = (replace(one, resource=defaulter.apply(one.resource)) for one in making.made)
        return replace(making, made=tuple(made))

    @cached_property
    def made(self) -> Mapping[ResourceId, tuple[ResourceId, Made]]:
        """Every made object, with the object that it is made of."""
        own = {resource.id for resource in self._given} if self.makings else set()
        return {
            one.resource.id: (origin, one)
            for origin, making in self.makings
            for one in making.made
            if one.resource.id not in own
        }

    @cached_property
    def _groups(self) -> tuple[Resource, ...]:
        return tuple(resource for resource in self._given if resource.kind in GROUP_KINDS)

    @cached_property
    def _groups_key(self) -> Hashable:
        return fingerprint([_without_ownership(resource.manifest) for resource in self._groups])

    @cached_property
    def _nodes_key(self) -> Hashable:
        return repr(self._site.nodes)

    @cached_property
    def workloads(self) -> tuple[WorkloadFacts, ...]:
        """Facts of every workload, in the order of the desired set."""
        classes = runtime_classes(self.resources)
        scalers = autoscalers(self.resources)
        shared = (id(self.nodes), id(self._lock), fingerprint(classes))
        found = []
        for resource, manifest in zip(self.resources, self.manifests, strict=True):
            rid = resource.id
            kind = self._kinds.get((rid.group, rid.kind))
            if kind is None or is_made_of(rid, self._kinds):
                continue
            defaults = self._container_defaults.get(rid.namespace, ())
            scaler = scalers.get((rid.group, rid.kind, rid.namespace, rid.name))
            bare = {**manifest, "metadata": {"name": rid.name, "namespace": rid.namespace}}
            key = ("workload", fingerprint(bare), scaler, fingerprint(defaults), *shared)
            compute = partial(
                workload_facts,
                bare,
                rid,
                kind=kind,
                nodes=self.nodes,
                admission=PodAdmission(defaults, classes),
                autoscaler=scaler,
                lock=self._lock,
            )
            facts: WorkloadFacts = self._memo.share(key, compute)
            found.append(facts.of(manifest))
        return tuple(found)

    @cached_property
    def unknown_workload_kinds(self) -> tuple[str, ...]:
        """Kinds of the site that run containers and that nobody has named, as `Kind.group`."""
        found: dict[str, None] = {}
        for resource, manifest in zip(self.resources, self.manifests, strict=True):
            rid = resource.id
            if "." not in rid.group or rid.group.endswith(".k8s.io") or (rid.group, rid.kind) in self._kinds:
                continue
            if is_made_of(rid, self._kinds):
                continue
            if self._memo.share(("embedded", fingerprint(manifest)), partial(embeds_containers, manifest)):
                found[f"{rid.kind}.{rid.group}"] = None
        return tuple(found)

    @cached_property
    def _container_defaults(self) -> dict[str, tuple[tuple[Amounts, Amounts], ...]]:
        found: dict[str, tuple[tuple[Amounts, Amounts], ...]] = {}
        for resource in self._limit_ranges:
            defaults = limit_range_defaults([resource], [])
            found[resource.id.namespace] = found.get(resource.id.namespace, ()) + defaults
        return found

    @cached_property
    def _limit_ranges(self) -> tuple[Resource, ...]:
        ranges = [r for r in self.resources if r.kind == "LimitRange" and not r.id.group]
        return tuple(sorted(ranges, key=lambda resource: resource.id.name))

    @property
    def problems(self) -> Iterator[tuple[ResourceId, FactProblem]]:
        """What cannot be counted, of workloads and of the objects that admission mixes in."""
        for resource in self._limit_ranges:
            wrong: list[FactProblem] = []
            limit_range_defaults([resource], wrong)
            yield from ((resource.id, problem) for problem in wrong)
        for workload in self.workloads:
            yield from ((workload.id, problem) for problem in workload.problems)

    @cached_property
    def _workloads_key(self) -> Hashable:
        return tuple(workload.key for workload in self.workloads)

    @cached_property
    def _budgets_key(self) -> Hashable:
        budgets = self._site.budgets
        return (budgets.memory, budgets.cpu, budgets.ephemeral_storage)

    @cached_property
    def _usage(self) -> dict[str, dict[str, Any]]:
        values: dict[str, dict[str, Any]] = self._memo.share(
            ("usage", self._workloads_key, id(self.nodes), self._budgets_key),
            lambda: usage_values(self.workloads, self.nodes, self._site.budgets),
        )
        return values

    @cached_property
    def _pods(self) -> list[dict[str, Any]]:
        return [
            {"id": str(w.id), "namespace": w.id.namespace, "labels": w.pod_labels} for w in self.workloads
        ]

    @cached_property
    def _port_clashes(self) -> list[dict[str, Any]]:
        values: list[dict[str, Any]] = self._memo.share(
            ("port-clashes", self._workloads_key), lambda: port_clash_values(self.workloads)
        )
        return values

    @cached_property
    def _fit(self) -> dict[str, Any]:
        values: dict[str, Any] = self._memo.share(
            ("fit", self._workloads_key, id(self.nodes)),
            lambda: fit_values(self.workloads, self.nodes),
        )
        return values

    @cached_property
    def download(self) -> dict[str, Any]:
        """What a rollout pulls."""
        budget = self._site.budgets.download
        values: dict[str, Any] = self._memo.share(
            ("download", self._workloads_key, id(self.nodes), self._installed, budget),
            lambda: download_values(self.workloads, installed=self._installed, budget=budget),
        )
        return values

    @cached_property
    def _lock_values(self) -> dict[str, Any]:
        values: dict[str, Any] = self._memo.share(
            ("lock", self._workloads_key, id(self.nodes)), lambda: lock_values(self.workloads)
        )
        return values

    @cached_property
    def _node_values(self) -> list[dict[str, Any]]:
        values: list[dict[str, Any]] = self._memo.share(
            ("node-values", id(self.nodes)),
            lambda: [
                {**node.values(), "fieldPath": f"spec.nodes[{number}]"}
                for number, node in enumerate(self.nodes)
            ],
        )
        return values

    @cached_property
    def _references(self) -> list[dict[str, Any]]:
        return reference_values(self.workloads, self.resources, share=self._memo.share)

    @cached_property
    def _claims(self) -> list[dict[str, Any]]:
        return claim_values(self.resources)

    @cached_property
    def _edge_marks(self) -> list[dict[str, Any]]:
        return edge_marks(self.resources, self.workloads)

    @cached_property
    def _storage_classes(self) -> list[str] | None:
        if self._site.storage_classes is None:
            return None
        brought = [r.id.name for r in self.resources if r.kind == "StorageClass"]
        return [*self._site.storage_classes, *brought]

    @cached_property
    def _overlaps(self) -> list[dict[str, Any]]:
        values: list[dict[str, Any]] = self._memo.share(
            ("overlaps", self._workloads_key), lambda: overlap_values(self.workloads)
        )
        return values

    @cached_property
    def _image_values(self) -> list[dict[str, Any]]:
        return [
            {**image.facts, "workload": str(workload.id)}
            for workload in self.workloads
            for image in workload.images
        ]

    @cached_property
    def _resource_values(self) -> list[Mapping[str, Any]]:
        return self.manifests

    @cached_property
    def manifests(self) -> list[Mapping[str, Any]]:
        """The manifest of every object, as rules see it."""
        return [_without_ownership(resource.manifest) for resource in self.resources]

    @cached_property
    def _site_values(self) -> dict[str, Any]:
        site = self._site
        return {
            "name": site.name,
            "labels": dict(site.labels),
            "annotations": dict(site.annotations),
            "platform": site.platform,
            "kubernetesVersion": ".".join(map(str, site.kubernetes_version)),
            "pinImages": site.pin_images,
            "storageClasses": None if site.storage_classes is None else list(site.storage_classes),
            "target": {"type": site.target.type.value, "path": site.target.path},
            "link": {
                "bandwidth": -1 if site.link.bandwidth is None else int(site.link.bandwidth),
                "metered": site.link.metered,
            },
            "spec": plain(site.manifest.get("spec") or {}),
        }

    @cached_property
    def _fleet_values(self) -> dict[str, Any]:
        return {"name": self._fleet.name, "spec": plain(self._fleet.manifest.get("spec") or {})}


def plain(value: Any) -> Any:
    """Return a value made of plain dicts and lists, whatever mappings it is made of."""
    if isinstance(value, Mapping):
        return {key: plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    return value


def at(value: Any, path: tuple[str, ...]) -> Any:
    """Return what stands at a path of mappings, or None."""
    for step in path:
        if value.__class__ is not dict and not isinstance(value, Mapping):
            return None
        if step not in value:
            return None
        value = value[step]
    return value


def _without_ownership(manifest: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return a manifest without the label by which Wayside marks what it owns; it differs by site."""
    labels = as_mapping(dig(manifest, "metadata", "labels"))
    if OWNERSHIP_LABELS.isdisjoint(labels):
        return manifest
    kept = {key: value for key, value in labels.items() if key not in OWNERSHIP_LABELS}
    return {**manifest, "metadata": {**manifest["metadata"], "labels": kept}}
