"""Which kinds an API server has, and under which paths.

The aggregated discovery documents are two requests for everything. Servers before 1.27 are asked group by
group.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from reconciler.adapters.kube.client import KubeClient
from reconciler.errors import TargetRefused, TargetUnreachable
from reconciler.model.resource import ResourceId, split_api_version

__all__ = ["ApiKind", "Discovery"]

_AGGREGATED = ",".join(
    (
        "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList",
        "application/json;g=apidiscovery.k8s.io;v=v2beta1;as=APIGroupDiscoveryList",
        "application/json",
    )
)
#: Seconds between two refreshes for kinds that are not there, and to wait for a kind that was just defined.
_SPACING, _PATIENCE = 5.0, 15.0


@dataclass(frozen=True, slots=True)
class ApiKind:
    """One kind in one version: the name in paths, and whether its objects live in namespaces."""

    api_version: str
    plural: str
    namespaced: bool
    listable: bool = True

    def path(self, namespace: str = "", name: str = "") -> str:
        """Return the path of an object, of a namespace's objects, or of all objects."""
        root = f"/apis/{self.api_version}" if "/" in self.api_version else f"/api/{self.api_version}"
        where = f"/namespaces/{quote(namespace, safe='')}" if namespace and self.namespaced else ""
        what = f"/{quote(name, safe='')}" if name else ""
        return f"{root}{where}/{self.plural}{what}"


class Discovery:
    """Knows the kinds of one API server, and asks again when one is missing.

    Args:
        client: How to ask.
    """

    def __init__(
        self,
        client: KubeClient,
        *,
        monotonic: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._client = client
        self._monotonic = monotonic
        self._sleep = sleep
        self._kinds: dict[tuple[str, str], dict[str, ApiKind]] = {}
        self._stale: frozenset[str] = frozenset()
        self._asked: float | None = None
        self._expected: set[tuple[str, str]] = set()

    def scopes(self) -> Mapping[tuple[str, str], bool]:
        """Return (group, kind) to whether its objects live in namespaces."""
        self._ensure()
        return {key: next(iter(found.values())).namespaced for key, found in self._kinds.items()}

    def expect(self, group: str, kind: str) -> None:
        """Note that a kind was just defined or changed: its discovery may lag behind."""
        self._expected.add((group, kind))
        self._asked = None

    def find(self, group: str, kind: str, version: str = "") -> ApiKind | None:
        """Return a kind, or None where the server does not have it.

        Args:
            group: Its API group.
            kind: Its name.
            version: The version that is wanted; "" for the one that the server prefers.

        Raises:
            TargetUnreachable: The server cannot tell at the moment: what serves the group does not answer.
        """
        self._ensure()
        found = self._lookup(group, kind, version)
        if found is None and self._old():
            self.refresh()
            found = self._lookup(group, kind, version)
        if found is None and (group, kind) in self._expected:
            end = self._monotonic() + _PATIENCE
            while found is None and self._monotonic() < end:
                self._sleep(0.2)
                self.refresh()
                found = self._lookup(group, kind, version)
        self._expected.discard((group, kind))
        if found is None and group in self._stale:
            raise TargetUnreachable(
                f"the API group {group} cannot be asked at the moment: what serves it does not answer",
                code="api-group-stale",
            )
        return found

    def of(self, id_: ResourceId, api_version: str) -> ApiKind:
        """Return the kind of an object, in the version that it is written in.

        Raises:
            TargetRefused: The server has no such kind.
        """
        found = self.find(id_.group, id_.kind, split_api_version(api_version)[1])
        if found is None:
            raise TargetRefused(
                f'no matches for kind "{id_.kind}" in version "{api_version}"',
                reason="NotFound",
                status=404,
                code="kind-unknown",
                hint="add its CustomResourceDefinition to the overlay, or correct apiVersion and kind",
            )
        return found

    def refresh(self) -> None:
        """Ask the server for all of its kinds.

        Raises:
            TargetUnreachable: It gives no answer.
        """
        kinds: dict[tuple[str, str], dict[str, ApiKind]] = {}
        stale: set[str] = set()
        for path in ("/api", "/apis"):
            document = self._client.request("GET", path, accept=_AGGREGATED)
            if document.get("kind") == "APIGroupDiscoveryList":
                for group in document.get("items") or ():
                    _read_group(group, kinds, stale)
            else:
                self._legacy(document, kinds, stale)
        self._kinds, self._stale, self._asked = kinds, frozenset(stale), self._monotonic()

    def _legacy(
        self, document: Any, kinds: dict[tuple[str, str], dict[str, ApiKind]], stale: set[str]
    ) -> None:
        """Read what a server without aggregated discovery has, version by version."""
        versions = [str(version) for version in document.get("versions") or ()]
        for group in document.get("groups") or ():
            preferred = str((group.get("preferredVersion") or {}).get("groupVersion") or "")
            names = [str(version.get("groupVersion")) for version in group.get("versions") or ()]
            versions.extend(sorted(names, key=lambda name: name != preferred))
        for name in versions:
            root = "/apis/" if "/" in name else "/api/"
            try:
                found = self._client.request("GET", root + name)
            except (TargetRefused, TargetUnreachable):
                if "/" not in name:
                    raise
                stale.add(split_api_version(name)[0])
                continue
            for row in found.get("resources") or ():
                if "/" not in str(row.get("name")):
                    key = (split_api_version(name)[0], str(row.get("kind")))
                    verbs = row.get("verbs") or ()
                    kind = ApiKind(name, str(row.get("name")), bool(row.get("namespaced")), "list" in verbs)
                    _add(kinds, key, kind, verbs)

    def _ensure(self) -> None:
        if self._asked is None:
            self.refresh()

    def _old(self) -> bool:
        return self._asked is None or self._monotonic() - self._asked > _SPACING

    def _lookup(self, group: str, kind: str, version: str) -> ApiKind | None:
        versions = self._kinds.get((group, kind))
        if not versions:
            return None
        return versions.get(version) if version else next(iter(versions.values()))


def _read_group(
    group: Mapping[str, Any], kinds: dict[tuple[str, str], dict[str, ApiKind]], stale: set[str]
) -> None:
    """Read one group of an aggregated discovery document; its versions come in order of preference."""
    name = str((group.get("metadata") or {}).get("name") or "")
    for version in group.get("versions") or ():
        if version.get("freshness") == "Stale":
            stale.add(name)
        api_version = f"{name}/{version['version']}" if name else str(version["version"])
        for row in version.get("resources") or ():
            kind = str((row.get("responseKind") or {}).get("kind") or "")
            if kind:
                verbs = row.get("verbs") or ()
                found = ApiKind(
                    api_version, str(row.get("resource")), row.get("scope") == "Namespaced", "list" in verbs
                )
                _add(kinds, (name, kind), found, verbs)


def _add(
    kinds: dict[tuple[str, str], dict[str, ApiKind]],
    key: tuple[str, str],
    found: ApiKind,
    verbs: Iterable[str],
) -> None:
    if "patch" in verbs or "delete" in verbs:
        kinds.setdefault(key, {}).setdefault(split_api_version(found.api_version)[1], found)
