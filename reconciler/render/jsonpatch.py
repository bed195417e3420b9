"""JSON patches (RFC 6902) with the edges of the library that kustomize uses.

Negative indexes count from the end, `add` may set a field of a map that exists, `replace` may add one.
"""

from __future__ import annotations

from typing import Any

from reconciler.errors import RenderError
from reconciler.render.fieldspec import MISSING

__all__ = ["apply_operations", "check_operations"]


def _error(message: str, hint: str = "compare the path with the resource") -> RenderError:
    return RenderError(message, code="json-patch", hint=hint)


def check_operations(operations: Any) -> list[dict[str, Any]]:
    """Return the operations of a patch.

    Raises:
        RenderError: It is not a list of maps.
    """
    if not isinstance(operations, list) or not all(isinstance(each, dict) for each in operations):
        raise _error("expected a list of JSON patch operations, found something else")
    return operations


def apply_operations(document: Any, operations: list[dict[str, Any]]) -> Any:
    """Return `document` with the operations applied; it is not changed itself.

    Raises:
        RenderError: An operation cannot be applied.
    """
    for number, operation in enumerate(operations):
        try:
            document = _apply(document, operation)
        except RenderError as err:
            err.operation = number  # type: ignore[attr-defined] # read where the patch's place is known
            raise
    return document


def _apply(document: Any, operation: dict[str, Any]) -> Any:
    name = operation.get("op")
    match name:
        case "add":
            return _add(document, _path(operation, "path"), operation.get("value"))
        case "remove":
            return _remove(document, _path(operation, "path"))
        case "replace":
            return _replace(document, _path(operation, "path"), operation.get("value"))
        case "move":
            source = _path(operation, "from")
            value = _get(document, source)
            return _add(_remove(document, source), _path(operation, "path"), value)
        case "copy":
            value = _get(document, _path(operation, "from"))
            return _add(document, _path(operation, "path"), None if value is MISSING else value)
        case "test":
            return _test(document, operation)
        case _:
            raise _error(
                f"expected op to be add, remove, replace, move, copy or test, found {name!r}",
                hint="see RFC 6902",
            )


def _path(operation: dict[str, Any], field: str) -> list[str]:
    path = operation.get(field)
    if not isinstance(path, str):
        raise _error(f"expected {field} to be a JSON pointer, found {path!r}")
    if not path:
        return []
    steps = path.split("/")[1:]
    if not steps:
        raise _error(f"expected {field} to be a JSON pointer, found {path!r}", "begin the path with a slash")
    return [step.replace("~1", "/").replace("~0", "~") for step in steps]


def _index(step: str, *, length: int) -> int:
    try:
        index = int(step)
    except ValueError:
        raise _error(f"expected an index of a list, found {step!r}") from None
    if index < 0:
        index += length
    if not 0 <= index < length:
        raise _error(f"expected an index below {length}, found {step}")
    return index


def _pointer(steps: list[str]) -> str:
    return "".join(f"/{step}" for step in steps)


def _step(node: Any, step: str, steps: list[str]) -> Any:
    if isinstance(node, dict):
        child = node.get(step, MISSING)
    elif isinstance(node, list):
        child = node[_index(step, length=len(node))]
    else:
        child = MISSING
    if child is MISSING or child is None:
        raise _error(
            f"expected a value at {_pointer(steps)}, found none",
            hint="add the parent first, or check the spelling of the path",
        )
    return child


def _get(document: Any, steps: list[str]) -> Any:
    if not steps:
        raise _error("expected a path below the root, found the root")
    node = document
    for number, step in enumerate(steps[:-1]):
        node = _step(node, step, steps[: number + 1])
    if isinstance(node, dict):
        return node.get(steps[-1], MISSING)
    if isinstance(node, list):
        return node[_index(steps[-1], length=len(node))]
    raise _error(f"expected a map or a list at {_pointer(steps[:-1])}, found a scalar")


def _edit(node: Any, steps: list[str], at: int, change: Any) -> Any:
    """Return `node` with `change(container, last step)` put in place of the container of the last step."""
    if at == len(steps) - 1:
        if not isinstance(node, dict | list):
            raise _error(f"expected a map or a list at {_pointer(steps[:at])}, found a scalar")
        return change(node, steps[-1])
    child = _step(node, steps[at], steps[: at + 1])
    new = _edit(child, steps, at + 1, change)
    if isinstance(node, dict):
        return {**node, steps[at]: new}
    copied = list(node)
    copied[_index(steps[at], length=len(node))] = new
    return copied


def _add(document: Any, steps: list[str], value: Any) -> Any:
    def change(container: Any, step: str) -> Any:
        if isinstance(container, dict):
            return {**container, step: value}
        if step == "-":
            return [*container, value]
        index = _index(step, length=len(container) + 1)
        return [*container[:index], value, *container[index:]]

    if not steps:
        raise _error("expected a path below the root, found the root")
    return _edit(document, steps, 0, change)


def _remove(document: Any, steps: list[str]) -> Any:
    def change(container: Any, step: str) -> Any:
        if isinstance(container, dict):
            if step not in container:
                raise _error(f"expected a field at {_pointer(steps)} to remove, found none")
            return {name: child for name, child in container.items() if name != step}
        index = _index(step, length=len(container))
        return container[:index] + container[index + 1 :]

    if not steps:
        raise _error("expected a path below the root, found the root")
    return _edit(document, steps, 0, change)


def _replace(document: Any, steps: list[str], value: Any) -> Any:
    def change(container: Any, step: str) -> Any:
        if isinstance(container, dict):
            return {**container, step: value}
        copied = list(container)
        copied[_index(step, length=len(container))] = value
        return copied

    if not steps:
        if not isinstance(value, dict):
            raise _error("expected a map as the new resource, found something else")
        return value
    return _edit(document, steps, 0, change)


def _test(document: Any, operation: dict[str, Any]) -> Any:
    steps = _path(operation, "path")
    found = _get(document, steps) if steps else document
    wanted = operation.get("value", MISSING)
    same = (
        wanted in (MISSING, None)
        if found is MISSING or found is None
        else wanted is not MISSING and _equal(found, wanted)
    )
    if not same:
        raise _error(f"expected another value at {_pointer(steps)}: the test of the patch failed")
    return document


def _equal(one: Any, other: Any) -> bool:
    if isinstance(one, bool) or isinstance(other, bool):
        return one is other
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(_equal(child, other[name]) for name, child in one.items())
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(_equal(a, b) for a, b in zip(one, other, strict=True))
    return bool(one == other)
