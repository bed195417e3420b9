"""The sites that a cluster knows of: what their agents wrote into their `Site` objects."""

from __future__ import annotations

from typing import Any

from reconciler.adapters.kube.client import KubeClient
from reconciler.adapters.kube.connection import Connection
from reconciler.adapters.kube.discovery import ApiKind
from reconciler.adapters.kube.site_crd import SITE_VERSION
from reconciler.errors import TargetRefused, UsageError
from reconciler.planning.applyset import AGENT_NAMESPACE, SITE_GROUP

__all__ = ["list_sites"]

_SITES = ApiKind(f"{SITE_GROUP}/{SITE_VERSION}", "sites", namespaced=True)


def list_sites(connection: Connection, *, namespace: str = AGENT_NAMESPACE) -> list[dict[str, Any]]:
    """Return the `Site` objects, sorted by name.

    Raises:
        TargetError: The cluster cannot be asked.
        UsageError: No agent has ever been in this cluster.
    """
    client = KubeClient(connection)
    try:
        answer = client.request("GET", _SITES.path(namespace))
    except TargetRefused as err:
        if err.status != 404:
            raise
        raise UsageError(
            "this cluster has no kind sites.wayside.dev: no agent has been here yet",
            code="no-sites",
            hint="`wayside install SITE` writes what an agent needs",
        ) from err
    finally:
        client.close()
    return sorted(answer.get("items") or (), key=lambda item: str(item["metadata"]["name"]))
