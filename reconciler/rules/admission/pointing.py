"""Which field of an object did a validation look at? So that a finding points at a line, not at a file.

An expression does not say which value it disliked. The deepest field of the object that it names, itself or
by a variable, is where a person would look first.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from reconciler.model.fieldpath import FieldPath
from reconciler.model.resource import Manifest
from reconciler.rules.admission.spec import PolicySpec
from reconciler.rules.expressions import reads

__all__ = ["Pointer"]


class Pointer:
    """The fields that each validation of a policy names.

    Args:
        spec: The policy.
    """

    def __init__(self, spec: PolicySpec) -> None:
        variables: dict[str, frozenset[tuple[str, ...]]] = {}
        for variable in spec.variables:
            variables[variable.name] = _named(variable.expression, variables)
        self._validations = tuple(
            tuple(sorted(_named(validation.expression, variables))) for validation in spec.validations
        )

    def field(self, decision: FieldPath, manifest: Manifest) -> FieldPath:
        """Return the field of an object that a decision is about; () where that cannot be said.

        Args:
            decision: What refused, as a path in the policy: `spec.validations[0].expression`.
            manifest: The object.
        """
        if decision[:2] != ("spec", "validations") or not isinstance(decision[2], int):
            return ()
        found: FieldPath = ()
        for path in self._validations[decision[2]]:
            present = _present(path, manifest)
            if _weight(present) > _weight(found):
                found = present
        return found


def _named(text: str, variables: Mapping[str, frozenset[tuple[str, ...]]]) -> frozenset[tuple[str, ...]]:
    read = reads(text)
    found = set(read.get("object", ()))
    for path in read.get("variables", ()):
        found |= variables.get(path[0], frozenset()) if path else frozenset()
    return frozenset(found)


def _present(path: tuple[str, ...], manifest: Manifest) -> tuple[str, ...]:
    """Return as much of a path as there is in the object."""
    value: Any = manifest
    for depth, step in enumerate(path):
        if not isinstance(value, Mapping) or step not in value:
            return path[:depth]
        value = value[step]
    return path


def _weight(path: FieldPath) -> tuple[bool, int]:
    """Rank a path: what identifies an object comes after what describes it."""
    identity = path[:1] in {("apiVersion",), ("kind",)} or path in {
        ("metadata",),
        ("metadata", "name"),
        ("metadata", "namespace"),
    }
    return (bool(path) and not identity, len(path))
