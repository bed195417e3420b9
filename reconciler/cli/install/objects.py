"""The objects by which an agent runs in a cluster."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from reconciler import __version__
from reconciler.cli.install.rights import OWN_CLUSTER_RULES, OWN_RULES, Rights
from reconciler.planning.applyset import AGENT_NAMESPACE

__all__ = ["IMAGE", "Installation", "access", "base", "configuration"]

IMAGE = f"ghcr.io/wayside-gitops/wayside-agent:{__version__}"
NAME = "wayside-agent"
_RBAC = "rbac.authorization.k8s.io"
_LABELS = {"app.kubernetes.io/name": NAME, "app.kubernetes.io/part-of": "wayside"}
#: The user that the image runs as.
_USER = 65532
_PORT = 8080


@dataclass(frozen=True, slots=True)
class Installation:
    """One site's agent.

    Attributes:
        site: The site's name.
        repository: The repository's URL.
        branch: A branch, a tag, a full reference or the full id of a commit.
        sink: Where events go; "" for nowhere.
        image: The agent's image.
        storage: The size of its volume.
        trust: File name to content: `known_hosts`, `allowed_signers`, `ca.crt`.
        credentials: File name to content: `username`, `password`, `identity`, `hub-token`,
            `webhook-secret`.
    """

    site: str
    repository: str
    branch: str = "main"
    sink: str = ""
    image: str = IMAGE
    storage: str = "256Mi"
    trust: Mapping[str, str] = field(default_factory=dict)
    credentials: Mapping[str, bytes] = field(default_factory=dict, repr=False)


def base(*, image: str = IMAGE, storage: str = "256Mi") -> list[dict[str, Any]]:
    """Return what is the same at every site: namespace, account, own rights, volume and Deployment."""
    return [
        {
            "apiVersion": "v1",
            "kind": "Namespace",
            "metadata": {
                "name": AGENT_NAMESPACE,
                "labels": {"pod-security.kubernetes.io/enforce": "restricted"},
            },
        },
        _object("v1", "ServiceAccount", NAME, automountServiceAccountToken=False),
        _object(f"{_RBAC}/v1", "Role", NAME, rules=[dict(rule) for rule in OWN_RULES]),
        _binding("RoleBinding", NAME, "Role", AGENT_NAMESPACE),
        _object(
            f"{_RBAC}/v1",
            "ClusterRole",
            f"{NAME}-facts",
            "",
            rules=[dict(rule) for rule in OWN_CLUSTER_RULES],
        ),
        _binding("ClusterRoleBinding", f"{NAME}-facts", "ClusterRole", ""),
        _object(
            "v1",
            "PersistentVolumeClaim",
            f"{NAME}-state",
            spec={"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": storage}}},
        ),
        _deployment(image),
    ]


def access(rights: Rights) -> list[dict[str, Any]]:
    """Return the roles and bindings that give rights over the site's objects."""
    name = f"{NAME}-site"
    found: list[dict[str, Any]] = []
    if rights.cluster:
        found += [
            _object(f"{_RBAC}/v1", "ClusterRole", name, "", rules=[dict(rule) for rule in rights.cluster]),
            _binding("ClusterRoleBinding", name, "ClusterRole", ""),
        ]
    for namespace, rules in (rights.namespaces or {}).items():
        found += [
            _object(f"{_RBAC}/v1", "Role", name, namespace, rules=[dict(rule) for rule in rules]),
            _binding("RoleBinding", name, "Role", namespace),
        ]
    return found


def configuration(installation: Installation) -> list[dict[str, Any]]:
    """Return what is different at every site: settings, trust and credentials."""
    settings = {
        "WAYSIDE_REPO": installation.repository,
        "WAYSIDE_BRANCH": installation.branch,
        "WAYSIDE_SITE": installation.site,
        "WAYSIDE_SINK": installation.sink,
    }
    found = [_object("v1", "ConfigMap", NAME, data=settings)]
    if installation.trust:
        found.append(_object("v1", "ConfigMap", f"{NAME}-trust", data=dict(installation.trust)))
    if installation.credentials:
        data = {
            name: base64.b64encode(value).decode() for name, value in sorted(installation.credentials.items())
        }
        found.append(_object("v1", "Secret", f"{NAME}-credentials", type="Opaque", data=data))
    return found


