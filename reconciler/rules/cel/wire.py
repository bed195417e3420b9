"""A checked tree as bytes of `cel.expr.ParsedExpr`, which is what the native engine evaluates.

The tree is lowered on the way: names are resolved, and calls of Kubernetes functions get the names under
which the native engine has them, so that the engine needs no type checker of its own.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterable

from reconciler.rules.cel.ast import (
    Call,
    Comprehension,
    CreateList,
    CreateMap,
    CreateStruct,
    Expr,
    Ident,
    Literal,
    Select,
)
from reconciler.rules.cel.values import Uint

__all__ = ["serialize"]

_TYPE_URL = b"type.googleapis.com/cel.expr.ParsedExpr"


def _varint(number: int) -> bytes:
    number &= 2**64 - 1
    out = bytearray()
    while number > 0x7F:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    out.append(number)
    return bytes(out)


def _number(field: int, value: int) -> bytes:
    return _varint(field << 3) + _varint(value)


def _bytes(field: int, value: bytes) -> bytes:
    return _varint(field << 3 | 2) + _varint(len(value)) + value


def _text(field: int, value: str) -> bytes:
    return _bytes(field, value.encode("utf-8", "surrogatepass"))


def serialize(expr: Expr) -> bytes:
    """Return the bytes that the native engine's `deserialize` takes."""
    writer = _Writer()
    parsed = _bytes(2, writer.node(expr)) + _bytes(3, b"")
    return _bytes(1, _TYPE_URL) + _bytes(2, parsed)


class _Writer:
    def __init__(self) -> None:
        self._id = 0

    def node(self, expr: Expr) -> bytes:
        self._id += 1
        mine = _number(2, self._id)
        return mine + _bytes(_FIELDS[type(expr)], self._body(expr))

    def _body(self, expr: Expr) -> bytes:
        match expr:
            case Literal():
                return _constant(expr)
            case Ident():
                return _text(1, expr.name)
            case Select():
                test = _number(3, 1) if expr.test else b""
                return _bytes(1, self.node(expr.operand)) + _text(2, expr.field) + test
            case Call():
                target = b"" if expr.target is None else _bytes(1, self.node(expr.target))
                return target + _text(2, expr.function) + self._each(3, expr.args)
            case CreateList():
                optional = b"".join(_number(2, index) for index in sorted(expr.optional))
                return self._each(1, expr.elements) + optional
            case CreateMap():
                return b"".join(
                    self._entry(_bytes(3, self.node(entry.key)), entry.value, optional=entry.optional)
                    for entry in expr.entries
                )
            case CreateStruct():
                return _text(1, expr.name) + b"".join(
                    self._entry(_text(2, _field_name(entry.key)), entry.value, optional=entry.optional)
                    for entry in expr.entries
                )
            case Comprehension():
                return self._comprehension(expr)

    def _each(self, field: int, nodes: Iterable[Expr]) -> bytes:
        return b"".join(_bytes(field, self.node(node)) for node in nodes)

    def _entry(self, key: bytes, value: Expr, *, optional: bool) -> bytes:
        self._id += 1
        mine = _number(1, self._id)
        flag = _number(5, 1) if optional else b""
        return _bytes(2, mine + key + _bytes(4, self.node(value)) + flag)

    def _comprehension(self, expr: Comprehension) -> bytes:
        parts = [_text(1, expr.variable), _bytes(2, self.node(expr.range)), _text(3, expr.accumulator)]
        for field, node in ((4, expr.init), (5, expr.condition), (6, expr.step), (7, expr.result)):
            parts.append(_bytes(field, self.node(node)))
        if expr.second:
            parts.append(_text(8, expr.second))
        return b"".join(parts)


_FIELDS: dict[type, int] = {
    Literal: 3,
    Ident: 4,
    Select: 5,
    Call: 6,
    CreateList: 7,
    CreateMap: 8,
    CreateStruct: 8,
    Comprehension: 9,
}


def _field_name(key: Expr) -> str:
    return str(key.value) if isinstance(key, Literal) else ""


_CONSTANTS: tuple[tuple[type, Callable[..., bytes]], ...] = (
    (bool, lambda value: _number(2, value)),
    (Uint, lambda value: _number(4, value)),
    (int, lambda value: _number(3, value)),
    (float, lambda value: _varint(5 << 3 | 1) + struct.pack("<d", value)),
    (str, lambda value: _text(6, value)),
    (bytes, lambda value: _bytes(7, value)),
)


def _constant(expr: Literal) -> bytes:
    for kind, write in _CONSTANTS:
        if isinstance(expr.value, kind):
            return write(expr.value)
    return _number(1, 0)
