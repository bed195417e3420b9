"""KubeEdge's EdgeApplication: its manifests, and each Deployment among them once for every node group.

Source: `cloud/pkg/controllermanager/edgeapplication` of KubeEdge, API `apps.kubeedge.io/v1alpha1`.
Deployments alone are made for each group and overridden; everything else is applied as it is written.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from reconciler.model.fieldpath import FieldPath
from reconciler.model.finding import Severity
from reconciler.model.resource import Resource
from reconciler.rules.facts.node import NodeFacts
from reconciler.rules.facts.plain import as_list, as_mapping, dig
from reconciler.rules.made.group import BELONGING, Made, MadeProblem, Making, group_values, made, named
from reconciler.rules.made.override import override
from reconciler.rules.made.sown import Sown, sow

__all__ = ["make"]

_MANIFESTS: FieldPath = ("spec", "workloadTemplate", "manifests")
_GROUPS: FieldPath = ("spec", "workloadScope", "targetNodeGroups")
_LABELS: FieldPath = ("spec", "workloadScope", "targetNodeLabels")


@dataclass(frozen=True)
class _Target:
    """One group of nodes, by its name or by the labels of its nodes.

    Attributes:
        at: Where it stands.
        suffix: What is appended to the names of its Deployments.
        name: The name of the NodeGroup, or "".
        labels: The labels of the nodes, where there is no NodeGroup.
    """

    at: FieldPath
    suffix: str
    name: str
    labels: Mapping[str, Any]

    @property
    def shown(self) -> str:
        """How messages name it."""
        return f"node group {self.name}" if self.name else f"nodes with {_pairs(self.labels)}"


def make(resource: Resource, nodes: Sequence[NodeFacts], resources: Sequence[Resource]) -> Making:
    """Make every manifest, and each Deployment for every target."""
    problems: list[MadeProblem] = []
    targets = list(_targets(resource, nodes, resources, problems))
    found: list[Made] = []
    deployments: list[Sown] = []
    for number, manifest in enumerate(as_list(dig(resource.manifest, *_MANIFESTS))):
        at: FieldPath = (*_MANIFESTS, number)
        if not as_mapping(manifest).get("kind") or not as_mapping(manifest).get("apiVersion"):
            problems.append(
                MadeProblem("expected an object with apiVersion and kind", at, Severity.ERROR, "write both")
            )
            continue
        source = sow(manifest, at)
        namespace = source.get("metadata", "namespace")
        if namespace is None or not namespace.value:
            source.set(("metadata", "namespace"), Sown(resource.id.namespace, ("metadata", "namespace")))
        if (manifest["apiVersion"], manifest["kind"]) == ("apps/v1", "Deployment"):
            deployments.append(source)
            found += [_for_target(manifest, source, target) for target in targets]
        else:
            found.append(made(source))
    for target in targets:
        overriders = sow(dig(resource.manifest, *target.at, "overriders"), (*target.at, "overriders"))
        for one in found:
            if one.group == target.shown:
                problems += override(one.source, overriders)
        problems += _without_container(overriders, deployments)
    rebuilt = tuple(made(one.source, one.group) if one.group else one for one in found)
    return Making(rebuilt, tuple(dict.fromkeys(problems)))


def _targets(
    resource: Resource,
    nodes: Sequence[NodeFacts],
    resources: Sequence[Resource],
    problems: list[MadeProblem],
) -> list[_Target]:
    groups = group_values(nodes, BELONGING)
    hint = f"nodes are in a group by their label {BELONGING} in site.yaml, or by a NodeGroup object"
    groups |= {r.id.name for r in resources if r.kind == "NodeGroup" and r.id.group == "apps.kubeedge.io"}
    found = []
    for number, item in enumerate(as_list(dig(resource.manifest, *_GROUPS))):
        name = str(as_mapping(item).get("name") or "")
        at: FieldPath = (*_GROUPS, number)
        if name not in groups:
            problems.append(
                MadeProblem(
                    f"expected a node group of the site, found {name!r}; "
                    + named(list(groups), "its node groups"),
                    (*at, "name"),
                    hint=hint,
                )
            )
        found.append(_Target(at, name, name, {}))
    for number, item in enumerate(as_list(dig(resource.manifest, *_LABELS))):
        at = (*_LABELS, number)
        labels = as_mapping(dig(item, "labelSelector", "matchLabels"))
        if not any(all(node.labels.get(k) == v for k, v in labels.items()) for node in nodes):
            problems.append(
                MadeProblem(
                    f"no node of the site has the labels {_pairs(labels)}",
                    (*at, "labelSelector"),
                    hint="mend the labels, or those of the nodes in site.yaml",
                )
            )
        suffix = "-".join(f"{key}-{value}" for key, value in labels.items())
        found.append(_Target(at, suffix, "", labels))
    return found


def _for_target(manifest: Mapping[str, Any], source: Sown, target: _Target) -> Made:
    at = source.at
    copy = sow(manifest, at)
    name = str(dig(manifest, "metadata", "name") or "")
    copy.set(("metadata", "name"), Sown(f"{name}-{target.suffix}", (*at, "metadata", "name")))
    namespace = source.get("metadata", "namespace")
    if namespace is not None:
        copy.set(("metadata", "namespace"), namespace)
    if target.name:
        selector = Sown({BELONGING: Sown(target.name, (*target.at, "name"))}, (*target.at, "name"))
        copy.set(("spec", "template", "spec", "nodeSelector"), selector)  # replaces what was there
    else:
        expressions = [{"key": k, "operator": "In", "values": [v]} for k, v in target.labels.items()]
        where = (*target.at, "labelSelector")
        required = {"nodeSelectorTerms": [{"matchExpressions": expressions}]}
        affinity = sow({"requiredDuringSchedulingIgnoredDuringExecution": required}, ())
        _place(affinity, where)
        copy.set(("spec", "template", "spec", "affinity", "nodeAffinity"), affinity)
    return Made(Resource({}), copy, target.shown)


def _place(node: Sown, at: FieldPath) -> None:
    """Say of a value and all its parts that one field set them."""
    node.at = at
    children = node.value.values() if isinstance(node.value, dict) else node.value
    for child in children if isinstance(node.value, dict | list) else ():
        _place(child, at)


def _without_container(overriders: Sown, deployments: Sequence[Sown]) -> list[MadeProblem]:
    """Report overriders that name a container which no Deployment has."""
    containers = [
        container
        for deployment in deployments
        for container in deployment.items("spec", "template", "spec", "containers")
    ]
    names = {str(name.value) for container in containers if (name := container.get("name")) is not None}
    problems = []
    for field in ("envOverriders", "commandOverriders", "argsOverriders", "resourcesOverriders"):
        for overrider in overriders.items(field):
            name = overrider.get("containerName")
            if name is None or str(name.value) not in names:
                found = "none" if name is None else repr(name.value)
                problems.append(
                    MadeProblem(
                        f"expected the name of a container, found {found}; "
                        + named(sorted(names), "its containers"),
                        overrider.at if name is None else name.at,
                        hint="mend the name; KubeEdge passes the overrider over in silence",
                    )
                )
    if not deployments and isinstance(overriders.value, dict) and overriders.value:
        problems.append(
            MadeProblem(
                "the overriders change nothing: KubeEdge overrides Deployments of apps/v1 alone",
                overriders.at,
                hint="make the workload a Deployment, or leave the overriders out",
            )
        )
    return problems


def _pairs(labels: Mapping[str, Any]) -> str:
    return ", ".join(f"{key}={value}" for key, value in labels.items())
