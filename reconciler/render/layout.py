"""YAML text whose layout is kept: read with the style of each node, written as kustomize's library does.

kustomize can change a field of YAML that stands as text in a field. It reads the text to nodes and writes
these again, so quotes and flow collections stay, while blank lines and odd indentation go. Text with
comments, anchors or tags is refused: where these end up is not worth guessing.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

import yaml
from yaml._yaml import CParser

from reconciler.errors import RenderError
from reconciler.render.emitter import needs_escapes
from reconciler.render.fieldspec import MISSING
from reconciler.render.scalars import is_null, resolve, text_of

__all__ = ["Node", "read_node", "write_node"]

_MAX_SIMPLE_KEY = 128
_IN_FLOW = frozenset(",[]{}?:")


@dataclass(frozen=True, slots=True)
class Node:
    """A node of YAML text.

    Attributes:
        value: A scalar's text; the children by key of a map; those of a list.
        style: `"`, `'`, `|` or nothing for a scalar; `flow` or nothing for a map or list.
        keys: The nodes of a map's keys.
    """

    value: str | dict[str, Node] | list[Node]
    style: str = ""
    keys: tuple[Node, ...] = ()


def _refuse(what: str) -> RenderError:
    return RenderError(
        f"expected YAML whose layout can be kept in the text, found {what}",
        code="replacement",
        hint="write the text as JSON, or generate it by a configMapGenerator",
    )


def read_node(text: str) -> Node:
    """Return the first and only document of a text that is known to be YAML.

    Raises:
        RenderError: Its layout cannot be kept.
    """
    parser = CParser(text)
    try:
        tokens = list(iter(parser.get_event, None))
    except yaml.YAMLError:
        raise _refuse("another form of YAML") from None
    if sum(isinstance(event, yaml.DocumentStartEvent) for event in tokens) != 1:
        raise _refuse("several documents")
    if re.search(r"(?:^|\s)#", text):
        raise _refuse("what may be a comment")
    events = iter(tokens[2:])
    return _node(next(events), events)


def _node(event: Any, events: Any) -> Node:
    if isinstance(event, yaml.AliasEvent) or event.anchor is not None or event.tag is not None:
        raise _refuse("an anchor or a tag")
    if isinstance(event, yaml.ScalarEvent):
        if event.style == ">":
            raise _refuse("a folded text")
        return Node(event.value, event.style or "")
    style = "flow" if event.flow_style else ""
    if isinstance(event, yaml.SequenceStartEvent):
        children = []
        while not isinstance(child := next(events), yaml.SequenceEndEvent):
            children.append(_node(child, events))
        return Node(children, style)
    keys: list[Node] = []
    fields: dict[str, Node] = {}
    while not isinstance(child := next(events), yaml.MappingEndEvent):
        key = _node(child, events)
        if not isinstance(key.value, str) or key.value == "<<":
            raise _refuse("a key that is no string")
        keys.append(key)
        fields[key.value] = _node(next(events), events)
    return Node(fields, style, tuple(keys))


def write_node(node: Node, value: Any) -> str:
    """Return the text of a document with other values in it, without a newline at its end.

    Args:
        node: The document as it was read.
        value: The document as it is to be.

    Raises:
        RenderError: A value cannot be written.
    """
    return _write(node, value, 0, flow=False, first="").strip()


def _child(node: Node | None, step: str | int) -> Node | None:
    if node is None:
        return None
    if isinstance(node.value, dict) and isinstance(step, str):
        return node.value.get(step)
    if isinstance(node.value, list) and isinstance(step, int) and step < len(node.value):
        return node.value[step]
    return None


def _write(node: Node | None, value: Any, indent: int, *, flow: bool, first: str) -> str:
    """Return `first` and the value; a block collection begins a line unless `first` is "- "."""
    flow = flow or (node is not None and node.style == "flow")
    if isinstance(value, dict):
        if flow or not value:
            return first + _flow(node, value) + "\n"
        keys = {key.value: key for key in node.keys} if node is not None else {}
        lines = []
        for number, (name, child) in enumerate(value.items()):
            key = _scalar(keys.get(name), name, flow=False, indent=0)
            if len(key.encode()) > _MAX_SIMPLE_KEY or "\n" in key:
                raise _refuse("a key of more than 128 bytes")
            pad = "" if number == 0 and first == "- " else " " * indent
            lines.append(f"{pad}{key}:{_after(_child(node, name), child, indent)}")
        return (first if first == "- " else "\n" if first else "") + "".join(lines)
    if isinstance(value, list):
        if flow or not value:
            return first + _flow(node, value) + "\n"
        lines = []
        for number, child in enumerate(value):
            pad = "" if number == 0 and first == "- " else " " * indent
            lines.append(pad + _write(_child(node, number), child, indent + 2, flow=False, first="- "))
        return (first if first == "- " else "\n" if first else "") + "".join(lines)
    shown = _scalar(node, value, flow=False, indent=indent)
    return (f"{first}{shown}" if shown else first.rstrip()) + "\n"


def _after(node: Node | None, value: Any, indent: int) -> str:
    """Return what stands after the colon of a key: lists are not indented, maps are."""
    deeper = indent if isinstance(value, list) else indent + 2
    return _write(node, value, deeper, flow=False, first=" ")


def _flow(node: Node | None, value: Any) -> str:
    if isinstance(value, dict):
        keys = {key.value: key for key in node.keys} if node is not None else {}
        parts = []
        for name, child in value.items():
            shown = _flow(_child(node, name), child)
            key = _scalar(keys.get(name), name, flow=True, indent=0)
            parts.append(f"{key}: {shown}" if shown else f"{key}: ")
        return "{" + ", ".join(parts) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(_flow(_child(node, number), child) for number, child in enumerate(value)) + "]"
    return _scalar(node, value, flow=True, indent=0)


def _scalar(node: Node | None, value: Any, *, flow: bool, indent: int) -> str:
    text = "" if value is MISSING else str(text_of(value))
    if node is None or not isinstance(node.value, str):
        style, tag = "", ""  # a new node: no tag, so nothing has to be quoted for its type
    else:
        style = node.style
        tag = "str" if style else _type(node.value)
    if needs_escapes(text):
        raise _refuse("a special character")
    if style == "|" or (not style and "\n" in text):
        return _block(text, indent, flow=flow)
    if style == '"':
        return _double(text)
    if style == "'":
        return _single(text)
    if not tag or _type(text) == tag:
        return text if _plain_allowed(text, flow=flow) else _single(text)
    if tag == "str":
        return _double(text)
    return f"!!{tag} {text}" if _plain_allowed(text, flow=flow) else f"!!{tag} {_single(text)}"


def _type(text: str) -> str:
    value = resolve(text)
    if is_null(value):
        return "null"
    if isinstance(value, str):
        return "str" if value.__class__ is str else "timestamp"
    if isinstance(value, float):
        return "float"
    return "int" if isinstance(value, int) and not isinstance(value, bool) else "bool"


def _single(text: str) -> str:
    if "\n" in text or text[:1] == " " or text[-1:] == " ":
        return _double(text)
    return "'" + text.replace("'", "''") + "'"


def _double(text: str) -> str:
    shown = text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return f'"{shown}"'


def _block(text: str, indent: int, *, flow: bool) -> str:
    if flow or not text or text[0] in " \n" or " \n" in text or text[-1] == " ":
        raise _refuse("a text of several lines that is laid out unusually")
    chomp = "-" if not text.endswith("\n") else "+" if text.endswith("\n\n") else ""
    pad = " " * max(indent, 2)
    lines = text.removesuffix("\n").split("\n")
    return f"|{chomp}\n" + "\n".join(pad + line if line else "" for line in lines)


def _plain_allowed(text: str, *, flow: bool) -> bool:
    if not text:
        return not flow
    first = text[0]
    if first in "#,[]{}&*!|>'\"%@`" or text.startswith(("---", "...")):
        return False
    if first in "?:-" and (len(text) == 1 or text[1] in " \t"):
        return False
    if first == " " or text[-1] == " " or ": " in text or text[-1] == ":" or " #" in text:
        return False
    return not (flow and _IN_FLOW & set(text))
