"""Limits that keep an expression from running away.

The native engine counts iterations, and stops soon. What it does not count is growth: a text that is doubled
thirty times, or replaced into itself. Two things are done about that. A static bound says how many copies of
one value an expression can nest; and functions whose result can be far larger than what they are given are
swapped for ones that check first.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

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
    walk,
)
from reconciler.rules.cel.errors import CelEvaluationError
from reconciler.rules.cel.macros import ACCUMULATOR

__all__ = ["EXCEEDED", "GUARDED", "Meter", "guard", "runs_away"]

EXCEEDED = "operation cancelled: actual cost limit exceeded"
_BUDGET = 40_000
_CALL = 3
_CHARACTERS = 64
_ELEMENTS = 6
_FREE = 64
_PAIRS = 8
_SETS = frozenset({"sets.contains", "sets.equivalent", "sets.intersects"})
_MOST_COPIES = 1024
_LONGEST_IN_LOOP = 2048
#: Functions that are swapped, and the names of those that take their place.
GUARDED = {"replace": "@replace", "join": "@join", "lists.range": "@lists.range"}


def runs_away(expr: Expr) -> bool:
    """Tell whether an expression can grow beyond any use, whatever it is evaluated over."""
    longest, loops = 0, False
    for node in walk(expr):
        if isinstance(node, Literal) and isinstance(node.value, (str, bytes)):
            longest = max(longest, len(node.value))
        loops = loops or (isinstance(node, Comprehension) and bool(node.macro))
    growth = _Growth()
    growth.copies(expr, {})
    return (loops and longest > _LONGEST_IN_LOOP) or growth.most > _MOST_COPIES


class _Growth:
    """How many copies of one bound value the parts of an expression can hold."""

    def __init__(self) -> None:
        self.most = 0

    def copies(self, expr: Expr, scope: Mapping[str, int]) -> int:
        found = min(self._copies(expr, scope), _MOST_COPIES + 1)
        self.most = max(self.most, found)
        return found

    def _copies(self, expr: Expr, scope: Mapping[str, int]) -> int:
        match expr:
            case Literal():
                return 0
            case Ident():
                return scope.get(expr.name, 1)
            case Select():
                return self.copies(expr.operand, scope)
            case Call():
                parts = [self.copies(arg, scope) for arg in expr.args]
                if expr.target is not None:
                    parts.append(self.copies(expr.target, scope))
                return _total(expr.function, parts)
            case CreateList():
                return sum(self.copies(element, scope) for element in expr.elements)
            case CreateMap() | CreateStruct():
                return sum(self.copies(entry.value, scope) for entry in expr.entries)
            case Comprehension() if expr.accumulator != ACCUMULATOR:  # a name for a value
                value = max(self.copies(expr.init, scope), 1)
                return self.copies(expr.result, {**scope, expr.accumulator: value})
            case Comprehension():
                over = max(self.copies(expr.range, scope), 1)
                inner = {**scope, expr.variable: over, ACCUMULATOR: 0}
                if expr.second:
                    inner[expr.second] = over
                return self.copies(expr.step, inner)


_LAST = frozenset({"_?:_", "_==_", "_!=_", "_<_", "_<=_", "_>_", "_>=_", "@in", "size", "matches"})


def _total(function: str, parts: Sequence[int]) -> int:
    if function == "_?_:_":
        return max(parts)
    return 0 if function in _LAST else sum(parts)


def guard(expr: Expr) -> bool:
    """Swap what can grow for what is metered, in place. Tells whether there was anything."""
    found = False
    looping = [expr]
    for node in list(walk(expr)):  # what is put in is not looked at again
        if isinstance(node, Call):
            found = _swap(node) or _compare_sets(node) or found
        elif isinstance(node, Comprehension) and node.macro:
            looping.append(node.step)
            if isinstance(node.init, CreateList):  # gathering copies what was gathered so far
                node.condition = _metered(Ident(node.accumulator, node.at), node.condition)
                found = True
    for node in {id(node): node for body in looping[1:] for node in walk(body)}.values():
        if isinstance(node, Call) and node.function == "@in" and not isinstance(node.args[1], CreateList):
            plain = Call("@in", None, list(node.args), node.at)
            node.function, node.args = "_?_:_", [*_metered(node.args[1], plain).args]
            found = True
    return found


def _compare_sets(node: Call) -> bool:
    dotted = f"{node.target.name}.{node.function}" if isinstance(node.target, Ident) else node.function
    if dotted not in _SETS or not all(isinstance(arg, (Ident, Select)) for arg in node.args):
        return False
    at = node.at
    plain = Call(node.function, node.target, list(node.args), at)
    left, right = (Call("size", None, [arg], at) for arg in plain.args)
    pairs = Call("_/_", None, [Call("_*_", None, [left, right], at), Literal(_PAIRS, at)], at)
    node.function, node.target = "_?_:_", None
    node.args = [Call("@toll", None, [pairs], at), plain, Literal(False, at)]
    return True


def _metered(grown: Expr, then: Expr) -> Call:
    """Return `then` behind a toll on the size of what an operation goes through."""
    at = grown.at
    small = Call("_<_", None, [Call("size", None, [grown], at), Literal(_FREE, at)], at)
    toll = Call("@toll", None, [Call("size", None, [grown], at)], at)
    return Call("_?_:_", None, [Call("_||_", None, [small, toll], at), then, Literal(False, at)], at)


def _swap(node: Call) -> bool:
    dotted = f"{node.target.name}.{node.function}" if isinstance(node.target, Ident) else ""
    name = dotted if dotted in GUARDED else node.function
    if name not in GUARDED:
        return False
    if node.target is not None and name != dotted:
        node.args.insert(0, node.target)
    node.function, node.target = GUARDED[name], None
    return True


class Meter:
    """What the functions written in Python may spend in one evaluation."""

    __slots__ = ("left",)

    def __init__(self) -> None:
        self.left = _BUDGET

    def reset(self) -> None:
        """Begin an evaluation."""
        self.left = _BUDGET

    def charge(self, *values: object, made: int = 0) -> None:
        """Pay for a call with these arguments, and a result of so many elements.

        Raises:
            CelEvaluationError: The budget is spent.
        """
        cost = _CALL + made
        for value in values:
            if isinstance(value, str):
                cost += len(value) // _CHARACTERS
            elif isinstance(value, (list, dict)):
                cost += len(value)
        self.left -= cost
        if self.left < 0:
            raise CelEvaluationError(EXCEEDED)

    def toll(self, size: int) -> bool:
        """Pay for going through so many elements."""
        self.left -= size // _ELEMENTS
        if self.left < 0:
            raise CelEvaluationError(EXCEEDED)
        return True

    def replace(self, text: str, old: str, new: str, limit: int = -1) -> str:
        """Replace as the strings extension does, if the result is of a reasonable size."""
        count = text.count(old) if limit < 0 else min(text.count(old), limit)
        self.charge(text, made=max(count * (len(new) - len(old)), 0) // _CHARACTERS)
        return text.replace(old, new, limit) if limit != 0 else text

    def join(self, texts: list[Any], separator: str = "") -> str:
        """Join as the strings extension does, if the result is of a reasonable size."""
        if not all(isinstance(text, str) for text in texts):
            raise CelEvaluationError("no such overload")
        size = sum(map(len, texts)) + len(separator) * len(texts)
        self.charge(texts, made=size // _CHARACTERS)
        return separator.join(texts)

    def range(self, count: int) -> list[int]:
        """Return the integers from 0, if they are not too many."""
        self.charge(made=2 * max(count, 0))
        return list(range(count))
