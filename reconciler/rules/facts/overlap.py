"""Workloads that would fight over each other's pods."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from reconciler.rules.facts.plain import as_mapping
from reconciler.rules.facts.selector import selects
from reconciler.rules.facts.workload import WorkloadFacts

__all__ = ["overlap_values"]

_SELECTING = frozenset({"Deployment", "ReplicaSet", "StatefulSet", "DaemonSet", "ReplicationController"})


def overlap_values(workloads: Sequence[WorkloadFacts]) -> list[dict[str, Any]]:
    """Return pairs of workloads of one namespace of which one selects the other's pods.

    Each has `id` (whose selector it is), `other` and `fieldPath`.
    """
    selecting = [w for w in workloads if w.id.kind in _SELECTING]
    return [
        {"id": str(one.id), "other": str(other.id), "fieldPath": "spec.selector"}
        for one in selecting
        for other in selecting
        if one is not other
        and one.id.namespace == other.id.namespace
        and selects(_selector(one), other.pod_labels)
    ]


def _selector(workload: WorkloadFacts) -> Any:
    selector = as_mapping(workload.manifest.get("spec")).get("selector")
    return {"matchLabels": selector} if workload.id.kind == "ReplicationController" else selector
