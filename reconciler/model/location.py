"""Where in the fleet's files something stands."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Location"]


@dataclass(frozen=True, slots=True, order=True)
class Location:
    """A place in a file of the repository.

    Attributes:
        path: POSIX path relative to the root of the tree.
        line: Line, counted from 1.
        column: Column in characters, counted from 1.
    """

    path: str
    line: int = 1
    column: int = 1

    @classmethod
    def parse(cls, text: str) -> Location:
        """Read what `str` writes; a part that is no number counts as 1.

        Args:
            text: `path:line:column`.
        """
        path, line, column = (*text.rsplit(":", 2), "", "")[:3]
        return cls(path, int(line) if line.isdigit() else 1, int(column) if column.isdigit() else 1)

    def __str__(self) -> str:
        return f"{self.path}:{self.line}:{self.column}"
