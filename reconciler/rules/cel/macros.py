"""The macros of CEL: names that are rewritten while parsing, most of them into a fold."""

from __future__ import annotations

from reconciler.rules.cel.ast import (
    Call,
    Comprehension,
    CreateList,
    CreateMap,
    Expr,
    Ident,
    Literal,
    Select,
)

__all__ = ["ACCUMULATOR", "MacroError", "Macros"]

#: The name of a fold's running result. It cannot be written in an expression.
ACCUMULATOR = "@result"
_UNUSED = "#unused"
_SORTED = "@__sortBy_input__"
_QUANTIFIERS = frozenset({"all", "exists", "exists_one", "existsOne"})
_TRANSFORMS = frozenset({"transformList", "transformMap", "transformMapEntry"})


class MacroError(Exception):
    """A macro was used wrongly."""

    def __init__(self, at: int, message: str) -> None:
        super().__init__(message)
        self.at = at
        self.message = message


class Macros:
    """The macros that an environment has.

    Args:
        optionals: Whether it has `optMap` and `optFlatMap`.
        two_variables: Whether it has the comprehensions over key and value.
        sorting: Whether it has `sortBy`.
        bindings: Whether it has `cel.bind`, and `cel.block` with its parts.
    """

    def __init__(
        self, *, optionals: bool, two_variables: bool, sorting: bool, bindings: bool = False
    ) -> None:
        self._optionals = optionals
        self._two = two_variables
        self._sorting = sorting
        self._bindings = bindings

    def expand(self, function: str, target: Expr | None, args: list[Expr], at: int) -> Expr | None:
        """Return what a macro call stands for, or None where it is no macro call.

        Raises:
            MacroError: The arguments are not what the macro takes.
        """
        if target is None:
            return _has(args) if function == "has" and len(args) == 1 else None
        count = len(args)
        if self._bindings and isinstance(target, Ident) and target.name == "cel":
            return _named(function, args, at)
        if function in ("all", "exists", "exists_one") and count == 2:
            return _quantify(function, target, (_simple(args[0]), ""), args[1], at)
        if function == "map" and count in (2, 3):
            name = _simple(args[0])
            return _gather("map", target, (name, ""), args[-1], keep=args[1] if count == 3 else None, at=at)
        if function == "filter" and count == 2:
            name = _simple(args[0])
            return _gather("filter", target, (name, ""), Ident(name, args[0].at), keep=args[1], at=at)
        if self._optionals and function in ("optMap", "optFlatMap") and count == 2:
            return _optional_map(function, target, args, at)
        if self._two and function in _QUANTIFIERS and count == 3:
            return _quantify(function, target, _pair(args), args[2], at)
        if self._two and function in _TRANSFORMS and count in (3, 4):
            return _transform(function, target, args, at)
        if self._sorting and function == "sortBy" and count == 2:
            return _sort_by(target, args, at)
        return None


def _simple(expr: Expr) -> str:
    if not isinstance(expr, Ident) or expr.name.startswith("."):
        raise MacroError(expr.at, "argument must be a simple name")
    if expr.name in (ACCUMULATOR, "__result__"):
        raise MacroError(expr.at, "iteration variable overwrites accumulator variable")
    return expr.name


def _pair(args: list[Expr]) -> tuple[str, str]:
    first, second = args[0], args[1]
    if not isinstance(first, Ident) or first.name.startswith("."):
        raise MacroError(first.at, "argument must be a simple name")
    if not isinstance(second, Ident) or second.name.startswith("."):
        raise MacroError(second.at, "argument must be a simple name")
    if first.name == second.name:
        raise MacroError(second.at, f"duplicate variable name: {first.name}")
    return first.name, second.name


def _has(args: list[Expr]) -> Expr:
    (operand,) = args
    if isinstance(operand, Select) and not operand.test:
        return Select(operand.operand, operand.field, operand.at, test=True)
    raise MacroError(operand.at, "invalid argument to has() macro")


def _call(function: str, at: int, *args: Expr) -> Expr:
    return Call(function, None, list(args), at)


