"""The Kubernetes API, over plain HTTP: nothing here imports a client library in the agent's own process."""

from __future__ import annotations

from reconciler.adapters.kube.connection import Connection, in_cluster, kubeconfig
from reconciler.adapters.kube.target import KubeTarget
from reconciler.errors import UsageError
from reconciler.model.site import Target as TargetFacts
from reconciler.model.site import TargetType

__all__ = ["Connection", "KubeTarget", "in_cluster", "kubeconfig", "open_kube_target"]


def open_kube_target(facts: TargetFacts, site: str) -> KubeTarget:
    """Return the cluster that a site's `spec.target` describes. Nothing is asked of it yet.

    Args:
        facts: The description: in-cluster, or a kubeconfig file and its context.
        site: The site's name.

    Raises:
        UsageError: The description or what it names is not usable.
    """
    match facts.type:
        case TargetType.IN_CLUSTER:
            return KubeTarget(in_cluster(), site)
        case TargetType.KUBECONFIG:
            return KubeTarget(kubeconfig(facts.path, facts.context), site)
        case _:
            raise UsageError(f"expected a cluster as target, found {facts.type.value}", code="bad-target")
