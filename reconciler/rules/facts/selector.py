"""Label selectors as Kubernetes writes them in manifests (`metav1.LabelSelectorAsSelector`)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from reconciler.rules.facts.plain import as_list, as_mapping

__all__ = ["selects"]


def selects(selector: Any, labels: Mapping[str, str]) -> bool:
    """Tell whether a `LabelSelector` selects labels: none selects nothing, an empty one everything."""
    if selector is None:
        return False
    plain = as_mapping(selector)
    if any(labels.get(key) != value for key, value in as_mapping(plain.get("matchLabels")).items()):
        return False
    return all(_meets(as_mapping(item), labels) for item in as_list(plain.get("matchExpressions")))


def _meets(requirement: Mapping[str, Any], labels: Mapping[str, str]) -> bool:
    key, values = str(requirement.get("key")), as_list(requirement.get("values"))
    match requirement.get("operator"):
        case "In":
            return key in labels and labels[key] in values
        case "NotIn":
            return labels.get(key) not in values
        case "Exists":
            return key in labels
        case "DoesNotExist":
            return key not in labels
        case _:
            return False
