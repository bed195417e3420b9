"""Where the value of a field comes from: the lines that set it, from the base to the last change.

A build that keeps a history notes, for every step that changed a resource, the resource before and after.
Both share what did not change, so a history costs little, and following a field back is a comparison.
"""

from __future__ import annotations

import posixpath
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from reconciler.model.fieldpath import FieldPath
from reconciler.model.location import Location
from reconciler.render.fieldspec import MISSING
from reconciler.render.item import Item
from reconciler.render.kustomization import Var
from reconciler.render.scalars import plain, text_of
from reconciler.render.sources import Sources

__all__ = ["Change", "Origin", "OriginStep", "trace"]


@dataclass(frozen=True, slots=True)
class OriginStep:
    """One line that set a field.

    Attributes:
        location: The line.
        what: What it does: "resource", "patch", "namespace", "labels", "images", "generator" and so on.
    """

    location: Location
    what: str


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a field's present value comes from.

    Attributes:
        chain: Every line that set the field, oldest first; the last one set the present value.
    """

    chain: tuple[OriginStep, ...]

    @property
    def location(self) -> Location:
        """The line that set the present value."""
        return self.chain[-1].location

    @property
    def what(self) -> str:
        """What set the present value."""
        return self.chain[-1].what


@dataclass(frozen=True, slots=True)
class Change:
    """One step of a build that changed a resource.

    Attributes:
        path: The kustomization that asks for it.
        where: The field there.
        before: The resource before, or None where the step made it.
        after: The resource after.
        patch: The patch that was merged, or None.
        others: Resources whose names were written into this one, or ().
        operations: The JSON patch that was applied, or ().
        plugin: The document of the plugin that did it, or None.
        variables: The vars that were resolved, by name, each with the kustomization that declares it.
    """

    path: str
    where: FieldPath
    before: Mapping[str, Any] | None
    after: Mapping[str, Any]
    patch: Item | None = None
    operations: tuple[dict[str, Any], ...] = ()
    others: tuple[Item, ...] = ()
    plugin: Item | None = None
    variables: Mapping[str, Var] = field(default_factory=dict)

    @property
    def generated(self) -> bool:
        """Whether a generator did it."""
        return self.where[:1] in (("configMapGenerator",), ("secretGenerator",))


def trace(item: Item, wanted: FieldPath, sources: Sources) -> Origin:
    """Return where a field of a finished resource comes from.

    Args:
        item: The resource, with its history.
        wanted: The field; one that does not exist means the nearest parent that does.
        sources: The files of the build.
    """
    body: Any = item.body
    path = _existing(body, wanted)
    steps: list[OriginStep] = []
    for change in reversed(item.history):
        before = change.before
        if before is None:
            steps.append(_made(change, path, sources))
            return Origin(tuple(reversed(steps)))
        old_path = _map_back(before, change.after, path)
        old = _get(before, old_path)
        new = _get(change.after, path)
        both_maps = isinstance(old, Mapping) and isinstance(new, Mapping)
        both_lists = isinstance(old, list) and isinstance(new, list)
        if both_maps or both_lists or (old is not MISSING and _same(old, new)):
            path = old_path
            continue
        steps.append(_step(change, path, new, sources))
        if old is MISSING:
            return Origin(tuple(reversed(steps)))
        path = old_path
    if item.source is not None:
        file, index = item.source
        location = sources.at(file, (*item.source_field, *path), index=index)
        steps.append(OriginStep(location, "resource"))
    return Origin(tuple(reversed(steps)))


def _same(one: Any, other: Any) -> bool:
    return bool(plain(one) == plain(other)) and isinstance(one, bool) == isinstance(other, bool)


def _get(node: Any, path: FieldPath) -> Any:
    for step in path:
        if isinstance(step, int):
            if not isinstance(node, list) or step >= len(node):
                return MISSING
            node = node[step]
        else:
            if not isinstance(node, Mapping) or step not in node:
                return MISSING
            node = node[step]
    return node


def _existing(node: Any, path: FieldPath) -> FieldPath:
    while path and _get(node, path) is MISSING:
        path = path[:-1]
    return path


def _map_back(before: Any, after: Any, path: FieldPath) -> FieldPath:
    """Return the path that an element had before a step moved it within its list."""
    result: list[str | int] = []
    old: Any = before
    new: Any = after
    for step in path:
        new = _get(new, (step,))
        if isinstance(step, int) and isinstance(old, list):
            step = _index_of(old, new, step)  # noqa: PLW2901 - the element's place before
        result.append(step)
        old = _get(old, (step,))
    return tuple(result)


def _index_of(elements: list[Any], element: Any, index: int) -> int:
    for number, each in enumerate(elements):
        if each is element:
            return number
    if isinstance(element, Mapping):
        maps = [(number, each) for number, each in enumerate(elements) if isinstance(each, Mapping)]
        for key in ("name", "containerPort", "port", "mountPath", "key", "ip", "topologyKey"):
            if key not in element or not any(key in each for _, each in maps):
                continue
            for number, each in maps:
                if key in each and text_of(each[key]) == text_of(element[key]):
                    return number
            return len(elements)
    for number, each in enumerate(elements):
        if _same(each, element):
            return number
    return index


def _step(change: Change, path: FieldPath, value: Any, sources: Sources) -> OriginStep:
    if change.where == ("references",):
        for other in change.others:
            if isinstance(value, str) and other.name == value:
                return OriginStep(trace(other, ("metadata", "name"), sources).location, "reference")
    if change.generated:
        return _made(change, path, sources)
    if change.variables:
        return OriginStep(_var_place(change, path, sources), "vars")
    return OriginStep(_place(change, path, sources), _name(change))


def _var_place(change: Change, path: FieldPath, sources: Sources) -> Location:
    """Return where the first var of a text is declared."""
    old = _get(change.before, path)
    for name, var in change.variables.items():
        if isinstance(old, str) and f"$({name})" in old:
            return sources.at(var.path, var.at)
    return sources.at(change.path, change.where)


def _name(change: Change) -> str:
    if change.plugin is not None:
        return change.plugin.kind
    if change.patch is not None or change.operations:
        return "patch"
    return str(change.where[0]) if change.where else "kustomization"


def _place(change: Change, path: FieldPath, sources: Sources) -> Location:
    if change.patch is not None:
        return _in_patch(change, change.patch, path, sources)
    if change.operations:
        return _in_operations(change, path, sources)
    if change.plugin is not None and change.plugin.source is not None:
        file, index = change.plugin.source
        inside = _in_plugin(change.plugin, path)
        return sources.inside(file, change.path, change.where, inside, index)
    return sources.at(change.path, _in_entry(change, path, sources))


def _in_patch(change: Change, patch: Item, path: FieldPath, sources: Sources) -> Location:
    """Return the line of a strategic merge patch that sets a field."""
    inside: list[str | int] = []
    node: Any = patch.body
    target: Any = change.after
    for step in path:
        target = _get(target, (step,))
        if isinstance(step, int) and isinstance(node, list):
            step = _index_of(node, target, step)  # noqa: PLW2901 - the element's place in the patch
        found = _get(node, (step,))
        if found is MISSING:
            break
        inside.append(step)
        node = found
    if patch.source is None:
        return sources.at(change.path, change.where)
    return sources.inside(patch.source[0], change.path, change.where, tuple(inside), patch.source[1])


def _in_operations(change: Change, path: FieldPath, sources: Sources) -> Location:
    """Return the operation of a JSON patch that sets a field: the last one whose path covers it."""
    found = 0
    below: FieldPath = ()
    for number, operation in enumerate(change.operations):
        steps = str(operation.get("path", "")).split("/")[1:]
        steps = [step.replace("~1", "/").replace("~0", "~") for step in steps]
        pairs = zip(steps, path, strict=False)
        if len(steps) <= len(path) and all(
            step == str(each) or (step == "-" and isinstance(each, int)) for step, each in pairs
        ):
            found, below = number, path[len(steps) :]
    return sources.operation(change.path, change.where, (found, "value", *below))


def _in_entry(change: Change, path: FieldPath, sources: Sources) -> FieldPath:
    """Return the field of a kustomization's entry that decides a field of the resource."""
    where = change.where
    if not where:
        return where
    match where[0]:
        case "labels":
            return (*where, "pairs", path[-1]) if path else where
        case "commonLabels" | "commonAnnotations":
            return (*where, path[-1]) if path else where
        case "images" | "imageTags":
            return _first_field(change.path, where, ("newTag", "digest", "newName", "tagSuffix"), sources)
        case "replicas":
            return (*where, "count")
        case _:
            return where


