"""The Kubernetes API, over plain HTTP: nothing here imports a client library in the agent's own process."""

from reconciler.adapters.kube.connection import Connection, in_cluster, kubeconfig
from reconciler.adapters.kube.target import KubeTarget

__all__ = ["Connection", "KubeTarget", "in_cluster", "kubeconfig"]
