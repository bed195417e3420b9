"""The pure engine: a checked tree as Python closures.

It is the engine for platforms that have no build of the native one, and the independent half of differential
tests. What it cannot evaluate faithfully it refuses with `CelUnsupportedError`, which nothing absorbs.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, TypeAlias

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
from reconciler.rules.cel.budget import EXCEEDED
from reconciler.rules.cel.checker import TYPE_NAMES, Checked
from reconciler.rules.cel.containers import containers, contains, index, optional_index
from reconciler.rules.cel.errors import CelEvaluationError, CelIssue, CelUnsupportedError
from reconciler.rules.cel.formatting import format_as_kubernetes
from reconciler.rules.cel.library import regex
from reconciler.rules.cel.library.catalog import OPAQUE, Overload, available
from reconciler.rules.cel.operations import (
    NO_OVERLOAD,
    NONE,
    Optional,
    TypeName,
    arithmetic,
    compare,
    convert,
    equal,
    overloaded,
    type_name,
)
from reconciler.rules.cel.texts import accessors, texts, typed
from reconciler.rules.cel.types import DYN, Type
from reconciler.rules.cel.values import Uint

__all__ = ["PureEngine", "PureExpression"]

_MOST_STEPS = 25_000


class _Frame:
    """What an evaluation knows: values of variables, and how many steps it has left."""

    __slots__ = ("steps", "values")

    def __init__(self, values: dict[str, Any]) -> None:
        self.values = values
        self.steps = _MOST_STEPS


_Code: TypeAlias = Callable[[_Frame], Any]


class PureExpression:
    """One compiled expression."""

    def __init__(self, code: _Code) -> None:
        self._code = code

    def evaluate(self, values: Mapping[str, Any]) -> Any:
        """Return the plain value.

        Raises:
            CelEvaluationError: The evaluation ended in an error.
        """
        found = self.inner(values)
        if isinstance(found, Optional):
            found = found.values[0] if found.values else None
        return _plain(found)

    def inner(self, values: Mapping[str, Any]) -> Any:
        """Return the value as another expression sees it: an optional stays one.

        Raises:
            CelEvaluationError: The evaluation ended in an error.
        """
        try:
            return self._code(_Frame(dict(values)))
        except RecursionError as err:
            raise CelUnsupportedError("the expression nests too deep for this engine") from err


def _plain(value: Any) -> Any:
    match value:
        case TypeName():
            return str(value)
        case Optional():
            raise CelEvaluationError("an optional value is no plain value; use orValue() or value()")
        case list():
            return [_plain(item) for item in value]
        case dict():
            return {key: _plain(item) for key, item in value.items()}
        case _:
            return value


class PureEngine:
    """An environment of the pure engine.

    Args:
        minor: Minor of the Kubernetes version, or None for plain CEL.
        variables: Types of the variables.
        lazy: Types of the lazy variables.
        ask: Gives the value of a lazy variable.
    """

    def __init__(
        self,
        minor: int | None,
        variables: Mapping[str, Type],
        lazy: Mapping[str, Type],
        ask: Callable[[str], Any],
    ) -> None:
        self._variables = variables
        self._lazy = lazy
        self._ask = ask
        self._functions = _FUNCTIONS if minor is None else _KUBERNETES
        self._library: dict[str, list[Overload]] = {}
        for overload in available(minor):
            self._library.setdefault(overload.function, []).append(overload)

    def load(self, expr: Expr, checked: Checked | None) -> PureExpression:
        """Compile a tree to closures."""
        compiler = _Compiler(self._library, checked, self._lazy, self._ask, self._functions)
        return PureExpression(compiler.code(expr))

    def syntax_issues(self, _text: str) -> list[CelIssue]:
        """Return nothing: this engine has no parser of its own."""
        return []

    def bind(self, values: Mapping[str, Any]) -> Mapping[str, Any]:
        """Check that values are ones of CEL."""
        return {
            name: _typed(_checked_value(value, 0), self._variables.get(name, DYN), name)
            for name, value in values.items()
        }


def _typed(value: Any, term: Type, name: str) -> Any:
    """Return a value as its variable's type has it, where plain Python does not tell."""
    match term.name:
        case "uint" if type(value) is int and value >= 0:
            return Uint(value)
        case "double" if type(value) is int:
            return float(value)
        case "list" if isinstance(value, list):
            return [_typed(item, term.args[0], name) for item in value]
        case "map" if isinstance(value, dict):
            return {
                _typed(key, term.args[0], name): _typed(item, term.args[1], name)
                for key, item in value.items()
            }
        case "wrapper":
            return None if value is None else _typed(value, term.args[0], name)
        case "dyn" | "any" | "type" | "optional_type":
            return value
    if type_name(value) != term.name:
        raise CelEvaluationError(f"expected {name} to be of the type {term}, found {type_name(value)}")
    return value


