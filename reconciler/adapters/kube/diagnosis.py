"""Looking into why an object does not become healthy: its pods, and the Events about it and them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from reconciler.adapters.kube.client import KubeClient
from reconciler.errors import TargetRefused
from reconciler.health.reasons import event_reason, pod_reason
from reconciler.model.resource import Manifest

__all__ = ["diagnose"]

_MOST_PODS = "20"


def diagnose(client: KubeClient, live: Manifest) -> str:
    """Return why an object does not come up, or "" where nothing tells.

    Raises:
        TargetUnreachable: The server does not answer.
    """
    metadata = live.get("metadata") or {}
    namespace = str(metadata.get("namespace") or "")
    if not namespace:
        return ""
    pods = [live] if live.get("kind") == "Pod" else _pods(client, namespace, live)
    if found := pod_reason(pods):
        return found
    for subject in (live, *pods[:3]):
        uid = str((subject.get("metadata") or {}).get("uid") or "")
        query = {"fieldSelector": f"involvedObject.uid={uid}", "limit": "50"}
        if uid and (found := event_reason(_list(client, f"/api/v1/namespaces/{namespace}/events", query))):
            return found
    return ""


def _pods(client: KubeClient, namespace: str, live: Manifest) -> list[Manifest]:
    selector = ((live.get("spec") or {}).get("selector") or {}) if live.get("kind") != "Service" else {}
    labels: Mapping[str, Any] = selector.get("matchLabels") or {} if isinstance(selector, Mapping) else {}
    if not labels:
        return []
    query = {
        "labelSelector": ",".join(f"{key}={value}" for key, value in labels.items()),
        "limit": _MOST_PODS,
    }
    return _list(client, f"/api/v1/namespaces/{namespace}/pods", query)


def _list(client: KubeClient, path: str, query: Mapping[str, str]) -> list[Manifest]:
    try:
        return list(client.request("GET", path, query=query).get("items") or ())
    except TargetRefused:
        return []  # a reason less; the failure itself is told all the same
