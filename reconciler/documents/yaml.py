"""YAML in the dialect of `kubectl kustomize`: plain values fast, positions when they are asked for.

`load` gives plain Python values. Nothing about positions is kept for text that is right; `locate` finds
the exact line and column of a field by reading the text once more.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import yaml

from reconciler.errors import DocumentError
from reconciler.model.fieldpath import FieldPath
from reconciler.model.location import Location

__all__ = ["Document", "load", "locate"]


@dataclass(frozen=True, slots=True)
class Document:
    """One YAML document of a file.

    Attributes:
        value: Plain Python values: dict, list, str, int, float, bool, None.
        path: The file's path in its tree.
        index: Number of the document in the file, from 0, empty documents counted.
    """

    value: Any
    path: str
    index: int


def load(data: bytes, path: str) -> list[Document]:
    """Return the documents of a file that are not empty.

    Args:
        data: The file's content.
        path: The file's path, for messages.

    Raises:
        DocumentError: The text is not YAML of this dialect; has path, line, column and a hint.
    """
    try:
        values = list(yaml.load_all(data, Loader=yaml.CSafeLoader))
    except yaml.YAMLError as err:
        mark = getattr(err, "problem_mark", None)
        at = Location(path, mark.line + 1, mark.column + 1) if mark else Location(path)
        raise DocumentError(f"expected YAML, found {err}", at=at, code="yaml-syntax") from err
    return [Document(value, path, index) for index, value in enumerate(values) if value is not None]


def locate(data: bytes, path: str, field: FieldPath, *, index: int = 0, key: bool = False) -> Location:
    """Return where the value at `field` of a document begins.

    A path that does not exist gives the place of its nearest existing parent.

    Args:
        data: The file's content.
        path: The file's path.
        field: The field's path in the document.
        index: Number of the document, from 0.
        key: True for the place of the field's key instead of its value.
    """
    node: Any = None
    for number, root in enumerate(yaml.compose_all(data, Loader=yaml.CSafeLoader)):
        if number == index:
            node = root
            break
    if node is None:
        return Location(path)
    mark = node.start_mark
    for step in field:
        found = None
        if isinstance(node, yaml.MappingNode):
            found = next(((k, v) for k, v in node.value if k.value == str(step)), None)
        elif isinstance(node, yaml.SequenceNode) and isinstance(step, int) and step < len(node.value):
            found = (node.value[step], node.value[step])
        if found is None:
            break
        node = found[1]
        mark = (found[0] if key else node).start_mark
    return Location(path, mark.line + 1, mark.column + 1)
