"""From a checked tree to the one that the native engine evaluates.

The native engine has CEL's own functions, and the Kubernetes libraries under names that begin with `@`. It
dispatches by kind of value and knows all opaque types as one kind, so what depends on static types is decided
here: sums and extremes by element type, and the equality of quantities.
"""

from __future__ import annotations

from collections.abc import Mapping

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
)
from reconciler.rules.cel.checker import Checked
from reconciler.rules.cel.errors import CelEvaluationError
from reconciler.rules.cel.forms import form_of
from reconciler.rules.cel.library.catalog import CATALOG, OPAQUE, available
from reconciler.rules.cel.types import Type

__all__ = ["BY_ELEMENT", "CORRECTED", "LISTED", "OPTIONAL", "SHARED", "lower"]

_LIBRARY = frozenset(overload.function for overload in CATALOG)
_PLAIN = frozenset(overload.function for overload in available(None)) - {"string"}
_OVERLOADS = {overload.id: overload for overload in CATALOG}
_IDS = frozenset(overload.id for overload in CATALOG)
#: Functions whose result depends on the type of a list's elements; they are named by overload.
BY_ELEMENT = frozenset({"sum", "min", "max"})
#: Functions that give an optional, made from an empty value.
OPTIONAL = frozenset({"validate", "format.named"})
#: Functions that give an optional, made from a list of one value or none.
LISTED = frozenset({"regex.extract"})
#: Functions that both CEL's own and the Kubernetes libraries have.
SHARED = frozenset({"indexOf", "lastIndexOf"})
#: Overloads that the native engine computes otherwise than cel-go does.
CORRECTED = frozenset({"duration_to_string", "double_to_string", "duration_to_Milliseconds"})
#: Overloads that Kubernetes has in an older version than plain CEL.
_KUBERNETES = frozenset(
    {
        "string_format",
        "string_index_of_string_int",
        "string_last_index_of_string_int",
        "string_split_string",
        "string_to_bool",
    }
)
_QUANTITY = Type("kubernetes.Quantity")
#: Comparisons that the engine would make field by field, where equal quantities may differ.
_COMPARING = {"_==_": "@same", "_!=_": "@same", "@in": "@among"}


def lower(expr: Expr, checked: Checked | None, lazy: Mapping[str, Type], *, library: bool = True) -> Expr:
    """Return the tree for the native engine.

    Args:
        expr: The tree.
        checked: What the checker found, or None where the type check was left out.
        lazy: Variables that are computed when they are asked for, with their types.
        library: Whether there are all Kubernetes libraries, or only what plain CEL has of them.
    """
    return _Lowering(checked, lazy, _LIBRARY if library else _PLAIN).node(expr)