#: The field of a plugin that decides what it writes.
_PLUGIN_FIELDS: dict[str, FieldPath] = {
    "AnnotationsTransformer": ("annotations",),
    "ImageTagTransformer": ("imageTag",),
    "LabelTransformer": ("labels",),
    "NamespaceTransformer": ("metadata", "namespace"),
    "PatchJson6902Transformer": ("jsonOp",),
    "PatchStrategicMergeTransformer": ("patches",),
    "PatchTransformer": ("patch",),
    "PrefixTransformer": ("prefix",),
    "ReplacementTransformer": ("replacements",),
    "ReplicaCountTransformer": ("replica", "count"),
    "SuffixTransformer": ("suffix",),
    "ValueAddTransformer": ("value",),
}


def _in_plugin(plugin: Item, path: FieldPath) -> FieldPath:
    """Return the field of a plugin's document that decides a field of a resource."""
    where = _PLUGIN_FIELDS.get(plugin.kind, ())
    found = _get(plugin.body, where)
    if plugin.kind in ("AnnotationsTransformer", "LabelTransformer") and path:
        return (*where, path[-1])
    if plugin.kind == "ImageTagTransformer" and isinstance(found, Mapping):
        names = (name for name in ("newTag", "digest", "newName", "tagSuffix") if name in found)
        return (*where, *tuple(names)[:1])
    return () if found is MISSING else where


