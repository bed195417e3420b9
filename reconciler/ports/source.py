"""Where revisions of the fleet's repository come from."""

from __future__ import annotations

import datetime
from dataclasses import dataclass
from typing import Protocol

from reconciler.documents.tree import FileTree

__all__ = ["Revision", "SourceReader"]


@dataclass(frozen=True, slots=True)
class Revision:
    """One commit.

    Attributes:
        commit: The full commit id.
        committed_at: The committer's time, aware; the time by which expiry is judged.
        subject: First line of the commit message.
    """

    commit: str
    committed_at: datetime.datetime
    subject: str = ""


class SourceReader(Protocol):
    """Reads revisions. A failure raises; it never looks like an empty repository."""

    def fetch(self) -> Revision:
        """Bring the newest revision here and return it.

        Raises:
            SourceError: It cannot be had, or is not allowed (a rewind, a bad signature).
        """

    def tree(self, commit: str) -> FileTree:
        """Return the files of a commit that was fetched.

        Raises:
            SourceError: The commit is not here.
        """
