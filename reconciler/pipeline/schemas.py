"""Schemas of a fleet's objects: Kubernetes types by each site's version, its CRDs, and its own JSON Schemas.

They are asked in the check only: at the site, the API server's dry-run takes their place. So what they find
stays outside of the verdict's digest.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from reconciler.documents import yaml
from reconciler.documents.tree import EntryType, FileTree, walk
from reconciler.documents.yaml import Document
from reconciler.errors import DocumentError
from reconciler.model.finding import Finding, NotChecked, Severity, Violation
from reconciler.model.fleet import Fleet
from reconciler.model.location import Location
from reconciler.model.resource import Manifest, Resource
from reconciler.model.site import Site
from reconciler.rules.types.catalogue import LAST_MINOR
from reconciler.rules.types.schemaset import SchemaSet

__all__ = ["SchemaBook"]

_RULE = "schema"
_CRD = "CustomResourceDefinition"


class SchemaBook:
    """All schemas of a fleet; sets are shared by sites of one version and the same CRDs.

    Attributes:
        findings: What is wrong with schema files.
    """

    def __init__(self, *, definitions: Sequence[Manifest], json_schemas: Mapping[str, Any]) -> None:
        self._definitions = tuple(definitions)
        self._json_schemas = json_schemas
        self._sets: dict[tuple[object, ...], tuple[SchemaSet, tuple[Manifest, ...]]] = {}
        self.findings: tuple[Finding, ...] = ()

    @classmethod
    def load(cls, *, fleet: Fleet, tree: FileTree) -> SchemaBook:
        """Read the schemas of a fleet: CRDs in YAML files, JSON Schemas in JSON files.

        Args:
            fleet: The fleet, which says where they are.
            tree: Its files.
        """
        documents: list[Document] = []
        json_schemas: dict[str, Any] = {}
        findings: list[Finding] = []
        for path in _files(tree, fleet.schema_paths):
            try:
                if path.endswith(".json"):
                    json_schemas[path] = json.loads(tree.read(path))
                elif path.endswith((".yaml", ".yml")):
                    documents += (
                        document
                        for document in yaml.load(tree.read(path), path)
                        if isinstance(document.value, dict) and document.value.get("kind") == _CRD
                    )
            except DocumentError as err:
                findings.append(
                    Finding("yaml", Severity.ERROR, err.message, err.at or Location(path), err.hint)
                )
            except ValueError as err:
                at = Location(path, getattr(err, "lineno", 1), getattr(err, "colno", 1))
                findings.append(Finding(_RULE, Severity.ERROR, f"expected JSON: {err}", at))
            except RecursionError:
                findings.append(
                    Finding(_RULE, Severity.ERROR, "nested too deeply to be read", Location(path))
                )
        book = cls(definitions=[document.value for document in documents], json_schemas=json_schemas)
        # What the oldest server of the fleet takes, the others take too.
        oldest = min((site.kubernetes_version for site in fleet.sites.values()), default=(1, LAST_MINOR))
        findings += _definition_findings(documents, oldest, tree)
        findings += SchemaSet.load((1, 0), (), json_schemas).findings
        book.findings = tuple(findings)
        return book

    def check(
        self, site: Site, resources: Sequence[Resource]
    ) -> tuple[tuple[Violation, ...], tuple[NotChecked, ...]]:
        """Check the objects of a site.

        Args:
            site: The site, for its version of Kubernetes.
            resources: Its desired set; CRDs among them are schemas too.
        """
        schemas = self._set(site, resources)
        violations: list[Violation] = []
        kinds: dict[str, NotChecked] = {}
        for resource in resources:
            answer = schemas.check(resource)
            if isinstance(answer, NotChecked):
                # Said once for a kind, not once for an object.
                kinds.setdefault(answer.reason, NotChecked(answer.rule, answer.reason, (site.name,)))
            else:
                violations += answer
        return tuple(violations), tuple(kinds.values())

    def compares(self, resources: Sequence[Resource]) -> bool:
        """Tell whether there may be rules that ask for an old object: those of custom kinds."""
        return bool(self._definitions) or any(resource.kind == _CRD for resource in resources)

    def compare(
        self, site: Site, resources: Sequence[Resource], before: Sequence[Resource]
    ) -> tuple[Violation, ...]:
        """Return what the schemas refuse of updates alone: what their transition rules say.

        Args:
            site: The site, for its version of Kubernetes.
            resources: Its desired set; CRDs among them are schemas too.
            before: What was there.
        """
        schemas = self._set(site, resources)
        if not schemas.has_definitions:
            return ()
        old = {resource.id: resource for resource in before}
        found: list[Violation] = []
        for resource in resources:
            earlier = old.get(resource.id)
            if earlier is None or earlier.manifest == resource.manifest:
                continue
            of_update, of_object = schemas.check(resource, earlier), schemas.check(resource)
            if isinstance(of_update, tuple) and isinstance(of_object, tuple):
                found += (each for each in of_update if each not in of_object)
        return tuple(found)

    def _set(self, site: Site, resources: Sequence[Resource]) -> SchemaSet:
        rendered = tuple(resource.manifest for resource in resources if resource.kind == _CRD)
        # A CRD of a shared base is the same object at every site, but for its labels.
        key = (site.kubernetes_version, *(id(manifest.get("spec")) for manifest in rendered))
        found = self._sets.get(key)
        if found is None:
            schemas = SchemaSet.load(
                site.kubernetes_version, (*self._definitions, *rendered), self._json_schemas
            )
            found = self._sets[key] = (schemas, rendered)
        return found[0]


def _definition_findings(
    documents: Sequence[Document], version: tuple[int, int], tree: FileTree
) -> Iterator[Finding]:
    """Yield what a server would refuse in the definitions of schema files, each on its line."""
    if not documents:
        return
    schemas = SchemaSet.load(version, [document.value for document in documents])
    for document in documents:
        answer = schemas.check(Resource(document.value))
        for violation in answer if isinstance(answer, tuple) else ():
            data = tree.read(document.path)
            at = yaml.locate(data, document.path, violation.field_path, index=document.index)
            yield Finding(
                _RULE,
                violation.severity,
                violation.message,
                at,
                violation.hint,
                resource=violation.resource,
                field_path=violation.field_path,
            )


def _files(tree: FileTree, paths: Sequence[str]) -> list[str]:
    found: list[str] = []
    for path in paths:
        match tree.entry_type(path):
            case EntryType.DIRECTORY:
                found += walk(tree, path)
            case EntryType.FILE:
                found.append(path)
            case None:
                pass
    return found
