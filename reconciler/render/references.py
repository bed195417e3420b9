"""Names that changed are changed wherever other resources refer to them."""

from __future__ import annotations

from typing import Any

from reconciler.errors import RenderError
from reconciler.render.fieldspec import MISSING, TransformerConfig, WrongKind, split_path
from reconciler.render.item import CLUSTER, Gvk, Item
from reconciler.render.scalars import is_null, text_of
from reconciler.render.styles import Styles
from reconciler.render.transformers import set_text

__all__ = ["fix_references"]


class _Candidates:
    """Resources whose identity changed, by the names that they had."""

    def __init__(self, items: list[Item]) -> None:
        # With the bodies as they are now: references that are fixed before somebody asks do not count.
        self._items: dict[str, list[tuple[Item, dict[str, Any]]]] = {}
        self._known: dict[str, list[_Candidate]] = {}
        self.kinds: set[str] = set()
        for item in items:
            for number, identity in enumerate(item.previous):
                self.kinds.add(identity.kind)
                if all(identity.name != earlier.name for earlier in item.previous[:number]):
                    self._items.setdefault(identity.name, []).append((item, item.body))

    def named(self, name: str) -> list[_Candidate]:
        """Return the resources that had a name; what is compared is looked up when one is asked for."""
        found = self._known.get(name)
        if found is None:
            found = [_Candidate(item, body) for item, body in self._items.get(name, ())]
            if found:
                self._known[name] = found
        return found


class _Candidate:
    """A resource that references may mean, with what is compared looked up once."""

    __slots__ = ("first", "gvks", "item", "name", "namespace", "place")

    def __init__(self, item: Item, body: dict[str, Any]) -> None:
        self.item = item
        seen = item if item.body is body else Item(body)
        group, version, _ = seen.gvk
        self.gvks = [Gvk(group, version, identity.kind) for identity in item.previous]
        self.name = seen.name
        self.namespace = seen.namespace
        self.place = seen.identity().namespace
        self.first = item.previous[0].namespace

    def was(self, target: Gvk) -> bool:
        """Return whether it had a kind that `target` names."""
        return any(gvk.selected_by(target) for gvk in self.gvks)


class _Steps:
    """Steps of paths to fields that hold names: what follows each step, and what stands at its end."""

    __slots__ = ("following", "targets")

    def __init__(self) -> None:
        self.following: dict[str, _Steps] = {}
        self.targets: list[tuple[Gvk, tuple[str, ...]]] = []


def fix_references(items: list[Item], config: TransformerConfig, styles: Styles) -> None:
    """Write present names over previous ones in every field that holds a name.

    Raises:
        RenderError: A name could stand for several resources.
    """
    candidates = _Candidates(items)
    places = {item.original().namespace for item in items} - {CLUSTER}
    for item in items:
        steps = _reference_steps(config, item.original_gvk())
        if not steps.following:
            continue
        current = item.gvk
        referrer = _Referrer(item, candidates, styles, places)
        try:
            item.body = referrer.walk(item.body, steps)
        except WrongKind:
            raise RenderError(
                f"expected no scalar on the way to a name in {item.shown()}, found one", code="field-kind"
            ) from None
        if item.gvk != current:
            raise RenderError(f"expected {item.shown()} to keep its kind", code="field-kind")


def _reference_steps(config: TransformerConfig, gvk: Gvk) -> _Steps:
    key = ("name_reference", gvk)
    found: _Steps | None = config._cache.get(key)
    if found is None:
        found = _Steps()
        for reference in config.name_reference:
            for spec in reference.referrers:
                if not gvk.selected_by(spec.gvk):
                    continue
                at = found
                path = split_path(spec.path)
                for step in path:
                    at = at.following.setdefault(step.removesuffix("[]"), _Steps())
                at.targets.append((reference.target, path))
        config._cache[key] = found
    return found


