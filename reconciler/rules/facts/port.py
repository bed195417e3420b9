"""Workloads that want one port of one node."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from reconciler.model.fieldpath import FieldPath, format_field_path
from reconciler.rules.facts.plain import as_list, as_mapping
from reconciler.rules.facts.workload import WorkloadFacts

__all__ = ["host_ports", "port_clash_values"]


def host_ports(workload: WorkloadFacts) -> Iterator[tuple[str, FieldPath]]:
    """Yield the host ports of a workload's pods as `80/TCP`, with the field of each."""
    for container in workload.pod.containers:
        for index, item in enumerate(as_list(container.spec.get("ports"))):
            port = as_mapping(item)
            number = port.get("hostPort")
            if isinstance(number, int) and number > 0:
                path = (*container.field_path, "ports", index, "hostPort")
                yield f"{number}/{port.get('protocol') or 'TCP'}", path


def port_clash_values(workloads: Sequence[WorkloadFacts]) -> list[dict[str, Any]]:
    """Return host ports that other workloads want too, on a node that both may have as their only one.

    Each has `id`, `fieldPath`, `port`, `others` and `nodes`. Where a workload may go to another node, the
    scheduler keeps them apart, and the rule about room judges it.
    """
    wanted: dict[str, list[tuple[WorkloadFacts, FieldPath]]] = {}
    for workload in workloads:
        if workload.scale.replicas:
            for port, path in host_ports(workload):
                wanted.setdefault(port, []).append((workload, path))
    return [
        {
            "id": str(workload.id),
            "fieldPath": format_field_path(path),
            "port": port,
            "others": [str(other.id) for other in others],
            "nodes": sorted({name for other in others for name in _shared(workload, other)}),
        }
        for port, users in wanted.items()
        for workload, path in users
        if (others := [o for o, _ in users if o is not workload and _shared(workload, o)])
    ]


def _shared(one: WorkloadFacts, other: WorkloadFacts) -> list[str]:
    """Return the node that both must share: DaemonSets have every node, others only a single candidate."""
    return sorted(_must(one) & _must(other))


def _must(workload: WorkloadFacts) -> set[str]:
    names = {node.name for node in workload.candidates}
    single = sum(node.count for node in workload.candidates) == 1
    return names if workload.scale.per_node or single else set()
