"""Field specs: which fields a transformer works on, and how they are found."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from functools import cache
from importlib import resources
from typing import Any, NamedTuple

from reconciler.errors import RenderError
from reconciler.render.item import Gvk
from reconciler.render.scalars import is_null

__all__ = [
    "MISSING",
    "FieldSpec",
    "NameReference",
    "TransformerConfig",
    "default_config",
    "merge_specs",
    "split_path",
    "visit",
]


class _Missing:
    """Stands for a field that is not there."""

    def __repr__(self) -> str:
        return "MISSING"


#: A value that is not there.
MISSING: Any = _Missing()

#: Changes the value of a field: takes it (or `MISSING` where it is to be created), returns the new one.
Setter = Callable[[Any], Any]


class FieldSpec(NamedTuple):
    """A path in objects of some kinds."""

    gvk: Gvk
    path: str
    create: bool


class NameReference(NamedTuple):
    """Fields that hold the name of an object of a kind."""

    target: Gvk
    referrers: tuple[FieldSpec, ...]


KIND_FIRST = [
    "Namespace",
    "ResourceQuota",
    "StorageClass",
    "CustomResourceDefinition",
    "ServiceAccount",
    "PodSecurityPolicy",
    "Role",
    "ClusterRole",
    "RoleBinding",
    "ClusterRoleBinding",
    "ConfigMap",
    "Secret",
    "Endpoints",
    "Service",
    "LimitRange",
    "PriorityClass",
    "PersistentVolume",
    "PersistentVolumeClaim",
    "Deployment",
    "StatefulSet",
    "CronJob",
    "PodDisruptionBudget",
]
KIND_LAST = ["MutatingWebhookConfiguration", "ValidatingWebhookConfiguration"]
KIND_ORDER = {
    **{kind: number - len(KIND_FIRST) for number, kind in enumerate(KIND_FIRST)},
    **{kind: number + 1 for number, kind in enumerate(KIND_LAST)},
}


def _gvk_order(gvk: Gvk) -> tuple[int, str]:
    return KIND_ORDER.get(gvk.kind, 0), f"{gvk.group or '~G'}_{gvk.version or '~V'}_{gvk.kind or '~K'}"


def merge_specs(specs: tuple[FieldSpec, ...], more: Iterable[FieldSpec]) -> tuple[FieldSpec, ...]:
    """Add field specs that are not covered yet.

    Raises:
        RenderError: Two specs disagree on whether a field is to be created.
    """
    result = list(specs)
    for spec in more:
        for known in result:
            if known.path == spec.path and known.gvk.selected_by(spec.gvk):
                if known.create != spec.create:
                    raise RenderError(
                        f"expected one answer to whether {spec.path} is created, found two that disagree",
                        code="conflicting-fieldspecs",
                    )
                break
        else:
            result.append(spec)
    return tuple(result)


@dataclass(frozen=True, slots=True)
class TransformerConfig:
    """Field specs of all transformers."""

    name_prefix: tuple[FieldSpec, ...] = ()
    name_suffix: tuple[FieldSpec, ...] = ()
    namespace: tuple[FieldSpec, ...] = ()
    common_labels: tuple[FieldSpec, ...] = ()
    labels: tuple[FieldSpec, ...] = ()
    template_labels: tuple[FieldSpec, ...] = ()
    common_annotations: tuple[FieldSpec, ...] = ()
    name_reference: tuple[NameReference, ...] = ()
    var_reference: tuple[FieldSpec, ...] = ()
    images: tuple[FieldSpec, ...] = ()
    replicas: tuple[FieldSpec, ...] = ()
    _cache: dict[Any, Any] = field(default_factory=dict, compare=False, repr=False)

    def merged(self, other: TransformerConfig) -> TransformerConfig:
        """Return this configuration with what `other` adds."""
        if other is self:
            return self
        # Overlays merge the same few configurations again and again; what a result caches is of use to all.
        known: tuple[TransformerConfig, TransformerConfig] | None = self._cache.get(("merged", id(other)))
        if known is not None:
            return known[1]
        if other == TransformerConfig():
            result = self
        elif self == TransformerConfig():
            result = other._distinct()
        else:
            result = self._merged(other)
        self._cache["merged", id(other)] = (other, result)
        return result

    def _merged(self, other: TransformerConfig) -> TransformerConfig:
        names = [name for name in self.__dataclass_fields__ if name not in ("name_reference", "_cache")]
        merged: dict[str, Any] = {
            name: tuple(
                sorted(
                    merge_specs(getattr(self, name), getattr(other, name)),
                    key=lambda spec: _gvk_order(spec.gvk),
                )
            )
            for name in names
        }
        return replace(
            self, **merged, name_reference=self._merged_references(other.name_reference), _cache={}
        )

    def _distinct(self) -> TransformerConfig:
        """Return this configuration as it is when it is merged into an empty one: without what is covered."""
        found: TransformerConfig | None = self._cache.get("distinct")
        if found is None:
            names = [name for name in self.__dataclass_fields__ if name not in ("name_reference", "_cache")]
            specs: dict[str, Any] = {name: merge_specs((), getattr(self, name)) for name in names}
            found = replace(self, **specs, _cache={})
            self._cache["distinct"] = found
            found._cache["distinct"] = found
        return found

    def _merged_references(self, more: tuple[NameReference, ...]) -> tuple[NameReference, ...]:
        result = list(self.name_reference)
        for reference in more:
            for number, known in enumerate(result):
                if known.target == reference.target:
                    referrers = merge_specs(known.referrers, reference.referrers)
                    result[number] = known._replace(referrers=referrers)
                    break
            else:
                result.append(reference)
        return tuple(sorted(result, key=lambda reference: _gvk_order(reference.target)))

    def for_kind(self, name: str, gvk: Gvk) -> tuple[tuple[tuple[str, ...], bool], ...]:
        """Return path and create of the field specs of one transformer that fit a kind."""
        key = (name, gvk)
        found = self._cache.get(key)
        if found is None:
            found = tuple(
                (split_path(spec.path), spec.create)
                for spec in getattr(self, name)
                if gvk.selected_by(spec.gvk)
            )
            self._cache[key] = found
        return found


def sorted_config(config: TransformerConfig) -> TransformerConfig:
    """Return a configuration with its field specs in the order of their kinds."""
    names = [name for name in config.__dataclass_fields__ if name not in ("name_reference", "_cache")]
    values: dict[str, Any] = {
        name: tuple(sorted(getattr(config, name), key=lambda spec: _gvk_order(spec.gvk))) for name in names
    }
    references = tuple(sorted(config.name_reference, key=lambda found: _gvk_order(found.target)))
    return replace(config, **values, name_reference=references, _cache={})


def split_path(path: str, delimiter: str = "/") -> tuple[str, ...]:
    """Split a path; a backslash before the delimiter makes it part of a name."""
    steps = path.split(delimiter)
    if len(steps) > 1 and not steps[0]:
        steps = steps[1:]
    result = [steps[0]]
    for step in steps[1:]:
        if result[-1].endswith("\\"):
            result[-1] = result[-1][:-1] + delimiter + step
        else:
            result.append(step)
    return tuple(result)


@cache
def default_config() -> TransformerConfig:
    """Return kustomize's built-in field specs."""
    text = resources.files("reconciler.render").joinpath("data/fieldspecs.json").read_text(encoding="utf-8")
    table = json.loads(text)

    def spec(row: list[Any]) -> FieldSpec:
        path, kind, group, version, create = row
        return FieldSpec(Gvk(group, version, kind), path, bool(create))

    def specs(name: str) -> tuple[FieldSpec, ...]:
        return tuple(sorted((spec(row) for row in table[name]), key=lambda found: _gvk_order(found.gvk)))

    references = tuple(
        NameReference(Gvk(group, version, kind), tuple(spec(row) for row in rows))
        for kind, group, version, rows in table["nameReference"]
    )
    return TransformerConfig(
        name_prefix=specs("namePrefix"),
        name_suffix=specs("nameSuffix"),
        namespace=specs("namespace"),
        common_labels=specs("commonLabels"),
        template_labels=specs("templateLabels"),
        common_annotations=specs("commonAnnotations"),
        name_reference=tuple(sorted(references, key=lambda found: _gvk_order(found.target))),
        var_reference=specs("varReference"),
        images=specs("images"),
        replicas=specs("replicas"),
    )


