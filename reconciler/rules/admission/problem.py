"""What is wrong with a policy or a binding, before anything is judged by it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from reconciler.errors import RuleError
from reconciler.model.fieldpath import FieldPath, format_field_path
from reconciler.model.location import Location

__all__ = ["InvalidPolicy", "Problem"]


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that the API server would refuse in a policy or a binding.

    Attributes:
        field: The field, from the root of its document.
        message: What is wrong: "expected X, found Y".
        hint: What to do, or "".
        binding: Which binding it is in, from 0, or None for the policy itself.
        within: Line and column, both from 1, in the text of the field, where the field is an expression that
            does not compile.
        key: Whether the field's name is wrong rather than its value.
    """

    field: FieldPath
    message: str
    hint: str = ""
    binding: int | None = None
    within: tuple[int, int] | None = None
    key: bool = False

    def __str__(self) -> str:
        where = format_field_path(self.field)
        return f"{where}: {self.message}" if where else self.message


class InvalidPolicy(RuleError):
    """A policy or one of its bindings is not one that the API server would take.

    Args:
        subject: What was read, for example `ValidatingAdmissionPolicy 'replicas'`.
        problems: Everything that is wrong with it; at least one.
        at: The document's place, where it is known.
    """

    def __init__(self, subject: str, problems: Iterable[Problem], *, at: Location | None = None) -> None:
        self.subject = subject
        self.problems = tuple(problems)
        first, more = self.problems[0], len(self.problems) - 1
        text = f"{subject}: {first}" + (f" (and {more} more)" if more else "")
        super().__init__(text, at=at, code="admission-policy", hint=first.hint)
