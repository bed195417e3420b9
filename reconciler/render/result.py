"""What a build gives."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from reconciler.model.fieldpath import FieldPath
from reconciler.model.resource import Resource, ResourceId
from reconciler.render.emitter import to_yaml
from reconciler.render.interning import Interner
from reconciler.render.item import Item
from reconciler.render.origins import Origin
from reconciler.render.scalars import LinkedText, plain

__all__ = ["ResourceSet"]


def _unlinked(node: Any) -> Any:
    """Return a value with linked texts as plain ones; what has none is shared."""
    kind = node.__class__
    if kind is LinkedText:
        return str.__str__(node)
    if kind is dict:
        changed = None
        for name, child in node.items():
            if child.__class__ in (dict, list, LinkedText):
                new = _unlinked(child)
                if new is not child:
                    changed = changed or dict(node)
                    changed[name] = new
        return node if changed is None else changed
    if kind is list:
        items = None
        for index, child in enumerate(node):
            if child.__class__ in (dict, list):
                new = _unlinked(child)
                if new is not child:
                    items = items or list(node)
                    items[index] = new
        return node if items is None else items
    return node


def _manifest(item: Item) -> Mapping[str, Any]:
    if item.odd:
        return plain(item.body)  # type: ignore[no-any-return] # an object is a map
    return _unlinked(item.body) if item.linked else item.body


Tracer = Callable[[ResourceId, FieldPath], Origin]


@dataclass(frozen=True)
class ResourceSet:
    """The resources of a build, in kustomize's order.

    Attributes:
        resources: The resources.
        inputs: Paths of every file that was read to make them.
        hashed: Resources whose name ends in a hash of their content.
    """

    resources: tuple[Resource, ...]
    inputs: frozenset[str]
    hashed: frozenset[ResourceId] = frozenset()
    _tracer: Callable[[], Tracer] | None = field(default=None, compare=False, repr=False)

    @classmethod
    def of(
        cls,
        items: list[Item],
        inputs: frozenset[str],
        tracer: Callable[[], Tracer] | None = None,
        *,
        interner: Interner | None = None,
    ) -> ResourceSet:
        """Return the set of finished items, whose equal parts an interner makes one."""
        share = interner.share if interner is not None else lambda manifest: manifest
        resources = tuple(Resource(share(_manifest(item))) for item in items)
        hashed = frozenset(
            resource.id for resource, item in zip(resources, items, strict=True) if item.needs_hash
        )
        return cls(resources, inputs, hashed, tracer)

    def __iter__(self) -> Iterator[Resource]:
        return iter(self.resources)

    def __len__(self) -> int:
        return len(self.resources)

    def __getstate__(self) -> dict[str, Any]:
        return {"resources": self.resources, "inputs": self.inputs, "hashed": self.hashed}

    def __setstate__(self, state: dict[str, Any]) -> None:
        for name, value in state.items():
            object.__setattr__(self, name, value)
        object.__setattr__(self, "_tracer", None)

    def origin(self, resource: Resource | ResourceId, field: FieldPath) -> Origin:
        """Return where the value of a field comes from: the first call builds the directory once more.

        Args:
            resource: A resource of this set, or its id.
            field: The field; one that does not exist means the nearest parent that does.

        Raises:
            LookupError: There is no such resource, or the set came from another process.
        """
        if self._tracer is None:
            raise LookupError("this set was made in another process: build it here to ask for origins")
        wanted = resource if isinstance(resource, ResourceId) else resource.id
        return self._tracer()(wanted, field)

    def to_yaml(self) -> str:
        """Return the resources as `kubectl kustomize` prints them."""
        return to_yaml(resource.manifest for resource in self.resources)
