"""What the API server mixes into a pod when it is created: LimitRange defaults and RuntimeClasses.

Sources: `plugin/pkg/admission/limitranger` (`defaultContainerResourceRequirements`),
`SetDefaults_LimitRangeItem` and `plugin/pkg/admission/runtimeclass`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from reconciler.model.fieldpath import FieldPath
from reconciler.model.resource import Resource
from reconciler.rules.facts.amounts import Amounts, parse_amounts
from reconciler.rules.facts.plain import as_list, as_mapping, dig
from reconciler.rules.facts.problem import FactProblem

__all__ = ["PodAdmission", "limit_range_defaults", "runtime_classes"]


@dataclass(frozen=True)
class PodAdmission:
    """What admission does to the pods of one namespace.

    Attributes:
        container_defaults: (default requests, default limits) of each LimitRange, in their order.
        runtime_class_objects: RuntimeClass objects of the same site, by name.
    """

    container_defaults: tuple[tuple[Amounts, Amounts], ...] = ()
    runtime_class_objects: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)

    def runtime_class(
        self, spec: Mapping[str, Any], path: FieldPath, problems: list[FactProblem]
    ) -> tuple[Mapping[str, Any], Amounts]:
        """Return the pod spec with its class's scheduling, and the pod's overhead.

        A class that is not among the objects changes nothing: whether it exists is another rule's question.
        """
        overhead = parse_amounts(spec.get("overhead"), (*path, "overhead"), problems)
        found = self.runtime_class_objects.get(str(spec.get("runtimeClassName") or ""))
        if found is None:
            return spec, overhead
        fixed = parse_amounts(dig(found, "overhead", "podFixed"), (*path, "runtimeClassName"), problems)
        scheduling = as_mapping(found.get("scheduling"))
        selector = as_mapping(scheduling.get("nodeSelector"))
        tolerations = as_list(scheduling.get("tolerations"))
        own = as_mapping(spec.get("nodeSelector"))
        problems.extend(
            FactProblem(
                f"the pod wants {key}={own[key]} and its RuntimeClass {key}={selector[key]}, "
                "so the API server refuses it",
                (*path, "nodeSelector", key),
            )
            for key in sorted(set(own) & set(selector))
            if own[key] != selector[key]
        )
        if selector or tolerations:
            spec = {
                **spec,
                "nodeSelector": {**own, **selector},
                "tolerations": [*as_list(spec.get("tolerations")), *tolerations],
            }
        return spec, fixed or overhead


def limit_range_defaults(
    limit_ranges: Sequence[Resource], problems: list[FactProblem]
) -> tuple[tuple[Amounts, Amounts], ...]:
    """Return the container defaults of a namespace's LimitRanges.

    A missing default limit is the maximum, a missing default request the default limit, then the minimum.
    """
    defaults = []
    for resource in limit_ranges:
        requests: Amounts = {}
        limits: Amounts = {}
        for index, item in enumerate(as_list(dig(resource.manifest, "spec", "limits"))):
            entry = as_mapping(item)
            if entry.get("type") != "Container":
                continue
            at: FieldPath = ("spec", "limits", index)
            default = parse_amounts(entry.get("default"), (*at, "default"), problems)
            request = parse_amounts(entry.get("defaultRequest"), (*at, "defaultRequest"), problems)
            for name, amount in parse_amounts(entry.get("max"), (*at, "max"), problems).items():
                default.setdefault(name, amount)
            for name, amount in default.items():
                request.setdefault(name, amount)
            for name, amount in parse_amounts(entry.get("min"), (*at, "min"), problems).items():
                request.setdefault(name, amount)
            requests.update(request)
            limits.update(default)
        defaults.append((requests, limits))
    return tuple(defaults)


def runtime_classes(resources: Sequence[Resource]) -> dict[str, Mapping[str, Any]]:
    """Return the RuntimeClass objects among resources, by name."""
    return {
        resource.id.name: resource.manifest
        for resource in resources
        if resource.kind == "RuntimeClass" and resource.id.group == "node.k8s.io"
    }
