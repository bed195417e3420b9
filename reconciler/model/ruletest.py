"""How one case of a rule's tests ended, as a value."""

from __future__ import annotations

from dataclasses import dataclass

from reconciler.model.location import Location

__all__ = ["RuleTestResult"]


@dataclass(frozen=True, slots=True)
class RuleTestResult:
    """How one case of a rule's tests ended.

    Attributes:
        rule: The rule's id.
        case: The case's name, one sentence.
        at: Where the case is written.
        failures: What was expected and not found, or found and not expected; empty where it passed.
    """

    rule: str
    case: str
    at: Location
    failures: tuple[str, ...] = ()

    @property
    def passed(self) -> bool:
        """Whether everything was as expected."""
        return not self.failures
