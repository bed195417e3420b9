"""The facts of one workload: what it runs, how often, where, and what it asks for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

from reconciler.model.fieldpath import FieldPath, format_field_path
from reconciler.model.kinds import WorkloadKind
from reconciler.model.resource import ResourceId
from reconciler.rules.facts.admission import PodAdmission
from reconciler.rules.facts.amounts import Amounts, add, is_extended
from reconciler.rules.facts.image import ImageFacts, image_facts
from reconciler.rules.facts.locked import LockIndex
from reconciler.rules.facts.node import NodeFacts
from reconciler.rules.facts.placement import refusal
from reconciler.rules.facts.plain import as_list, as_mapping, dig
from reconciler.rules.facts.pod import Container, PodFacts, pod_facts
from reconciler.rules.facts.problem import FactProblem
from reconciler.rules.facts.scale import Autoscaler, Scale, scale_of

__all__ = ["WorkloadFacts", "workload_facts"]

#: Labels by which Wayside marks what it owns; they differ by site and say nothing of the workload.
OWNERSHIP_LABELS = frozenset({"applyset.kubernetes.io/part-of"})


@dataclass(frozen=True)
class WorkloadFacts:
    """One workload of a site.

    Attributes:
        candidates: Nodes on which its pods may be placed, resources aside.
        refusals: (node, reason) for the others.
        stranded: (node, pods, reason) where a DaemonSet's controller makes pods that the scheduler then does
            not place, because of a RuntimeClass or of topology spread.
        base: The facts that are shared by all such workloads, where this one has labels of its own.
        problems: What could not be read; such a workload is reported, never counted as zero in silence.
    """

    id: ResourceId
    manifest: Mapping[str, Any]
    pod: PodFacts
    scale: Scale
    candidates: tuple[NodeFacts, ...]
    refusals: tuple[tuple[str, str], ...]
    images: tuple[ImageFacts, ...]
    problems: tuple[FactProblem, ...]
    stranded: tuple[tuple[str, int, str], ...] = ()
    base: WorkloadFacts | None = None

    def of(self, manifest: Mapping[str, Any]) -> WorkloadFacts:
        """Return the same facts for a manifest that differs in its own labels and annotations at most."""
        metadata = as_mapping(manifest.get("metadata"))
        if not metadata.get("labels") and not metadata.get("annotations"):
            return self
        return replace(self, manifest=manifest, base=self)

    @property
    def key(self) -> int:
        """What is equal for two workloads that differ in their own labels and annotations at most."""
        return id(self.base or self)

    @cached_property
    def total(self) -> Amounts:
        """Requests of all pods together, once a rollout is done."""
        if self.base is not None:
            return self.base.total
        total: Amounts = {}
        add(total, self.pod.requests, self.scale.replicas)
        return total

    @cached_property
    def labels(self) -> dict[str, str]:
        """The object's labels, without those by which Wayside marks what it owns."""
        return _strings(dig(self.manifest, "metadata", "labels"), without=OWNERSHIP_LABELS)

    @cached_property
    def pod_labels(self) -> dict[str, str]:
        """The labels of the pods."""
        if self.base is not None:
            return self.base.pod_labels
        return _strings(dig(self.manifest, *self.pod.path[:-1], "metadata", "labels"))

    @cached_property
    def values(self) -> dict[str, Any]:
        """The plain values that rules see as `workload`."""
        metadata = as_mapping(self.manifest.get("metadata"))
        if self.base is not None:
            own = {"labels": self.labels, "annotations": _strings(metadata.get("annotations"))}
            return {**self.base.values, **own}
        pod = self.pod.spec
        mounts = _volumes(pod, self.pod.path, "hostPath", "path", "path")
        containers = [_container_values(container) for container in self.pod.containers]
        running = [values for values in containers if values["type"] in {"container", "sidecar"}]
        return {
            **identity(self.id),
            "apiVersion": str(self.manifest.get("apiVersion") or ""),
            "labels": self.labels,
            "annotations": _strings(metadata.get("annotations")),
            "replicas": self.scale.replicas,
            "replicasField": format_field_path(self.scale.field_path),
            "surge": self.scale.surge,
            "unavailable": self.scale.unavailable,
            "perNode": self.scale.per_node,
            "requests": dict(self.pod.requests),
            "limits": dict(self.pod.limits),
            "podResources": {
                which: dict(as_mapping(dig(pod, "resources", which))) for which in ("requests", "limits")
            },
            "overhead": dict(self.pod.overhead),
            "total": dict(self.total),
            "nodes": [node.name for node in self.candidates],
            "refusals": [{"node": node, "reason": reason} for node, reason in self.refusals],
            "placedBy": format_field_path((*self.pod.path, *_placing(pod))),
            "runtimeClass": str(pod.get("runtimeClassName") or ""),
            "running": running,
            "extendedResources": sorted(
                n for n, amount in self.pod.requests.items() if amount and is_extended(n)
            ),
            "devices": [mount for mount in mounts if mount["path"].startswith("/dev/")],
            "hostPaths": [mount for mount in mounts if not mount["path"].startswith("/dev/")],
            "claims": _volumes(pod, self.pod.path, "persistentVolumeClaim", "claimName", "name"),
            "hostNamespaces": [
                {"name": name, "fieldPath": format_field_path((*self.pod.path, name))}
                for name in ("hostNetwork", "hostPID", "hostIPC")
                if pod.get(name) is True
            ],
            "environment": [value for c in self.pod.containers for value in _environment(c)],
            "arguments": [value for c in self.pod.containers for value in _arguments(c)],
            "podLabels": self.pod_labels,
            "podPath": format_field_path(self.pod.path),
            "pod": pod,
            "containers": containers,
            "images": [image.facts for image in self.images],
        }


