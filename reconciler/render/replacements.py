"""Replacements: a value of one resource, or a given one, is copied into fields of others."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from reconciler.errors import RenderError
from reconciler.render.fieldspec import MISSING
from reconciler.render.item import Gvk, Identity, Item
from reconciler.render.kustomization import FieldOptions, Replacement, ReplacementTarget
from reconciler.render.pathmatch import lookup, split_field_path, update
from reconciler.render.scalars import CoercedText, LinkedText, TimeText, is_null, plain, resolve, text_of
from reconciler.render.selector import Selector, identities
from reconciler.render.structured import replace_in_text
from reconciler.render.styles import Styles
from reconciler.render.transformers import relink

__all__ = ["apply_replacement"]

_PLAIN_TYPES = (str, int, bool, dict, list, type(None))
_DEFAULT_PATH = "metadata.name"


def _error(message: str, code: str = "replacement", hint: str = "") -> RenderError:
    return RenderError(message, code=code, hint=hint)


def apply_replacement(items: list[Item], replacement: Replacement, styles: Styles) -> None:
    """Copy the value that a replacement names to its targets.

    Raises:
        RenderError: The source or a field of a target is not there.
    """
    if (replacement.source is None and replacement.source_value is None) or replacement.targets is None:
        raise _error("expected a source and targets, found none", hint="add source and at least one target")
    read = _reader(items, replacement)
    for target in replacement.targets:
        _apply(items, read, target, styles)


def _reader(items: list[Item], replacement: Replacement) -> Callable[[], Any]:
    """Return what gives the value to copy.

    kustomize holds on to the source's node itself: what a target changes of it counts for the next one.
    """
    if replacement.source_value is not None:
        given = _given(replacement)
        return lambda: given
    source, path = _source(items, replacement), split_field_path(replacement.source_path or _DEFAULT_PATH)
    value = _read(source, path, replacement)
    if replacement.source_options.delimiter:
        return lambda: value
    return lambda: lookup(source.body, path)


def _given(replacement: Replacement) -> Any:
    if replacement.source is not None:
        raise _error("expected either source or sourceValue, found both")
    return resolve(replacement.source_value) if replacement.source_value else ""


def _read(source: Item, path: tuple[str, ...], replacement: Replacement) -> Any:
    found = lookup(source.body, path)
    if found is MISSING or found is None or is_null(found) or found in ({}, []):
        raise _error(
            f"expected a value at {'.'.join(path)} of {source.shown()}, found none",
            hint="check the source's fieldPath",
        )
    return _part(found, replacement.source_options)


def _source(items: list[Item], replacement: Replacement) -> Item:
    selector = replacement.source
    if selector is None:
        raise _error("expected a source, found none")
    wanted = Gvk(selector.group, selector.version, selector.kind)
    found = [
        item
        for item in items
        if any(_selected(gvk, identity, wanted, selector) for gvk, identity in identities(item))
    ]
    named = (selector.kind, selector.namespace, selector.name)
    shown = "/".join(part for part in named if part) or "anything"
    if len(found) > 1:
        raise _error(f"expected one source {shown}, found {len(found)}", hint="name kind, name and namespace")
    if not found:
        raise _error(f"expected a source {shown}, found none", hint="check kind, name and namespace")
    return found[0]


def _selected(gvk: Gvk, identity: Identity, wanted: Gvk, selector: Selector) -> bool:
    return (
        (not selector.name or selector.name == identity.name)
        and (not selector.namespace or _effective(selector.namespace) == _effective(identity.namespace))
        and gvk.selected_by(wanted)
    )


def _effective(namespace: str) -> str:
    return namespace or "default"


def _part(value: Any, options: FieldOptions) -> Any:
    if not options.delimiter:
        return value
    if isinstance(value, dict | list):
        raise _error("expected a scalar for a delimiter, found a map or list")
    parts = text_of(value).split(options.delimiter)
    if not 0 <= options.index < len(parts):
        raise _error(f"expected an index below {len(parts)}, found {options.index}")
    part = parts[options.index]
    if isinstance(value, str):
        return part
    return _typed(value, part)


def _typed(old: Any, text: str) -> Any:
    """Return `text` with the type that a field has.

    Raises:
        RenderError: It is no value of that type.
    """
    if isinstance(old, CoercedText):
        _typed(resolve(old), text)
        return CoercedText(text)
    if isinstance(old, str) and not isinstance(old, TimeText):
        return text
    new = plain(resolve(text))
    fits = (
        (isinstance(old, bool) and isinstance(new, bool))
        or (isinstance(old, float) and isinstance(new, int | float) and not isinstance(new, bool))
        or (
            isinstance(old, int)
            and not isinstance(old, bool)
            and isinstance(new, int)
            and not isinstance(new, bool)
        )
        or (is_null(old) and new is None)
        or (isinstance(old, TimeText) and isinstance(resolve(text), TimeText))
    )
    if not fits:
        raise _error(
            f"expected {_type_name(old)} as in the target, found {_type_name(new)}",
            hint="put the target's old value in quotes if it is to be a string",
        )
    return new


def _type_name(value: Any) -> str:
    if is_null(value):
        return "null"
    if isinstance(value, TimeText):
        return "a timestamp"
    if isinstance(value, bool):
        return "a boolean"
    if isinstance(value, str):
        return "a string"
    return "an integer" if isinstance(value, int) else "a number"


def _apply(items: list[Item], read: Callable[[], Any], target: ReplacementTarget, styles: Styles) -> None:
    if target.select is None:
        raise _error("expected select in the target, found none", hint="say which resources are changed")
    target.select.check()
    for each in target.reject:
        each.check()
    paths = target.field_paths or (_DEFAULT_PATH,)
    for item in items:
        if not _is_target(item, target, target.select):
            continue
        for path in paths:
            _set(item, read(), path, target.options, styles)


def _is_target(item: Item, target: ReplacementTarget, selected: Selector) -> bool:
    ids = identities(item)
    if not selected.matches_labels(item):
        return False
    for each in target.reject:
        if (each.label_selector or each.annotation_selector) and each.matches_labels(item):
            return False
        if each.has_identity() and any(_matches(each, gvk, identity) for gvk, identity in ids):
            return False
    return any(_matches(selected, gvk, identity) for gvk, identity in ids)


def _matches(selector: Selector, gvk: Gvk, identity: Identity) -> bool:
    return (
        selector.matches_gvk(gvk)
        and selector.matches_name(identity.name)
        and selector.matches_namespace(identity.namespace)
    )


def _set(item: Item, value: Any, path: str, options: FieldOptions, styles: Styles) -> None:
    steps = split_field_path(path)
    create = _create_kind(value) if options.create else ""
    structured = replace_in_text(item.body, steps, value, create)
    if structured is not None:
        item.body = structured
        return
    relinked: dict[int, tuple[Any, Any]] = {}

    # Annotations are written as strings in the end, so any text will do for them.
    as_text = steps[:2] == ("metadata", "annotations")

    def setter(old: Any) -> Any:
        if as_text and old is not MISSING and not isinstance(old, str | dict | list):
            old = text_of(old)
        new = _replaced(old, value, options)
        if old is MISSING and new.__class__ not in _PLAIN_TYPES:
            item.odd = True
        if old.__class__ is LinkedText:
            relinked[id(old)] = (old, new)
            return old
        if isinstance(new, str) and isinstance(old, str) and styles.quoted(old):
            return styles.quote(new)
        return new

    if isinstance(value, dict | list) and _holds(item.body, steps, value):
        raise _error(
            f"expected a target outside of the value that is copied, found {path} of {item.shown()}",
            hint="copy a single field instead",
        )
    body, count = update(item.body, steps, create, setter)
    if not count:
        verb = "find or create" if create else "find"
        raise _error(
            f"expected to {verb} the field {path} in {item.shown()}, found none",
            hint="" if create else "set options.create: true to add it",
        )
    item.body = body
    relink(item, relinked)


def _holds(body: Any, steps: tuple[str, ...], value: Any) -> bool:
    """Return whether a path leads through the very map or list that is copied."""
    for length in range(1, len(steps)):
        try:
            if lookup(body, steps[:length]) is value:
                return True
        except RenderError:
            return False
    return False


def _create_kind(value: Any) -> str:
    if isinstance(value, dict):
        return "map"
    return "list" if isinstance(value, list) else "scalar"


def _replaced(old: Any, value: Any, options: FieldOptions) -> Any:
    is_scalar = not isinstance(old, dict | list)
    text = text_of(value)
    if options.delimiter:
        if not is_scalar:
            raise _error("expected a scalar for a delimiter, found a map or list")
        parts = (text_of(old) if old is not MISSING else "").split(options.delimiter)
        if options.index < 0:
            parts.insert(0, text)
        elif options.index >= len(parts):
            parts.append(text)
        else:
            parts[options.index] = text
        text = options.delimiter.join(parts)
    if old is MISSING:
        return _created(value, text, options)
    if is_scalar:
        return _typed(old, text)
    if options.delimiter:
        return text if isinstance(value, str) else _typed(value, text)
    return plain(value)


def _created(value: Any, text: str, options: FieldOptions) -> Any:
    """Return the value of a scalar that did not exist: it is read as if written without quotes."""
    if isinstance(value, dict | list) and not options.delimiter:
        return ""
    return resolve(text) if text else ""