class _Referrer:
    """One resource that may hold names of others."""

    def __init__(self, item: Item, candidates: _Candidates, styles: Styles, places: set[str]) -> None:
        self._item = item
        self._named = candidates.named
        self._kinds = candidates.kinds
        self._styles = styles
        self._places = places
        self._place = item.identity().namespace
        self._bound: set[str] | None = None
        self._target = Gvk("", "", "")
        self._path: tuple[str, ...] = ()

    def walk(self, node: Any, steps: _Steps) -> Any:
        """Return a value with the names in it fixed; the value itself if none changed."""
        if steps.targets and node.__class__ in (dict, list):
            self._check(node, steps.targets[0][1])
        for target, path in steps.targets:
            if not target.kind or target.kind in self._kinds:
                self._target, self._path = target, path
                node = self.change(node)
        if not steps.following or node is None or is_null(node):
            return node
        kind = node.__class__
        if kind is dict:
            changed = None
            for name, following in steps.following.items():
                child = node.get(name, MISSING)
                if child is MISSING:
                    continue
                new = self.walk(child, following)
                if new is not child:
                    changed = changed or dict(node)
                    changed[name] = new
            return node if changed is None else changed
        if kind is list:
            items = None
            for index, child in enumerate(node):
                new = self.walk(child, steps)
                if new is not child:
                    items = items or list(node)
                    items[index] = new
            return node if items is None else items
        raise WrongKind("expected a map or a list")

    def _check(self, node: Any, path: tuple[str, ...]) -> None:
        """Refuse a map that has no name where a name is wanted, as kustomize does whatever it is about."""
        for each in node if node.__class__ is list else (node,):
            if each.__class__ is dict and "name" not in each:
                raise RenderError(
                    f"expected a name in {'/'.join(path)} of {self._item.shown()}, found none",
                    code="field-kind",
                    hint="add the name",
                )

    def change(self, node: Any) -> Any:
        """Return the value of a field with the name in it fixed."""
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
        text = text_of(node)
        found = self._select(text, None, with_namespace=False)
        if found is None or found.name == text:
            return node
        return set_text(node, found.name, self._styles, restyled=self._item.restyled)

    def _map(self, node: dict[str, Any]) -> Any:
        name = text_of(node["name"])
        found = self._select(name, node.get("namespace"), with_namespace=True)
        if found is None or (found.name == name and not found.namespace):
            return node
        changed = {**node, "name": set_text(node["name"], found.name, self._styles)}
        if found.namespace:
            changed["namespace"] = set_text(node.get("namespace", "unset"), found.namespace, self._styles)
        return node if changed == node else changed

    def _reaches(self, candidate: _Candidate) -> bool:
        if self._place == CLUSTER or candidate.place in (CLUSTER, self._place):
            return True
        if self._bound is None:
            self._bound = _bound_namespaces(self._item)
        return candidate.namespace in self._bound

    def _select(self, name: str, namespace: Any, *, with_namespace: bool) -> _Candidate | None:
        found = self._named(name)
        if not found:
            return None
        target, role = self._target, self._role()
        found = [each for each in found if each.was(target) and self._reaches(each)]
        if namespace is not None:
            wanted = text_of(namespace)
            if wanted in self._places:
                found = [each for each in found if each.first == wanted]
            else:
                found = [each for each in found if each.place == wanted and wanted != CLUSTER]
        if role is not None:
            found = [each for each in found if each.was(role)]
        if self._place != CLUSTER:
            found = [
                each
                for each in found
                if each.place in (CLUSTER, self._place) or each.item.kind == "ServiceAccount"
            ]
        if len(found) == 1:
            return found[0]
        item = self._item
        found = [each for each in found if _same_context(each.item, item, allow_empty=True)]
        if len(found) > 1:
            found = [each for each in found if _same_context(each.item, item, allow_empty=False)]
        if not found:
            return None
        alike = {(each.name, each.namespace if with_namespace else "") for each in found}
        if len(alike) == 1:
            return found[0]
        raise RenderError(
            f"expected one resource that {'/'.join(self._path)} of {item.shown()} can mean by {name!r}, "
            f"found {', '.join(each.item.shown() for each in found)}",
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
