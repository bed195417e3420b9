"""Compile errors under the line of the file that the expression stands in."""

from __future__ import annotations

from dataclasses import dataclass

from reconciler.documents.scalar import locate_in_scalar
from reconciler.model.fieldpath import FieldPath
from reconciler.model.location import Location
from reconciler.rules.cel.errors import CelCompileError

__all__ = ["LocatedIssue", "locate_issues", "render_caret"]


@dataclass(frozen=True, slots=True)
class LocatedIssue:
    """One mistake of an expression, at its place in a file.

    Attributes:
        at: The place in the file.
        message: What is wrong, in cel-go's words.
        excerpt: The file's line and a caret under the place.
    """

    at: Location
    message: str
    excerpt: str


def render_caret(data: bytes, at: Location) -> str:
    """Return a line of a file with a caret under a place, as two lines of text.

    Args:
        data: The file's content.
        at: The place; a tab before it keeps its width.
    """
    lines = data.decode("utf-8-sig", "replace").splitlines()
    source = lines[at.line - 1] if 0 < at.line <= len(lines) else ""
    lead = "".join("\t" if char == "\t" else " " for char in source[: at.column - 1])
    number = str(at.line)
    return f"{number} | {source}\n{' ' * len(number)} | {lead.ljust(at.column - 1)}^"


def locate_issues(
    error: CelCompileError, data: bytes, path: str, field: FieldPath, *, index: int = 0
) -> tuple[LocatedIssue, ...]:
    """Return the mistakes of an expression at their places in the file that it was read from.

    Args:
        error: What the compiler found.
        data: The file's content.
        path: The file's path.
        field: The expression's field in its document.
        index: Number of the document in the file, from 0.
    """
    found = []
    for issue in error.issues:
        at = locate_in_scalar(
            data, path, field, error.text, line=issue.line, column=issue.column, index=index
        )
        found.append(LocatedIssue(at, issue.message, render_caret(data, at)))
    return tuple(found)