class WrongKind(Exception):
    """A path of a field spec leads through a scalar."""


def visit(node: Any, path: tuple[str, ...], setter: Setter, *, create: type | None = None) -> Any:
    """Return `node` with the setter applied to every field at `path`; `node` itself if nothing changed.

    Lists on the way are passed through to each of their elements.

    Args:
        node: A value of a resource.
        path: The steps that remain; a step that ends in `[]` is a list and is never created.
        setter: Changes the field.
        create: dict, or str for a scalar, where a missing field is to be created; None otherwise.

    Raises:
        WrongKind: A scalar stands where a map or list is expected.
    """
    if not path:
        return setter(node)
    if node is None or is_null(node):
        return node
    kind = node.__class__
    if kind is list:
        changed: list[Any] | None = None
        for index, child in enumerate(node):
            new = visit(child, path, setter, create=create)
            if new is not child:
                if changed is None:
                    changed = list(node)
                changed[index] = new
        return node if changed is None else changed
    if kind is not dict:
        raise WrongKind("expected a map or a list")
    step = path[0]
    is_list = step.endswith("[]")
    name = step[:-2] if is_list else step
    may_create = create is not None and not is_list
    child = node.get(name, MISSING)
    if child is MISSING:
        if not may_create:
            return node
        child = {} if len(path) > 1 or create is dict else MISSING
    elif is_null(child):
        if is_list:
            child = []
        elif may_create:
            child = {} if len(path) > 1 or create is dict else child
    rest = path[1:]
    new = setter(child) if not rest else visit(child, rest, setter, create=create)
    if new is node.get(name, MISSING):
        return node
    return {**node, name: new}
