"""Kubernetes objects as values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, TypeAlias

__all__ = ["Manifest", "Resource", "ResourceId", "split_api_version"]

#: A Kubernetes object as plain Python values. Never changed once it stands in a `Resource`.
Manifest: TypeAlias = Mapping[str, Any]


@dataclass(frozen=True, slots=True, order=True)
class ResourceId:
    """What makes an object the same object: its group, kind, namespace and name.

    The API version is left out on purpose: `apps/v1` and `apps/v1beta1` name one Deployment.
    A cluster-scoped object has the namespace "".
    """

    group: str
    kind: str
    namespace: str
    name: str

    def __str__(self) -> str:
        kind = f"{self.kind}.{self.group}" if self.group else self.kind
        return f"{kind}/{self.namespace}/{self.name}" if self.namespace else f"{kind}/{self.name}"


def split_api_version(api_version: str) -> tuple[str, str]:
    """Split `apps/v1` into ("apps", "v1"), and `v1` into ("", "v1")."""
    group, _, version = api_version.rpartition("/")
    return group, version


@dataclass(frozen=True, repr=False, init=False)
class Resource:
    """One object of a rendered site.

    Attributes:
        manifest: The whole object; treat it as immutable.
    """

    manifest: Manifest

    def __init__(self, manifest: Manifest) -> None:
        # A check makes hundreds of thousands: this is twice as fast as the way of a frozen dataclass.
        self.__dict__["manifest"] = manifest

    def __repr__(self) -> str:
        """Name the object; its content may be a Secret's."""
        return f"Resource({self.id})"

    def of(self, manifest: Manifest) -> Resource:
        """Return the same object with other content: its kind, namespace and name stay."""
        changed = Resource(manifest)
        if "id" in self.__dict__:
            changed.__dict__["id"] = self.id
        if "kind" in self.__dict__:
            changed.__dict__["kind"] = self.kind
        return changed

    @cached_property
    def id(self) -> ResourceId:
        """The object's identity."""
        metadata = _mapping(self.manifest.get("metadata"))
        return ResourceId(
            group=split_api_version(self.api_version)[0],
            kind=str(self.manifest.get("kind", "")),
            namespace=str(metadata.get("namespace") or ""),
            name=str(metadata.get("name") or ""),
        )

    @property
    def api_version(self) -> str:
        """`apiVersion` as written, for example `apps/v1`."""
        return str(self.manifest.get("apiVersion", ""))

    @cached_property
    def kind(self) -> str:
        """`kind` as written."""
        return str(self.manifest.get("kind", ""))

    @property
    def labels(self) -> Mapping[str, str]:
        """`metadata.labels`, empty where there are none."""
        return _mapping(_mapping(self.manifest.get("metadata")).get("labels"))

    @property
    def annotations(self) -> Mapping[str, str]:
        """`metadata.annotations`, empty where there are none."""
        return _mapping(_mapping(self.manifest.get("metadata")).get("annotations"))


def _mapping(value: Any) -> Mapping[str, Any]:
    """Return a mapping as it is, anything else as an empty one: the schema check names it."""
    if value.__class__ is dict:  # nearly always, and much cheaper to ask than for any mapping
        return value
    return value if isinstance(value, Mapping) else {}
