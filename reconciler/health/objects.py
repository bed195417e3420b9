"""Rules for built-in kinds that run no containers."""

from __future__ import annotations

from reconciler.health.conditions import condition, current, failed, in_progress, section, text
from reconciler.model.plan import Health, HealthStatus
from reconciler.model.resource import Manifest

__all__ = [
    "api_service",
    "custom_resource_definition",
    "namespace",
    "persistent_volume_claim",
    "pod_disruption_budget",
    "service",
]


def service(live: Manifest) -> Health:
    """Return the health of a Service: one of type LoadBalancer needs its cluster address."""
    spec = section(live, "spec")
    if spec.get("type") == "LoadBalancer" and not spec.get("clusterIP"):
        return in_progress("it has no cluster IP yet")
    return current()


def persistent_volume_claim(live: Manifest) -> Health:
    """Return the health of a PersistentVolumeClaim: it is Bound, or not yet."""
    phase = str(section(live, "status").get("phase") or "not seen by a provisioner")
    if phase == "Bound":
        return current()
    if phase == "Lost":
        return failed("its volume is lost")
    return in_progress(f"it is not bound yet: {phase}")


def namespace(live: Manifest) -> Health:
    """Return the health of a Namespace."""
    if section(live, "status").get("phase") == "Terminating":
        return Health(HealthStatus.TERMINATING, "being deleted")
    return current()


def pod_disruption_budget(live: Manifest) -> Health:
    """Return the health of a PodDisruptionBudget: its controller has looked at it and found no fault."""
    found = condition(live, "DisruptionAllowed")
    if found and found.get("reason") == "SyncFailed":
        return in_progress(text(found))
    if "observedGeneration" not in section(live, "status"):
        return in_progress("its controller has not seen it yet")
    return current()


def custom_resource_definition(live: Manifest) -> Health:
    """Return the health of a CRD: its names are accepted, and its objects are served."""
    names = condition(live, "NamesAccepted")
    if names and names.get("status") == "False":
        return failed(text(names))
    established = condition(live, "Established")
    if established and established.get("status") == "True":
        return current()
    if established and established.get("status") == "False" and established.get("reason") != "Installing":
        return failed(text(established))
    return in_progress("its kind is not served yet")


def api_service(live: Manifest) -> Health:
    """Return the health of an APIService: what it points at answers."""
    available = condition(live, "Available")
    if available and available.get("status") == "True":
        return current()
    return in_progress(text(available) if available else "it is not available yet")
