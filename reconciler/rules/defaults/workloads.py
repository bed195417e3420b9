"""Defaults of workloads (`pkg/apis/{apps,batch,autoscaling,core}/v1/defaults.go`)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from reconciler.rules.defaults.fields import child, each, fill_absent, fill_zero
from reconciler.rules.defaults.pod import claim_spec, pod_template, whole_pod_spec

__all__ = [
    "cron_job",
    "daemon_set",
    "deployment",
    "job",
    "pod",
    "pod_template_object",
    "replica_set",
    "replication_controller",
    "stateful_set",
]

Manifest = Mapping[str, Any]
Version = tuple[int, int]

_MAX_INT32 = 2**31 - 1


def _spec(manifest: Manifest) -> dict[str, Any]:
    spec = manifest.get("spec")
    return dict(spec) if isinstance(spec, Mapping) else {}


def pod(manifest: Manifest, version: Version) -> dict[str, Any]:
    """Default a Pod."""
    copy = dict(manifest)
    child(copy, "spec", lambda spec: whole_pod_spec(spec, version))
    return copy


def pod_template_object(manifest: Manifest, version: Version) -> dict[str, Any]:
    """Default a PodTemplate."""
    copy = dict(manifest)
    child(copy, "template", lambda template: pod_template(template, version))
    return copy


def deployment(manifest: Manifest, version: Version) -> dict[str, Any]:
    """Default a Deployment."""
    spec = fill_absent(
        _spec(manifest), replicas=1, revisionHistoryLimit=10, progressDeadlineSeconds=600, strategy={}
    )
    child(spec, "strategy", _deployment_strategy)
    child(spec, "template", lambda template: pod_template(template, version))
    return {**manifest, "spec": spec}


def _deployment_strategy(strategy: Manifest) -> dict[str, Any]:
    copy = fill_zero(strategy, type="RollingUpdate")
    if copy["type"] == "RollingUpdate":
        copy["rollingUpdate"] = fill_absent(
            copy.get("rollingUpdate") or {}, maxUnavailable="25%", maxSurge="25%"
        )
    return copy


def daemon_set(manifest: Manifest, version: Version) -> dict[str, Any]:
    """Default a DaemonSet."""
    spec = fill_absent(_spec(manifest), revisionHistoryLimit=10, updateStrategy={})
    strategy = fill_zero(spec["updateStrategy"], type="RollingUpdate")
    if strategy["type"] == "RollingUpdate":
        strategy["rollingUpdate"] = fill_absent(
            strategy.get("rollingUpdate") or {}, maxUnavailable=1, maxSurge=0
        )
    spec["updateStrategy"] = strategy
    child(spec, "template", lambda template: pod_template(template, version))
    return {**manifest, "spec": spec}


def stateful_set(manifest: Manifest, version: Version) -> dict[str, Any]:
    """Default a StatefulSet."""
    spec = fill_zero(_spec(manifest), podManagementPolicy="OrderedReady")
    spec = fill_absent(
        spec,
        replicas=1,
        revisionHistoryLimit=10,
        updateStrategy={},
        persistentVolumeClaimRetentionPolicy={},
    )
    strategy = dict(spec["updateStrategy"])
    if not strategy.get("type"):
        strategy["type"] = "RollingUpdate"
        strategy["rollingUpdate"] = strategy.get("rollingUpdate") or {}
    if strategy["type"] == "RollingUpdate":
        child(strategy, "rollingUpdate", lambda update: fill_absent(update, partition=0))
    spec["updateStrategy"] = strategy
    spec["persistentVolumeClaimRetentionPolicy"] = fill_zero(
        spec["persistentVolumeClaimRetentionPolicy"], whenDeleted="Retain", whenScaled="Retain"
    )
    child(spec, "template", lambda template: pod_template(template, version))
    each(spec, "volumeClaimTemplates", _claim_template)
    return {**manifest, "spec": spec}


def _claim_template(claim: Manifest) -> dict[str, Any]:
    copy = fill_zero(claim, apiVersion="v1", kind="PersistentVolumeClaim")
    copy["status"] = {"phase": "Pending", **(copy.get("status") or {})}
    child(copy, "spec", claim_spec)
    return copy


def replica_set(manifest: Manifest, version: Version) -> dict[str, Any]:
    """Default a ReplicaSet."""
    spec = fill_absent(_spec(manifest), replicas=1)
    child(spec, "template", lambda template: pod_template(template, version))
    return {**manifest, "spec": spec}


def replication_controller(manifest: Manifest, version: Version) -> dict[str, Any]:
    """Default a ReplicationController: selector and labels follow the template's labels."""
    spec = fill_absent(_spec(manifest), replicas=1)
    child(spec, "template", lambda template: pod_template(template, version))
    labels = _template_labels(spec)
    if labels and not spec.get("selector"):
        spec["selector"] = labels
    return _labelled({**manifest, "spec": spec}, labels)


def job(manifest: Manifest, version: Version) -> dict[str, Any]:
    """Default a Job."""
    spec = _job_spec(_spec(manifest), version)
    return _labelled({**manifest, "spec": spec}, _template_labels(spec))


def _job_spec(spec: Manifest, version: Version) -> dict[str, Any]:
    copy = dict(spec)
    if copy.get("completions") is None and copy.get("parallelism") is None:
        copy["completions"] = 1
    copy = fill_absent(
        copy,
        parallelism=1,
        backoffLimit=6 if copy.get("backoffLimitPerIndex") is None else _MAX_INT32,
        completionMode="NonIndexed",
        suspend=False,
        manualSelector=False,
    )
    if version >= (1, 29):
        policy = "TerminatingOrFailed" if copy.get("podFailurePolicy") is None else "Failed"
        copy = fill_absent(copy, podReplacementPolicy=policy)
    child(copy, "podFailurePolicy", _failure_policy)
    child(copy, "template", lambda template: pod_template(template, version))
    return copy


def _failure_policy(policy: Manifest) -> dict[str, Any]:
    copy = dict(policy)

    def rule(value: Manifest) -> dict[str, Any]:
        inner = dict(value)
        each(inner, "onPodConditions", lambda pattern: fill_zero(pattern, status="True"))
        return inner

    each(copy, "rules", rule)
    return copy


def cron_job(manifest: Manifest, version: Version) -> dict[str, Any]:
    """Default a CronJob. Its job template is a job's spec without a Job's own defaults."""
    spec = fill_zero(_spec(manifest), concurrencyPolicy="Allow")
    spec = fill_absent(spec, suspend=False, successfulJobsHistoryLimit=3, failedJobsHistoryLimit=1)

    def template(value: Manifest) -> dict[str, Any]:
        inner = dict(value)
        child(inner, "spec", template_spec)
        return inner

    def template_spec(value: Manifest) -> dict[str, Any]:
        inner = dict(value)
        child(inner, "podFailurePolicy", _failure_policy)
        child(inner, "template", lambda pod: pod_template(pod, version))
        return inner

    child(spec, "jobTemplate", template)
    return {**manifest, "spec": spec}


def _template_labels(spec: Manifest) -> dict[str, str]:
    template = spec.get("template")
    metadata = template.get("metadata") if isinstance(template, Mapping) else None
    labels = metadata.get("labels") if isinstance(metadata, Mapping) else None
    return dict(labels) if isinstance(labels, Mapping) else {}


def _labelled(manifest: dict[str, Any], labels: dict[str, str]) -> dict[str, Any]:
    metadata = manifest.get("metadata")
    if labels and isinstance(metadata, Mapping) and not metadata.get("labels"):
        manifest["metadata"] = {**metadata, "labels": labels}
    return manifest
