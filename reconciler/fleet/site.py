"""From a Site document that fits its schema to a `Site`."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from reconciler.model.duration import parse_duration
from reconciler.model.location import Location
from reconciler.model.quantity import parse_quantity
from reconciler.model.site import (
    Budgets,
    DriftRule,
    Link,
    Node,
    Site,
    SyncSettings,
    Taint,
    Target,
    TargetType,
)

__all__ = ["build_site", "merge"]


def merge(under: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    """Lay one mapping over another: mappings are merged, everything else replaces."""
    merged = dict(under)
    for name, value in over.items():
        below = merged.get(name)
        merged[name] = merge(below, value) if isinstance(value, dict) and isinstance(below, dict) else value
    return merged


def build_site(manifest: Mapping[str, Any], *, at: Location, directory: str) -> Site:
    """Return the site that a document describes.

    Args:
        manifest: The Site document with defaults and class merged in; it fits the schema.
        at: Where the document begins.
        directory: The overlay's directory.
    """
    metadata, spec = manifest["metadata"], manifest["spec"]
    major, _, minor = spec["kubernetesVersion"].partition(".")
    storage_classes = spec.get("storageClasses")
    variables = spec.get("vars")
    return Site(
        name=metadata["name"],
        at=at,
        directory=directory,
        platform=spec["platform"],
        kubernetes_version=(int(major), int(minor)),
        nodes=tuple(_node(node, number) for number, node in enumerate(spec["nodes"])),
        manifest=manifest,
        labels=metadata.get("labels") or {},
        annotations=metadata.get("annotations") or {},
        budgets=_budgets(spec["budgets"]) if "budgets" in spec else Budgets(),
        link=_link(spec["link"]) if "link" in spec else Link(),
        storage_classes=None if storage_classes is None else tuple(storage_classes),
        target=_target(spec["target"]) if "target" in spec else Target(),
        sync=_sync(spec["sync"]) if "sync" in spec else SyncSettings(),
        vars=variables,
        pin_images=spec.get("images", {}).get("pin", True),
        class_name=spec.get("class", ""),
    )


def _amount(value: Any) -> Decimal:
    return parse_quantity(value if type(value) is str else str(value))


def _optional(value: Any) -> Decimal | None:
    return None if value is None else _amount(value)


def _node(node: Mapping[str, Any], number: int) -> Node:
    return Node(
        name=node.get("name") or f"node-{number}",
        architecture=node["architecture"],
        allocatable={name: _amount(value) for name, value in node["allocatable"].items()},
        count=int(node.get("count", 1)),
        labels=node.get("labels") or {},
        taints=tuple(
            Taint(key=taint["key"], effect=taint["effect"], value=taint.get("value", ""))
            for taint in node.get("taints", ())
        ),
        devices=tuple(node.get("devices", ())),
        runtime_classes=tuple(node.get("runtimeClasses", ())),
    )


def _budgets(budgets: Mapping[str, Any]) -> Budgets:
    return Budgets(
        memory=_optional(budgets.get("memory")),
        cpu=_optional(budgets.get("cpu")),
        ephemeral_storage=_optional(budgets.get("ephemeralStorage")),
        download=_optional(budgets.get("download")),
    )


def _link(link: Mapping[str, Any]) -> Link:
    return Link(bandwidth=_optional(link.get("bandwidth")), metered=link.get("metered", False))


def _target(target: Mapping[str, Any]) -> Target:
    return Target(
        type=TargetType(target.get("type", TargetType.IN_CLUSTER.value)),
        path=target.get("path", ""),
        context=target.get("context", ""),
    )


def _sync(sync: Mapping[str, Any]) -> SyncSettings:
    default = SyncSettings()
    return SyncSettings(
        interval=parse_duration(sync["interval"]) if "interval" in sync else default.interval,
        timeout=parse_duration(sync["timeout"]) if "timeout" in sync else default.timeout,
        suspend=sync.get("suspend", default.suspend),
        prune=sync.get("prune", default.prune),
        rollback=sync.get("rollback", default.rollback),
        drift=sync.get("drift", default.drift),
        conflicts=sync.get("conflicts", default.conflicts),
        confirm_deletes=tuple(sync.get("confirmDeletes", ())),
        decommission=sync.get("decommission", default.decommission),
        drift_rules=tuple(
            DriftRule(
                kind=rule["kind"],
                action=rule.get("action", "ignore"),
                group=rule.get("group"),
                namespace=rule.get("namespace", ""),
                name=rule.get("name", ""),
                fields=tuple(rule.get("fields", ())),
            )
            for rule in sync.get("driftRules", ())
        ),
    )
