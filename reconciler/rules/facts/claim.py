"""The storage that a site's objects claim."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from reconciler.model.fieldpath import FieldPath, format_field_path
from reconciler.model.resource import Resource
from reconciler.rules.facts.plain import as_list, as_mapping, dig

__all__ = ["claim_values"]


def claim_values(resources: Sequence[Resource]) -> list[dict[str, Any]]:
    """Return every PersistentVolumeClaim and claim template, as rules see it.

    Each has `id`, `name`, `fieldPath` (of the claim's spec), `storageClass` ("" where none is named, so that
    the default is taken), `named` (whether `storageClassName` is written; an empty one asks for no class)
    and `volume` (a volume that is asked for by name).
    """
    claims = []
    for resource in resources:
        if resource.kind == "PersistentVolumeClaim" and not resource.id.group:
            claims.append(_claim(resource, resource.id.name, resource.manifest, ("spec",)))
        elif resource.kind == "StatefulSet":
            templates = as_list(dig(resource.manifest, "spec", "volumeClaimTemplates"))
            for index, template in enumerate(templates):
                path: FieldPath = ("spec", "volumeClaimTemplates", index, "spec")
                name = str(dig(template, "metadata", "name") or "")
                claims.append(_claim(resource, name, as_mapping(template), path))
    return claims


def _claim(resource: Resource, name: str, claim: Mapping[str, Any], path: FieldPath) -> dict[str, Any]:
    spec = as_mapping(claim.get("spec"))
    return {
        "id": str(resource.id),
        "name": name,
        "fieldPath": format_field_path(path),
        "storageClass": str(spec.get("storageClassName") or ""),
        "named": spec.get("storageClassName") is not None,
        "volume": str(spec.get("volumeName") or ""),
    }
