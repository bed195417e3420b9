"""Where a workload of each kind keeps its pod template."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from reconciler.model.fieldpath import FieldPath

__all__ = ["BUILT_IN", "PodPaths"]

#: (group, kind) to the path of the pod spec.
PodPaths = Mapping[tuple[str, str], FieldPath]

_TEMPLATE: FieldPath = ("spec", "template", "spec")

#: Every built-in kind that makes pods.
BUILT_IN: PodPaths = MappingProxyType(
    {
        ("", "Pod"): ("spec",),
        ("", "ReplicationController"): _TEMPLATE,
        ("apps", "ReplicaSet"): _TEMPLATE,
        ("apps", "Deployment"): _TEMPLATE,
        ("apps", "StatefulSet"): _TEMPLATE,
        ("apps", "DaemonSet"): _TEMPLATE,
        ("batch", "Job"): _TEMPLATE,
        ("batch", "CronJob"): ("spec", "jobTemplate", "spec", "template", "spec"),
    }
)
