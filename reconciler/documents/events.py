"""The events of a YAML text: libyaml's parser behind one door, its failures as `DocumentError`.

go-yaml, which kustomize reads with, is a port of libyaml: both accept and refuse the same text, down to the
words of their errors. What still differs is refused here and in `reconciler.documents.yaml`.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import yaml

from reconciler.errors import DocumentError
from reconciler.model.location import Location

__all__ = ["MAX_BYTES", "Position", "event_source", "syntax_error"]

#: Larger texts are refused. The largest bundles of CRDs are a third of this.
MAX_BYTES = 16 * 1024 * 1024

_BOM = b"\xef\xbb\xbf"
_BAD_SEPARATOR = re.compile(rb"^---[^ \t\r\n]", re.MULTILINE)
_CONFLICT = re.compile(r"^(?:<{7}|>{7})(?: |$)", re.MULTILINE)
_CONTROL = re.compile("[^\t\n\r\x20-\x7e\x85\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")

#: 0-based line and column of an event.
Position = tuple[int, int]

_HINTS: tuple[tuple[str, str], ...] = (
    ("mapping values are not allowed", "quote the value if it contains ': ', or check the indentation"),
    ("tab character", "indent with spaces; YAML does not allow tabs there"),
    ("could not find expected ':'", "write `key: value`, or check the indentation of this line"),
    ("did not find expected key", "check the indentation of this line and the quotes before it"),
    ("did not find expected ',' or ']'", "close the list with ']' or separate its items with ','"),
    ("did not find expected ',' or '}'", "close the mapping with '}' or separate its entries with ','"),
    ("did not find expected node content", "write the missing value, or close the bracket"),
    (
        "did not find expected <document start>",
        "write '---' between documents: kustomize ignores what follows '...'",
    ),
    ("unexpected end of stream", "close the quotes that were opened here"),
    ("did not find expected '-' indicator", "begin every item of the list with '- ' in the same column"),
    ("block sequence entries are not allowed", "begin the list on a line of its own"),
    ("unknown escape", r"write the text in single quotes, or a backslash as \\"),
    ("undefined tag handle", "remove the tag, or quote the value if it begins with '!'"),
    ("alias", "quote the value if it begins with '*'"),
    ("anchor", "quote the value if it begins with '&'"),
)


def event_source(data: bytes, path: str, *, limit: int = MAX_BYTES) -> Callable[[], Any]:
    """Return a function that gives the next event of a text, and None after the last.

    Args:
        data: UTF-8 text; a byte order mark at its start is skipped.
        path: The file's path, for messages.
        limit: The most bytes that are read.

    Raises:
        DocumentError: The text is too large, is not UTF-8, or holds control characters.
    """
    if len(data) > limit:
        raise DocumentError(
            f"expected at most {limit} bytes of YAML, found {len(data)}",
            at=Location(path),
            code="yaml",
            hint="split the file, or generate large values in the cluster",
        )
    data = data.removeprefix(_BOM)
    try:
        text = data.decode()
    except UnicodeDecodeError as err:
        at = _byte_location(data, err.start, path)
        raise DocumentError(
            f"expected UTF-8 text, found the byte 0x{data[err.start]:02x}",
            at=at,
            code="yaml",
            hint="save the file as UTF-8",
        ) from None
    bad = _BAD_SEPARATOR.search(data)
    if bad is not None:
        raise DocumentError(
            "expected a line end or a space after '---'",
            at=_byte_location(data, bad.start() + 3, path),
            code="yaml",
            hint="write '---' alone on its line",
        )
    try:
        parser = _new_parser(data)
    except yaml.YAMLError as err:
        raise syntax_error(err, text, path) from None
    get: Callable[[], Any] = parser.get_event
    return get


def _new_parser(data: bytes) -> Any:
    """Return libyaml's parser, or the same parser in Python where PyYAML was built without libyaml."""
    if yaml.__with_libyaml__:
        return yaml._yaml.CParser(data)
    return _PurePython(data)


class _PurePython(yaml.reader.Reader, yaml.scanner.Scanner, yaml.parser.Parser):
    def __init__(self, data: bytes) -> None:
        yaml.reader.Reader.__init__(self, data)
        yaml.scanner.Scanner.__init__(self)
        yaml.parser.Parser.__init__(self)


def _byte_location(data: bytes, offset: int, path: str) -> Location:
    before = data[:offset]
    line_start = before.rfind(b"\n") + 1
    column = len(before[line_start:].decode(errors="replace")) + 1
    return Location(path, before.count(b"\n") + 1, column)


def syntax_error(err: yaml.YAMLError, text: str, path: str) -> DocumentError:
    """Translate a failure of the parser, with the place where the reader should look.

    Args:
        err: What the parser raised.
        text: The whole text.
        path: The file's path.
    """
    if isinstance(err, yaml.MarkedYAMLError):
        return _marked_error(err, text, path)
    bad = _CONTROL.search(text)
    if bad is None:
        return DocumentError("expected YAML, found text that is not", at=Location(path), code="yaml")
    before = text[: bad.start()]
    at = Location(path, before.count("\n") + 1, bad.start() - before.rfind("\n"))
    name = "a NUL" if bad[0] == "\0" else f"the control character U+{ord(bad[0]):04X}"
    return DocumentError(
        f"expected text, found {name}",
        at=at,
        code="yaml",
        hint="remove it, or write it as an escape in double quotes",
    )


def _marked_error(err: yaml.MarkedYAMLError, text: str, path: str) -> DocumentError:
    conflict = _CONFLICT.search(text)
    if conflict is not None:
        return DocumentError(
            f"expected YAML, found the mark of a merge conflict: {conflict[0].strip()}",
            at=Location(path, text.count("\n", 0, conflict.start()) + 1, 1),
            code="yaml",
            hint="settle the conflict: keep one side, and remove the lines with <<<<<<<, ======= and >>>>>>>",
        )
    mark = err.problem_mark or err.context_mark
    at = Location(path, mark.line + 1, mark.column + 1) if mark else Location(path)
    problem = str(err.problem or "a syntax error")
    lines = text.splitlines()
    line = lines[at.line - 1] if at.line <= len(lines) else ""
    hint = next((hint for words, hint in _HINTS if words in problem), "")
    if "cannot start any token" in problem and at.column <= len(line):
        found = line[at.column - 1]
        problem = (
            f"found {'a tab' if found == chr(9) else repr(found)} where a value, a key or a comment begins"
        )
        hint = (
            "indent with spaces; YAML does not allow tabs there"
            if found == "\t"
            else f"quote the value: it may not begin with {found}"
        )
    context = ""
    if err.context and err.context_mark and err.context_mark.line + 1 != at.line:
        context = f" ({err.context} that begins on line {err.context_mark.line + 1})"
    return DocumentError(f"expected valid YAML, but {problem}{context}", at=at, code="yaml", hint=hint)
