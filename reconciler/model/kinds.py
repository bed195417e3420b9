"""Where a workload of each kind says what it runs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from reconciler.model.fieldpath import FieldPath, parse_field_path

__all__ = ["BUILT_IN", "WorkloadKind", "WorkloadKinds", "workload_kinds"]

_TEMPLATE: FieldPath = ("spec", "template", "spec")


@dataclass(frozen=True, slots=True)
class WorkloadKind:
    """Where a kind says what it runs.

    Attributes:
        pod_spec: The path of the pod spec; () for a kind that has an image and no pod spec.
        replicas: The path of the number of pods.
        image: The path of the image, for a kind without a pod spec; `resources` is looked for beside it.
        runtime_class: The RuntimeClass that such a kind runs with, or "".
    """

    pod_spec: FieldPath = ()
    replicas: FieldPath = ("spec", "replicas")
    image: FieldPath = ()
    runtime_class: str = ""


#: (group, kind) to where it says what it runs.
WorkloadKinds = Mapping[tuple[str, str], WorkloadKind]

#: Every built-in kind that makes pods, and custom ones that are known well enough.
BUILT_IN: WorkloadKinds = MappingProxyType(
    {
        ("", "Pod"): WorkloadKind(("spec",)),
        ("", "ReplicationController"): WorkloadKind(_TEMPLATE),
        ("apps", "ReplicaSet"): WorkloadKind(_TEMPLATE),
        ("apps", "Deployment"): WorkloadKind(_TEMPLATE),
        ("apps", "StatefulSet"): WorkloadKind(_TEMPLATE),
        ("apps", "DaemonSet"): WorkloadKind(_TEMPLATE),
        ("batch", "Job"): WorkloadKind(_TEMPLATE),
        ("batch", "CronJob"): WorkloadKind(("spec", "jobTemplate", *_TEMPLATE)),
        ("argoproj.io", "Rollout"): WorkloadKind(_TEMPLATE),
        ("core.spinkube.dev", "SpinApp"): WorkloadKind(
            image=("spec", "image"), runtime_class="wasmtime-spin-v2"
        ),
    }
)


def workload_kinds(fleet: Mapping[str, Any]) -> WorkloadKinds:
    """Return the built-in kinds and those that a fleet names in `spec.workloads`.

    Each entry has `kind` (`Rollout.argoproj.io`) and `podSpec` or `image`, and may have `replicas` and
    `runtimeClass`; paths are written as `spec.template.spec`.

    Args:
        fleet: The Fleet document, valid by its schema.

    Raises:
        ValueError: A path cannot be read.
    """
    kinds = dict(BUILT_IN)
    for entry in (fleet.get("spec") or {}).get("workloads") or ():
        kind, _, group = str(entry.get("kind") or "").partition(".")
        kinds[group, kind] = WorkloadKind(
            pod_spec=parse_field_path(str(entry.get("podSpec") or "")),
            replicas=parse_field_path(str(entry.get("replicas") or "spec.replicas")),
            image=parse_field_path(str(entry.get("image") or "")),
            runtime_class=str(entry.get("runtimeClass") or ""),
        )
    return kinds
