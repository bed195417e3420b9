"""What a cluster really is: its version, nodes, runtime classes and storage classes."""

from __future__ import annotations

import re
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from reconciler.adapters.kube.client import KubeClient
from reconciler.errors import TargetRefused
from reconciler.model.facts import LiveFacts, LiveNode
from reconciler.model.quantity import QuantityError, parse_quantity
from reconciler.model.site import Taint

__all__ = ["read_facts"]

_PAGE = "50"


def read_facts(client: KubeClient) -> LiveFacts:
    """Ask the cluster what it is. What the agent may not read is None.

    Raises:
        TargetError: It cannot be asked.
    """
    version = client.request("GET", "/version")
    minor = re.match(r"\d+", str(version.get("minor") or "")) or re.match("0", "0")
    nodes = _list(client, "/api/v1/nodes")
    classes = _list(client, "/apis/node.k8s.io/v1/runtimeclasses")
    storage = _list(client, "/apis/storage.k8s.io/v1/storageclasses")
    return LiveFacts(
        version=(int(version.get("major") or 0), int(minor[0]) if minor else 0),
        nodes=None if nodes is None else tuple(_node(node) for node in nodes),
        runtime_classes=None if classes is None else frozenset(_name(item) for item in classes),
        storage_classes=None if storage is None else frozenset(_name(item) for item in storage),
    )


def _list(client: KubeClient, path: str) -> list[Mapping[str, Any]] | None:
    found: list[Mapping[str, Any]] = []
    query = {"limit": _PAGE}
    while True:
        try:
            page = client.request("GET", path, query=query)
        except TargetRefused as err:
            if err.status in (403, 404):
                return None
            raise
        found += page.get("items") or ()
        token = (page.get("metadata") or {}).get("continue")
        if not token:
            return found
        query = {"limit": _PAGE, "continue": str(token)}


def _name(item: Mapping[str, Any]) -> str:
    return str(item["metadata"]["name"])


def _node(node: Mapping[str, Any]) -> LiveNode:
    status, spec = node.get("status") or {}, node.get("spec") or {}
    info = status.get("nodeInfo") or {}
    conditions = {str(row.get("type")): row.get("status") for row in status.get("conditions") or ()}
    labels = node["metadata"].get("labels") or {}
    system = str(info.get("operatingSystem") or labels.get("kubernetes.io/os") or "")
    machine = str(info.get("architecture") or labels.get("kubernetes.io/arch") or "")
    return LiveNode(
        name=_name(node),
        architecture=f"{system}/{machine}",
        allocatable=_amounts(status.get("allocatable") or {}),
        labels=dict(labels),
        taints=tuple(
            Taint(key=str(row.get("key")), effect=str(row.get("effect")), value=str(row.get("value") or ""))
            for row in spec.get("taints") or ()
        ),
        ready=conditions.get("Ready") == "True",
    )


def _amounts(allocatable: Mapping[str, Any]) -> dict[str, Decimal]:
    amounts: dict[str, Decimal] = {}
    for name, text in allocatable.items():
        try:
            amounts[name] = parse_quantity(str(text))
        except QuantityError:
            amounts[name] = Decimal(0)
    return amounts
