"""From a live object to its health.

The order is that of kstatus: deletion, the generation that the controller has seen, the conditions
`Reconciling` and `Stalled`, then the rules of a built-in kind, then `Ready`. An object that says
nothing of itself is Current.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from reconciler.health import objects, workloads
from reconciler.health.conditions import condition, current, failed, in_progress, text
from reconciler.model.plan import Health, HealthStatus
from reconciler.model.resource import Manifest, split_api_version

__all__ = ["assess"]

_RULES: Mapping[tuple[str, str], Callable[[Manifest], Health]] = {
    ("", "Pod"): workloads.pod,
    ("", "ReplicationController"): workloads.replica_set,
    ("", "Service"): objects.service,
    ("", "PersistentVolumeClaim"): objects.persistent_volume_claim,
    ("", "Namespace"): objects.namespace,
    ("apps", "Deployment"): workloads.deployment,
    ("apps", "StatefulSet"): workloads.stateful_set,
    ("apps", "DaemonSet"): workloads.daemon_set,
    ("apps", "ReplicaSet"): workloads.replica_set,
    ("batch", "Job"): workloads.job,
    ("policy", "PodDisruptionBudget"): objects.pod_disruption_budget,
    ("apiextensions.k8s.io", "CustomResourceDefinition"): objects.custom_resource_definition,
    ("apiregistration.k8s.io", "APIService"): objects.api_service,
}


def assess(live: Manifest | None) -> Health:
    """Return the health of an object as it is.

    Args:
        live: The object as the API server gives it, or None where it is not there.
    """
    if live is None:
        return Health(HealthStatus.NOT_FOUND, "it is not there")
    generic = _generic(live)
    if generic is not None:
        return generic
    group = split_api_version(str(live.get("apiVersion") or ""))[0]
    rule = _RULES.get((group, str(live.get("kind") or "")))
    return rule(live) if rule is not None else _ready(live)


def _generic(live: Manifest) -> Health | None:
    """Return what deletion, generation and the standard conditions say, or None where they say nothing."""
    metadata = live.get("metadata") or {}
    if metadata.get("deletionTimestamp"):
        waiting = ", ".join(str(name) for name in metadata.get("finalizers") or ())
        message = f"being deleted, waiting for {waiting}" if waiting else "being deleted"
        return Health(HealthStatus.TERMINATING, message)
    status = live.get("status")
    observed = status.get("observedGeneration") if isinstance(status, Mapping) else None
    generation = metadata.get("generation")
    if isinstance(observed, int) and isinstance(generation, int) and observed != generation:
        return in_progress(f"its controller has seen generation {observed} of {generation}")
    if (found := condition(live, "Reconciling")) and found.get("status") == "True":
        return in_progress(text(found))
    if (found := condition(live, "Stalled")) and found.get("status") == "True":
        return failed(text(found))
    return None


def _ready(live: Manifest) -> Health:
    found = condition(live, "Ready")
    match found and found.get("status"):
        case "True":
            return current(text(found or {}))
        case "False" | "Unknown":
            return in_progress(text(found or {}))
        case _:
            return current()
