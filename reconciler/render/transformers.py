"""Transformers that set single fields: namespace, names, labels, annotations, images, replicas."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Mapping
from functools import lru_cache
from typing import Any

from reconciler.errors import RenderError
from reconciler.render.fieldspec import (
    MISSING,
    FieldSpec,
    TransformerConfig,
    WrongKind,
    split_path,
    visit,
)
from reconciler.render.imageindex import ImageIndex
from reconciler.render.item import Gvk, Item
from reconciler.render.kustomization import Image, Replica
from reconciler.render.scalars import LinkedText, check_key, is_null, text_of
from reconciler.render.schema import is_cluster_scoped
from reconciler.render.selector import go_pattern
from reconciler.render.styles import Styles

__all__ = [
    "apply_images",
    "apply_namespace",
    "apply_prefix",
    "apply_replicas",
    "apply_suffix",
    "relink",
    "set_entries",
    "set_text",
]

_UNPREFIXED = (
    Gvk("", "", "CustomResourceDefinition"),
    Gvk("apiregistration.k8s.io", "", "APIService"),
    Gvk("", "", "Namespace"),
)


def _conflict(item: Item, path: Iterable[str]) -> RenderError:
    return RenderError(
        f"expected a map or a list on the way to {'/'.join(path)} of {item.shown()}, found a scalar",
        code="field-kind",
    )


def set_text(old: Any, text: str, styles: Styles, *, restyled: bool = False) -> str:
    """Return `text` as the new value of a scalar that keeps its quotes.

    Raises:
        RenderError: Whether the new value is a string depends on quotes that are not known.
    """
    if styles.quoted(old):
        return styles.quote(text) if not restyled else text
    if styles.quoted(text):
        raise RenderError(
            f"expected a text that is a string without quotes, found {text[:60]!r}",
            code="ambiguous-scalar",
            hint="put the old value in quotes",
        )
    return text


def relink(item: Item, changes: Mapping[int, tuple[Any, Any]]) -> None:
    """Change linked labels and annotations everywhere in a resource.

    Args:
        item: The resource.
        changes: Old and new value by the old one's identity.
    """
    if not changes:
        return
    fresh = {key: LinkedText(new) if isinstance(new, str) else new for key, (_, new) in changes.items()}

    def walk(node: Any) -> Any:
        if node.__class__ is LinkedText:
            return fresh.get(id(node), node)
        if node.__class__ is dict:
            changed = None
            for name, child in node.items():
                if child.__class__ in (dict, list, LinkedText):
                    new = walk(child)
                    if new is not child:
                        changed = changed or dict(node)
                        changed[name] = new
            return node if changed is None else changed
        if node.__class__ is list:
            children = [walk(child) for child in node]
            same = all(new is old for new, old in zip(children, node, strict=True))
            return node if same else children
        return node

    item.body = walk(item.body)


def set_entries(
    item: Item, entries: Mapping[str, str], paths: Iterable[tuple[tuple[str, ...], bool]]
) -> None:
    """Set entries of maps such as labels, in key order, at every path.

    Raises:
        RenderError: Something that is no map stands there.
    """
    body: Any = item.body
    paths = tuple(paths)
    relinked: dict[int, tuple[Any, Any]] = {}
    alone = len(paths) == 1
    for key in sorted(entries):
        value = entries[key] if alone else LinkedText(entries[key])

        def setter(node: Any, key: str = key, value: str = value) -> Any:
            if node is MISSING or is_null(node):
                node = {}
            if node.__class__ is not dict:
                raise WrongKind("expected a map")
            old = node.get(key, MISSING)
            if old.__class__ is LinkedText:
                if old is not value:
                    relinked[id(old)] = (old, value)
                return node
            if old is MISSING:
                check_key(key, item.shown())
                return {**node, key: value}
            return {**node, key: str.__str__(value)}

        for path, create in paths:
            try:
                body = visit(body, path, setter, create=dict if create else None)
            except WrongKind:
                raise _conflict(item, path) from None
        if not alone:
            item.linked = True
        if relinked:
            item.body = body
            relink(item, relinked)
            body = item.body
            relinked.clear()
    item.body = body


def _scalar_setter(text: str, *, only_unset: bool = False) -> Any:
    def setter(node: Any) -> Any:
        if node.__class__ in (dict, list):
            raise WrongKind("expected a scalar")
        if only_unset and node is not MISSING and not is_null(node) and text_of(node):
            return node
        return text

    return setter


def apply_namespace(
    items: list[Item],
    namespace: str,
    config: TransformerConfig,
    *,
    unset_only: bool = False,
    subjects: str = "defaultOnly",
) -> None:
    """Put every resource that can have one into a namespace.

    Raises:
        RenderError: Two resources become one, or a field has the wrong kind.
    """
    if not namespace:
        return
    setter = _scalar_setter(namespace, only_unset=unset_only)
    for item in items:
        item.remember()
        namespace_item(item, config.for_kind("namespace", item.gvk), setter, subjects)
    keys = [item.key() for item in items]
    if len(set(keys)) != len(keys):
        twice = next(item for item, key in zip(items, keys, strict=True) if keys.count(key) > 1)
        raise RenderError(
            f"expected resources to stay apart in one namespace, found {twice.shown()} twice",
            code="duplicate-resource",
            hint="rename one of the two, or leave its namespace alone",
        )


def namespace_item(
    item: Item, specs: Iterable[tuple[tuple[str, ...], bool]], setter: Any, subjects: str
) -> None:
    """Put one resource into a namespace."""
    kind, api_version = item.kind, item.api_version
    try:
        if not is_cluster_scoped(api_version, kind):
            metadata = item.body.get("metadata")
            if metadata.__class__ is dict:
                old = metadata.get("namespace", MISSING)
                new = setter(old)
                if new != old or old.__class__ is not str:
                    item.set_metadata("namespace", new)
        if kind in ("RoleBinding", "ClusterRoleBinding"):
            _bind_subjects(item, setter, subjects)
        for path, create in specs:
            if path == ("metadata", "namespace") or (path == ("metadata", "name") and api_version != "v1"):
                continue
            if kind in ("RoleBinding", "ClusterRoleBinding") and path == ("subjects", "namespace"):
                continue
            item.body = visit(item.body, path, setter, create=str if create else None)
    except WrongKind:
        raise _conflict(item, ("metadata", "namespace")) from None


def _bind_subjects(item: Item, setter: Any, subjects: str) -> None:
    bound = item.body.get("subjects")
    if bound is None or is_null(bound) or subjects == "none":
        return
    if bound.__class__ is not list:
        raise WrongKind("expected a list")
    changed = []
    for subject in bound:
        field, wanted = (
            ("kind", "ServiceAccount") if subjects == "allServiceAccounts" else ("name", "default")
        )
        if subject.__class__ is dict and text_of(subject.get(field)) == wanted:
            changed.append({**subject, "namespace": setter(subject.get("namespace", MISSING))})
        else:
            changed.append(subject)
    item.body = {**item.body, "subjects": changed}


def _affixed(
    items: list[Item], specs: Iterable[FieldSpec], styles: Styles, affix: str, *, front: bool
) -> None:
    parts = [(spec, split_path(spec.path)) for spec in specs]
    for item in items:
        original = item.original_gvk()
        if any(original.selected_by(skipped) for skipped in _UNPREFIXED):
            continue
        for spec, path in parts:
            if not original.selected_by(spec.gvk):
                continue
            if spec.path == "metadata/name" and affix:
                if front:
                    item.prefixes = (*item.prefixes, affix)
                else:
                    item.suffixes = (*item.suffixes, affix)
                item.remember()
            if not item.gvk.selected_by(spec.gvk):
                continue

            def setter(node: Any, item: Item = item) -> Any:
                if node.__class__ in (dict, list):
                    raise WrongKind("expected a scalar")
                old = "" if node is MISSING else text_of(node)
                text = affix + old if front else old + affix
                return set_text(node, text, styles, restyled=item.restyled)

            try:
                item.body = visit(item.body, path, setter, create=str if spec.create else None)
            except WrongKind:
                raise _conflict(item, path) from None


def apply_prefix(items: list[Item], prefix: str, specs: Iterable[FieldSpec], styles: Styles) -> None:
    """Put a prefix before every name."""
    _affixed(items, specs, styles, prefix, front=True)


def apply_suffix(items: list[Item], suffix: str, specs: Iterable[FieldSpec], styles: Styles) -> None:
    """Put a suffix after every name."""
    _affixed(items, specs, styles, suffix, front=False)


@lru_cache(maxsize=4096)
def _image_pattern(name: str) -> re.Pattern[str]:
    tail = r"(:[a-zA-Z0-9_.{}-]*)?(@sha256:[a-zA-Z0-9_.{}-]*)?\Z"
    try:
        return re.compile(f"^{go_pattern(name)}{tail}")
    except re.error as err:
        raise RenderError(
            f"expected the name of an image, found {name!r}: {err}", code="bad-pattern"
        ) from err


def _split_image(image: str) -> tuple[str, str, str]:
    """Split an image into name, tag and digest."""
    start = max(image.find("/"), 0)
    at, colon = image.find("@", start), image.find(":", start)
    if at < 0 and colon < 0:
        return image, "", ""
    if at >= 0 and (at < colon or colon < 0):
        return image[:at], "", image[at:].removeprefix("@")
    if at >= 0:
        return image[:colon], image[colon:at].removeprefix(":"), image[at:].removeprefix("@")
    return image[:colon], image[colon:].removeprefix(":"), ""


@lru_cache(maxsize=16384)
def new_image(image: str, rule: Image) -> str | None:
    """Return the image that a rule makes of `image`, or None where the rule is about another one."""
    if _image_pattern(rule.name).search(image) is None:
        return None
    name, tag, digest = _split_image(image)
    name = rule.new_name or name
    if rule.new_tag and rule.digest:
        tag, digest = rule.new_tag, rule.digest
    elif rule.new_tag:
        tag, digest = rule.new_tag, ""
    elif rule.digest:
        tag, digest = "", rule.digest
    elif rule.tag_suffix:
        tag, digest = tag + rule.tag_suffix, ""
    return f"{name}{':' + tag if tag else ''}{'@' + digest if digest else ''}"


def apply_images(
    items: list[Item],
    rule: Image,
    specs: tuple[FieldSpec, ...],
    styles: Styles,
    index: ImageIndex | None = None,
) -> None:
    """Change the images that a rule is about, wherever containers are listed.

    Args:
        items: The resources.
        rule: What becomes of which image.
        specs: Where images stand beside containers.
        styles: Which strings stand in quotes.
        index: Tells quickly which resources the rule is not about.
    """
    parts = [(spec.gvk, split_path(spec.path)) for spec in specs]
    everywhere = not any(map(any, (gvk for gvk, _ in parts)))
    roots = frozenset(path[0].removesuffix("[]") for _, path in parts)
    concerns: dict[str, bool] = {}

    def walk(body: Any, setter: Any) -> Any:
        body = _containers(body, setter)
        for _, path in parts:
            body = visit(body, path, setter)
        return body

    for item in items:
        if item.kind == "CustomResourceDefinition":
            continue
        if index is not None and everywhere:
            images = _images_in(item.body, roots, lambda name, part: index.of(name, part, specs, walk))
            for image in images or ():
                if image not in concerns:
                    concerns[image] = new_image(image, rule) not in (None, image)
            if images is not None and not any(map(concerns.__getitem__, images)):
                continue

        def setter(node: Any, item: Item = item) -> Any:
            if node.__class__ in (dict, list):
                raise WrongKind("expected a scalar")
            if node is MISSING or is_null(node):
                changed = new_image("", rule)
                return changed if changed else node
            changed = new_image(text_of(node), rule)
            if changed is None or changed == node:
                return node
            return set_text(node, changed, styles, restyled=item.restyled)

        try:
            body = _containers(item.body, setter)
            for gvk, path in parts:
                if item.gvk.selected_by(gvk):
                    body = visit(body, path, setter)
        except WrongKind:
            raise _conflict(item, ("image",)) from None
        item.body = body


def _images_in(
    body: dict[str, Any],
    roots: Collection[str],
    part_images: Callable[[str, Any], tuple[str, ...] | None],
) -> list[str] | None:
    """Return the images in an object, or None where some are no plain texts.

    Args:
        body: The object.
        roots: The fields with which field specs of images begin.
        part_images: Gives the images in one field of the object.
    """
    found: list[str] = []
    for name, part in body.items():
        if name not in roots and (part.__class__ is str or (name == "metadata" and _is_flat(part))):
            continue
        images = part_images(name, part)
        if images is None:
            return None
        if images:
            found += images
    return found


def _is_flat(metadata: Any) -> bool:
    """Tell whether metadata holds no list, and no map of anything but scalars: so no containers."""
    if metadata.__class__ is not dict:
        return False
    for child in metadata.values():
        if child.__class__ is list:
            return False
        if child.__class__ is dict and any(each.__class__ in (dict, list) for each in child.values()):
            return False
    return True


def _containers(node: Any, setter: Any) -> Any:
    """Change `image` in every list called containers or initContainers, at any depth."""
    if node.__class__ is list:
        changed = None
        for index, child in enumerate(node):
            if child.__class__ in (dict, list):
                new = _containers(child, setter)
                if new is not child:
                    changed = changed or list(node)
                    changed[index] = new
        return node if changed is None else changed
    fields = None
    for name, child in node.items():
        if child.__class__ not in (dict, list):
            continue
        new = _containers(child, setter)
        if name in ("containers", "initContainers") and new.__class__ is list:
            new = _images(new, setter)
        if new is not child:
            fields = fields or dict(node)
            fields[name] = new
    return node if fields is None else fields


def _images(containers: list[Any], setter: Any) -> list[Any]:
    changed = None
    for index, container in enumerate(containers):
        if container is None or is_null(container):
            continue
        if container.__class__ is not dict:
            raise WrongKind("expected a map")
        if "image" not in container:
            continue
        new = setter(container["image"])
        if new is not container["image"]:
            changed = changed or list(containers)
            changed[index] = {**container, "image": new}
    return containers if changed is None else changed


def apply_replicas(items: list[Item], rule: Replica, specs: Iterable[FieldSpec], styles: Styles) -> None:
    """Set the number of replicas of the workloads with a name.

    Raises:
        RenderError: There is none.
    """
    found = False
    for spec in specs:
        path = split_path(spec.path)
        for item in items:
            names = {(identity.name, identity.kind) for identity in (*item.previous, item.identity())}
            group, version = item.gvk.group, item.gvk.version
            if not any(
                name == rule.name and Gvk(group, version, kind).selected_by(spec.gvk) for name, kind in names
            ):
                continue
            found = True
            if not item.gvk.selected_by(spec.gvk):
                continue

            def setter(node: Any, item: Item = item) -> Any:
                if node.__class__ in (dict, list):
                    raise WrongKind("expected a scalar")
                if styles.quoted(node, merged=item.merged, restyled=item.restyled):
                    return styles.quote(str(rule.count))
                return rule.count

            try:
                item.body = visit(item.body, path, setter, create=str if spec.create else None)
            except WrongKind:
                raise _conflict(item, path) from None
    if not found:
        raise RenderError(
            f"expected a workload named {rule.name!r} whose replicas can be set, found none",
            code="no-match",
            hint="give the name of a Deployment, StatefulSet, ReplicaSet or ReplicationController",
        )
