"""A resource while it is built: its body, which is shared and never changed, and what is known about it."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cache
from typing import Any, NamedTuple

from reconciler.render.scalars import is_null, text_of
from reconciler.render.schema import is_cluster_scoped

__all__ = ["CLUSTER", "Gvk", "Identity", "Item", "effective_namespace", "split_version"]

#: The namespace that stands for "no namespace".
CLUSTER = "_non_namespaceable_"


class Gvk(NamedTuple):
    """Group, version and kind; as a selector, an empty one matches anything."""

    group: str
    version: str
    kind: str

    def selected_by(self, selector: Gvk) -> bool:
        """Return whether this kind is one that `selector` names."""
        return (
            (not selector.kind or selector.kind == self.kind)
            and (not selector.group or selector.group == self.group)
            and (not selector.version or selector.version == self.version)
        )

    def __str__(self) -> str:
        return f"{self.kind or '[noKind]'}.{self.version or '[noVer]'}.{self.group or '[noGrp]'}"


class Identity(NamedTuple):
    """An identity that a resource has or had, as kustomize compares them."""

    namespace: str
    name: str
    kind: str


def split_version(api_version: str) -> tuple[str, str]:
    """Split an apiVersion at its first slash into group and version."""
    group, slash, version = api_version.partition("/")
    return (group, version) if slash else ("", group)


def effective_namespace(api_version: str, kind: str, namespace: str) -> str:
    """Return the namespace by which resources are compared."""
    if is_cluster_scoped(api_version, kind):
        return CLUSTER
    return namespace or "default"


def _text(value: Any) -> str:
    if value.__class__ is str:
        return value
    return "" if value is None or is_null(value) else text_of(value)


@cache
def _gvk(api_version: str, kind: str) -> Gvk:
    group, version = split_version(api_version)
    return Gvk(group, version, kind)


@dataclass(slots=True)
class Item:
    """A resource in a build.

    Attributes:
        body: The object. It and everything in it is shared between builds: replace it, never change it.
        previous: Identities that it had before its name, namespace or kind were changed, oldest first.
        prefixes: Name prefixes that were added, innermost first.
        suffixes: Name suffixes that were added, innermost first.
        needs_hash: Whether a hash of its content is to be added to its name.
        behavior: What a generator wants done where the resource exists: "", "create", "replace", "merge".
        variables: Names of vars that read from it.
        odd: Whether its body holds scalars with a text of their own.
        linked: Whether its body holds `LinkedText`.
        restyled: Whether it went through JSON, so that quotes of its source are forgotten.
        merged: Whether a patch was merged into it, which puts words such as `yes` in quotes.
        allow_name: As a patch, whether it may change the name of what it patches.
        allow_kind: As a patch, whether it may change the kind of what it patches.
        origin: What `buildMetadata: [originAnnotations]` says, or None.
        transformations: What `buildMetadata: [transformerAnnotations]` says, or None where there are none.
        source_field: Where it stands in that document; () for the document itself.
        history: Steps that changed it, where the build keeps them.
        source: Path of the file that it was read from and number of the document, or None.
    """

    body: dict[str, Any]
    previous: tuple[Identity, ...] = ()
    prefixes: tuple[str, ...] = ()
    suffixes: tuple[str, ...] = ()
    needs_hash: bool = False
    behavior: str = ""
    variables: tuple[str, ...] = ()
    odd: bool = False
    linked: bool = False
    restyled: bool = False
    merged: bool = False
    allow_name: bool = False
    allow_kind: bool = False
    origin: dict[str, Any] | None = None
    transformations: tuple[dict[str, Any], ...] = ()
    source: tuple[str, int] | None = None
    source_field: tuple[str | int, ...] = ()
    history: tuple[Any, ...] = ()
    _seen: tuple[Any, Identity] | None = field(default=None, compare=False, repr=False)

    def copy(self) -> Item:
        """Return an item that can be changed without changing this one."""
        return Item(
            self.body,
            self.previous,
            self.prefixes,
            self.suffixes,
            self.needs_hash,
            self.behavior,
            self.variables,
            self.odd,
            self.linked,
            self.restyled,
            self.merged,
            self.allow_name,
            self.allow_kind,
            self.origin,
            self.transformations,
            self.source,
            self.source_field,
            self.history,
            self._seen,
        )

    @property
    def api_version(self) -> str:
        """`apiVersion` as text."""
        return _text(self.body.get("apiVersion"))

    @property
    def kind(self) -> str:
        """`kind` as text."""
        return _text(self.body.get("kind"))

    @property
    def gvk(self) -> Gvk:
        """Group, version and kind."""
        api_version, kind = self.body.get("apiVersion"), self.body.get("kind")
        if api_version.__class__ is not str or kind.__class__ is not str:
            api_version, kind = _text(api_version), _text(kind)
        return _gvk(api_version, kind)

    def _metadata(self, field: str) -> Any:
        metadata = self.body.get("metadata")
        return metadata.get(field) if isinstance(metadata, dict) else None

    @property
    def name(self) -> str:
        """`metadata.name` as text."""
        return _text(self._metadata("name"))

    @property
    def namespace(self) -> str:
        """`metadata.namespace` as text, "" where there is none."""
        return _text(self._metadata("namespace"))

    @property
    def annotations(self) -> dict[str, Any]:
        """`metadata.annotations`, or an empty map."""
        value = self._metadata("annotations")
        return value if isinstance(value, dict) else {}

    @property
    def labels(self) -> dict[str, Any]:
        """`metadata.labels`, or an empty map."""
        value = self._metadata("labels")
        return value if isinstance(value, dict) else {}

    def identity(self) -> Identity:
        """Return the present identity, with the effective namespace."""
        body = self.body
        if self._seen is not None and self._seen[0] is body:
            return self._seen[1]
        found = self._identity(body)
        self._seen = (body, found)
        return found

    @staticmethod
    def _identity(body: dict[str, Any]) -> Identity:
        api_version, kind, metadata = body.get("apiVersion"), body.get("kind"), body.get("metadata")
        if metadata.__class__ is not dict:
            metadata = {}
        name, namespace = metadata.get("name"), metadata.get("namespace")
        # Called often, and nearly always of plain strings: the detour is for the others.
        if kind.__class__ is not str:
            kind = _text(kind)
        if name.__class__ is not str:
            name = _text(name)
        if api_version.__class__ is not str:
            api_version = _text(api_version)
        if is_cluster_scoped(api_version, kind):
            return Identity(CLUSTER, name, kind)
        if namespace.__class__ is not str:
            namespace = _text(namespace)
        return Identity(namespace or "default", name, kind)

    def original(self) -> Identity:
        """Return the identity that the resource was read with."""
        return self.previous[0] if self.previous else self.identity()

    def key(self) -> tuple[str, Identity]:
        """Return what must be unique among the resources of a build."""
        return self.api_version, self.identity()

    def original_gvk(self) -> Gvk:
        """Return group and version as they are, with the kind as it was first."""
        if self.previous:
            return _gvk(_text(self.body.get("apiVersion")), self.previous[0].kind)
        return self.gvk

    def remember(self) -> None:
        """Store the present identity among the previous ones."""
        self.previous = (*self.previous, self.identity())

    def set_metadata(self, field: str, value: Any) -> None:
        """Set a field of `metadata`; None removes it."""
        metadata = self.body.get("metadata")
        changed = dict(metadata) if isinstance(metadata, dict) else {}
        if value is None:
            if field not in changed:
                return
            del changed[field]
        else:
            changed[field] = value
        self.body = {**self.body, "metadata": changed}

    def shown(self) -> str:
        """Return the resource's name for messages."""
        namespace = self.namespace
        return f"{self.kind}/{namespace}/{self.name}" if namespace else f"{self.kind}/{self.name}"
