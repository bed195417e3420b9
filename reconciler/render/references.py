"""Names that changed are changed wherever other resources refer to them."""

from __future__ import annotations

from typing import Any

from reconciler.errors import RenderError
from reconciler.render.fieldspec import TransformerConfig, WrongKind, split_path, visit
from reconciler.render.item import CLUSTER, Gvk, Item
from reconciler.render.scalars import is_null, text_of
from reconciler.render.styles import Styles
from reconciler.render.transformers import set_text

__all__ = ["fix_references"]


class _Candidates:
    """Resources whose identity changed, by the names that they had."""

    def __init__(self, items: list[Item]) -> None:
        self.by_name: dict[str, list[Item]] = {}
        self.kinds: set[str] = set()
        for item in items:
            if not item.previous:
                continue
            for name in {identity.name for identity in item.previous}:
                self.by_name.setdefault(name, []).append(item)
            self.kinds.update(identity.kind for identity in item.previous)


def fix_references(items: list[Item], config: TransformerConfig, styles: Styles) -> None:
    """Write present names over previous ones in every field that holds a name.

    Raises:
        RenderError: A name could stand for several resources.
    """
    candidates = _Candidates(items)
    if not candidates.kinds:
        return
    for item in items:
        fields = _reference_fields(config, item.original_gvk())
        current = item.gvk
        for target, path in fields:
            if target.kind and target.kind not in candidates.kinds:
                continue
            referrer = _Referrer(item, target, path, candidates, styles)
            try:
                item.body = visit(item.body, path, referrer.change)
            except WrongKind:
                raise RenderError(
                    f"expected no scalar on the way to {'/'.join(path)} of {item.shown()}, found one",
                    code="field-kind",
                ) from None
        if item.gvk != current:
            raise RenderError(f"expected {item.shown()} to keep its kind", code="field-kind")


def _reference_fields(config: TransformerConfig, gvk: Gvk) -> tuple[tuple[Gvk, tuple[str, ...]], ...]:
    key = ("name_reference", gvk)
    found = config._cache.get(key)
    if found is None:
        found = tuple(
            (reference.target, split_path(spec.path))
            for reference in config.name_reference
            for spec in reference.referrers
            if gvk.selected_by(spec.gvk)
        )
        config._cache[key] = found
    return found