def _first_field(path: str, where: FieldPath, names: tuple[str, ...], sources: Sources) -> FieldPath:
    entry = _get(sources.config(path), where)
    found = next((name for name in names if isinstance(entry, Mapping) and name in entry), None)
    return where if found is None else (*where, found)


def _made(change: Change, path: FieldPath, sources: Sources) -> OriginStep:
    """Return the line of a generator that made a field."""
    where = change.where
    entry = _get(sources.config(change.path), where)
    if isinstance(entry, Mapping) and len(path) == 2 and path[0] in ("data", "binaryData"):
        key = str(path[1])
        for source in ("literals", "files"):
            values = entry.get(source) or []
            for number, value in enumerate(values if isinstance(values, list) else []):
                text = str(value)
                name = text.partition("=")[0] if "=" in text else text.rsplit("/", 1)[-1]
                if name == key:
                    return OriginStep(sources.at(change.path, (*where, source, number)), "generator")
        location = _in_env_file(change, entry, key, sources)
        if location is not None:
            return OriginStep(location, "generator")
    if isinstance(entry, Mapping) and path == ("metadata", "name"):
        where = (*where, "name")
    return OriginStep(sources.at(change.path, where), "generator")


def _in_env_file(change: Change, entry: Mapping[str, Any], key: str, sources: Sources) -> Location | None:
    """Return the line of an env file that sets a key."""
    files = [*(entry.get("envs") or []), *([entry["env"]] if entry.get("env") else [])]
    for name in files:
        path = posixpath.normpath(posixpath.join(posixpath.dirname(change.path), str(name)))
        for number, line in enumerate(sources.read(path).decode("utf-8", "replace").splitlines(), 1):
            found, equals, _ = line.removeprefix("\ufeff").lstrip().partition("=")
            if found == key:
                return Location(sources.shown(path), number, line.find("=") + 2 if equals else 1)
    return None