class _Lowering:
    def __init__(self, checked: Checked | None, lazy: Mapping[str, Type], library: frozenset[str]) -> None:
        self._checked = checked
        self._library_names = library
        self._corrected = CORRECTED | _KUBERNETES if library is _LIBRARY else CORRECTED
        self._lazy = lazy

    def node(self, expr: Expr) -> Expr:
        name = self._name(expr)
        if name is not None:
            term = self._lazy.get(name)
            return Ident(name, expr.at) if term is None else lazy_call(name, term, expr.at)
        match expr:
            case Literal() | Ident():
                return expr
            case Select():
                return Select(self.node(expr.operand), expr.field, expr.at, expr.test)
            case Call():
                return self._call(expr)
            case CreateList():
                return CreateList(list(map(self.node, expr.elements)), expr.at, expr.optional)
            case CreateMap():
                return CreateMap(list(map(self._entry, expr.entries)), expr.at)
            case CreateStruct():
                return CreateStruct(expr.name, list(map(self._entry, expr.entries)), expr.at)
            case Comprehension():
                return self._comprehension(expr)

    def _name(self, expr: Expr) -> str | None:
        if self._checked is not None:
            return self._checked.names.get(expr)
        qualified = _qualified(expr)
        return qualified if qualified in self._lazy else None

    def _entry(self, entry: Entry) -> Entry:
        return Entry(self.node(entry.key), self.node(entry.value), entry.optional, entry.at)

    def _comprehension(self, expr: Comprehension) -> Expr:
        if expr.macro in ("transformMap", "transformMapEntry"):
            return self._map_fold(expr)
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

    def _map_fold(self, expr: Comprehension) -> Expr:
        """Fold into a list of parts and make the map of it at the end: inserting one by one would copy."""

        def gathered(step: Expr) -> Expr:
            if isinstance(step, Call) and step.function == "_?_:_":
                keep, then, other = step.args
                return Call(step.function, None, [self.node(keep), gathered(then), self.node(other)], step.at)
            if not isinstance(step, Call):
                return self.node(step)
            parts = [self.node(arg) for arg in step.args[1:]]
            item = CreateList(parts, step.at) if len(parts) == 2 else parts[0]
            return Call("_+_", None, [self.node(step.args[0]), CreateList([item], step.at)], step.at)

        folded = Comprehension(
            expr.variable,
            self.node(expr.range),
            expr.accumulator,
            CreateList([], expr.at),
            self.node(expr.condition),
            gathered(expr.step),
            self.node(expr.result),
            expr.at,
            expr.second,
            expr.macro,
        )
        return Call(f"@{expr.macro}", None, [folded], expr.at)

    def _call(self, expr: Call) -> Expr:
        args = list(map(self.node, expr.args))
        dotted = self._dotted(expr)
        if dotted in self._library_names:
            return self._library(expr, dotted, args)
        if dotted:
            return Call(dotted, None, args, expr.at)
        name = expr.function.removeprefix(".")
        fitting = () if self._checked is None else self._checked.overloads.get(expr, ())
        if len(fitting) == 1 and fitting[0] in self._corrected:
            receiver = [] if expr.target is None else [self.node(expr.target)]
            return Call(f"@{fitting[0]}", None, receiver + args, expr.at)
        if name == "_[_]" and fitting and all(id_.startswith("optional_") for id_ in fitting):
            name = "_[?_]"  # the engine takes an index out of range for a value there
        if self._is_library(expr, name):
            if expr.target is not None:
                args.insert(0, self.node(expr.target))
            return self._library(expr, name, args)
        if name in ("_==_", "_!=_") and self._of(expr.args[0]) == self._of(expr.args[1]) == _QUANTITY:
            equal = Call("@equal", None, args, expr.at)
            return equal if name == "_==_" else Call("!_", None, [equal], expr.at)
        if name in _COMPARING and any(_holds_quantity(self._of(arg)) for arg in expr.args):
            compared = Call(_COMPARING[name], None, [CreateList(args, expr.at)], expr.at)
            return Call("!_", None, [compared], expr.at) if name == "_!=_" else compared
        target = None if expr.target is None else self.node(expr.target)
        return Call(name, target, args, expr.at)

    def _of(self, expr: Expr) -> Type | None:
        return None if self._checked is None else self._checked.types.get(expr)

    def _dotted(self, expr: Call) -> str:
        if self._checked is not None:
            return self._checked.functions.get(expr, "")
        prefix = _qualified(expr.target) if expr.target is not None else ""
        dotted = f"{prefix}.{expr.function}"
        return dotted if prefix and dotted in self._library_names else ""

    def _is_library(self, expr: Call, name: str) -> bool:
        if name not in self._library_names:
            return False
        fitting = () if self._checked is None else self._checked.overloads.get(expr, ())
        if not fitting:
            return name not in ("string", *SHARED) or (name in SHARED and len(expr.args) == 1)
        if name == "string":
            return all(id_ in _IDS for id_ in fitting)
        return any(id_ in _IDS for id_ in fitting)

    def _library(self, expr: Call, name: str, args: list[Expr]) -> Expr:
        fitting = () if self._checked is None else self._checked.overloads.get(expr, ())
        if name in BY_ELEMENT and len(fitting) == 1:
            return Call(f"@{fitting[0]}", None, args, expr.at)
        constant = _constant(fitting, args, expr.at)
        if constant is not None:
            return constant
        made = Call(f"@{name}", None, args, expr.at)
        if name in LISTED:
            return Call("_[?_]", None, [made, Literal(0, expr.at)], expr.at)
        return Call("optional.ofNonZeroValue", None, [made], expr.at) if name in OPTIONAL else made


def _constant(fitting: tuple[str, ...], args: list[Expr], at: int) -> Expr | None:
    """Return an opaque value that is known from literals, such as `quantity('1Gi')`, as a message."""
    values = [arg.value for arg in args if isinstance(arg, Literal) and arg.value is not None]
    overload = _OVERLOADS.get(fitting[0]) if len(fitting) == 1 else None
    if overload is None or overload.call is None or len(values) < len(args) or overload.result not in OPAQUE:
        return None
    try:
        form = form_of(overload.call(*values))
    except CelEvaluationError:
        return None  # its error belongs to the evaluation
    if form is None:
        return None
    name, *texts = form
    entries = [
        Entry(Literal(field, at), Literal(text, at), False, at)
        for field, text in zip(("text", "source"), texts, strict=True)
        if text
    ]
    return CreateStruct(name, entries, at)


def lazy_call(name: str, term: Type, at: int) -> Expr:
    """Return the call that asks for a lazy variable; each has a function of its own."""
    return Call(f"@variable {name} {term}", None, [], at)


def _holds_quantity(term: Type | None) -> bool:
    if term is None or term.name not in ("list", "map"):
        return term == _QUANTITY
    return any(map(_holds_quantity, term.args))


def _qualified(expr: Expr) -> str:
    match expr:
        case Ident():
            return expr.name.removeprefix(".")
        case Select() if not expr.test and (prefix := _qualified(expr.operand)):
            return f"{prefix}.{expr.field}"
        case _:
            return ""
