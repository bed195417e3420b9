"""Sites for tests of rules, made of a Site document without the rest of a fleet."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from reconciler.model.location import Location
from reconciler.model.quantity import parse_quantity
from reconciler.model.site import Budgets, Node, Site, Taint, Target, TargetType


def make_site(manifest: Mapping[str, Any], path: str = "sites/site/site.yaml") -> Site:
    spec = manifest["spec"]
    budgets = {key: parse_quantity(str(value)) for key, value in (spec.get("budgets") or {}).items()}
    major, minor = spec["kubernetesVersion"].split(".")
    return Site(
        name=manifest["metadata"]["name"],
        at=Location(path),
        directory="sites/site",
        platform=spec["platform"],
        kubernetes_version=(int(major), int(minor)),
        nodes=tuple(make_node(node) for node in spec["nodes"]),
        manifest=manifest,
        labels=manifest["metadata"].get("labels") or {},
        budgets=Budgets(
            memory=budgets.get("memory"),
            cpu=budgets.get("cpu"),
            ephemeral_storage=budgets.get("ephemeralStorage"),
        ),
        storage_classes=tuple(spec["storageClasses"]) if spec.get("storageClasses") is not None else None,
        target=Target(TargetType(spec.get("target", {}).get("type", "in-cluster"))),
        pin_images=(spec.get("images") or {}).get("pin", True),
    )


def make_node(node: Mapping[str, Any]) -> Node:
    return Node(
        name=node["name"],
        architecture=node["architecture"],
        allocatable={key: _amount(value) for key, value in node.get("allocatable", {}).items()},
        count=node.get("count", 1),
        labels=node.get("labels", {}),
        taints=tuple(Taint(t["key"], t["effect"], t.get("value", "")) for t in node.get("taints", ())),
        devices=tuple(node.get("devices", ())),
        runtime_classes=tuple(node.get("runtimeClasses", ())),
    )


def _amount(value: Any) -> Decimal:
    return parse_quantity(str(value))
