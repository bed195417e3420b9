"""The syntax tree of an expression, as small as CEL's own: seven kinds of node, macros already expanded."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TypeAlias

__all__ = [
    "Call",
    "Comprehension",
    "CreateList",
    "CreateMap",
    "CreateStruct",
    "Entry",
    "Expr",
    "Ident",
    "Literal",
    "Select",
    "children",
    "walk",
]

#: What a literal can be; a `Uint` stands for itself.
Constant: TypeAlias = "bool | int | float | str | bytes | None"


@dataclass(slots=True, eq=False)
class Literal:
    """A constant."""

    value: Constant
    at: int


@dataclass(slots=True, eq=False)
class Ident:
    """A name, with a leading dot if it was written so."""

    name: str
    at: int


@dataclass(slots=True, eq=False)
class Select:
    """A field of an operand, or with `test` the question whether it is there."""

    operand: Expr
    field: str
    at: int
    test: bool = False


@dataclass(slots=True, eq=False)
class Call:
    """A function's call; a member function has a target."""

    function: str
    target: Expr | None
    args: list[Expr]
    at: int


@dataclass(slots=True, eq=False)
class CreateList:
    """A list; the elements at the indexes in `optional` are left out where they are none."""

    elements: list[Expr]
    at: int
    optional: frozenset[int] = frozenset()


@dataclass(slots=True, eq=False)
class Entry:
    """A key and value of a map, or a field and value of a struct (its key is then a text)."""

    key: Expr
    value: Expr
    optional: bool
    at: int


@dataclass(slots=True, eq=False)
class CreateMap:
    """A map."""

    entries: list[Entry]
    at: int


@dataclass(slots=True, eq=False)
class CreateStruct:
    """A message."""

    name: str
    entries: list[Entry]
    at: int


@dataclass(slots=True, eq=False)
class Comprehension:
    """A fold over a list or map, which is what every loop of CEL comes down to."""

    variable: str
    range: Expr
    accumulator: str
    init: Expr
    condition: Expr
    step: Expr
    result: Expr
    at: int
    second: str = ""
    macro: str = field(default="")


Expr: TypeAlias = Literal | Ident | Select | Call | CreateList | CreateMap | CreateStruct | Comprehension


def children(expr: Expr) -> tuple[Expr, ...]:
    """Return the nodes directly below one."""
    match expr:
        case Select():
            return (expr.operand,)
        case Call():
            return (expr.target, *expr.args) if expr.target is not None else tuple(expr.args)
        case CreateList():
            return tuple(expr.elements)
        case CreateMap():
            return tuple(node for entry in expr.entries for node in (entry.key, entry.value))
        case CreateStruct():
            return tuple(entry.value for entry in expr.entries)
        case Comprehension():
            return (expr.range, expr.init, expr.condition, expr.step, expr.result)
        case Literal() | Ident():
            return ()


def walk(expr: Expr) -> Iterator[Expr]:
    """Yield every node, parents first."""
    stack = [expr]
    while stack:
        node = stack.pop()
        yield node
        stack.extend(reversed(children(node)))
