"""The `Site` object in the cluster: status for people, and parent of the ApplySet (KEP-3659)."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

from reconciler import health
from reconciler.adapters.kube.client import KubeClient
from reconciler.adapters.kube.discovery import ApiKind, Discovery
from reconciler.adapters.kube.site_crd import SITE_VERSION, site_crd
from reconciler.errors import TargetRefused
from reconciler.model.plan import HealthStatus, Inventory
from reconciler.model.resource import Manifest
from reconciler.planning.applyset import (
    FIELD_MANAGER,
    SITE_GROUP,
    SITE_KIND,
    applyset_id,
    group_kinds,
    namespaces,
)

__all__ = ["SiteObject"]

_TOOLING = "applyset.kubernetes.io/tooling"
_GROUP_KINDS = "applyset.kubernetes.io/contains-group-kinds"
_NAMESPACES = "applyset.kubernetes.io/additional-namespaces"
_SITES = ApiKind(f"{SITE_GROUP}/{SITE_VERSION}", "sites", namespaced=True)
_NAMESPACE = ApiKind("v1", "namespaces", namespaced=False)
_CRDS = ApiKind("apiextensions.k8s.io/v1", "customresourcedefinitions", namespaced=False)
_APPLY = "application/apply-patch+yaml"
#: Seconds to wait for the kind to be served after its definition was made.
_PATIENCE = 15.0


class SiteObject:
    """Reads and writes one site's object. What it last read is kept, so that nothing is written twice.

    Args:
        client: How to ask.
        discovery: Is told of the kind when it is installed.
        site: The site's name.
        namespace: The agent's namespace.
    """

    def __init__(self, client: KubeClient, discovery: Discovery, site: str, namespace: str) -> None:
        self._client = client
        self._discovery = discovery
        self._site = site
        self._namespace = namespace
        self._live: Manifest | None = None

    @property
    def generation(self) -> int:
        """The generation of the spec, as last read or written."""
        return int(((self._live or {}).get("metadata") or {}).get("generation") or 0)

    @property
    def uid(self) -> str:
        """The object's uid, as last read or written."""
        return str(((self._live or {}).get("metadata") or {}).get("uid") or "")

    def read(self) -> Manifest | None:
        """Return the object, or None where it, its namespace or its kind is not there."""
        try:
            self._live = self._client.request("GET", self._path)
        except TargetRefused as err:
            if err.status != 404:
                raise
            self._live = None
        return self._live

    def group_kinds(self) -> frozenset[tuple[str, str]]:
        """Return (group, kind) of everything that the set may hold, as last read."""
        names = self._annotations.get(_GROUP_KINDS, "").split(",")
        parts = (name.strip().partition(".") for name in names if name.strip())
        return frozenset((group, kind) for kind, _, group in parts)

    def namespaces(self) -> frozenset[str]:
        """Return the namespaces that the set reaches into, as last read."""
        names = self._annotations.get(_NAMESPACES, "").split(",")
        return frozenset({name.strip() for name in names if name.strip()} | {self._namespace})

    def save_inventory(self, inventory: Inventory) -> None:
        """Write which kinds and namespaces the set reaches into; no request where that is written already.

        Raises:
            TargetRefused: The object cannot be written, or its kind is not installed and may not be.
        """
        annotations = {
            _TOOLING: "wayside/v0.1",
            _GROUP_KINDS: group_kinds(inventory.entries),
            _NAMESPACES: namespaces(inventory.entries, self._namespace),
        }
        labels = {"applyset.kubernetes.io/id": applyset_id(self._site, self._namespace)}
        metadata = (self._live or {}).get("metadata") or {}
        if (
            annotations.items() <= (metadata.get("annotations") or {}).items()
            and labels.items() <= (metadata.get("labels") or {}).items()
        ):
            return
        self._live = self._apply(
            {"metadata": {"labels": labels, "annotations": annotations}}, f"{FIELD_MANAGER}-applyset"
        )

    def publish(self, spec: Mapping[str, Any], labels: Mapping[str, str] | None = None) -> None:
        """Write the site's facts; no request where they are written already."""
        live = self._live or {}
        have = (live.get("metadata") or {}).get("labels") or {}
        if live.get("spec") == dict(spec) and dict(labels or {}).items() <= have.items():
            return
        self._live = self._apply(
            {"metadata": {"labels": dict(labels or {})}, "spec": dict(spec)}, FIELD_MANAGER
        )

    def publish_status(self, status: Mapping[str, Any]) -> None:
        """Write the status; no request where it is written already.

        Args:
            status: The whole status: conditions, revisions, inventory count.
        """
        if (self._live or {}).get("status") == dict(status):
            return
        self._live = self._apply({"status": dict(status)}, f"{FIELD_MANAGER}-status", "/status")

    def remove(self) -> None:
        """Delete the object; one that is not there is no error. Nothing that it lists is touched.

        Raises:
            TargetError: It cannot be deleted.
        """
        self._client.remove(self._path)
        self._live = None

    def ensure_installed(self) -> None:
        """Make the agent's namespace and the kind `Site` where they are missing.

        A kind that is there is brought up to date, and left as it is where it may not be changed.

        Raises:
            TargetRefused: They are missing and may not be made; the hint says what to apply.
        """
        crd = site_crd()
        namespace = {
            "apiVersion": "v1",
            "kind": "Namespace",
            "metadata": {"name": self._namespace},
        }
        try:
            if self._missing(_NAMESPACE.path(name=self._namespace)):
                self._patch(_NAMESPACE.path(name=self._namespace), namespace, FIELD_MANAGER)
            path = _CRDS.path(name=crd["metadata"]["name"])
            missing = self._missing(path)
            try:
                self._patch(path, crd, FIELD_MANAGER)
            except TargetRefused as err:
                if missing or err.status != 403:
                    raise
            if missing:
                self._discovery.expect(SITE_GROUP, SITE_KIND)
            self._await_established(path)
        except TargetRefused as err:
            raise TargetRefused(
                f"the kind sites.{SITE_GROUP} or the namespace {self._namespace} is missing and may not be "
                f"made by the agent: {err.message}",
                reason=err.reason,
                status=err.status,
                code="not-installed",
                hint="run `wayside install SITE` and apply what it writes",
            ) from err

    @property
    def _path(self) -> str:
        return _SITES.path(self._namespace, self._site)

    @property
    def _annotations(self) -> Mapping[str, str]:
        return ((self._live or {}).get("metadata") or {}).get("annotations") or {}

    def _apply(self, content: Mapping[str, Any], manager: str, subresource: str = "") -> Manifest:
        """Apply a part of the object, under a manager of its own, so that parts do not undo each other."""
        metadata = {**content.get("metadata", {}), "name": self._site, "namespace": self._namespace}
        body = {**content, "apiVersion": _SITES.api_version, "kind": SITE_KIND, "metadata": metadata}
        try:
            return self._patch(self._path + subresource, body, manager)
        except TargetRefused as err:
            if err.status != 404 or subresource:
                raise
        self.ensure_installed()
        end = time.monotonic() + _PATIENCE
        while True:
            try:
                return self._patch(self._path, body, manager)
            except TargetRefused as err:
                if err.status != 404 or time.monotonic() > end:
                    raise
            time.sleep(0.2)

    def _patch(self, path: str, body: Mapping[str, Any], manager: str) -> Manifest:
        query = {"fieldManager": manager, "force": "true", "fieldValidation": "Strict"}
        live: Manifest = self._client.request("PATCH", path, query=query, body=body, content_type=_APPLY)
        return live

    def _missing(self, path: str) -> bool:
        try:
            self._client.request("GET", path)
        except TargetRefused as err:
            if err.status != 404:
                raise
            return True
        return False

    def _await_established(self, path: str) -> None:
        end = time.monotonic() + _PATIENCE
        while health.assess(self._client.request("GET", path)).status is not HealthStatus.CURRENT:
            if time.monotonic() > end:
                raise TargetRefused(f"the kind sites.{SITE_GROUP} is not served after {_PATIENCE:.0f} s")
            time.sleep(0.1)
