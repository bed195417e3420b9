"""Lines of files as reports may show them: without the values of Secrets.

A report is read by more people than a cluster's Secrets are, and CI keeps it. So the excerpt of a finding
shows no value of a Secret, of a `secretGenerator`, or of a field that is called like a password.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from itertools import count, takewhile

from reconciler.model.credentials import without_credentials
from reconciler.model.location import Location

__all__ = ["MASK", "LineReader", "masked_line"]

#: What stands for a value that is not shown.
MASK = "***"
#: Rules whose findings are about secrets, wherever these stand.
_RULES = frozenset({"plain-secrets", "secret-in-git"})
_STRUCTURED = (".yaml", ".yml", ".json", ".lock")
_KEY = re.compile(r"\s*(?:- +)*(?:[\w./-]+|\"[^\"]*\"|'[^']*')\s*:(?=\s|$)\s*")
_ITEM = re.compile(r"\s*(?:- +)?")
_TOP_KEY = re.compile(r"[A-Za-z_][\w.-]*(?=\s*:(?:\s|$))")
_SECRET_KIND = re.compile(r"\bkind[\"']?\s*:\s*[\"']?Secret(?:List)?\b", re.IGNORECASE)
_OWN_KIND = re.compile(r"kind\s*:\s*[\"']?Secret(?:List)?\b", re.IGNORECASE)
_NAMED = re.compile(
    r"(?:password|passwd|pwd|passphrase|secret|token|api[-_]?key|access[-_]?key|private[-_]?key|credentials?)s?"
    r"[\"']?\s*[:=,]",
    re.IGNORECASE,
)
#: Fields of a Secret that hold nothing secret.
_OPEN = frozenset({"apiVersion", "kind", "metadata", "type", "immutable"})
#: Values that tell nothing, such as that of `automountServiceAccountToken`.
_NO_SECRETS = frozenset({"", "true", "false"})
_FARTHEST = 5000

#: Returns the text of a line (counted from 1) of a file, or None where it cannot be shown.
LineReader = Callable[[str, int], str | None]


def masked_line(text: str, at: Location, read_line: LineReader, *, rule: str) -> str:
    """Return a line, with `***` for its value where that may be secret.

    Args:
        text: The line.
        at: Where it stands.
        read_line: Reads the lines around it.
        rule: The rule whose finding is shown.
    """
    if not _is_secret(text, at, read_line, rule):
        return without_credentials(text)
    match = _KEY.match(text)
    if match is None:
        match = _ITEM.match(text)
    kept = match[0] if match is not None else ""
    value = text[len(kept) :].strip()
    return text if kept.strip() and value in _NO_SECRETS else f"{kept}{MASK}"


def _is_secret(text: str, at: Location, read_line: LineReader, rule: str) -> bool:
    if rule in _RULES or _NAMED.search(text):
        return True
    name = at.path.rpartition("/")[2]
    if "." in name and not name.endswith(_STRUCTURED):
        return "=" in text  # a file of variables
    before = list(_document(at.path, range(at.line, max(at.line - _FARTHEST, 0), -1), read_line))[::-1]
    after = list(_document(at.path, count(at.line + 1), read_line))
    lines, here = [*before, *after], len(before) - 1
    start = next((n for n in range(here, -1, -1) if _TOP_KEY.match(lines[n])), 0)
    key = _TOP_KEY.match(lines[start])
    if any(map(_OWN_KIND.match, lines)):
        open_ = key is not None and key[0] in _OPEN
        return not open_ or "last-applied" in text
    end = next((n for n in range(here + 1, len(lines)) if _TOP_KEY.match(lines[n])), len(lines))
    secret = key is not None and key[0] == "secretGenerator"
    return secret or any(map(_SECRET_KIND.search, lines[start:end]))


def _document(path: str, numbers: Iterator[int] | range, read_line: LineReader) -> Iterator[str]:
    """Yield lines until the document's end."""
    lines = (read_line(path, number) for number, _ in zip(numbers, range(_FARTHEST), strict=False))
    return takewhile(lambda line: not line.startswith("---"), _texts(lines))


def _texts(lines: Iterator[str | None]) -> Iterator[str]:
    """Yield texts until there is none."""
    for line in lines:
        if line is None:
            return
        yield line
