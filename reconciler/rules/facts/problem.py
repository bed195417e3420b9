"""What stops a fact from being known. It is never replaced by zero in silence."""

from __future__ import annotations

from dataclasses import dataclass

from reconciler.model.fieldpath import FieldPath

__all__ = ["FactProblem"]


@dataclass(frozen=True, slots=True)
class FactProblem:
    """A value from which no fact can be computed.

    Attributes:
        message: One sentence: expected X, found Y.
        field_path: The field, within the object.
    """

    message: str
    field_path: FieldPath
