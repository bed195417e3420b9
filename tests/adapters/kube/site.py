"""A believable site for tests on a real API server, and a sync of it in one call."""

from __future__ import annotations

import datetime
import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Generic, TypeVar

from reconciler.apply import execute
from reconciler.model.outcome import Outcome
from reconciler.model.plan import Inventory, Plan
from reconciler.model.resource import Resource
from reconciler.model.site import SyncSettings
from reconciler.planning import plan
from reconciler.ports.target import Target


class SystemClock:
    """The machine's own clock."""

    def now(self) -> datetime.datetime:
        return datetime.datetime.now(datetime.UTC)

    def monotonic(self) -> float:
        return time.monotonic()


T = TypeVar("T", bound=Target)


@dataclass
class Agent(Generic[T]):
    """What an agent does in one sync, and the state that it keeps."""

    target: T
    site: str
    inventory: Inventory = field(default_factory=Inventory)
    policy: SyncSettings = field(default_factory=SyncSettings)
    timeout: float = 60.0
    former_sites: tuple[str, ...] = ()

    def plan(self, desired: Sequence[Resource], **settings: Any) -> Plan:
        observed = self.target.observe(desired, self.inventory)
        policy = replace(self.policy, **settings)
        return plan(desired, observed, self.inventory, policy, site=self.site, former_sites=self.former_sites)

    def sync(self, desired: Sequence[Resource], **settings: Any) -> Outcome:
        def save(inventory: Inventory) -> None:
            self.inventory = inventory

        wanted = self.plan(desired, **settings)
        return execute(wanted, self.target, clock=SystemClock(), timeout=self.timeout, save=save)


def manifest(api_version: str, kind: str, name: str, namespace: str = "", **fields: Any) -> Resource:
    metadata: dict[str, Any] = {"name": name}
    if namespace:
        metadata["namespace"] = namespace
    for key in ("labels", "annotations"):
        if key in fields:
            metadata[key] = fields.pop(key)
    return Resource({"apiVersion": api_version, "kind": kind, "metadata": metadata, **fields})


def config_map(
    namespace: str, name: str, *, annotations: dict[str, str] | None = None, **data: str
) -> Resource:
    more: dict[str, Any] = {"annotations": annotations} if annotations else {}
    return manifest("v1", "ConfigMap", name, namespace, data=data, **more)


def deployment(
    namespace: str, name: str, *, replicas: int = 1, image: str = "registry.example/app:1"
) -> Resource:
    labels = {"app": name}
    container = {
        "name": "app",
        "image": image,
        "resources": {"requests": {"cpu": "100m", "memory": "0.125Gi"}},
    }
    template = {"metadata": {"labels": labels}, "spec": {"containers": [container]}}
    spec = {"replicas": replicas, "selector": {"matchLabels": labels}, "template": template}
    return manifest("apps/v1", "Deployment", name, namespace, spec=spec)


def shop(namespace: str, *, image: str = "registry.example/app:1") -> list[Resource]:
    """Twelve objects of eleven kinds, their namespace among them."""
    ports = [{"name": "http", "port": 80, "targetPort": 8080}]
    role = "rbac.authorization.k8s.io"
    rules = [{"apiGroups": [""], "resources": ["configmaps"], "verbs": ["get"]}]
    subject = {"kind": "ServiceAccount", "name": "shop", "namespace": namespace}
    limits = {"type": "Container", "defaultRequest": {"cpu": "100m"}}
    role_ref = {"apiGroup": role, "kind": "Role", "name": "shop"}
    return [
        deployment(namespace, "web", replicas=2, image=image),
        deployment(namespace, "cache"),
        manifest("v1", "Service", "web", namespace, spec={"selector": {"app": "web"}, "ports": ports}),
        config_map(namespace, "settings", colour="blue"),
        manifest("v1", "Secret", "login", namespace, stringData={"password": "not-for-logs"}),
        manifest("v1", "ServiceAccount", "shop", namespace),
        manifest(f"{role}/v1", "RoleBinding", "shop", namespace, roleRef=role_ref, subjects=[subject]),
        manifest(f"{role}/v1", "Role", "shop", namespace, rules=rules),
        manifest("v1", "Namespace", namespace),
        manifest(
            "policy/v1",
            "PodDisruptionBudget",
            "web",
            namespace,
            spec={"minAvailable": 1, "selector": {"matchLabels": {"app": "web"}}},
        ),
        manifest("v1", "LimitRange", "limits", namespace, spec={"limits": [limits]}),
        manifest(
            "batch/v1",
            "CronJob",
            "nightly",
            namespace,
            spec={
                "schedule": "0 3 * * *",
                "jobTemplate": {
                    "spec": {
                        "template": {
                            "spec": {
                                "restartPolicy": "Never",
                                "containers": [{"name": "tidy", "image": "registry.example/tidy:1"}],
                            }
                        }
                    }
                },
            },
        ),
    ]
