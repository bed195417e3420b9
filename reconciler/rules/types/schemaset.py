"""All schemas of a site's objects: built-in kinds, custom resources, and the fleet's own."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import cached_property
from typing import TYPE_CHECKING, Any

from reconciler.model.finding import Finding, NotChecked, Severity, Violation
from reconciler.model.location import Location
from reconciler.model.resource import Manifest, Resource, split_api_version
from reconciler.rules.types.builtin import BuiltinTypes
from reconciler.rules.types.catalogue import TypeCatalogue
from reconciler.rules.types.names import name_problems
from reconciler.rules.types.problem import Problem
from reconciler.rules.types.removed import absent_kind

if TYPE_CHECKING:
    from reconciler.rules.types.crd import CustomKind
    from reconciler.rules.types.custom import CustomSchemas
    from reconciler.rules.types.jsonschemas import Address, JsonSchema

__all__ = ["RULE", "SchemaSet"]

RULE = "schema"
#: Types with rules that read metadata and the rest together.
_WHOLE = frozenset({"core.v1.Secret", "scheduling.v1.PriorityClass"})
_REMEMBERED = 8192
_TOO_DEEP = Problem((), "nested too deeply to be checked", "the API server takes no such object either")
_HOW_TO_ADD = "add its CRD or a JSON Schema to schemas/"


class SchemaSet:
    """The schemas of one Kubernetes version and one set of custom resources. Made by `load`.

    Args:
        version: (major, minor) of Kubernetes.
        crds: CustomResourceDefinitions.

    Attributes:
        findings: What is wrong with JSON Schemas of the fleet's own. Mistakes in a CRD are violations of that
            object, found by `check`.
    """

    def __init__(self, *, version: tuple[int, int], crds: tuple[Manifest, ...] = ()) -> None:
        self._catalogue = TypeCatalogue(version[1])
        self._types = BuiltinTypes(self._catalogue)
        self._definitions = crds
        self._own: list[tuple[Address, JsonSchema]] = []
        self.findings: tuple[Finding, ...] = ()
        # Accepted content by the identity of its parts, which the values here keep alive.
        self._accepted: dict[tuple[Any, ...], tuple[Any, ...]] = {}

    @classmethod
    def load(
        cls,
        version: tuple[int, int],
        crds: Iterable[Manifest] = (),
        json_schemas: Mapping[str, Any] | None = None,
    ) -> SchemaSet:
        """Make the schemas that a site's objects are checked against. Nothing is compiled before it is used.

        Args:
            version: (major, minor) of the site's Kubernetes. A version that is not known here counts as the
                nearest that is.
            crds: CustomResourceDefinitions, rendered ones and those of `schemas/`. Other objects are passed
                over.
            json_schemas: Parsed JSON Schemas by the paths of their files.
        """
        made = cls(version=version, crds=tuple(each for each in crds if _is_definition(each)))
        if json_schemas:
            made._add(json_schemas)
        return made

    def _add(self, json_schemas: Mapping[str, Any]) -> None:
        from reconciler.rules.types.jsonschemas import JsonSchema, UnusableSchema, address

        findings = []
        for path, document in sorted(json_schemas.items()):
            schema = JsonSchema(path, document)
            try:
                self._own += [(each, schema) for each in address(path, document)]
                wrong = schema.broken()
            except UnusableSchema as err:
                wrong = str(err)
            if wrong:
                findings.append(Finding(RULE, Severity.ERROR, wrong, Location(path)))
        self.findings = tuple(findings)

    @property
    def has_definitions(self) -> bool:
        """Whether there are custom kinds."""
        return bool(self._definitions)

    @cached_property
    def _custom(self) -> CustomSchemas:
        from reconciler.rules.types.custom import CustomSchemas

        return CustomSchemas(self._definitions, self._types, f"1.{self._catalogue.minor}")

    def check(self, resource: Resource, old: Resource | None = None) -> tuple[Violation, ...] | NotChecked:
        """Check one object as the API server would with `fieldValidation=Strict`.

        Args:
            resource: The object.
            old: The object that it replaces, for transition rules; None for a new one.

        Returns:
            What the server would refuse; () for a good object; NotChecked where there is no schema for its
            kind.
        """
        try:
            found = self._problems(resource, old)
        except RecursionError:
            found = (_TOO_DEEP,)
        if isinstance(found, str):
            return NotChecked(RULE, found)
        return tuple(
            Violation(RULE, Severity.ERROR, each.message, each.hint, resource.id, each.path) for each in found
        )

    def _problems(self, resource: Resource, old: Resource | None) -> tuple[Problem, ...] | str:
        group, version = split_api_version(resource.api_version)
        kind = resource.kind
        name = self._catalogue.kind(group, version, kind)
        if name is not None:
            return self._builtin_problems(name, group, resource)
        if self._definitions and (versions := self._custom.versions(group, kind)):
            custom = versions.get(version)
            if custom is None:
                served = ", ".join(sorted(versions))
                text = f"the CRD of {kind} serves no version {version!r}, but {served}"
                return (Problem(("apiVersion",), text, f"write apiVersion: {group}/{max(versions)}"),)
            if not self._custom.is_usable(custom):
                return f"the CRD of {group}/{version} {kind} has a broken schema; correct that first"
            return tuple(self._custom_problems(custom, resource.manifest, old))
        for each, schema in self._own:
            if each.fits(group, version, kind):
                if schema.broken():
                    return f"{schema.path} is no JSON Schema that can be used: {schema.broken()}"
                return (*schema.problems(resource.manifest), *self._metadata_problems(resource.manifest))
        absent = absent_kind(self._catalogue, group, version, kind)
        if absent is not None:
            return (absent,)
        return f"no schema for {resource.api_version} {kind}; {_HOW_TO_ADD}"

    def _builtin_problems(self, name: str, group: str, resource: Resource) -> tuple[Problem, ...]:
        manifest = resource.manifest
        if not self._accepts(name, manifest):
            found = self._types.problems(name, manifest)
            if found:
                return found
        names = tuple(name_problems(group, resource.kind, manifest.get("metadata"), self._catalogue.minor))
        if _is_definition(manifest):
            return (*names, *self._custom.definition_problems(manifest))
        return names

    def _accepts(self, name: str, manifest: Manifest) -> bool:
        if name in _WHOLE:
            return self._types.accepts(name, manifest)
        if not self._types.accepts("meta.v1.ObjectMeta", manifest.get("metadata") or {}):
            return False
        content = {key: value for key, value in manifest.items() if key != "metadata"}
        return self._remembered(name, manifest, lambda: self._types.accepts(name, content))

    def _remembered(self, name: str, manifest: Manifest, accepts: Callable[[], bool]) -> bool:
        """Ask once for all objects that share everything but their metadata."""
        parts = tuple(value for key, value in manifest.items() if key != "metadata")
        key = (name, *(key for key in manifest if key != "metadata"), *map(id, parts))
        if key in self._accepted:
            return True
        if not accepts():
            return False
        if len(self._accepted) >= _REMEMBERED:
            self._accepted.clear()
        self._accepted[key] = parts
        return True

    def _metadata_problems(self, manifest: Manifest) -> Iterator[Problem]:
        for each in self._types.problems("meta.v1.ObjectMeta", manifest.get("metadata") or {}):
            yield Problem(("metadata", *each.path), each.message, each.hint)

    def _custom_problems(
        self, custom: CustomKind, manifest: Manifest, old: Resource | None
    ) -> Iterator[Problem]:
        found = list(self._metadata_problems(manifest))
        if found:
            yield from found
            return
        yield from name_problems(custom.group, custom.kind, manifest.get("metadata"), self._catalogue.minor)
        before = None if old is None else old.manifest
        if before is None and not custom.schema.get("x-kubernetes-validations"):

            def accepts() -> bool:
                return next(self._custom.problems(custom, manifest, None), None) is None

            if self._remembered(f"{custom.group}/{custom.version} {custom.kind}", manifest, accepts):
                return
        yield from self._custom.problems(custom, manifest, before)


def _is_definition(manifest: Manifest) -> bool:
    api_version = str(manifest.get("apiVersion", ""))
    return manifest.get("kind") == "CustomResourceDefinition" and api_version.startswith(
        "apiextensions.k8s.io/"
    )