def _checked_value(value: Any, depth: int) -> Any:
    if depth > 200:
        raise CelUnsupportedError("the value nests too deep for this engine")
    match value:
        case list() | tuple():
            return [_checked_value(item, depth + 1) for item in value]
        case dict():
            return {key: _checked_value(item, depth + 1) for key, item in value.items()}
        case bytearray():
            return bytes(value)
        case datetime() if value.tzinfo is None:
            raise CelEvaluationError("expected a timestamp with a time zone, found one without")
        case int() if not -(2**63) <= value < 2**64:
            raise CelEvaluationError("an integer of more than 64 bits is no value of CEL")
        case _:
            type_name(value)
            return value


class _Compiler:
    def __init__(
        self,
        library: Mapping[str, list[Overload]],
        checked: Checked | None,
        lazy: Mapping[str, Type],
        ask: Callable[[str], Any],
        functions: Mapping[str, Callable[..., Any]],
    ) -> None:
        self._functions = functions
        self._library = library
        self._checked = checked
        self._lazy = lazy
        self._ask = ask

    def code(self, expr: Expr) -> _Code:
        name = self._name(expr)
        if name is not None:
            return self._variable(name)
        match expr:
            case Literal():
                value = expr.value
                return lambda _frame: value
            case Ident():
                return self._variable(expr.name.removeprefix("."))
            case Select():
                return self._select(expr)
            case Call():
                return self._call(expr)
            case CreateList():
                return self._list(expr)
            case CreateMap():
                return self._map(expr)
            case CreateStruct():
                raise CelUnsupportedError(f"messages such as {expr.name}")
            case Comprehension():
                return self._comprehension(expr)

    def _name(self, expr: Expr) -> str | None:
        if self._checked is not None:
            return self._checked.names.get(expr)
        qualified = _qualified(expr)
        return qualified if qualified in self._lazy else None

    def _variable(self, name: str) -> _Code:
        if name in self._lazy:
            ask = self._ask
            return lambda _frame: ask(name)

        def variable(frame: _Frame) -> Any:
            if name in frame.values:
                return frame.values[name]
            if name in TYPE_NAMES:
                return TypeName(name)
            raise CelEvaluationError(f"no such attribute(s): {name}")

        return variable

    def _select(self, expr: Select) -> _Code:
        operand, field = self.code(expr.operand), expr.field
        if expr.test:

            def test(frame: _Frame) -> bool:
                found = operand(frame)
                if isinstance(found, Optional):
                    return bool(optional_index(found, field).values)
                return isinstance(found, dict) and field in found

            return test

        def select(frame: _Frame) -> Any:
            found = operand(frame)
            if isinstance(found, dict):
                if field in found:
                    return found[field]
                raise CelEvaluationError(f"no such key: {field}")
            if isinstance(found, Optional):
                return optional_index(found, field)
            raise overloaded()

        return select

    def _call(self, expr: Call) -> _Code:
        name = expr.function.removeprefix(".")
        dotted = "" if self._checked is None else self._checked.functions.get(expr, "")
        if self._checked is None and expr.target is not None:
            candidate = f"{_qualified(expr.target)}.{name}"
            dotted = candidate if candidate in self._library or candidate in containers else ""
            dotted = dotted or (candidate if candidate in texts else "")
        args = [self.code(arg) for arg in expr.args]
        if expr.target is not None and not dotted:
            args.insert(0, self.code(expr.target))
        special = _SPECIAL.get(name)
        if special is not None:
            return special(*args)
        fitting = () if self._checked is None else self._checked.overloads.get(expr, ())
        function = self._function(dotted or name, fitting)
        if len(args) == 1:
            (only,) = args

            def unary(frame: _Frame) -> Any:
                _step(frame)
                return _paid(frame, _apply(function, only(frame)))

            return unary

        def call(frame: _Frame) -> Any:
            _step(frame)
            return _paid(frame, _apply(function, *[arg(frame) for arg in args]))

        return call

    def _function(self, name: str, fitting: tuple[str, ...]) -> Callable[..., Any]:
        plain = self._functions.get(name)
        library = self._library.get(name)
        if library is None:
            if plain is None:
                raise CelUnsupportedError(f"the function {name}")
            return plain
        chosen = [overload for overload in library if not fitting or overload.id in fitting]

        def dispatch(*args: Any) -> Any:
            for overload in chosen:
                if overload.call is not None and _fits(overload, args):
                    found = overload.call(*args)
                    if overload.result.startswith("optional_type"):
                        return NONE if found is None else Optional((found,))
                    return found
            if plain is None:
                raise overloaded()
            return plain(*args)

        return dispatch

    def _list(self, expr: CreateList) -> _Code:
        elements = [self.code(element) for element in expr.elements]
        optional = expr.optional

        def create(frame: _Frame) -> list[Any]:
            made: list[Any] = []
            for at, element in enumerate(elements):
                value = element(frame)
                if at in optional:
                    made.extend(_values(value))
                else:
                    made.append(value)
            return made

        return create

    def _map(self, expr: CreateMap) -> _Code:
        entries = [(self.code(entry.key), self.code(entry.value), entry.optional) for entry in expr.entries]

        def create(frame: _Frame) -> dict[Any, Any]:
            made: dict[Any, Any] = {}
            for key_code, value_code, optional in entries:
                key, value = key_code(frame), value_code(frame)
                if type_name(key) not in ("string", "int", "uint") or key in made:
                    raise CelUnsupportedError("maps with repeated keys, or keys that are no text or integer")
                for item in _values(value) if optional else (value,):
                    made[key] = item
            return made

        return create

    def _comprehension(self, expr: Comprehension) -> _Code:
        over, init = self.code(expr.range), self.code(expr.init)
        condition, step, result = self.code(expr.condition), self.code(expr.step), self.code(expr.result)
        first, second, accumulator = expr.variable, expr.second, expr.accumulator
        names = [name for name in (first, second, accumulator) if name]

        def fold(frame: _Frame) -> Any:
            items = _items(over(frame), two=bool(second))
            value = init(frame)
            before = {name: frame.values[name] for name in names if name in frame.values}
            frame.values[accumulator] = value
            try:
                for key, item in items:
                    _step(frame)
                    frame.values[first] = key
                    if second:
                        frame.values[second] = item
                    if not condition(frame):
                        break
                    frame.values[accumulator] = _caught(step, frame)
                for name in (first, second):
                    frame.values.pop(name, None)
                for name, old in before.items():
                    if name != accumulator:
                        frame.values[name] = old
                found = frame.values[accumulator]
                if isinstance(found, CelEvaluationError):
                    raise found
                return result(frame)
            finally:
                for name in names:
                    frame.values.pop(name, None)
                frame.values.update(before)

        return fold


