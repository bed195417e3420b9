"""What a site is: the facts of `site.yaml`, parsed.

Amounts of memory and storage are bytes, CPU is cores, durations are seconds; all exact.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from types import MappingProxyType
from typing import Any

from reconciler.model.location import Location

__all__ = [
    "Budgets",
    "DriftRule",
    "Link",
    "Node",
    "Site",
    "SyncSettings",
    "Taint",
    "Target",
    "TargetType",
]

_EMPTY: Mapping[str, Any] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Taint:
    """A node taint; `effect` is NoSchedule, PreferNoSchedule or NoExecute."""

    key: str
    effect: str
    value: str = ""


@dataclass(frozen=True, slots=True)
class Node:
    """One node, or `count` equal nodes.

    Attributes:
        name: The node's name, or the group's.
        architecture: An OCI platform, for example `linux/arm64` or `linux/arm/v7`.
        allocatable: Resource name to amount, in base units; always has `memory`.
        count: How many such nodes there are, at least 1.
        devices: Device paths or names that workloads may use.
        runtime_classes: RuntimeClass names that run here.
    """

    name: str
    architecture: str
    allocatable: Mapping[str, Decimal]
    count: int = 1
    labels: Mapping[str, str] = field(default_factory=lambda: _EMPTY)
    taints: tuple[Taint, ...] = ()
    devices: tuple[str, ...] = ()
    runtime_classes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Budgets:
    """What the fleet may use of a site; None where nothing is set.

    Attributes:
        memory: Bytes. Requests are counted.
        cpu: Cores. Requests are counted.
        ephemeral_storage: Bytes. Requests are counted.
        download: Bytes that one rollout may pull.
    """

    memory: Decimal | None = None
    cpu: Decimal | None = None
    ephemeral_storage: Decimal | None = None
    download: Decimal | None = None


@dataclass(frozen=True, slots=True)
class Link:
    """A site's link: `bandwidth` in bits per second, or None where unknown."""

    bandwidth: Decimal | None = None
    metered: bool = False


class TargetType(enum.Enum):
    """How a site's agent reaches what it applies to."""

    IN_CLUSTER = "in-cluster"
    KUBECONFIG = "kubeconfig"
    DIRECTORY = "directory"


@dataclass(frozen=True, slots=True)
class Target:
    """Where a site's resources are applied.

    Attributes:
        type: In-cluster, kubeconfig or directory.
        path: The kubeconfig file or the auto-deploy folder; "" for in-cluster.
        context: The kubeconfig context; "" means the current one.
    """

    type: TargetType = TargetType.IN_CLUSTER
    path: str = ""
    context: str = ""


@dataclass(frozen=True, slots=True)
class DriftRule:
    """What happens to changes that others make to some objects, or to some fields of them.

    Attributes:
        kind: The objects' kind.
        action: `correct`, `report` or `ignore`; `ignore` where fields are named.
        group: Their API group, or None for any.
        namespace: Their namespace, or "" for any.
        name: Their name, or "" for any.
        fields: JSON pointers of fields that are left to whoever sets them; empty for the whole object.
    """

    kind: str
    action: str = "ignore"
    group: str | None = None
    namespace: str = ""
    name: str = ""
    fields: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class SyncSettings:
    """How a site is synced.

    Attributes:
        interval: Seconds between two looks at the repository.
        timeout: Seconds to wait for health after an apply.
        suspend: Whether the agent leaves the site alone.
        prune: Whether objects that left the overlay are deleted.
        rollback: Whether a failed sync goes back to the last good revision.
        drift: `correct`, `report` or `ignore`.
        conflicts: `force` or `report`.
        confirm_deletes: `Kind/namespace/name` entries that may be deleted although the guard holds them.
        decommission: Whether everything at the site is to be removed.
        drift_rules: Exceptions from `drift`; the first that names an object decides.
    """

    interval: float = 60.0
    timeout: float = 300.0
    suspend: bool = False
    prune: bool = True
    rollback: bool = True
    drift: str = "correct"
    conflicts: str = "force"
    confirm_deletes: tuple[str, ...] = ()
    decommission: bool = False
    drift_rules: tuple[DriftRule, ...] = ()


@dataclass(frozen=True, slots=True)
class Site:
    """One site of the fleet.

    Attributes:
        name: The site's name, unique in the fleet.
        at: Where its `site.yaml` begins.
        directory: The overlay's directory, relative to the root of the repository.
        platform: kubernetes, k3s, k0s, microk8s, kubeedge, openyurt, podman ...
        kubernetes_version: (major, minor), for example (1, 33).
        manifest: The Site document as written, with its class merged in; plain values for rules.
        vars: Values for substitution, or None where the site has no `vars` at all.
        pin_images: Whether tags are replaced by locked digests.
    """

    name: str
    at: Location
    directory: str
    platform: str
    kubernetes_version: tuple[int, int]
    nodes: tuple[Node, ...]
    manifest: Mapping[str, Any]
    labels: Mapping[str, str] = field(default_factory=lambda: _EMPTY)
    annotations: Mapping[str, str] = field(default_factory=lambda: _EMPTY)
    budgets: Budgets = Budgets()
    link: Link = Link()
    storage_classes: tuple[str, ...] | None = None
    target: Target = Target()
    sync: SyncSettings = SyncSettings()
    vars: Mapping[str, str] | None = None
    pin_images: bool = True
    class_name: str = ""
