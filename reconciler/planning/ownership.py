"""Whose an object is that is there already."""

from __future__ import annotations

from reconciler.model.resource import Manifest
from reconciler.planning.applyset import part_of

__all__ = ["foreign_owner"]


def foreign_owner(live: Manifest, ours: frozenset[str]) -> str:
    """Return the tool, fleet or controller that owns an object, in words, or "" where nobody else does.

    Args:
        live: The object as it is.
        ours: Ids of the sets that are this site's: its own, and those of its former names.
    """
    metadata = live.get("metadata") or {}
    labels = metadata.get("labels") or {}
    annotations = metadata.get("annotations") or {}
    member = part_of(live)
    if member in ours:
        return ""
    if member:
        return f"the ApplySet {member}"
    for tool, key in (
        ("the Flux Kustomization", "kustomize.toolkit.fluxcd.io"),
        ("the Flux HelmRelease", "helm.toolkit.fluxcd.io"),
    ):
        if name := labels.get(f"{key}/name"):
            return f"{tool} {labels.get(f'{key}/namespace', '')}/{name}"
    if tracking := annotations.get("argocd.argoproj.io/tracking-id"):
        return f"the Argo CD application {str(tracking).partition(':')[0]}"
    if instance := labels.get("argocd.argoproj.io/instance"):
        return f"the Argo CD application {instance}"
    if release := annotations.get("meta.helm.sh/release-name"):
        return f"the Helm release {annotations.get('meta.helm.sh/release-namespace', '')}/{release}"
    if inventory := annotations.get("config.k8s.io/owning-inventory"):
        return f"the cli-utils inventory {inventory}"
    if addon := annotations.get("objectset.rio.cattle.io/owner-name"):
        return f"the k3s addon {addon}"
    if stack := labels.get("k0s.k0sproject.io/stack"):
        return f"the k0s stack {stack}"
    for reference in metadata.get("ownerReferences") or ():
        if reference.get("controller"):
            return f"its controller {reference.get('kind')}/{reference.get('name')}"
    return ""