def _object(
    api_version: str, kind: str, name: str, namespace: str = AGENT_NAMESPACE, **content: Any
) -> dict[str, Any]:
    metadata: dict[str, Any] = {"name": name}
    if namespace:
        metadata["namespace"] = namespace
    metadata["labels"] = dict(_LABELS)
    return {"apiVersion": api_version, "kind": kind, "metadata": metadata, **content}


def _binding(kind: str, name: str, role: str, namespace: str) -> dict[str, Any]:
    return _object(
        f"{_RBAC}/v1",
        kind,
        name,
        namespace,
        roleRef={"apiGroup": _RBAC, "kind": role, "name": name},
        subjects=[{"kind": "ServiceAccount", "name": NAME, "namespace": AGENT_NAMESPACE}],
    )


def _probe(path: str, period: int) -> dict[str, Any]:
    return {"httpGet": {"path": path, "port": "http"}, "periodSeconds": period, "timeoutSeconds": 6}


def _deployment(image: str) -> dict[str, Any]:
    container = {
        "name": "agent",
        "image": image,
        "args": _arguments(),
        "envFrom": [{"configMapRef": {"name": NAME}}],
        "ports": [{"name": "http", "containerPort": _PORT}],
        "livenessProbe": {**_probe("/healthz", 30), "failureThreshold": 4},
        "readinessProbe": _probe("/readyz", 10),
        "resources": {
            "requests": {"cpu": "10m", "memory": "64Mi"},
            "limits": {"memory": "256Mi"},
        },
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        },
        "volumeMounts": [
            {"name": "state", "mountPath": "/var/lib/wayside"},
            {"name": "tmp", "mountPath": "/tmp"},  # noqa: S108 - the container's own
            {"name": "trust", "mountPath": "/etc/wayside/trust", "readOnly": True},
            {"name": "credentials", "mountPath": "/etc/wayside/credentials", "readOnly": True},
        ],
    }
    pod = {
        "serviceAccountName": NAME,
        "automountServiceAccountToken": True,
        "terminationGracePeriodSeconds": 15,
        "priorityClassName": "system-cluster-critical",
        "tolerations": [{"operator": "Exists"}],
        "securityContext": {
            "runAsNonRoot": True,
            "runAsUser": _USER,
            "runAsGroup": _USER,
            "fsGroup": _USER,
            "seccompProfile": {"type": "RuntimeDefault"},
        },
        "containers": [container],
        "volumes": [
            {"name": "state", "persistentVolumeClaim": {"claimName": f"{NAME}-state"}},
            {"name": "tmp", "emptyDir": {"sizeLimit": "128Mi"}},
            {"name": "trust", "configMap": {"name": f"{NAME}-trust", "optional": True}},
            {
                "name": "credentials",
                "secret": {"secretName": f"{NAME}-credentials", "optional": True, "defaultMode": 0o440},
            },
        ],
    }
    return _object(
        "apps/v1",
        "Deployment",
        NAME,
        spec={
            "replicas": 1,
            "revisionHistoryLimit": 2,
            "strategy": {"type": "Recreate"},
            "selector": {"matchLabels": {"app.kubernetes.io/name": NAME}},
            "template": {"metadata": {"labels": dict(_LABELS)}, "spec": pod},
        },
    )


def _arguments() -> Sequence[str]:
    return [
        "agent",
        "--repo=$(WAYSIDE_REPO)",
        "--branch=$(WAYSIDE_BRANCH)",
        "--site=$(WAYSIDE_SITE)",
        "--sink=$(WAYSIDE_SINK)",
        "--state=/var/lib/wayside",
        "--target=in-cluster",
        "--trust=/etc/wayside/trust",
        "--credentials=/etc/wayside/credentials",
        f"--listen=:{_PORT}",
        "--log-format=json",
    ]
