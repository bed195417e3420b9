"""Label selectors, as `metav1.LabelSelector` has them."""

from __future__ import annotations

import enum
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, assert_never

from reconciler.model.resource import Manifest

__all__ = ["LabelSelector", "Operator", "Requirement", "labels_of"]


class Operator(enum.Enum):
    """How a requirement compares."""

    IN = "In"
    NOT_IN = "NotIn"
    EXISTS = "Exists"
    DOES_NOT_EXIST = "DoesNotExist"


@dataclass(frozen=True, slots=True)
class Requirement:
    """One condition on one label.

    Attributes:
        key: The label's key.
        operator: How it is compared.
        values: What it is compared with; empty for `Exists` and `DoesNotExist`.
    """

    key: str
    operator: Operator
    values: frozenset[str] = frozenset()

    def matches(self, labels: Mapping[str, Any]) -> bool:
        """Tell whether a set of labels meets this."""
        match self.operator:
            case Operator.IN:
                return self.key in labels and labels[self.key] in self.values
            case Operator.NOT_IN:
                return self.key not in labels or labels[self.key] not in self.values
            case Operator.EXISTS:
                return self.key in labels
            case Operator.DOES_NOT_EXIST:
                return self.key not in labels
            case _:
                assert_never(self.operator)


@dataclass(frozen=True, slots=True)
class LabelSelector:
    """Conditions that must all be met. One without conditions selects everything."""

    requirements: tuple[Requirement, ...] = ()

    @classmethod
    def of(cls, match_labels: Mapping[str, str], expressions: Iterable[Requirement]) -> LabelSelector:
        """Combine `matchLabels` and `matchExpressions`."""
        equal = (Requirement(key, Operator.IN, frozenset((value,))) for key, value in match_labels.items())
        return cls((*equal, *expressions))

    @property
    def everything(self) -> bool:
        """Whether there is no condition."""
        return not self.requirements

    @property
    def keys(self) -> frozenset[str]:
        """The labels that decide."""
        return frozenset(requirement.key for requirement in self.requirements)

    def matches(self, labels: Mapping[str, Any]) -> bool:
        """Tell whether a set of labels meets every condition."""
        return all(requirement.matches(labels) for requirement in self.requirements)


def labels_of(manifest: Manifest | None) -> Mapping[str, Any]:
    """Return an object's labels; none for an object that is not there or is malformed."""
    metadata = manifest.get("metadata") if manifest is not None else None
    labels = metadata.get("labels") if isinstance(metadata, Mapping) else None
    return labels if isinstance(labels, Mapping) else {}
