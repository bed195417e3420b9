"""Labels and annotations by which OpenYurt and KubeEdge are told what to do."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from reconciler.model.fieldpath import FieldPath, format_field_path
from reconciler.model.resource import Resource
from reconciler.rules.facts.plain import as_mapping, dig
from reconciler.rules.facts.workload import WorkloadFacts

__all__ = ["edge_marks"]

_DOMAINS = ("openyurt.io", "kubeedge.io")


def edge_marks(resources: Sequence[Resource], workloads: Sequence[WorkloadFacts]) -> list[dict[str, Any]]:
    """Return every label and annotation of these platforms, on objects and on the pods that they make.

    Each has `id` (of the object), `key`, `value`, `on` (`label` or `annotation`), `pods` (whether the pods
    have it) and `fieldPath`.
    """
    found: list[dict[str, Any]] = []
    for resource in resources:
        is_pod = resource.kind == "Pod" and not resource.id.group
        metadata = as_mapping(resource.manifest.get("metadata"))
        found += _marks(str(resource.id), metadata, ("metadata",), pods=is_pod)
    for workload in workloads:
        path = workload.pod.path[:-1]
        if path:  # the pods of a Pod are itself
            metadata = as_mapping(dig(workload.manifest, *path, "metadata"))
            found += _marks(str(workload.id), metadata, (*path, "metadata"), pods=True)
    return found


def _marks(
    subject: str, metadata: Mapping[str, Any], at: FieldPath, *, pods: bool
) -> Iterator[dict[str, Any]]:
    for field, on in (("labels", "label"), ("annotations", "annotation")):
        for key, value in as_mapping(metadata.get(field)).items():
            if str(key).partition("/")[0].endswith(_DOMAINS):
                yield {
                    "id": subject,
                    "key": str(key),
                    "value": str(value),
                    "on": on,
                    "pods": pods,
                    "fieldPath": format_field_path((*at, field, str(key))),
                }
