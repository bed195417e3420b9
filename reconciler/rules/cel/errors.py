"""What can be wrong with an expression, at compile time and at evaluation."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from reconciler.errors import RuleError

__all__ = ["CelCompileError", "CelEvaluationError", "CelIssue", "CelUnsupportedError", "NeedsClusterError"]


@dataclass(frozen=True, slots=True)
class CelIssue:
    """One mistake in an expression.

    Attributes:
        line: Line of the expression, counted from 1.
        column: Column in characters, counted from 1.
        message: cel-go's words where it has any, for example `undeclared reference to 'x' (in container '')`.
    """

    line: int
    column: int
    message: str

    def render(self, text: str) -> str:
        """Write the issue as cel-go prints it, with the source line and a caret under the place."""
        lines = text.split("\n")
        source = lines[self.line - 1] if 0 < self.line <= len(lines) else ""
        dots = "." * (self.column - 1)
        return f"ERROR: <input>:{self.line}:{self.column}: {self.message}\n | {source}\n | {dots}^"


class CelCompileError(RuleError):
    """An expression does not parse or does not type-check.

    Args:
        issues: What is wrong, in the order of the text; never empty.
        text: The expression.
    """

    def __init__(self, issues: Sequence[CelIssue], text: str) -> None:
        self.issues = tuple(issues)
        self.text = text
        super().__init__("\n".join(issue.render(text) for issue in self.issues), code="cel-compile")


class CelEvaluationError(RuleError):
    """An expression compiled, and its evaluation ended in an error. It never counts as true or false."""

    def __init__(self, message: str, *, code: str = "cel-evaluation", hint: str = "") -> None:
        super().__init__(message, code=code, hint=hint)


class CelUnsupportedError(CelEvaluationError):
    """This engine cannot evaluate the expression faithfully, so it does not evaluate it at all."""

    def __init__(
        self, message: str, *, hint: str = "use the native engine (cel-expr-python) for this expression"
    ) -> None:
        super().__init__(message, code="cel-unsupported", hint=hint)


class NeedsClusterError(CelEvaluationError):
    """The expression asks what only a cluster can answer, such as `authorizer`.

    Args:
        name: What it asks for.
    """

    def __init__(self, name: str) -> None:
        super().__init__(
            f"{name!r} is answered by the API server only",
            code="needs-cluster",
            hint="not checked here, left to the API server",
        )
        self.name = name
