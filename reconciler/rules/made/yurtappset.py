"""OpenYurt's YurtAppSet: one Deployment or StatefulSet for each node pool, with the pool's tweaks.

Source: `pkg/yurtmanager/controller/yurtappset/workloadmanager` of OpenYurt, API `apps.openyurt.io/v1beta1`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from reconciler.model.fieldpath import FieldPath
from reconciler.model.finding import Severity
from reconciler.model.resource import Resource
from reconciler.rules.facts.node import NodeFacts
from reconciler.rules.facts.plain import as_list, as_mapping, dig
from reconciler.rules.facts.selector import selects
from reconciler.rules.made.group import Made, MadeProblem, Making, group_values, made, named
from reconciler.rules.made.sown import PatchError, Sown, patch, sow

__all__ = ["POOL", "make"]

#: The label by which OpenYurt marks the nodes of a pool, and what it makes for one.
POOL = "apps.openyurt.io/nodepool"
_POOL_OF_PODS = "apps.openyurt.io/pool-name"
_TEMPLATES = {"deploymentTemplate": "Deployment", "statefulSetTemplate": "StatefulSet"}
_TEMPLATE: FieldPath = ("spec", "workload", "workloadTemplate")
_TWEAKS: FieldPath = ("spec", "workload", "workloadTweaks")


def make(resource: Resource, nodes: Sequence[NodeFacts], resources: Sequence[Resource]) -> Making:
    """Make the workload of every pool that is chosen and there."""
    if resource.api_version != "apps.openyurt.io/v1beta1":
        return Making(
            not_checked=f"YurtAppSets of {resource.api_version} are not looked into; "
            "write apps.openyurt.io/v1beta1"
        )
    spec = as_mapping(resource.manifest.get("spec"))
    templates = as_mapping(dig(spec, "workload", "workloadTemplate"))
    field = next((name for name in _TEMPLATES if templates.get(name)), "")
    if not field:
        return Making(
            problems=(MadeProblem("expected a deploymentTemplate or statefulSetTemplate", _TEMPLATE),)
        )
    return _Pools(resource, nodes, resources).make(field)


class _Pools:
    """The pools of a site, as one YurtAppSet sees them."""

    def __init__(self, resource: Resource, nodes: Sequence[NodeFacts], resources: Sequence[Resource]) -> None:
        self._resource = resource
        self._spec = as_mapping(resource.manifest.get("spec"))
        self._labels: dict[str, Mapping[str, Any] | None] = dict.fromkeys(sorted(group_values(nodes, POOL)))
        self._labels |= {
            r.id.name: r.labels
            for r in resources
            if r.kind == "NodePool" and r.id.group == "apps.openyurt.io"
        }
        self._problems: list[MadeProblem] = []
        self._unknown = False

    def make(self, field: str) -> Making:
        """Make one workload for each pool."""
        chosen = [
            p
            for p in self._labels
            if self._is_in(p, self._spec.get("pools"), self._spec.get("nodepoolSelector"))
        ]
        self._missing(self._spec.get("pools"), ("spec", "pools"))
        tweaks = as_list(dig(self._spec, "workload", "workloadTweaks"))
        matching: dict[str, list[int]] = {pool: [] for pool in chosen}
        for number, item in enumerate(tweaks):
            tweak = as_mapping(item)
            hit = [p for p in chosen if self._is_in(p, tweak.get("pools"), tweak.get("nodepoolSelector"))]
            for pool in hit:
                matching[pool].append(number)
            if not hit and not self._unknown:
                self._problem(
                    "the tweaks are for no node pool that gets this workload; "
                    + named(chosen, "its node pools"),
                    (*_TWEAKS, number),
                )
            elif hit:
                self._missing(tweak.get("pools"), (*_TWEAKS, number, "pools"))
        found = [self._workload(pool, field, matching[pool]) for pool in chosen]
        if not chosen and not self._unknown:
            self._problem(
                f"it is for no node pool of this site; {named(list(self._labels), 'its node pools')}",
                ("spec", "nodepoolSelector" if self._spec.get("nodepoolSelector") is not None else "pools"),
            )
        reason = (
            "a YurtAppSet chooses node pools by label, and the labels of some are not known here; "
            "put the NodePool objects into the overlay"
        )
        return Making(
            tuple(one for one in found if one is not None),
            tuple(dict.fromkeys(self._problems)),
            reason if self._unknown else "",
        )

    def _problem(self, message: str, at: FieldPath, severity: Severity = Severity.WARNING) -> None:
        self._problems.append(
            MadeProblem(
                message,
                at,
                severity,
                f"nodes are in a pool by their label {POOL} in site.yaml, or mend the name",
            )
        )

    def _missing(self, pools: Any, at: FieldPath) -> None:
        """Report pools that are named and not there; OpenYurt passes them over in silence."""
        for number, pool in enumerate(as_list(pools)):
            if str(pool) not in self._labels:
                self._problem(
                    f"expected a node pool of the site, found {pool!r}; "
                    + named(list(self._labels), "its node pools"),
                    (*at, number),
                )

    def _is_in(self, pool: str, pools: Any, selector: Any) -> bool:
        if pool in as_list(pools):
            return True
        if selector is None:
            return False
        wanted = as_mapping(selector)
        if not wanted.get("matchLabels") and not wanted.get("matchExpressions"):
            return True
        labels = self._labels[pool]
        if labels is None:
            self._unknown = True
            return False
        return selects(selector, labels)

    def _workload(self, pool: str, field: str, tweaks: Sequence[int]) -> Made | None:
        root = self._resource
        template = sow(dig(root.manifest, *_TEMPLATE, field), (*_TEMPLATE, field))
        chosen_by: FieldPath = ("spec", "pools") if self._spec.get("pools") else ("spec", "nodepoolSelector")
        for step, value in (("apiVersion", "apps/v1"), ("kind", _TEMPLATES[field])):
            template.set((step,), Sown(value, (*_TEMPLATE, field)))
        template.set(("metadata", "name"), Sown(f"{root.id.name}-{pool}", ("metadata", "name")))
        template.set(("metadata", "namespace"), Sown(root.id.namespace, ("metadata", "namespace")))
        for path in (
            ("metadata", "labels", _POOL_OF_PODS),
            ("spec", "selector", "matchLabels", _POOL_OF_PODS),
            ("spec", "template", "metadata", "labels", _POOL_OF_PODS),
            ("spec", "template", "spec", "nodeSelector", POOL),
        ):
            template.set(path, Sown(pool, chosen_by))
        # All replicas and images of all tweaks come first, then all patches.
        for number in tweaks:
            self._basic(template, number)
        fits = all(self._patches(template, number, pool) for number in tweaks)
        return made(template, f"node pool {pool}") if fits else None

    def _basic(self, template: Sown, number: int) -> None:
        at: FieldPath = (*_TWEAKS, number, "tweaks")
        tweaks = as_mapping(dig(self._resource.manifest, *at))
        if tweaks.get("replicas") is not None:
            template.set(("spec", "replicas"), sow(tweaks["replicas"], (*at, "replicas")))
        for index, item in enumerate(as_list(tweaks.get("containerImages"))):
            image = as_mapping(item)
            hits = [
                container
                for lists in ("containers", "initContainers")
                for container in template.items("spec", "template", "spec", lists)
                if (name := container.get("name")) is not None and name.value == image.get("name")
            ]
            for container in hits:
                place = (*at, "containerImages", index, "targetImage")
                container.set(("image",), sow(image.get("targetImage"), place))
            if not hits:
                self._problems.append(
                    MadeProblem(
                        f"expected the name of a container of the template, found {image.get('name')!r}",
                        (*at, "containerImages", index, "name"),
                        hint="mend the name of the container; OpenYurt passes it over in silence",
                    )
                )

    def _patches(self, template: Sown, number: int, pool: str) -> bool:
        """Apply the patches of a tweak; where one does not fit, OpenYurt makes no workload for the pool."""
        at: FieldPath = (*_TWEAKS, number, "tweaks", "patches")
        for index, item in enumerate(as_list(dig(self._resource.manifest, *at))):
            entry = as_mapping(item)
            value = _filled(entry.get("value"), pool)
            try:
                patch(
                    template,
                    str(entry.get("operation")),
                    str(entry.get("path")),
                    sow(value, (*at, index, "value")),
                )
            except PatchError as err:
                self._problems.append(
                    MadeProblem(
                        f"the patch does not fit, so node pool {pool} gets no workload: {err}",
                        (*at, index, "path"),
                        Severity.ERROR,
                        "write the path as a JSON pointer into what is made, such as /spec/replicas",
                    )
                )
                return False
        return True


def _filled(value: Any, pool: str) -> Any:
    """Write the pool's name where `{{nodepool-name}}` stands."""
    if isinstance(value, str):
        return value.replace("{{nodepool-name}}", pool)
    if isinstance(value, Mapping):
        return {_filled(key, pool): _filled(item, pool) for key, item in value.items()}
    if isinstance(value, list):
        return [_filled(item, pool) for item in value]
    return value
