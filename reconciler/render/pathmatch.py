"""Field paths of replacements: `spec.containers.[name=web].image`, `data.*`, `spec.hosts.0`."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from reconciler.errors import DocumentError, RenderError
from reconciler.render.fieldspec import MISSING, split_path
from reconciler.render.reader import read_documents
from reconciler.render.scalars import is_null, plain, resolve, text_of
from reconciler.render.selector import go_pattern

__all__ = ["Create", "lookup", "split_field_path", "update"]

#: What a field that is created begins as: "map", "list", "scalar"; "" creates nothing.
Create = str

_EMPTY: dict[str, Callable[[], Any]] = {"map": dict, "list": list, "scalar": lambda: MISSING}


def split_field_path(path: str) -> tuple[str, ...]:
    """Split a field path at its dots, but not inside of brackets."""
    result = []
    steps = split_path(path, ".")
    index = 0
    while index < len(steps):
        step = steps[index]
        if step.startswith("[") and not step.endswith("]"):
            parts = [step]
            while index < len(steps) - 1:
                index += 1
                parts.append(steps[index])
                if steps[index].endswith("]"):
                    break
            joined = ".".join(parts)
            step = joined if "=" in joined else joined.strip("[]")
        result.append(step)
        index += 1
    return tuple(result)


def _is_index(step: str) -> bool:
    return re.fullmatch(r"\+?[0-9]+", step) is not None


def _is_match(step: str) -> bool:
    return step.startswith("[") and step.endswith("]")


def _split_match(step: str) -> tuple[str, str]:
    name, equals, value = step[1:-1].partition("=")
    if not equals:
        raise RenderError(f"expected [field=value], found {step}", code="field-path")
    return name, value


def lookup(node: Any, steps: tuple[str, ...]) -> Any:
    """Return the value at an exact path, or `MISSING`.

    Raises:
        RenderError: A step does not fit what is there.
    """
    for raw in steps:
        step = raw.strip()
        if not step:
            continue
        if node is None or is_null(node):
            if _is_index(step) or step == "-":
                return MISSING
            return MISSING
        if _is_index(step) or step == "-":
            items = _list(node, step)
            if step == "-":
                if not items:
                    raise RenderError("expected an element, found an empty list", code="field-path")
                node = items[-1]
                continue
            if int(step) >= len(items):
                return MISSING
            node = items[int(step)]
        elif step == "*":
            raise RenderError("expected one field, found *", code="field-path")
        elif _is_match(step):
            name, value = _split_match(step)
            node = next((child for child in _list(node, step) if _equals(child, name, value)), MISSING)
            if node is MISSING:
                return MISSING
        else:
            if node.__class__ is not dict:
                raise RenderError(f"expected a map with the field {step!r}, found none", code="field-path")
            node = node.get(step, MISSING)
            if node is MISSING:
                return MISSING
    return node


def _list(node: Any, step: str) -> list[Any]:
    if node.__class__ is not list:
        raise RenderError(f"expected a list at {step!r}, found none", code="field-path")
    return node


def _equals(child: Any, name: str, value: str) -> bool:
    if not name:
        return text_of(child) == value
    return child.__class__ is dict and name in child and text_of(child[name]) == value


def _emitted(value: Any) -> str:
    """Return a value as one line of YAML, by which patterns of paths are matched."""
    if isinstance(value, dict | list):
        from reconciler.render.emitter import write_document

        return write_document({"x": plain(value)})[2:].strip()
    text = text_of(value)
    if isinstance(value, str) and not isinstance(resolve(text), str):
        return f'"{text}"'
    return text


def _fits(pattern: str, value: Any) -> bool:
    try:
        return re.search(go_pattern(pattern), _emitted(value)) is not None
    except re.error as err:
        raise RenderError(f"expected a regular expression, found {pattern!r}", code="bad-pattern") from err


def _kind_of(following: tuple[str, ...], create: Create) -> Create:
    if not following:
        return create
    return "list" if _is_match(following[0]) or _is_index(following[0]) else "map"


def update(
    node: Any, steps: tuple[str, ...], create: Create, setter: Callable[[Any], Any]
) -> tuple[Any, int]:
    """Return `node` with the setter applied to each field that a path fits, and how many there were.

    Raises:
        RenderError: A step does not fit what is there.
    """
    if not steps:
        return setter(node), 1
    step, rest = steps[0], steps[1:]
    if _is_index(step):
        return _at_index(node, int(step), rest, create, setter)
    if _is_match(step):
        return _at_match(node, step, rest, create, setter)
    if step == "*":
        return _each(node, lambda _: True, rest, create, setter)
    if node is MISSING or node is None or is_null(node):
        if not create:
            return node, 0
        node = {}
    if node.__class__ is not dict:
        raise RenderError(f"expected a map with the field {step!r}, found none", code="field-path")
    child = node.get(step, MISSING)
    if child is MISSING:
        if not create:
            return node, 0
        child = _EMPTY[_kind_of(rest, create)]()
    if rest and create and child is not MISSING and is_null(child):
        if not text_of(child):
            raise RenderError(f"expected a map or list at {step!r}, found nothing", code="field-path")
        return node, 1  # kustomize takes the word for text, and changes a copy of it
    if rest and child is not MISSING and not isinstance(child, dict | list) and not is_null(child):
        return node, _count_in_text(text_of(child), step, rest, create)
    new, count = update(child, rest, create, setter)
    if new is node.get(step, MISSING):
        return node, count
    return {**node, step: new}, count


def _count_in_text(text: str, step: str, rest: tuple[str, ...], create: Create) -> int:
    """Return how many fields a path fits inside of a text that is YAML: kustomize changes a copy of them."""
    try:
        documents = read_documents(text, "text")
    except DocumentError:
        documents = []
    if not documents or not isinstance(documents[0].value, dict | list):
        raise RenderError(f"expected a map or list at {step!r}, found a scalar", code="field-path")
    return update(documents[0].value, rest, create, lambda old: old)[1]


def _elements(node: Any, step: str) -> list[Any]:
    if node is MISSING or node is None or is_null(node):
        return []
    return _list(node, step)


def _each(
    node: Any,
    chosen: Callable[[Any], bool],
    rest: tuple[str, ...],
    create: Create,
    setter: Callable[[Any], Any],
) -> tuple[Any, int]:
    items = _elements(node, "*")
    changed = None
    total = 0
    for index, child in enumerate(items):
        if not chosen(child):
            continue
        new, count = update(child, rest, create, setter)
        total += count
        if new is not child:
            changed = changed if changed is not None else list(items)
            changed[index] = new
    return (node if changed is None else changed), total


def _at_index(
    node: Any, index: int, rest: tuple[str, ...], create: Create, setter: Callable[[Any], Any]
) -> tuple[Any, int]:
    items = _elements(node, str(index))
    if index == len(items) and create:
        items = [*items, _EMPTY[_kind_of(rest, create)]()]
    if index >= len(items):
        raise RenderError(f"expected an element {index}, found only {len(items)}", code="field-path")
    new, count = update(items[index], rest, create, setter)
    if new is items[index] and items is node:
        return node, count
    return [*items[:index], new, *items[index + 1 :]], count


def _at_match(
    node: Any, step: str, rest: tuple[str, ...], create: Create, setter: Callable[[Any], Any]
) -> tuple[Any, int]:
    name, pattern = _split_match(step)

    def chosen(child: Any) -> bool:
        if not name:
            return _fits(pattern, child)
        return child.__class__ is dict and name in child and _fits(pattern, child[name])

    if not name:
        rest = ()  # the element itself is meant, whatever follows
    new, count = _each(node, chosen, rest, create, setter)
    if count or not create:
        return new, count
    items = _elements(node, step)
    value = plain(resolve(pattern))
    element = {name: value} if name else value
    if not chosen(element):
        raise RenderError(f"expected {step} to fit the element that it creates", code="field-path")
    return _each([*items, element], chosen, rest, create, setter)