def _caught(step: _Code, frame: _Frame) -> Any:
    """Return a step's value, or its error: a later step of `all` or `exists` may outweigh it."""
    try:
        return step(frame)
    except CelUnsupportedError:
        raise
    except CelEvaluationError as err:
        if err.message == EXCEEDED:
            raise
        return err


def _step(frame: _Frame) -> None:
    frame.steps -= 1
    if frame.steps < 0:
        raise CelUnsupportedError(EXCEEDED)


def _paid(frame: _Frame, made: Any) -> Any:
    if type(made) is list:
        frame.steps -= len(made) >> 4
    elif type(made) is str:
        frame.steps -= len(made) >> 10
    return made


def _apply(function: Callable[..., Any], *args: Any) -> Any:
    for arg in args:
        if isinstance(arg, CelEvaluationError):
            raise arg
    try:
        return function(*args)
    except (TypeError, AttributeError) as err:
        raise CelEvaluationError(NO_OVERLOAD) from err


def _fits(overload: Overload, args: tuple[Any, ...]) -> bool:
    if len(args) != len(overload.params):
        return False
    for param, value in zip(overload.params, args, strict=True):
        wanted = OPAQUE.get(param)
        if wanted is not None:
            if not isinstance(value, wanted):
                return False
        elif param != "A" and type_name(value) != param.partition("(")[0]:
            return False
    return True


