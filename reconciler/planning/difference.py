"""What changes in an object, field by field. Values of Secrets are never shown, only that they differ."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from reconciler.model.fieldpath import FieldPath, format_field_path
from reconciler.model.plan import FieldChange
from reconciler.model.resource import Manifest

__all__ = ["field_changes"]

_LONGEST = 200
_MASK = "***"
#: What the server keeps for itself.
_SERVERS = frozenset(
    {"managedFields", "resourceVersion", "generation", "uid", "creationTimestamp", "selfLink"}
)
#: Keys that name the items of a list, in the order in which they are tried.
_NAMES = ("name", "key", "type", "containerPort", "port", "mountPath", "ip")


def field_changes(before: Manifest | None, after: Manifest | None) -> tuple[FieldChange, ...]:
    """Return the fields that differ, in the order of their paths. Status is not compared.

    Args:
        before: The object as it is, or None.
        after: The object as it will be, or None.
    """
    secret = any((side or {}).get("kind") == "Secret" for side in (before, after))
    found = _compare((), _comparable(before), _comparable(after))
    changes = (
        FieldChange(
            _written(path),
            _shown(old, masked=secret and path[:1] in (("data",), ("stringData",))),
            _shown(new, masked=secret and path[:1] in (("data",), ("stringData",))),
        )
        for path, old, new in found
    )
    return tuple(sorted(changes, key=lambda change: change.path))


class _Name(str):
    """The name of an item of a list, in a path."""

    __slots__ = ()


def _written(path: FieldPath) -> str:
    parts: list[str] = []
    rest: list[str | int] = []
    for step in path:
        if isinstance(step, _Name):
            parts += [format_field_path(rest), f"[{step}]"]
            rest = []
        else:
            rest.append(step)
    tail = format_field_path(rest)
    joint = "." if parts and tail and not tail.startswith("[") else ""
    text = ""
    for part in parts:
        text += f".{part}" if text and part and not part.startswith("[") else part
    return text + joint + tail


_Absent = object()


def _comparable(manifest: Manifest | None) -> dict[str, Any]:
    content = {key: value for key, value in (manifest or {}).items() if key != "status"}
    metadata = content.get("metadata")
    if isinstance(metadata, Mapping):
        content["metadata"] = {
            key: dict(value) if isinstance(value, Mapping) else value
            for key, value in metadata.items()
            if key not in _SERVERS
        }
        content["metadata"].get("annotations", {}).pop(
            "kubectl.kubernetes.io/last-applied-configuration", None
        )
    return content


def _compare(path: FieldPath, before: Any, after: Any) -> Iterator[tuple[FieldPath, Any, Any]]:
    if isinstance(before, Mapping) and isinstance(after, Mapping):
        for key in sorted({*before, *after}, key=str):
            yield from _compare((*path, key), before.get(key, _Absent), after.get(key, _Absent))
    elif isinstance(before, list) and isinstance(after, list):
        yield from _lists(path, before, after)
    elif before is _Absent and isinstance(after, Mapping) and after:
        yield from _compare(path, {}, after)
    elif after is _Absent and isinstance(before, Mapping) and before:
        yield from _compare(path, before, {})
    elif before != after or isinstance(before, bool) != isinstance(after, bool):
        yield path, before, after


def _lists(
    path: FieldPath, before: Sequence[Any], after: Sequence[Any]
) -> Iterator[tuple[FieldPath, Any, Any]]:
    if before == after:
        return
    name = _naming(before, after)
    if name is None:
        for index in range(max(len(before), len(after))):
            old = before[index] if index < len(before) else _Absent
            new = after[index] if index < len(after) else _Absent
            yield from _compare((*path, index), old, new)
        return
    olds, news = ({str(item[name]): item for item in side} for side in (before, after))
    for key in dict.fromkeys((*olds, *news)):
        yield from _compare((*path, _Name(key)), olds.get(key, _Absent), news.get(key, _Absent))


def _naming(before: Sequence[Any], after: Sequence[Any]) -> str | None:
    """Return the key whose values name the items of both lists, or None where they are told by position."""
    for name in _NAMES:
        if all(
            all(isinstance(item, Mapping) and name in item for item in side)
            and len({str(item[name]) for item in side}) == len(side)
            for side in (before, after)
        ):
            return name
    return None


def _shown(value: Any, *, masked: bool) -> str | None:
    if value is _Absent:
        return None
    if masked:
        return _MASK
    text = json.dumps(value, ensure_ascii=False, separators=(", ", ": "), default=str)
    return text if len(text) <= _LONGEST else text[: _LONGEST - 1] + "…"
