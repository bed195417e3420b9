"""What a constraint is: a demand on one field, or on the fields of one type together."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from reconciler.model.fieldpath import FieldPath
from reconciler.rules.types.problem import quote, shown

__all__ = [
    "REQUIRED",
    "Complaint",
    "Constraints",
    "FieldRule",
    "WholeRule",
    "duplicate",
    "invalid",
    "unsupported",
]

#: A place within the value, and what is wrong there in the API server's words.
Complaint: TypeAlias = tuple[FieldPath, str]
#: Judges a decoded value that is not null, for a Kubernetes minor version; None where nothing is wrong.
FieldRule: TypeAlias = Callable[[Any, int], str | None]
#: Judges a decoded object, for a Kubernetes minor version.
WholeRule: TypeAlias = Callable[[Mapping[str, Any], int], Iterable[Complaint]]

REQUIRED = "Required value"


@dataclass(frozen=True, slots=True)
class Constraints:
    """What validation demands of one type.

    Attributes:
        fields: Rules of single fields by name. They see values that are neither absent nor null.
        whole: Rules over several fields.
    """

    fields: Mapping[str, FieldRule] = field(default_factory=dict)
    whole: tuple[WholeRule, ...] = ()


def invalid(value: Any, reason: str) -> str:
    """Write `Invalid value: 0: must be greater than 0`, an object's content left out."""
    return f"Invalid value: {shown(value)}: {reason}"


def duplicate(value: Any) -> str:
    """Write `Duplicate value: "http"`."""
    return f"Duplicate value: {shown(value)}"


def unsupported(value: Any, supported: Iterable[str]) -> str:
    """Write `Unsupported value: "x": supported values: "a", "b"`."""
    return f"Unsupported value: {shown(value)}: supported values: {', '.join(map(quote, sorted(supported)))}"
