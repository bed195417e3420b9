"""kustomize's old `vars`: `$(NAME)` in a few fields is replaced by a field of some resource."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from reconciler.errors import RenderError
from reconciler.render.emitter import format_go_float
from reconciler.render.fieldspec import MISSING, TransformerConfig, WrongKind, visit
from reconciler.render.item import Gvk, Item
from reconciler.render.kustomization import Var
from reconciler.render.pathmatch import lookup, split_field_path
from reconciler.render.scalars import LinkedText, is_null, plain
from reconciler.render.transformers import relink

__all__ = ["mark_sources", "resolve_vars"]


def mark_sources(items: list[Item], variables: Iterable[Var]) -> None:
    """Note which resource each var reads from.

    Raises:
        RenderError: A var could read from several.
    """
    for var in variables:
        found = [item for item in items if _is_source(item, var)]
        if len(found) > 1:
            raise RenderError(
                f"expected one resource for the var {var.name!r}, found {len(found)}",
                code="many-matches",
                hint="add the namespace to objref",
            )
        if found:
            found[0].variables = (*found[0].variables, var.name)


def _is_source(item: Item, var: Var) -> bool:
    group, version = item.gvk.group, item.gvk.version
    for identity in (*item.previous, item.identity()):
        if Gvk(group, version, identity.kind) != var.gvk or identity.name != var.object_name:
            continue
        if not var.namespace or identity.namespace == (var.namespace or "default"):
            return True
    return False


def _value(items: list[Item], var: Var) -> Any:
    for item in items:
        if var.name not in item.variables:
            continue
        found = lookup(item.body, _steps(var.field_path))
        if found is MISSING:
            raise RenderError(
                f"expected the field {var.field_path} in {item.shown()} for the var {var.name!r}, found none",
                code="var",
            )
        return plain(found)
    raise RenderError(
        f"expected a resource for the var {var.name!r}, found none", code="var", hint="check objref"
    )


def _steps(path: str) -> tuple[str, ...]:
    steps: list[str] = []
    for step in split_field_path(path):
        name, bracket, index = step.partition("[")
        if bracket and index[:-1].isdigit() and index.endswith("]"):
            steps.extend(part for part in (name, index[:-1]) if part)
        else:
            steps.append(step)
    return tuple(steps)


def _text(value: Any) -> str:
    if value is True or value is False:
        return str(value).lower()
    return format_go_float(value) if isinstance(value, float) else str(value)


def _expand(text: str, values: Mapping[str, Any]) -> Any:
    """Return `text` with each `$(NAME)` replaced; a value alone keeps its type."""
    if "$" not in text:
        return text
    parts: list[str] = []
    at = 0
    while at < len(text):
        dollar = text.find("$", at)
        if dollar < 0 or dollar + 1 >= len(text):
            break
        parts.append(text[at:dollar])
        following = text[dollar + 1]
        if following == "$":
            parts.append("$")
            at = dollar + 2
        elif following == "(":
            end = text.find(")", dollar + 2)
            if end < 0:
                parts.append("$(")
                at = dollar + 2
                continue
            name = text[dollar + 2 : end]
            value = values.get(name, f"$({name})")
            if isinstance(value, dict | list) or value is None:
                value = f"$({name})"
            if text == f"$({name})":
                return value
            parts.append(_text(value))
            at = end + 1
        else:
            parts.append("$" + following)
            at = dollar + 2
    return "".join(parts) + text[at:]


def resolve_vars(items: list[Item], variables: Mapping[str, Var], config: TransformerConfig) -> None:
    """Replace `$(NAME)` in the fields that vars may stand in.

    Raises:
        RenderError: A var has no value, or stands where it cannot.
    """
    if not variables:
        return
    values = {name: _value(items, variables[name]) for name in sorted(variables)}
    for item in items:
        relinked: dict[int, tuple[Any, Any]] = {}

        def scalar(node: Any, relinked: dict[int, tuple[Any, Any]] = relinked) -> Any:
            new = _expand(node, values)
            if new == node:
                return node
            if node.__class__ is LinkedText:
                relinked[id(node)] = (node, new)
                return node
            return new

        def setter(node: Any, item: Item = item, scalar: Any = scalar) -> Any:
            if node is None or is_null(node):
                return node
            if isinstance(node, str):
                return scalar(node)
            if node.__class__ is dict:
                new = {key: scalar(child) if isinstance(child, str) else child for key, child in node.items()}
                return node if all(new[key] is child for key, child in node.items()) else new
            if node.__class__ is list:
                if not all(isinstance(child, str) for child in node):
                    raise RenderError(
                        f"expected a list of strings in {item.shown()} where vars may stand", code="var"
                    )
                items_ = [scalar(child) for child in node]
                return node if all(new is old for new, old in zip(items_, node, strict=True)) else items_
            return node

        for path, _ in config.for_kind("var_reference", item.gvk):
            try:
                item.body = visit(item.body, path, setter)
            except WrongKind:
                raise RenderError(
                    f"expected no scalar on the way to {'/'.join(path)} of {item.shown()}, found one",
                    code="field-kind",
                ) from None
        relink(item, relinked)
