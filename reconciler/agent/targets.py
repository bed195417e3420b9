"""From a target's description to the adapter that reaches it."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from typing import assert_never

from reconciler.errors import UsageError
from reconciler.model.plan import Health
from reconciler.model.resource import Manifest
from reconciler.model.site import Target as TargetFacts
from reconciler.model.site import TargetType
from reconciler.ports.presence import Presence
from reconciler.ports.target import Target

__all__ = ["open_presence", "open_target_for", "set_custom_health"]


def open_target_for(
    facts: TargetFacts, *, site: str, platform: str, former_sites: Sequence[str] = ()
) -> Target:
    """Return the target of a site.

    Raises:
        UsageError: The description does not say where the target is.
    """
    match facts.type:
        case TargetType.DIRECTORY:
            from reconciler.adapters.directory import DirectoryTarget

            _want_path(facts, "the folder")
            return DirectoryTarget(facts.path, site, platform=platform)
        case TargetType.KUBECONFIG:
            from reconciler.adapters.kube import KubeTarget, kubeconfig

            _want_path(facts, "the kubeconfig file")
            return KubeTarget(kubeconfig(facts.path, facts.context), site, former_sites=former_sites)
        case TargetType.IN_CLUSTER:
            from reconciler.adapters.kube import KubeTarget, in_cluster

            return KubeTarget(in_cluster(), site, former_sites=former_sites)
        case _:
            assert_never(facts.type)


def open_presence(target: Target) -> Presence | None:
    """Return the presence in the cluster that a target is, or None where it is a folder."""
    if "reconciler.adapters.kube.target" not in sys.modules:
        return None
    from reconciler.adapters.kube.presence import KubePresence
    from reconciler.adapters.kube.target import KubeTarget

    if not isinstance(target, KubeTarget):
        return None
    return KubePresence(target.client, target.discovery, target.site_object, target.site, target.namespace)


def set_custom_health(target: Target, assess: Callable[[Manifest], Health | None] | None) -> None:
    """Have a cluster's objects judged by the fleet's own checks; a folder tells no health at all."""
    if "reconciler.adapters.kube.target" in sys.modules:
        from reconciler.adapters.kube.target import KubeTarget

        if isinstance(target, KubeTarget):
            target.custom_health = assess


def _want_path(facts: TargetFacts, what: str) -> None:
    if not facts.path:
        raise UsageError(
            f"expected the path of {what} for a target of type {facts.type.value}, found none",
            code="bad-target",
            hint="set spec.target.path in site.yaml, or start the agent with --target",
        )
