"""A target in memory that behaves as an API server does, as far as a sync can tell. It can be killed."""

from __future__ import annotations

import copy
import itertools
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from reconciler import health
from reconciler.errors import TargetRefused
from reconciler.model.plan import Health, Inventory, InventoryEntry, Observed
from reconciler.model.resource import Manifest, Resource, ResourceId
from reconciler.planning.applyset import part_of
from reconciler.planning.digest import fields_digest

NAMESPACE = ("", "Namespace")


class Killed(BaseException):
    """The agent was killed with SIGKILL: nothing of it runs any more, not even a handler of exceptions."""


@dataclass
class FakeCluster:
    """What stays when an agent is killed.

    Attributes:
        objects: What is there.
        parent: The kinds that the parent of the set names.
        refused: Names of objects that admission refuses.
        statuses: Name to what its controller says of it, one for each look; the last one stays.
        writes: How many objects were changed.
    """

    objects: dict[ResourceId, dict[str, Any]] = field(default_factory=dict)
    parent: frozenset[tuple[str, str]] = frozenset()
    refused: frozenset[str] = frozenset()
    statuses: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    writes: int = 0
    log: list[tuple[str, str]] = field(default_factory=list)
    _versions: itertools.count[int] = field(default_factory=lambda: itertools.count(1))

    def version(self) -> str:
        return str(next(self._versions))


class FakeTarget:
    """The port `Target` over a `FakeCluster`.

    Args:
        cluster: What it works on.
        owner: The set whose members are listed.
        lifetime: How many requests it makes before it is killed; a write may have been done by then or not.
    """

    def __init__(self, cluster: FakeCluster, owner: str, *, lifetime: int | None = None) -> None:
        self.cluster = cluster
        self._owner = owner
        self._left = lifetime

    def _live(self) -> None:
        if self._left is not None:
            self._left -= 1
            if self._left < 0:
                raise Killed

    @property
    def parallel(self) -> int:
        return 1

    def observe(self, resources: Iterable[Resource], known: Inventory, *, newest: bool = False) -> Observed:
        del newest  # there is no older one
        self._live()
        wanted = {resource.id for resource in resources}
        kinds = {
            *self.cluster.parent,
            *((id_.group, id_.kind) for id_ in known.entries),
            *((id_.group, id_.kind) for id_ in wanted),
        }
        objects = {}
        entries = {}
        for id_, live in self.cluster.objects.items():
            member = part_of(live) == self._owner and (id_.group, id_.kind) in kinds
            if member or id_ in wanted:
                objects[id_] = copy.deepcopy(live)
            if member and (fields_digest(live) or id_ in known.entries):
                entries[id_] = InventoryEntry(id_, live["apiVersion"], digest="")
        scopes = {NAMESPACE: False, ("", "ConfigMap"): True}
        return Observed(objects, Inventory(entries), scopes)

    def dry_run(self, resource: Resource, *, force: bool) -> Manifest:
        self._live()
        self._admit(resource, force=force)
        return self._merged(resource)

    def apply(self, resource: Resource, *, force: bool) -> Manifest:
        self._live()
        self._admit(resource, force=force)
        merged = self._merged(resource)
        if merged != self.cluster.objects.get(resource.id):
            merged["metadata"]["resourceVersion"] = self.cluster.version()
            self.cluster.objects[resource.id] = merged
            self.cluster.writes += 1
            self.cluster.log.append(("apply", str(resource.id)))
        self._live()
        return copy.deepcopy(merged)

    def _admit(self, resource: Resource, *, force: bool) -> None:
        id_ = resource.id
        if id_.name in self.cluster.refused:
            raise TargetRefused(f"admission webhook denied {id_.name}", reason="Forbidden", status=403)
        if id_.namespace and ResourceId(*NAMESPACE, "", id_.namespace) not in self.cluster.objects:
            raise TargetRefused(f'namespaces "{id_.namespace}" not found', reason="NotFound", status=404)
        owners = (self.cluster.objects.get(id_) or {}).get("conflicting")
        if owners and not force:
            raise TargetRefused(f"conflict with {owners}", reason="Conflict", status=409)

    def _merged(self, resource: Resource) -> dict[str, Any]:
        live = self.cluster.objects.get(resource.id)
        merged: dict[str, Any] = json.loads(json.dumps(resource.manifest))
        metadata = merged["metadata"]
        old = (live or {}).get("metadata") or {}
        metadata["uid"] = old.get("uid") or f"uid-{resource.id}-{self.cluster.writes}"
        metadata["resourceVersion"] = old.get("resourceVersion", "")
        if live and "status" in live:
            merged["status"] = live["status"]
        fields = {"manager": "wayside", "operation": "Apply", "fieldsV1": sorted(resource.manifest)}
        managed: list[dict[str, Any]] = old.get("managedFields") or [{}]
        metadata["managedFields"] = [fields | {"time": managed[0].get("time", "")}]
        if merged != live:
            metadata["managedFields"] = [fields | {"time": f"{self.cluster.writes} writes"}]
        return merged

    def read(self, id: ResourceId, api_version: str) -> Manifest | None:  # noqa: A002 - the port's word
        del api_version
        self._live()
        self._controllers(id)
        return copy.deepcopy(self.cluster.objects.get(id))

    def _controllers(self, id_: ResourceId) -> None:
        """Let the controllers do the next thing that they are to do with an object."""
        script = self.cluster.statuses.get(id_.name)
        if script and id_ in self.cluster.objects:
            status = script.pop(0) if len(script) > 1 else script[0]
            if status.get("gone"):
                del self.cluster.objects[id_]
                return
            self.cluster.objects[id_]["status"] = status

    def delete(self, id: ResourceId, api_version: str, *, uid: str = "") -> None:  # noqa: A002 - the port's word
        del api_version
        self._live()
        live = self.cluster.objects.get(id)
        if live is not None and uid in ("", live["metadata"].get("uid")):
            gone = [id]
            if (id.group, id.kind) == NAMESPACE:
                gone += [other for other in self.cluster.objects if other.namespace == id.name]
            for other in gone:
                del self.cluster.objects[other]
                self.cluster.log.append(("delete", str(other)))
            self.cluster.writes += 1
        self._live()

    def assess(self, live: Manifest | None) -> Health:
        return health.assess(live)

    def diagnose(self, live: Manifest) -> str:
        del live
        return ""

    def save_inventory(self, inventory: Inventory) -> None:
        self._live()
        self.cluster.parent = frozenset((id_.group, id_.kind) for id_ in inventory.entries)

    def describe(self) -> Mapping[str, Any]:
        return {"type": "fake", "place": "memory", "version": ""}