def _quantify(kind: str, target: Expr, names: tuple[str, str], body: Expr, at: int) -> Expr:
    first, second = names

    def result() -> Expr:
        return Ident(ACCUMULATOR, at)

    condition: Expr
    match kind:
        case "all":
            init: Expr = Literal(True, at)
            condition = _call("@not_strictly_false", at, result())
            step = _call("_&&_", at, result(), body)
            found = result()
        case "exists":
            init = Literal(False, at)
            condition = _call("@not_strictly_false", at, _call("!_", at, result()))
            step = _call("_||_", at, result(), body)
            found = result()
        case _:
            init = Literal(0, at)
            condition = Literal(True, at)
            one = _call("_+_", at, result(), Literal(1, at))
            step = _call("_?_:_", at, body, one, result())
            found = _call("_==_", at, result(), Literal(1, at))
    return Comprehension(first, target, ACCUMULATOR, init, condition, step, found, at, second, kind)


def _gather(
    kind: str, target: Expr, names: tuple[str, str], item: Expr, *, keep: Expr | None, at: int
) -> Expr:
    name, second = names
    step = _call("_+_", at, Ident(ACCUMULATOR, at), CreateList([item], at))
    if keep is not None:
        step = _call("_?_:_", at, keep, step, Ident(ACCUMULATOR, at))
    return Comprehension(
        name,
        target,
        ACCUMULATOR,
        CreateList([], at),
        Literal(True, at),
        step,
        Ident(ACCUMULATOR, at),
        at,
        second,
        kind,
    )


def _transform(kind: str, target: Expr, args: list[Expr], at: int) -> Expr:
    first, second = _pair(args)
    keep = args[2] if len(args) == 4 else None
    body = args[-1]
    if kind == "transformList":
        return _gather(kind, target, (first, second), body, keep=keep, at=at)
    added = [Ident(first, at), body] if kind == "transformMap" else [body]
    step = _call("cel.@mapInsert", at, Ident(ACCUMULATOR, at), *added)
    if keep is not None:
        step = _call("_?_:_", at, keep, step, Ident(ACCUMULATOR, at))
    return Comprehension(
        first,
        target,
        ACCUMULATOR,
        CreateMap([], at),
        Literal(True, at),
        step,
        Ident(ACCUMULATOR, at),
        at,
        second,
        kind,
    )


def _optional_map(kind: str, target: Expr, args: list[Expr], at: int) -> Expr:
    name = args[0]
    if not isinstance(name, Ident):
        raise MacroError(name.at, f"{kind}() variable name must be a simple identifier")
    body = Comprehension(
        _UNUSED,
        CreateList([], at),
        name.name,
        Call("value", target, [], at),
        Literal(False, at),
        Ident(name.name, at),
        args[1],
        at,
        macro=kind,
    )
    some: Expr = body if kind == "optFlatMap" else _call("optional.of", at, body)
    return _call("_?_:_", at, Call("hasValue", target, [], at), some, _call("optional.none", at))


def _sort_by(target: Expr, args: list[Expr], at: int) -> Expr:
    name = args[0]
    if not isinstance(name, Ident):
        raise MacroError(name.at, "sortBy variable name must be a simple identifier")
    keys = _gather("map", Ident(_SORTED, at), (name.name, ""), args[1], keep=None, at=at)
    body = Call("@sortByAssociatedKeys", Ident(_SORTED, at), [keys], at)
    return Comprehension(
        _UNUSED,
        CreateList([], at),
        _SORTED,
        target,
        Literal(False, at),
        Ident(_SORTED, at),
        body,
        at,
        macro="sortBy",
    )


def _named(function: str, args: list[Expr], at: int) -> Expr | None:
    match function, args:
        case "bind", [Ident() as name, value, body]:
            return _bind(name.name, value, body, at)
        case "block", [CreateList() as values, body]:
            for index in reversed(range(len(values.elements))):
                body = _bind(f"@index{index}", values.elements[index], body, at)
            return body
        case "index", [Literal(value=int() as index)]:
            return Ident(f"@index{index}", at)
        case "iterVar" | "accuVar", [Literal(value=int() as depth), Literal(value=int() as number)]:
            return Ident(f"@{function}:{depth}:{number}", at)
        case _:
            return None


def _bind(name: str, value: Expr, body: Expr, at: int) -> Expr:
    return Comprehension(
        _UNUSED, CreateList([], at), name, value, Literal(False, at), Ident(name, at), body, at
    )
