"""Watching what was applied: one watch a kind, for metadata alone, since that tells whose fields are whose.

What the watches tell is kept as one short digest an object; nothing is asked until somebody compares.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence

from reconciler.adapters.kube.client import KubeClient
from reconciler.adapters.kube.discovery import ApiKind, Discovery
from reconciler.adapters.kube.following import Collection, Follower
from reconciler.errors import TargetRefused
from reconciler.model.plan import Inventory
from reconciler.model.resource import Manifest, ResourceId
from reconciler.planning.applyset import PART_OF
from reconciler.planning.digest import fields_digest

__all__ = ["MemberWatch"]

#: Kinds whose state is worth a look when somebody writes to them and none of our fields changes.
_LIVELY = frozenset(
    {"Deployment", "StatefulSet", "DaemonSet", "ReplicaSet", "Job", "Pod", "PersistentVolumeClaim"}
)

_Key = tuple[str, str, str]


class MemberWatch:
    """Watches the members of a site's set.

    Args:
        client: How to ask.
        discovery: Knows the kinds.
        owner: The set's id.
        changed: Is called, from other threads, when there may be something to compare.
        refused: Is called, from other threads, where a kind may not be watched.
    """

    def __init__(
        self,
        client: KubeClient,
        discovery: Discovery,
        owner: str,
        *,
        changed: Callable[[], None],
        refused: Callable[[str], None],
    ) -> None:
        self._client = client
        self._discovery = discovery
        self._owner = owner
        self._changed = changed
        self._refused = refused
        self._lock = threading.Lock()
        self._followers: dict[_Key, Follower] = {}
        self._seen: dict[ResourceId, str] = {}
        self._listed: set[_Key] = set()
        self._forbidden: set[tuple[str, str]] = set()
        self._lively = False

    def update(self, inventory: Inventory) -> None:
        """Watch the kinds of an inventory, and no others.

        Raises:
            TargetError: The server's kinds cannot be read.
        """
        wanted: dict[_Key, ApiKind] = {}
        for id_ in inventory.entries:
            kind = self._discovery.find(id_.group, id_.kind)
            if kind is None or not kind.listable:
                continue
            # One watch for all namespaces, where that is allowed.
            narrow = (id_.group, id_.kind) in self._forbidden
            wanted[id_.group, id_.kind, id_.namespace if narrow else ""] = kind
        for key in self._followers.keys() - wanted.keys():
            self._followers.pop(key).stop()
            with self._lock:
                self._listed.discard(key)
                self._seen = {id_: seen for id_, seen in self._seen.items() if not _covers(key, id_)}
        for key in wanted.keys() - self._followers.keys():
            self._followers[key] = self._follow(key, wanted[key])

    def drifted(self, inventory: Inventory) -> frozenset[ResourceId]:
        """Return the objects of which a watch told something else than was applied last."""
        found: set[ResourceId] = set()
        with self._lock:
            for id_, entry in inventory.entries.items():
                watched = any(_covers(key, id_) for key in self._listed)
                if watched and entry.fields and self._seen.get(id_, "") != entry.fields:
                    found.add(id_)
        return frozenset(found)

    def take_lively(self) -> bool:
        """Tell whether the state of a workload has changed since this was last asked."""
        with self._lock:
            lively, self._lively = self._lively, False
        return lively

    def covers(self, inventory: Inventory) -> bool:
        """Tell whether every object of an inventory is watched now."""
        with self._lock:
            return all(any(_covers(key, id_) for key in self._listed) for id_ in inventory.entries)

    def stop(self) -> None:
        """End all watches."""
        for follower in self._followers.values():
            follower.stop()
        self._followers.clear()

    def _follow(self, key: _Key, kind: ApiKind) -> Follower:
        group, name, namespace = key

        def identity(item: Manifest) -> ResourceId:
            metadata = item.get("metadata") or {}
            return ResourceId(group, name, str(metadata.get("namespace") or ""), str(metadata.get("name")))

        def on_list(items: Sequence[Manifest]) -> None:
            with self._lock:
                kept = {id_: seen for id_, seen in self._seen.items() if not _covers(key, id_)}
                self._seen = {**kept, **{identity(item): fields_digest(item) for item in items}}
                self._listed.add(key)
            self._changed()

        def on_change(what: str, item: Manifest) -> None:
            id_, digest = identity(item), "" if what == "DELETED" else fields_digest(item)
            with self._lock:
                same = self._seen.get(id_) == digest
                if what == "DELETED":
                    self._seen.pop(id_, None)
                else:
                    self._seen[id_] = digest
                self._lively = self._lively or (same and name in _LIVELY)
            if not same or name in _LIVELY:
                self._changed()

        def on_refusal(err: TargetRefused) -> None:
            with self._lock:
                self._listed.discard(key)
                first = (group, name) not in self._forbidden
                if err.status == 403 and not namespace:
                    self._forbidden.add((group, name))
            if first:
                self._refused(f"{name}: {err.message}")

        follower = Follower(
            self._client,
            Collection(
                kind.path(namespace), {"labelSelector": f"{PART_OF}={self._owner}"}, metadata_only=True
            ),
            on_list=on_list,
            on_change=on_change,
            on_refusal=on_refusal,
        )
        follower.start()
        return follower


def _covers(key: _Key, id_: ResourceId) -> bool:
    return key[:2] == (id_.group, id_.kind) and key[2] in ("", id_.namespace)