def identity(resource_id: ResourceId) -> dict[str, str]:
    """Return an object's identity as rules see it."""
    return {
        "id": str(resource_id),
        "group": resource_id.group,
        "kind": resource_id.kind,
        "namespace": resource_id.namespace,
        "name": resource_id.name,
    }


def workload_facts(
    manifest: Mapping[str, Any],
    resource_id: ResourceId,
    *,
    kind: WorkloadKind,
    nodes: Sequence[NodeFacts],
    admission: PodAdmission,
    autoscaler: Autoscaler | None,
    lock: LockIndex,
) -> WorkloadFacts:
    """Compute the facts of one workload.

    Args:
        manifest: The object, defaulted.
        resource_id: Its identity.
        kind: Where its kind says what it runs.
        nodes: All nodes of the site.
        admission: LimitRanges of its namespace, and RuntimeClasses.
        autoscaler: The autoscaler that scales it, or None.
        lock: What is known of images.
    """
    problems: list[FactProblem] = []
    pod_path = kind.pod_spec
    spec = as_mapping(dig(manifest, *pod_path)) if pod_path else _spec_of_image(manifest, kind)
    pod = pod_facts(spec, pod_path, admission, problems)
    if not pod_path:
        pod = replace(pod, containers=tuple(replace(c, field_path=kind.image[:-1]) for c in pod.containers))
    daemon = resource_id.kind == "DaemonSet" and resource_id.group == "apps"
    candidates: list[NodeFacts] = []
    refusals: list[tuple[str, str]] = []
    stranded: list[tuple[str, int, str]] = []
    for node in nodes:
        before = refusal(spec, node, daemon=True, spread=False) if daemon else ""
        reason = before or refusal(pod.spec, node, daemon=daemon)
        if reason:
            refusals.append((node.name, reason))
        else:
            candidates.append(node)
        if reason and daemon and not before:
            stranded.append((node.name, node.count, reason))
    scale = scale_of(
        manifest,
        resource_id.kind,
        matching_nodes=sum(node.count for node in candidates) + sum(count for _, count, _ in stranded),
        autoscaler=autoscaler,
        problems=problems,
        replicas=kind.replicas,
    )
    runtime_class = str(spec.get("runtimeClassName") or "")
    uses = [
        (c.image, c.name, kind.image or (*c.field_path, "image"), str(c.spec.get("imagePullPolicy") or ""))
        for c in pod.containers
    ]
    for index, volume in enumerate(as_list(spec.get("volumes"))):
        source = as_mapping(as_mapping(volume).get("image"))
        if source:
            path = (*pod_path, "volumes", index, "image", "reference")
            name, policy = str(dig(volume, "name") or ""), str(source.get("pullPolicy") or "")
            uses.append((str(source.get("reference") or ""), name, path, policy))
    images = tuple(
        image_facts(
            text,
            container=name,
            path=path,
            pull_policy=policy,
            nodes=candidates,
            runtime_class=runtime_class,
            lock=lock,
            problems=problems,
        )
        for text, name, path, policy in uses
        if text  # a container without an image is for the schema to refuse
    )
    return WorkloadFacts(
        id=resource_id,
        manifest=manifest,
        pod=pod,
        scale=scale,
        candidates=tuple(candidates),
        refusals=tuple(refusals),
        images=images,
        problems=tuple(problems),
        stranded=tuple(stranded),
    )


