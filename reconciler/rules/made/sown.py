"""Values that know where they come from, through every change that a controller makes to them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from reconciler.model.fieldpath import FieldPath

__all__ = ["PatchError", "Sown", "patch", "sow"]


class PatchError(ValueError):
    """A patch does not fit; the message says where."""


class Sown:
    """One value of a made object.

    Attributes:
        value: A mapping or list of further such values, or a scalar.
        at: The field of the origin that set it.
    """

    __slots__ = ("at", "value")

    def __init__(self, value: Any, at: FieldPath) -> None:
        self.value = value
        self.at = at

    def get(self, *path: str | int) -> Sown | None:
        """Return what stands at a path, or None."""
        found: Sown | None = self
        for step in path:
            value = found.value if found is not None else None
            if isinstance(step, int):
                found = value[step] if isinstance(value, list) and step < len(value) else None
            else:
                found = value.get(step) if isinstance(value, dict) else None
        return found

    def set(self, path: tuple[str, ...], child: Sown) -> None:
        """Put a value at a path of mappings; those that are missing are made."""
        node = self
        for step in path[:-1]:
            if not isinstance(node.value, dict):
                node.value = {}
            node = node.value.setdefault(step, Sown({}, child.at))
        if not isinstance(node.value, dict):
            node.value = {}
        node.value[path[-1]] = child

    def items(self, *path: str | int) -> list[Sown]:
        """Return the items of the list at a path, or none."""
        found = self.get(*path)
        return found.value if found is not None and isinstance(found.value, list) else []

    def plain(self) -> Any:
        """Return the value without its origins."""
        if isinstance(self.value, dict):
            return {key: child.plain() for key, child in self.value.items()}
        if isinstance(self.value, list):
            return [child.plain() for child in self.value]
        return self.value

    def origin(self, path: FieldPath) -> FieldPath:
        """Return the field of the origin that set a field, or its nearest parent that is there."""
        node = self
        for step in path:
            child = node.get(step)
            if child is None:
                break
            node = child
        return node.at


def sow(value: Any, at: FieldPath) -> Sown:
    """Return a plain value whose every part knows its field."""
    if isinstance(value, Mapping):
        return Sown({str(key): sow(item, (*at, str(key))) for key, item in value.items()}, at)
    if isinstance(value, list | tuple):
        return Sown([sow(item, (*at, index)) for index, item in enumerate(value)], at)
    return Sown(value, at)


def patch(target: Sown, operation: str, pointer: str, value: Sown) -> None:
    """Apply one operation of a JSON patch (RFC 6902): add, remove or replace.

    Raises:
        PatchError: The operation is another one, or the place is not there.
    """
    if not pointer.startswith("/"):
        raise PatchError(f"expected a path that begins with '/', found {pointer!r}")
    if operation not in {"add", "remove", "replace"}:
        raise PatchError(f"expected one of add, remove, replace, found {operation!r}")
    *parents, last = [step.replace("~1", "/").replace("~0", "~") for step in pointer[1:].split("/")]
    node = target
    for step in parents:
        child = node.get(_index(step, len(node.value)) if isinstance(node.value, list) else step)
        if child is None:
            raise PatchError(f"there is nothing at {pointer}: {step!r} is not there")
        node = child
    if isinstance(node.value, list):
        _patch_list(node.value, operation, last, pointer, value)
    elif isinstance(node.value, dict):
        if operation != "add" and last not in node.value:
            raise PatchError(f"there is nothing at {pointer} to {operation}")
        if operation == "remove":
            del node.value[last]
        else:
            node.value[last] = value
    else:
        raise PatchError(f"there is no field or item below {pointer.rpartition('/')[0] or '/'}")


def _patch_list(items: list[Sown], operation: str, last: str, pointer: str, value: Sown) -> None:
    index = len(items) if last == "-" and operation == "add" else _index(last, len(items))
    if index > len(items) or (operation != "add" and index == len(items)):
        raise PatchError(f"there is no item at {pointer}, the list has {len(items)}")
    match operation:
        case "add":
            items.insert(index, value)
        case "remove":
            del items[index]
        case _:
            items[index] = value


def _index(text: str, length: int) -> int:
    if not text.isdigit():
        raise PatchError(f"expected the number of an item, of which there are {length}, found {text!r}")
    return int(text)
