"""How many bytes a rollout pulls over a site's link."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from decimal import Decimal
from typing import Any

from reconciler.model.bytecount import format_bytes
from reconciler.model.contents import Build
from reconciler.model.platform import Platform, accepts, parse_platform
from reconciler.rules.facts.image import ImageFacts
from reconciler.rules.facts.node import NodeFacts
from reconciler.rules.facts.workload import WorkloadFacts

__all__ = ["download_values", "layers_of", "pulls_of"]

_NAMED = 3


def layers_of(workloads: Sequence[WorkloadFacts]) -> frozenset[str]:
    """Return the digests of all layers that some node pulls for these workloads."""
    return frozenset(digest for _, _, digest, _ in _pulls(workloads))


def pulls_of(workloads: Sequence[WorkloadFacts]) -> dict[str, int]:
    """Return the layers that some node pulls for these workloads, and the bytes of each over the site's link.

    A layer is pulled once by each node that needs it: by as many nodes as there are pods, and by no more than
    may take them. Images whose contents are not known count nothing.
    """
    sizes: dict[str, int] = {}
    pods: dict[str, int] = {}
    nodes: dict[str, dict[str, int]] = {}
    seen: set[tuple[str, str]] = set()
    for workload, _, digest, size in _pulls(workloads):
        sizes[digest] = size
        nodes.setdefault(digest, {}).update({node.name: node.count for node in workload.candidates})
        if (digest, str(workload.id)) not in seen:
            seen.add((digest, str(workload.id)))
            pods[digest] = pods.get(digest, 0) + workload.scale.replicas
    return {digest: size * min(pods[digest], sum(nodes[digest].values())) for digest, size in sizes.items()}


def download_values(
    workloads: Sequence[WorkloadFacts],
    *,
    installed: Collection[str] | None,
    budget: Decimal | None,
) -> dict[str, Any]:
    """Compute what rules see as `download`.

    Layers that are installed are free. Images whose contents are not known count nothing, and are named in
    `unknown`.

    Args:
        workloads: The workloads of the site.
        installed: Digests of layers that the last applied revision has there; None where nobody knows.
        budget: `spec.budgets.download` of the site in bytes, or None.
    """
    users: dict[str, str] = {}
    for _, image, digest, _ in _pulls(workloads):
        users.setdefault(digest, str(image.facts["shown"]))
    by_image: dict[str, int] = {}
    total = added = 0
    for digest, amount in pulls_of(workloads).items():
        total += amount
        if installed is None or digest not in installed:
            added += amount
            by_image[users[digest]] = by_image.get(users[digest], 0) + amount
    biggest = sorted(by_image.items(), key=lambda pair: (-pair[1], pair[0]))
    more = len(biggest) - _NAMED
    limit = -1 if budget is None else int(budget)
    return {
        "added": added,
        "addedText": format_bytes(added),
        "total": total,
        "totalText": format_bytes(total),
        "budget": limit,
        "budgetText": "nothing" if budget is None else format_bytes(limit),
        "known": installed is not None,
        "first": installed is not None and not installed,
        "unknown": sorted(
            {str(image.facts["shown"]) for w in workloads for image in w.images if not _is_known(image)}
        ),
        "biggest": ", ".join(f"{name} {format_bytes(size)}" for name, size in biggest[:_NAMED])
        + (f" and {more} more" if more > 0 else ""),
    }


def _pulls(workloads: Sequence[WorkloadFacts]) -> list[tuple[WorkloadFacts, ImageFacts, str, int]]:
    """Return each layer that some node pulls, with its workload and image."""
    return [
        (workload, image, layer.digest, layer.size)
        for workload in workloads
        if workload.scale.replicas
        for image in workload.images
        if image.facts["pullPolicy"] != "Never"
        for build in _builds(image, workload.candidates)
        for layer in build.layers
    ]


def _builds(image: ImageFacts, nodes: Sequence[NodeFacts]) -> list[Build]:
    """Return the builds that nodes choose: for each the newest variant that it runs."""
    chosen: dict[str, Build] = {}
    for node in nodes:
        fitting = [
            (platform, build)
            for build in image.builds
            if (platform := parse_platform(build.platform) if build.platform else None) is None
            or platform.wasm
            or accepts(node.platform, platform)
        ]
        if fitting:
            _, build = max(fitting, key=lambda pair: _rank(pair[0], node.platform))
            chosen[build.digest] = build
    return list(chosen.values())


def _rank(platform: Platform | None, node: Platform) -> tuple[bool, str]:
    if platform is None:
        return False, ""
    return platform.architecture == node.architecture, platform.variant


def _is_known(image: ImageFacts) -> bool:
    return image.contents is not None and not image.contents.problems
