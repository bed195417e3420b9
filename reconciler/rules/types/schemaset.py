"""All schemas of a site's objects: built-in kinds, custom resources, and the fleet's own."""

from __future__ import annotations

from typing import Any

from reconciler.model.finding import NotChecked, Severity, Violation
from reconciler.model.resource import Manifest, Resource, split_api_version
from reconciler.rules.types.builtin import BuiltinTypes
from reconciler.rules.types.catalogue import TypeCatalogue
from reconciler.rules.types.names import name_problems
from reconciler.rules.types.problem import Problem
from reconciler.rules.types.removed import absent_kind

__all__ = ["RULE", "SchemaSet"]

RULE = "schema"
#: Types with rules that read metadata and the rest together.
_WHOLE = frozenset({"core.v1.Secret", "scheduling.v1.PriorityClass"})
_REMEMBERED = 8192


class SchemaSet:
    """The schemas of one Kubernetes version and one set of custom resources. Made by `load`."""

    def __init__(self, *, version: tuple[int, int]) -> None:
        self._version = version
        self._catalogue = TypeCatalogue(version[1])
        self._types = BuiltinTypes(self._catalogue)
        # Accepted content by the identity of its parts, which the values here keep alive.
        self._accepted: dict[tuple[Any, ...], tuple[Any, ...]] = {}

    @classmethod
    def load(
        cls,
        version: tuple[int, int],
    ) -> SchemaSet:
        """Make the schemas that a site's objects are checked against."""
        return cls(version=version)

    def check(self, resource: Resource) -> tuple[Violation, ...] | NotChecked:
        """Check one object as the API server would with `fieldValidation=Strict`.

        Returns:
            What the server would refuse; () for a good object; NotChecked where there is no schema for its
            kind.
        """
        found = self._problems(resource)
        if found is None:
            return NotChecked(RULE, f"no schema for {resource.api_version} {resource.kind}")
        return tuple(
            Violation(RULE, Severity.ERROR, each.message, each.hint, resource.id, each.path) for each in found
        )

    def _problems(self, resource: Resource) -> tuple[Problem, ...] | None:
        group, version = split_api_version(resource.api_version)
        name = self._catalogue.kind(group, version, resource.kind)
        if name is None:
            absent = absent_kind(self._catalogue, group, version, resource.kind)
            return None if absent is None else (absent,)
        manifest = resource.manifest
        if not self._accepts(name, manifest):
            found = self._types.problems(name, manifest)
            if found:
                return found
        return tuple(name_problems(group, resource.kind, manifest.get("metadata"), self._version[1]))

    def _accepts(self, name: str, manifest: Manifest) -> bool:
        if name in _WHOLE:
            return self._types.accepts(name, manifest)
        if not self._types.accepts("meta.v1.ObjectMeta", manifest.get("metadata") or {}):
            return False
        parts = tuple(value for key, value in manifest.items() if key != "metadata")
        key = (name, *(key for key in manifest if key != "metadata"), *map(id, parts))
        if key in self._accepted:
            return True
        if not self._types.accepts(name, manifest):
            return False
        if len(self._accepted) >= _REMEMBERED:
            self._accepted.clear()
        self._accepted[key] = parts
        return True