class _Referrer:
    """One field of one resource that may hold names."""

    def __init__(
        self, item: Item, target: Gvk, path: tuple[str, ...], candidates: _Candidates, styles: Styles
    ) -> None:
        self._item = item
        self._target = target
        self._path = path
        self._by_name = candidates.by_name
        self._styles = styles

    def change(self, node: Any) -> Any:
        if node is None or is_null(node):
            return node
        kind = node.__class__
        if kind is dict:
            return self._map(node)
        if kind is list:
            changed = None
            for index, child in enumerate(node):
                if child is None or is_null(child):
                    continue
                if child.__class__ is list:
                    raise WrongKind("expected a scalar or a map")
                new = self._map(child) if child.__class__ is dict else self._scalar(child)
                if new is not child:
                    changed = changed or list(node)
                    changed[index] = new
            return node if changed is None else changed
        return self._scalar(node)

    def _scalar(self, node: Any) -> Any:
        found = self._select(text_of(node), None, with_namespace=False)
        if found is None or found.name == text_of(node):
            return node
        return set_text(node, found.name, self._styles, restyled=self._item.restyled)

    def _map(self, node: dict[str, Any]) -> Any:
        if "name" not in node:
            raise RenderError(
                f"expected a name in {'/'.join(self._path)} of {self._item.shown()}, found none",
                code="field-kind",
            )
        name = text_of(node["name"])
        found = self._select(name, node.get("namespace"), with_namespace=True)
        if found is None or (found.name == name and not found.namespace):
            return node
        changed = {**node, "name": set_text(node["name"], found.name, self._styles)}
        if found.namespace:
            changed["namespace"] = found.namespace
        return node if changed == node else changed

    def _select(self, name: str, namespace: Any, *, with_namespace: bool) -> Item | None:
        items = self._by_name.get(name)
        if not items:
            return None
        item, target = self._item, self._target
        reachable = _reachable(item)
        items = [candidate for candidate in items if reachable(candidate)]
        if namespace is not None:
            items = _in_namespace(items, text_of(namespace))
        items = [candidate for candidate in items if _was(candidate, target)]
        role = self._role()
        if role is not None:
            items = [candidate for candidate in items if _was(candidate, role)]
        own = item.identity().namespace
        if own != CLUSTER:
            items = [
                candidate
                for candidate in items
                if candidate.identity().namespace in (CLUSTER, own) or candidate.kind == "ServiceAccount"
            ]
        if len(items) == 1:
            return items[0]
        items = [candidate for candidate in items if _same_context(candidate, item, allow_empty=True)]
        if len(items) > 1:
            items = [candidate for candidate in items if _same_context(candidate, item, allow_empty=False)]
        if not items:
            return None
        alike = {(each.name, each.namespace if with_namespace else "") for each in items}
        if len(alike) == 1:
            return items[0]
        raise RenderError(
            f"expected one resource that {'/'.join(self._path)} of {item.shown()} can mean by {name!r}, "
            f"found {', '.join(each.shown() for each in items)}",
            code="ambiguous-reference",
            hint="give the resources different names in their bases",
        )

    def _role(self) -> Gvk | None:
        if self._path[-2:] != ("roleRef", "name"):
            return None
        role = self._item.body.get("roleRef")
        if role.__class__ is not dict or "apiGroup" not in role or "kind" not in role:
            return None
        return Gvk(text_of(role["apiGroup"]), "", text_of(role["kind"]))


def _was(candidate: Item, target: Gvk) -> bool:
    group, version = candidate.gvk.group, candidate.gvk.version
    return any(Gvk(group, version, identity.kind).selected_by(target) for identity in candidate.previous)


def _in_namespace(items: list[Item], namespace: str) -> list[Item]:
    first = [item for item in items if item.original().namespace == namespace and namespace != CLUSTER]
    if first:
        return first
    return [item for item in items if item.identity().namespace == namespace and namespace != CLUSTER]


def _reachable(item: Item) -> Any:
    own = item.identity().namespace
    if own == CLUSTER:
        return lambda _: True
    bound = _bound_namespaces(item)

    def reaches(candidate: Item) -> bool:
        there = candidate.identity().namespace
        return there in (CLUSTER, own) or candidate.namespace in bound

    return reaches


def _bound_namespaces(item: Item) -> set[str]:
    """Return the namespaces of service accounts that a RoleBinding binds."""
    subjects = item.body.get("subjects")
    if item.kind != "RoleBinding" or subjects.__class__ is not list:
        return set()
    result = set()
    for subject in subjects:
        if subject.__class__ is not dict:
            raise RenderError(
                f"expected subjects of {item.shown()} to be maps, found something else", code="field-kind"
            )
        namespace = subject.get("namespace", "")
        if "namespace" in subject and subject.get("kind") == "ServiceAccount":
            if not isinstance(namespace, str):
                raise RenderError(
                    f"expected a namespace in subjects of {item.shown()}, found none", code="field-kind"
                )
            result.add(namespace)
    return result


def _same_context(one: Item, other: Item, *, allow_empty: bool) -> bool:
    prefixes = _same_ending(one.prefixes, other.prefixes)
    suffixes = _same_ending(one.suffixes, other.suffixes)
    if allow_empty:
        prefixes = prefixes or not one.prefixes or not other.prefixes
        suffixes = suffixes or not one.suffixes or not other.suffixes
    return prefixes and suffixes


def _same_ending(one: tuple[str, ...], other: tuple[str, ...]) -> bool:
    shorter = min(len(one), len(other))
    if shorter == 0:
        return len(one) == len(other)
    return one[-shorter:] == other[-shorter:]