def _values(optional: Any) -> tuple[Any, ...]:
    if not isinstance(optional, Optional):
        raise overloaded()
    return optional.values


def _items(over: Any, *, two: bool) -> list[tuple[Any, Any]]:
    if isinstance(over, list):
        return list(enumerate(over)) if two else [(item, None) for item in over]
    if isinstance(over, dict):
        return list(over.items())
    raise overloaded()


def _bool(value: Any) -> bool:
    if isinstance(value, CelEvaluationError):
        raise value
    if not isinstance(value, bool):
        raise overloaded()
    return value


def _logical(decisive: bool) -> Callable[[_Code, _Code], _Code]:
    """Return `&&` (decided by false) or `||` (decided by true); an error on one side may be outweighed."""

    def make(left: _Code, right: _Code) -> _Code:
        def logical(frame: _Frame) -> bool:
            try:
                if _bool(left(frame)) is decisive:
                    return decisive
            except CelUnsupportedError:
                raise
            except CelEvaluationError as err:
                if _bool(right(frame)) is decisive:
                    return decisive
                raise err from None
            return _bool(right(frame))

        return logical

    return make


def _ternary(condition: _Code, yes: _Code, no: _Code) -> _Code:
    return lambda frame: yes(frame) if _bool(condition(frame)) else no(frame)


def _not_strictly_false(value: _Code) -> _Code:
    def test(frame: _Frame) -> bool:
        try:
            return value(frame) is not False
        except CelUnsupportedError:
            raise
        except CelEvaluationError:
            return True

    return test


_SPECIAL: dict[str, Callable[..., _Code]] = {
    "_&&_": _logical(False),
    "_||_": _logical(True),
    "_?_:_": _ternary,
    "@not_strictly_false": _not_strictly_false,
}


def _ordering(accept: Callable[[int], bool]) -> Callable[[Any, Any], bool]:
    return lambda left, right: accept(compare(left, right))


def _size(value: Any) -> int:
    if isinstance(value, (str, bytes, list, dict)) and not isinstance(value, TypeName):
        return len(value)
    raise overloaded()


def _matches(text: Any, pattern: Any) -> bool:
    if not isinstance(text, str) or not isinstance(pattern, str):
        raise overloaded()
    return regex.matches(text, pattern)


_FUNCTIONS: dict[str, Callable[..., Any]] = {
    **arithmetic,
    **convert,
    **texts,
    **accessors,
    **containers,
    "!_": lambda value: not _bool(value),
    "_==_": equal,
    "_!=_": lambda left, right: not equal(left, right),
    "_<_": _ordering(lambda found: found < 0),
    "_<=_": _ordering(lambda found: found <= 0),
    "_>_": _ordering(lambda found: found > 0),
    "_>=_": _ordering(lambda found: found >= 0),
    "@in": contains,
    "_[_]": index,
    "_?._": optional_index,
    "size": _size,
    "matches": _matches,
}

_KUBERNETES: dict[str, Callable[..., Any]] = {
    **_FUNCTIONS,
    "format": typed(format_as_kubernetes, str, list),
}


def _qualified(expr: Expr) -> str:
    match expr:
        case Ident():
            return expr.name.removeprefix(".")
        case Select() if not expr.test and (prefix := _qualified(expr.operand)):
            return f"{prefix}.{expr.field}"
        case _:
            return ""
