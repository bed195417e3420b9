"""Labels, annotations, selectors and owners, wherever they stand."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from reconciler.rules.types.constraints.access import items, mapping, text
from reconciler.rules.types.constraints.names import (
    dns_label,
    label_value,
    not_empty,
    qualified_name,
    rule,
)
from reconciler.rules.types.constraints.shape import REQUIRED, Complaint, Constraints, invalid, unsupported

__all__ = ["CONSTRAINTS", "key_rule", "labels", "matches", "selector_is_empty"]

_ANNOTATIONS_LIMIT = 256 * 1024
_key_words = not_empty(qualified_name)


def labels(value: Any, _: int) -> str | None:
    """Judge a map of labels."""
    for key, item in value.items():
        if (wrong := qualified_name(key)) is not None:
            return invalid(key, wrong)
        if (wrong := label_value(item or "")) is not None:
            return invalid(item, wrong)
    return None


def key_rule(value: Any, minor: int) -> str | None:
    """Judge the key of a label that must be there."""
    return _key_words(value, minor)


def _annotations(value: Any, _: int) -> str | None:
    size = 0
    for key, item in value.items():
        if (wrong := qualified_name(key.lower())) is not None:
            return invalid(key, wrong)
        size += len(key) + len(item or "")
    # Counted in bytes by the server; a count of characters is never more.
    return None if size <= _ANNOTATIONS_LIMIT else "Too long: may not be more than 262144 bytes"


def _finalizers(value: Any, _: int) -> str | None:
    for item in value:
        if (wrong := qualified_name(item or "")) is not None:
            return invalid(item, wrong)
    return None


def _owners(value: Mapping[str, Any], _: int) -> Iterator[Complaint]:
    if not value.get("ownerReferences"):
        return
    # Owners that are written twice count once, as the server drops them.
    owners = {str(sorted(owner.items())): (index, owner) for index, owner in items(value, "ownerReferences")}
    controllers = 0
    for index, owner in owners.values():
        for name in ("apiVersion", "kind", "name", "uid"):
            if not owner.get(name):
                yield ("ownerReferences", index, name), f"{REQUIRED}: must not be empty"
        controllers += owner.get("controller") is True
    if controllers > 1:
        yield ("ownerReferences",), "Only one reference can have Controller set to true"


def _requirement(value: Mapping[str, Any], _: int) -> Iterator[Complaint]:
    operator, values = text(value, "operator"), value.get("values") or ()
    match operator:
        case "In" | "NotIn":
            if not values:
                yield ("values",), f"{REQUIRED}: must be specified when `operator` is 'In' or 'NotIn'"
        case "Exists" | "DoesNotExist":
            if values:
                yield (
                    ("values",),
                    "Forbidden: may not be specified when `operator` is 'Exists' or 'DoesNotExist'",
                )
        case _:
            yield ("operator",), invalid(operator, "not a valid selector operator")
    for index, item in enumerate(values):
        if (wrong := label_value(item or "")) is not None:
            yield ("values", index), invalid(item, wrong)


def selector_is_empty(selector: Mapping[str, Any] | None) -> bool:
    """Tell whether a label selector has no requirement."""
    return not selector or not (selector.get("matchLabels") or selector.get("matchExpressions"))


def matches(selector: Mapping[str, Any], found: Mapping[str, Any]) -> bool:
    """Tell whether a valid label selector matches labels."""
    for key, value in mapping(selector, "matchLabels").items():
        if (found.get(key) or "") != (value or "") or key not in found:
            return False
    for _, each in items(selector, "matchExpressions"):
        key, values = text(each, "key"), each.get("values") or ()
        there = key in found
        inside = there and (found[key] or "") in [value or "" for value in values]
        match text(each, "operator"):
            case "In" if not inside:
                return False
            case "NotIn" if inside:
                return False
            case "Exists" if not there:
                return False
            case "DoesNotExist" if there:
                return False
    return True


def _node_requirement(value: Mapping[str, Any], _: int) -> Iterator[Complaint]:
    operator, values = text(value, "operator"), value.get("values") or ()
    match operator:
        case "In" | "NotIn" if not values:
            yield ("values",), f"{REQUIRED}: must be specified when `operator` is 'In' or 'NotIn'"
        case "Exists" | "DoesNotExist" if values:
            yield (
                ("values",),
                "Forbidden: may not be specified when `operator` is 'Exists' or 'DoesNotExist'",
            )
        case "Gt" | "Lt" if len(values) != 1:
            yield (
                ("values",),
                f"{REQUIRED}: must be specified single value when `operator` is 'Lt' or 'Gt'",
            )
        case "In" | "NotIn" | "Exists" | "DoesNotExist" | "Gt" | "Lt":
            pass
        case _:
            yield ("operator",), unsupported(operator, ("DoesNotExist", "Exists", "Gt", "In", "Lt", "NotIn"))


def _weight(value: Any, _: int) -> str | None:
    return None if 1 <= value <= 100 else invalid(value, "must be in the range 1-100")


def _term(value: Mapping[str, Any], _: int) -> Iterator[Complaint]:
    if not text(value, "topologyKey"):
        yield ("topologyKey",), f"{REQUIRED}: can not be empty"
    for index, name in enumerate(value.get("namespaces") or ()):
        if (wrong := dns_label(name or "")) is not None:
            yield ("namespaces", index), invalid(name, wrong)


CONSTRAINTS: dict[str, Constraints] = {
    "meta.v1.ObjectMeta": Constraints(
        {"labels": labels, "annotations": _annotations, "finalizers": _finalizers}, (_owners,)
    ),
    "meta.v1.LabelSelector": Constraints({"matchLabels": labels}),
    "meta.v1.LabelSelectorRequirement": Constraints({"key": key_rule}, (_requirement,)),
    "core.v1.NodeSelectorRequirement": Constraints({"key": key_rule}, (_node_requirement,)),
    "core.v1.NodeSelector": Constraints({"nodeSelectorTerms": not_empty()}),
    "core.v1.PreferredSchedulingTerm": Constraints({"weight": _weight}),
    "core.v1.WeightedPodAffinityTerm": Constraints({"weight": _weight}),
    "core.v1.PodAffinityTerm": Constraints({"topologyKey": rule(qualified_name)}, (_term,)),
}
