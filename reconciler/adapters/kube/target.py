"""A cluster as a target: server-side apply, with an ApplySet as the inventory."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from functools import partial
from types import MappingProxyType
from typing import Any

from reconciler import health
from reconciler.adapters.kube.client import KubeClient
from reconciler.adapters.kube.connection import Connection
from reconciler.adapters.kube.diagnosis import diagnose
from reconciler.adapters.kube.discovery import ApiKind, Discovery
from reconciler.adapters.kube.site_object import SiteObject
from reconciler.adapters.parallel import each
from reconciler.errors import TargetRefused, TargetUnreachable
from reconciler.model.plan import Health, Inventory, InventoryEntry, Observed
from reconciler.model.resource import Manifest, Resource, ResourceId, split_api_version
from reconciler.planning.applyset import AGENT_NAMESPACE, FIELD_MANAGER, PART_OF, applyset_id
from reconciler.planning.digest import fields_digest
from reconciler.planning.scope import defined_scopes, scoped

__all__ = ["KubeTarget"]

_APPLY = "application/apply-patch+yaml"
#: How new a list must be: as new as can be; at least as what was written and seen here; as old as it may be.
_NEWEST, _KNOWN, _ANY = "newest", "known", "any"
#: Seconds for which a kind that was just defined may answer "not found".
_PATIENCE = 10.0
#: Seconds between two writes of an object that others write at the same time.
_CONTEST_PAUSES = (0.2, 0.4, 0.8, 1.6)


class KubeTarget:
    """One site's cluster.

    Args:
        connection: How the cluster is reached, or a client that reaches it.
        site: The site's name.
        namespace: The agent's namespace, where the `Site` object is.
        former_sites: Names that the site had before.
        propagation: How dependents of a deleted object are deleted: `Background` or `Foreground`.
        page: How many objects a list holds that is asked for at once.
        discovery: Knows the server's kinds, where several sites of one cluster share it.
    """

    def __init__(
        self,
        connection: Connection | KubeClient,
        site: str,
        *,
        namespace: str = AGENT_NAMESPACE,
        former_sites: Collection[str] = (),
        propagation: str = "Background",
        page: int = 500,
        discovery: Discovery | None = None,
    ) -> None:
        self.site = site
        self.namespace = namespace
        self.client = connection if isinstance(connection, KubeClient) else KubeClient(connection)
        self.discovery = discovery or Discovery(self.client)
        self.site_object = SiteObject(self.client, self.discovery, site, namespace)
        self._sets = tuple(applyset_id(name, namespace) for name in (site, *former_sites))
        self._propagation = propagation
        #: Judges kinds of which the fleet knows more than kstatus; None for no others.
        self.custom_health: Callable[[Manifest], Health | None] | None = None
        self._page = page
        self._defined: set[tuple[str, str]] = set()
        self._version = ""

    @property
    def parallel(self) -> int:
        """How many requests the server is asked to work on at a time."""
        return 4

    def observe(self, resources: Iterable[Resource], known: Inventory, *, newest: bool = False) -> Observed:
        """Return the members of the site's set, and whatever stands in the place of a desired object.

        Lists have at least what was written and seen here before. Of a site that neither the cluster nor the
        agent knows, they only look for what an earlier life may have left.
        """
        wanted = list(resources)
        is_new = self.site_object.read() is None and not known.entries and len(self._sets) == 1
        least = _NEWEST if newest else _ANY if is_new else _KNOWN
        for group, kind in {(resource.id.group, resource.id.kind) for resource in wanted}:
            self.discovery.find(group, kind)  # looks again for what was not there before
        scopes = {**defined_scopes(wanted), **self.discovery.scopes()}
        wanted = [scoped(resource, scopes) for resource in wanted]
        kinds = {
            *self.site_object.group_kinds(),
            *((id_.group, id_.kind) for id_ in known.entries),
            *((resource.id.group, resource.id.kind) for resource in wanted),
        }
        namespaces = {
            *self.site_object.namespaces(),
            *(id_.namespace for id_ in known.entries),
            *(resource.id.namespace for resource in wanted),
        } - {""}
        versions = {resource.id: resource.api_version for resource in wanted}
        preferred = {(id_.group, id_.kind): version for id_, version in versions.items()}
        objects: dict[ResourceId, Manifest] = {}
        entries: dict[ResourceId, InventoryEntry] = {}
        served: list[tuple[str, ApiKind]] = []
        for group, kind in sorted(kinds):
            version = split_api_version(preferred.get((group, kind), ""))[1]
            found = self.discovery.find(group, kind, version) or self.discovery.find(group, kind)
            if found is not None and found.listable:
                served.append((kind, found))
        lists = [partial(self._still_served, found, kind, namespaces, least) for kind, found in served]
        reads = [partial(self._one, id_, version) for id_, version in versions.items()]
        # Where nothing is known to be there, every object is looked for by its name, at the same time.
        answers = self._ask([*lists, *(reads if is_new else [])])
        for (_, found), items in zip(served, answers, strict=False):
            for item in items:
                id_ = Resource(item).id
                objects[id_] = item
                # Controllers copy labels to what they make; a member is what this agent applied.
                if fields_digest(item) or id_ in known.entries:
                    entries[id_] = InventoryEntry(id_, found.api_version, digest="")
        if is_new:
            for id_, live in zip(versions, answers[len(lists) :], strict=True):
                objects.pop(id_, None)  # the list may be old
                objects.update((id_, item) for item in live)
        else:
            unlisted = {id_: read for id_, read in zip(versions, reads, strict=True) if id_ not in objects}
            for id_, live in zip(unlisted, self._ask(list(unlisted.values())), strict=True):
                objects.update((id_, item) for item in live)
        return Observed(
            objects=MappingProxyType(objects),
            inventory=Inventory(MappingProxyType(entries)),
            scopes=MappingProxyType(scopes),
        )

    def _one(self, id_: ResourceId, api_version: str) -> list[Manifest]:
        live = self.read(id_, api_version)
        return [] if live is None else [live]

    def _ask(self, questions: Sequence[Callable[[], list[Manifest]]]) -> list[list[Manifest]]:
        """Return the answers to some questions; several are asked at a time.

        Raises:
            TargetRefused: The first refusal.
            TargetUnreachable: The target stopped answering.
        """
        answers: list[list[Manifest]] = []
        for _, answer in each(questions, lambda ask: ask(), width=self.parallel, expected=TargetRefused):
            if isinstance(answer, Exception):
                raise answer
            answers.append(answer)
        return answers

    def dry_run(self, resource: Resource, *, force: bool) -> Manifest:
        """Return what the API server would make of the object, admission included."""
        return self._patch(resource, force=force, dry_run=True)

    def apply(self, resource: Resource, *, force: bool) -> Manifest:
        """Apply one object by server-side apply."""
        live = self._patch(resource, force=force, dry_run=False)
        if resource.kind == "CustomResourceDefinition":
            for group, kind in defined_scopes([resource]):
                self._defined.add((group, kind))
                self.discovery.expect(group, kind)
        return live

    def read(self, id: ResourceId, api_version: str) -> Manifest | None:  # noqa: A002 - the field's word
        """Return one object, or None where it is not there."""
        kind = self._kind(id, api_version)
        if kind is None:
            return None
        try:
            live: Manifest = self.client.request("GET", kind.path(id.namespace, id.name), kind=id.kind)
        except TargetRefused as err:
            if err.status == 404:
                return None
            raise
        return live

    def delete(self, id: ResourceId, api_version: str, *, uid: str = "") -> None:  # noqa: A002 - the field's word
        """Ask for the deletion of one object."""
        kind = self._kind(id, api_version)
        if kind is None:
            return
        options: dict[str, Any] = {
            "apiVersion": "v1",
            "kind": "DeleteOptions",
            "propagationPolicy": self._propagation,
        }
        if uid:
            options["preconditions"] = {"uid": uid}
        # A deletion tells no version, so the next list of the kind must be the newest.
        self.client.freshness.forget(kind.path())
        try:
            self.client.request("DELETE", kind.path(id.namespace, id.name), body=options, kind=id.kind)
        except TargetRefused as err:
            # 409: another object has taken the name since; the one that was meant is gone.
            if err.status != 404 and not (uid and err.status == 409 and "UID" in err.message):
                raise

    def assess(self, live: Manifest | None) -> Health:
        """Return the health of an object by the fleet's own check of its kind, or by kstatus."""
        own = None if live is None or self.custom_health is None else self.custom_health(live)
        return own or health.assess(live)

    def diagnose(self, live: Manifest) -> str:
        """Return what the object's pods and Events tell."""
        return diagnose(self.client, live)

    def save_inventory(self, inventory: Inventory) -> None:
        """Write which kinds and namespaces the site's set reaches into, to the `Site` object."""
        self.site_object.save_inventory(inventory)

    def ensure_installed(self) -> None:
        """Make the agent's namespace and the kind `Site` where they are missing."""
        self.site_object.ensure_installed()

    def describe(self) -> Mapping[str, Any]:
        """Return type, place and version of the cluster."""
        if not self._version:
            self._version = str(self.client.request("GET", "/version").get("gitVersion") or "")
        connection = self.client.connection
        return {
            "type": "kubernetes",
            "place": connection.place or connection.server,
            "version": self._version,
        }

    def close(self) -> None:
        """Close the connections."""
        self.client.close()

    def _kind(self, id_: ResourceId, api_version: str) -> ApiKind | None:
        """Return the kind in the version asked for, in another one where that is gone, or None."""
        version = split_api_version(api_version)[1]
        return self.discovery.find(id_.group, id_.kind, version) or self.discovery.find(id_.group, id_.kind)

    def _still_served(
        self, kind: ApiKind, name: str, namespaces: Iterable[str], least: str
    ) -> list[Manifest]:
        """Return the members of a kind; none where the kind is not there any more.

        What is known of kinds may be old: somebody may have deleted one, or upgraded the cluster.
        """
        try:
            return list(self._members(kind, name, namespaces, least))
        except TargetRefused as err:
            if err.status != 404:
                raise
            group = split_api_version(kind.api_version)[0]
            self.discovery.refresh()
            served = self.discovery.find(group, name)
            if served == kind:
                raise
            return [] if served is None else list(self._members(served, name, namespaces, least))

    def _members(self, kind: ApiKind, name: str, namespaces: Iterable[str], least: str) -> Iterator[Manifest]:
        """Yield all objects of a kind that carry the set's label.

        Where the agent may not look into all namespaces, it looks into those that the set reaches into.
        """
        try:
            yield from self._list(kind, name, "", least)
        except TargetRefused as err:
            if err.status != 403 or not kind.namespaced:
                raise
        else:
            return
        for namespace in sorted(namespaces):
            yield from self._list(kind, name, namespace, least)

    def _list(self, kind: ApiKind, name: str, namespace: str, least: str) -> list[Manifest]:
        """Return the members of a kind, in all namespaces or in one.

        Args:
            kind: The kind as the server has it.
            name: Its name.
            namespace: The namespace, or "" for all.
            least: How new the list must be: `_NEWEST`, `_KNOWN` or `_ANY`.
        """
        selector = (
            f"{PART_OF}={self._sets[0]}" if len(self._sets) == 1 else f"{PART_OF} in ({','.join(self._sets)})"
        )
        freshness, collection = self.client.freshness, kind.path()
        version = "0" if least == _ANY else freshness.of(collection) if least == _KNOWN else ""
        query = {"labelSelector": selector, "limit": str(self._page)}
        if version:
            query = {"labelSelector": selector, "resourceVersion": version}
            query["resourceVersionMatch"] = "NotOlderThan"
        found: list[Manifest] = []
        while True:
            try:
                page = self.client.request("GET", kind.path(namespace), query=query, kind=name)
            except TargetUnreachable:
                if not version:
                    raise
                # A server that was restored from a backup waits in vain for what it never had.
                freshness.forget(collection)
                return self._list(kind, name, namespace, _NEWEST)
            except TargetRefused as err:
                if err.status != 410:
                    raise
                if version:
                    freshness.forget(collection)
                    return self._list(kind, name, namespace, _NEWEST)
                # The list went out of date between two pages: once more, in one piece.
                found.clear()
                query = {"labelSelector": selector}
                continue
            # The items of a list come without the kind that they are.
            items = page.get("items") or ()
            found.extend({**item, "apiVersion": kind.api_version, "kind": name} for item in items)
            token = (page.get("metadata") or {}).get("continue")
            if not token:
                if least != _ANY:
                    freshness.note(collection, page)
                return found
            query = {**query, "continue": token}

    def _patch(self, resource: Resource, *, force: bool, dry_run: bool) -> Manifest:
        id_ = resource.id
        query = {
            "fieldManager": FIELD_MANAGER,
            "force": "true" if force else "false",
            "fieldValidation": "Strict",
        }
        if dry_run:
            query["dryRun"] = "All"
        end = time.monotonic() + _PATIENCE
        refreshed = False
        pauses = iter(_CONTEST_PAUSES)
        while True:
            kind = self.discovery.of(id_, resource.api_version)
            path = kind.path(id_.namespace, id_.name)
            try:
                live: Manifest = self.client.request(
                    "PATCH", path, query=query, body=resource.manifest, content_type=_APPLY, kind=id_.kind
                )
            except TargetRefused as err:
                if _is_contest(err, resource):
                    # Somebody else wrote at the same moment. That says nothing of the object.
                    pause = next(pauses, None)
                    if pause is None:
                        raise TargetUnreachable(
                            f"{id_} cannot be written, others write it all the time: {err.message}",
                            code="target-busy",
                        ) from err
                    time.sleep(pause)
                    continue
                # So it says where a kind is defined and not served yet; the object itself cannot be missing.
                absent = err.status == 404 and "could not find the requested resource" in err.message
                young = absent and (id_.group, id_.kind) in self._defined
                if absent and not refreshed:
                    refreshed = True
                    self.discovery.refresh()
                elif not young or time.monotonic() > end:
                    raise
            else:
                if not dry_run:
                    self.client.freshness.note(kind.path(), live)
                return live
            time.sleep(0.2)


def _is_contest(err: TargetRefused, resource: Resource) -> bool:
    """Tell whether a write came in between another one's read and write, so that it may be made again.

    Fields that others own are another matter, and so is an object that says which version or incarnation
    it wants to replace.
    """
    if err.status != 409 or err.reason == "FieldManagerConflict":
        return False
    metadata = resource.manifest.get("metadata") or {}
    return not ("resourceVersion" in metadata or "uid" in metadata)
