"""Two rendered states of a site, compared object by object and field by field."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from reconciler.model.difference import Action, FieldChange, ResourceChange
from reconciler.model.digest import digest_value
from reconciler.model.fieldpath import format_field_path
from reconciler.model.resource import Manifest, Resource, ResourceId
from reconciler.planning import conventions
from reconciler.planning.normal import normal
from reconciler.planning.risks import deletion_risks, update_risks

__all__ = ["MASK", "compare"]

MASK = "***"
_OWNER = "applyset.kubernetes.io/part-of"
_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"
_HASHED = re.compile(r"^(?P<stem>.+)-[2456789bcdfghkmt]{10}$")
#: Fields by which elements of a list are known, in order of trust.
_KEYS = ("name", "containerPort", "port", "mountPath", "key", "host", "ip", "topologyKey")
_MISSING = object()


def compare(
    before: Sequence[Resource], after: Sequence[Resource], *, hashed: Collection[ResourceId] = ()
) -> tuple[ResourceChange, ...]:
    """Return what differs between two states of a site: deletions first, then by kind and name.

    Args:
        before: The objects before.
        after: The objects after.
        hashed: Objects of either whose name ends in a hash of their content: another hash is no other object.

    Two objects without a difference but the ownership label are the same. Values of Secrets are masked.
    """
    old = {_key(resource, hashed): resource for resource in before}
    new = {_key(resource, hashed): resource for resource in after}
    changes = []
    # Where only the hash at the end of a name is new, so is every reference to it: that is one change.
    hashes = {
        (earlier.id.name, new[key].id.name): key.name
        for key, earlier in old.items()
        if key in new and earlier.id.name != new[key].id.name
    }
    for key, resource in old.items():
        if key not in new:
            changes.append(_deleted(resource))
    for key, resource in new.items():
        earlier = old.get(key)
        change = _created(resource) if earlier is None else _updated(earlier, resource, hashes)
        if change is not None:
            changes.append(change)
    order = {Action.DELETE: 0, Action.UPDATE: 1, Action.CREATE: 2}
    return tuple(sorted(changes, key=lambda change: (order[change.action], change.id)))


def _key(resource: Resource, hashed: Collection[ResourceId]) -> ResourceId:
    match = _HASHED.match(resource.id.name) if resource.id in hashed else None
    return resource.id if match is None else replace(resource.id, name=f"{match['stem']}-*")


def _deleted(resource: Resource) -> ResourceChange:
    kept = conventions.keeps(resource.manifest)
    risks = () if kept else tuple(deletion_risks(resource))
    return ResourceChange(
        resource.id, Action.DELETE, risks=risks, kept=kept, digest=_digest(_cleaned(resource))
    )


def _created(resource: Resource) -> ResourceChange:
    fields = tuple(
        FieldChange(path, None, value, added=True) for path, value in _images(resource.manifest, ())
    )
    return ResourceChange(resource.id, Action.CREATE, fields, digest=_digest(_cleaned(resource)))


def _updated(
    before: Resource, after: Resource, hashes: Mapping[tuple[str, str], str]
) -> ResourceChange | None:
    if before.manifest is after.manifest:
        return None
    found = list(_fields(_cleaned(before), _cleaned(after), ()))
    renamed = before.id.name if before.id.name != after.id.name else ""
    if renamed:
        found = [(path, old, new) for path, old, new in found if path != ("metadata", "name")]
    if not found and not renamed:
        return None
    found = [_without_hashes(each, hashes) for each in found]
    secret = after.kind == "Secret" and after.api_version == "v1"
    risks = tuple(update_risks(before, after, [_plain(path) for path, _, _ in found]))
    return ResourceChange(
        after.id,
        Action.UPDATE,
        tuple(_shown(path, old, new, secret=secret) for path, old, new in found),
        risks=risks,
        renamed_from=renamed,
        stem=hashes.get((renamed, after.id.name), ""),
        digest=_digest(
            [bool(renamed), *([_text(path), _value(old), _value(new)] for path, old, new in found)]
        ),
    )


def _without_hashes(
    change: tuple[_Path, Any, Any], hashes: Mapping[tuple[str, str], str]
) -> tuple[_Path, Any, Any]:
    """Return a change of a reference as one that is the same whatever the hash is."""
    path, before, after = change
    name = hashes.get((before, after)) if isinstance(before, str) and isinstance(after, str) else None
    return (
        change
        if name is None
        else (path, f"{name.removesuffix('*')}<hash>", f"{name.removesuffix('*')}<new hash>")
    )


def _cleaned(resource: Resource) -> Manifest:
    """Return an object without what Wayside itself writes, texts of a Secret as data."""
    manifest = normal(resource).manifest
    metadata = manifest.get("metadata")
    if not isinstance(metadata, Mapping):
        return manifest
    labels = metadata.get("labels")
    if not isinstance(labels, Mapping) or _OWNER not in labels:
        return manifest
    left = {name: value for name, value in labels.items() if name != _OWNER}
    rest = {name: value for name, value in metadata.items() if name != "labels"}
    return {**manifest, "metadata": {**rest, "labels": left} if left else rest}


_Path = tuple[object, ...]


def _fields(before: Any, after: Any, path: _Path) -> Iterator[tuple[_Path, Any, Any]]:
    if before is after or before == after:
        return
    if isinstance(before, Mapping) and isinstance(after, Mapping):
        for name in dict.fromkeys((*before, *after)):
            yield from _fields(before.get(name, _MISSING), after.get(name, _MISSING), (*path, name))
    elif isinstance(before, list) and isinstance(after, list):
        old, new = _elements(before), _elements(after)
        if old is None or new is None:
            yield from _by_number(before, after, path)
            return
        for key in dict.fromkeys((*old, *new)):
            yield from _fields(old.get(key, _MISSING), new.get(key, _MISSING), (*path, key))
    else:
        yield path, before, after


def _by_number(before: list[Any], after: list[Any], path: _Path) -> Iterator[tuple[_Path, Any, Any]]:
    if not any(isinstance(each, Mapping | list) for each in (*before, *after)):
        yield path, before, after  # a list of words reads best as a whole
        return
    for number in range(max(len(before), len(after))):
        old = before[number] if number < len(before) else _MISSING
        new = after[number] if number < len(after) else _MISSING
        yield from _fields(old, new, (*path, number))


def _elements(items: list[Any]) -> dict[object, Any] | None:
    """Return the elements of a list by what names them, or None where nothing does."""
    if not items or not all(isinstance(item, Mapping) for item in items):
        return None
    for field in _KEYS:
        keys = [item.get(field) for item in items]
        if all(isinstance(key, str | int) for key in keys) and len({*keys}) == len(keys):
            return {("[]", str(key)): item for key, item in zip(keys, items, strict=True)}
    return None


def _text(path: _Path) -> str:
    """Return a path as `spec.containers[pos].image`."""
    text = ""
    for step in path:
        match step:
            case ("[]", str(name)):
                text += f"[{name}]"
            case int():
                text += f"[{step}]"
            case _:
                part = format_field_path((str(step),))
                text += part if not text or part.startswith("[") else f".{part}"
    return text


def _plain(path: _Path) -> tuple[str, ...]:
    return tuple(str(step[1]) if isinstance(step, tuple) else str(step) for step in path)


def _shown(path: _Path, before: Any, after: Any, *, secret: bool) -> FieldChange:
    masked = secret and path[:1] in (("data",), ("stringData",))
    masked = masked or path == ("metadata", "annotations", _APPLIED)
    added, removed = before is _MISSING, after is _MISSING
    if masked:
        return FieldChange(_text(path), None if added else MASK, None if removed else MASK, added, removed)
    if secret and path in ((), ("metadata",), ("metadata", "annotations")):
        return FieldChange(_text(path), MASK, MASK, added, removed)
    return FieldChange(_text(path), _value(before), _value(after), added, removed)


def _value(value: Any) -> Any:
    return None if value is _MISSING else value


def _images(node: Any, path: _Path) -> Iterator[tuple[str, Any]]:
    if isinstance(node, Mapping):
        for name, child in node.items():
            if name == "image" and isinstance(child, str) and "containers" in str(path).lower():
                yield _text((*path, name)), child
            else:
                yield from _images(child, (*path, name))
    elif isinstance(node, list):
        named = _elements(node)
        for number, child in enumerate(node) if named is None else named.items():
            yield from _images(child, (*path, number))


def _digest(value: Any) -> str:
    return digest_value(value)