def _placing(pod: Mapping[str, Any]) -> FieldPath:
    """Return the field of a pod spec that says first where the pod may go."""
    for path in (("nodeName",), ("nodeSelector",), ("affinity", "nodeAffinity"), ("tolerations",)):
        if dig(pod, *path):
            return path
    return ()


def _spec_of_image(manifest: Mapping[str, Any], kind: WorkloadKind) -> Mapping[str, Any]:
    """Return the pod spec that a kind with an image and no pod spec stands for."""
    beside = as_mapping(dig(manifest, *kind.image[:-1]))
    container = {
        "name": str(manifest.get("kind") or "").lower(),
        "image": dig(manifest, *kind.image),
        "resources": as_mapping(beside.get("resources")),
    }
    return {
        "containers": [container],
        **({"runtimeClassName": kind.runtime_class} if kind.runtime_class else {}),
    }


def _container_values(container: Container) -> dict[str, Any]:
    return {
        "name": container.name,
        "type": container.type.value,
        "image": container.image,
        "fieldPath": format_field_path(container.field_path),
        "requests": dict(container.requests),
        "limits": dict(container.limits),
        "privileged": dig(container.spec, "securityContext", "privileged") is True,
        "addedCapabilities": [
            str(name).upper().removeprefix("CAP_")
            for name in as_list(dig(container.spec, "securityContext", "capabilities", "add"))
        ],
        "spec": container.spec,
    }


def _environment(container: Container) -> list[dict[str, str]]:
    """Return the variables that have their value written out."""
    return [
        {
            "container": container.name,
            "name": str(variable.get("name") or ""),
            "value": variable["value"],
            "fieldPath": format_field_path((*container.field_path, "env", index, "value")),
        }
        for index, item in enumerate(as_list(container.spec.get("env")))
        if isinstance((variable := as_mapping(item)).get("value"), str)
    ]


def _arguments(container: Container) -> list[dict[str, str]]:
    return [
        {
            "container": container.name,
            "text": text,
            "fieldPath": format_field_path((*container.field_path, field, index)),
        }
        for field in ("command", "args")
        for index, text in enumerate(as_list(container.spec.get(field)))
        if isinstance(text, str)
    ]


def _volumes(
    pod: Mapping[str, Any], path: FieldPath, source: str, field: str, name: str
) -> list[dict[str, str]]:
    """Return the volumes of one type, by the field that names what they mount."""
    return [
        {
            "volume": str(as_mapping(volume).get("name") or ""),
            name: str(as_mapping(volume)[source][field]),
            "fieldPath": format_field_path((*path, "volumes", index, source, field)),
        }
        for index, volume in enumerate(as_list(pod.get("volumes")))
        if dig(volume, source, field)
    ]


def _strings(value: Any, without: frozenset[str] = frozenset()) -> dict[str, str]:
    return {str(k): str(v) for k, v in as_mapping(value).items() if k not in without}
