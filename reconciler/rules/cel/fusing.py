"""An expression and the variables that it reads as one tree, which the native engine evaluates in one go.

A lazy variable is a call into Python, and its value is converted on the way there and back. Where variables
are expressions themselves, they can stand in the tree: each is evaluated once, before the expression, and an
error in one is an error only where it is read. The words of such an error are the engine's alone, so whoever
needs them evaluates the expression once more with lazy variables.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from reconciler.rules.cel.ast import (
    Call,
    Comprehension,
    CreateList,
    CreateMap,
    CreateStruct,
    Entry,
    Expr,
    Ident,
    Literal,
    Select,
    children,
)
from reconciler.rules.cel.budget import runs_away
from reconciler.rules.cel.environment import Environment, Program, analyse, macros_of
from reconciler.rules.cel.errors import CelCompileError
from reconciler.rules.cel.lowering import lower
from reconciler.rules.cel.parser import parse

__all__ = ["fuse"]

_MOST_NODES = 20_000


def fuse(
    environment: Environment, text: str, variables: Mapping[str, str], *, careful: bool = False
) -> Program | None:
    """Compile an expression together with its variables.

    Args:
        environment: One in which the expression and all variables compile. Other lazy variables stay lazy,
            and are asked for once.
        text: The expression.
        variables: Texts of variables by their full name, such as `variables.foo`, each before its readers.
        careful: Whether a field of what is no map is missing, as in cel-go, instead of an error of another
            kind. It costs time, so it is for expressions that ended in an error.

    Returns:
        The program, or None where the engine cannot take it as one.
    """
    if environment.engine != "native" or environment.minor is None:
        return None
    try:
        return _Fusion(environment, variables, careful=careful).program(text)
    except CelCompileError:
        return None


class _Fusion:
    def __init__(self, environment: Environment, variables: Mapping[str, str], *, careful: bool) -> None:
        self._environment = environment
        self._variables = variables
        self._lazy = {name: term for name, term in environment.lazy.items() if name not in variables}
        self._careful = careful

    def program(self, text: str) -> Program | None:
        environment = self._environment
        body, result = self._tree(text)
        inits: dict[str, Expr] = {}
        read = _names(body)
        for name in reversed(tuple(self._variables)):
            if name in read:
                inits[name], _ = self._tree(self._variables[name])
                read |= _names(inits[name])
        for name, term in self._lazy.items():
            if name in read:
                inits[name] = lower(Ident(name, 0), None, {name: term})
        expr = body
        for name, init in inits.items():
            expr = _bound(name, init, expr)
        if runs_away(expr) or _size(expr) > _MOST_NODES:
            return None
        loaded = environment._engine.load(expr, text, scalar=result in {"bool", "string", "int", "double"})
        return Program(environment, loaded, text, result_type=result)

    def _tree(self, text: str) -> tuple[Expr, str]:
        environment = self._environment
        assert environment.minor is not None  # noqa: S101 - `fuse` has asked
        expr = parse(text, macros_of(environment.minor))
        checked = analyse(
            expr,
            text,
            {**environment.variables, **environment.lazy},
            environment._structs,
            environment.minor,
        )
        lowered = lower(expr, checked, {})
        return _Rewriting(self._variables, careful=self._careful).node(lowered), str(checked.result)


class _Rewriting:
    """Answers `has(variables.foo)`, and in careful mode asks what is a map before a field of it is read."""

    def __init__(self, variables: Iterable[str], *, careful: bool) -> None:
        self._variables = frozenset(variables)
        self._careful = careful
        self._named = 0

    def node(self, expr: Expr) -> Expr:
        match expr:
            case Literal() | Ident():
                return expr
            case Select():
                return self._select(expr)
            case Call():
                target = None if expr.target is None else self.node(expr.target)
                call = Call(expr.function, target, list(map(self.node, expr.args)), expr.at)
                if self._careful and call.function == "_[_]":
                    return self._index(call)
                if self._careful and call.function in ("_?._", "_[?_]"):
                    return self._optional(call)
                return call
            case CreateList():
                return CreateList(list(map(self.node, expr.elements)), expr.at, expr.optional)
            case CreateMap():
                return CreateMap(self._entries(expr.entries), expr.at)
            case CreateStruct():
                return CreateStruct(expr.name, self._entries(expr.entries), expr.at)
            case Comprehension():
                return Comprehension(
                    expr.variable,
                    self.node(expr.range),
                    expr.accumulator,
                    self.node(expr.init),
                    self.node(expr.condition),
                    self.node(expr.step),
                    self.node(expr.result),
                    expr.at,
                    expr.second,
                    expr.macro,
                )

    def _entries(self, entries: Sequence[Entry]) -> list[Entry]:
        return [
            Entry(self.node(entry.key), self.node(entry.value), entry.optional, entry.at) for entry in entries
        ]

    def _select(self, expr: Select) -> Expr:
        if expr.test and isinstance(expr.operand, Ident) and self._is_variable(expr.operand, expr.field):
            return Literal(True, expr.at)
        operand = self.node(expr.operand)
        selected = Select(operand, expr.field, expr.at, expr.test)
        if not self._careful:
            return selected
        nothing = Select(CreateMap([], expr.at), expr.field, expr.at, expr.test)
        return Call("_?_:_", None, [_is(operand, "map"), selected, nothing], expr.at)

    def _index(self, call: Call) -> Expr:
        operand, key = call.args
        known = _has_fields(operand)
        nothing = Call(call.function, None, [CreateMap([], call.at), key], call.at)
        return Call("_?_:_", None, [known, call, nothing], call.at)

    def _optional(self, call: Call) -> Expr:
        """Give none where there are no fields: of a text or null, or of an optional that holds one."""
        operand, key = call.args
        self._named += 1
        name = f"@operand{self._named}"
        found, at = Ident(name, call.at), call.at
        asked = Call(call.function, None, [found, key], at)
        none = Call("none", Ident("optional", at), [], at)
        held = Call("value", found, [], at)
        inside = Call("_&&_", None, [Call("hasValue", found, [], at), _has_fields(held)], at)
        within = Call("_?_:_", None, [inside, asked, none], at)
        plain = Call("_?_:_", None, [_has_fields(found), asked, none], at)
        return _bound(name, operand, Call("_?_:_", None, [_is(found, "optional_type"), within, plain], at))

    def _is_variable(self, operand: Ident, field: str) -> bool:
        return f"{operand.name}.{field}" in self._variables


def _is(expr: Expr, kind: str) -> Expr:
    return Call("_==_", None, [Call("type", None, [expr], expr.at), Ident(kind, expr.at)], expr.at)


def _has_fields(expr: Expr) -> Expr:
    return Call("_||_", None, [_is(expr, "map"), _is(expr, "list")], expr.at)


def _bound(name: str, init: Expr, body: Expr) -> Expr:
    """Give a name to a value, as the macro `cel.bind` does: a loop over nothing."""
    return Comprehension(
        "#unused", CreateList([], 0), name, init, Literal(False, 0), Ident(name, 0), body, 0, "", ""
    )


def _names(expr: Expr) -> set[str]:
    found: set[str] = set()
    todo = [expr]
    while todo:
        node = todo.pop()
        if isinstance(node, Ident):
            found.add(node.name)
        todo.extend(children(node))
    return found


def _size(expr: Expr) -> int:
    count, todo = 0, [expr]
    while todo and count <= _MOST_NODES:
        count += 1
        todo.extend(children(todo.pop()))
    return count
