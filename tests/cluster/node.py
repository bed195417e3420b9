"""Nodes that exist in the API only: KWOK reports them ready and their pods running."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

KWOK_ANNOTATION: Final = {"kwok.x-k8s.io/node": "fake"}


def node(
    name: str,
    *,
    architecture: str = "linux/arm64",
    memory: str = "4Gi",
    cpu: str = "4",
    pods: str = "110",
    labels: Mapping[str, str] | None = None,
    taints: Sequence[Mapping[str, str]] = (),
    extended: Mapping[str, str] | None = None,
) -> dict[str, Any]:
    """Return a Node as its kubelet would register it.

    Args:
        name: The node's name and host name.
        architecture: An OCI platform, such as `linux/arm64` or `linux/arm/v7`; Kubernetes knows no variants.
        memory: Capacity, all of it allocatable.
        cpu: Capacity, all of it allocatable.
        pods: Capacity.
        labels: Added to the well-known ones, and stronger.
        taints: Each with `key`, `effect` and perhaps `value`.
        extended: Extended resources, such as `{"example.com/gpu": "1"}`.
    """
    system, machine = architecture.split("/")[:2]
    known = {"kubernetes.io/os": system, "kubernetes.io/arch": machine, "kubernetes.io/hostname": name}
    capacity = {"cpu": cpu, "memory": memory, "ephemeral-storage": "64Gi", "pods": pods, **(extended or {})}
    return {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {
            "name": name,
            "annotations": dict(KWOK_ANNOTATION),
            "labels": {**known, **(labels or {})},
        },
        "spec": {"taints": [dict(taint) for taint in taints]},
        "status": {
            "capacity": capacity,
            "allocatable": capacity,
            "nodeInfo": {
                "architecture": machine,
                "operatingSystem": system,
                "bootID": "",
                "containerRuntimeVersion": "kwok",
                "kernelVersion": "kwok",
                "kubeProxyVersion": "",
                "kubeletVersion": "kwok",
                "machineID": "",
                "osImage": "",
                "systemUUID": "",
            },
        },
    }


def is_schedulable(found: Mapping[str, Any]) -> bool:
    """Return whether the node is ready and no controller holds pods back from it."""
    ready = any(
        condition["type"] == "Ready" and condition["status"] == "True"
        for condition in found.get("status", {}).get("conditions", [])
    )
    taints = found.get("spec", {}).get("taints", [])
    return ready and not any(taint["key"].startswith("node.kubernetes.io/") for taint in taints)
