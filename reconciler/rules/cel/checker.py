"""The type checker: cel-go's algorithm, judgments and words."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

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
from reconciler.rules.cel.errors import CelCompileError, CelIssue
from reconciler.rules.cel.lexer import place
from reconciler.rules.cel.standard import Functions, Signature
from reconciler.rules.cel.types import (
    BOOL,
    BYTES,
    DOUBLE,
    DYN,
    ERROR,
    INT,
    NULL,
    STRING,
    UINT,
    ObjectType,
    Type,
    list_of,
    map_of,
    optional_of,
    parse_type,
    shown,
    type_of,
)
from reconciler.rules.cel.unify import Substitution
from reconciler.rules.cel.values import Uint

__all__ = ["Checked", "check"]

_CONSTANT_TYPES: tuple[tuple[type, Type], ...] = (
    (bool, BOOL),
    (Uint, UINT),
    (int, INT),
    (float, DOUBLE),
    (str, STRING),
    (bytes, BYTES),
)
#: Names that stand for types.
TYPE_NAMES: dict[str, Type] = {
    "bool": BOOL,
    "bytes": BYTES,
    "double": DOUBLE,
    "int": INT,
    "uint": UINT,
    "string": STRING,
    "null_type": NULL,
    "list": list_of(DYN),
    "map": map_of(DYN, DYN),
    "type": Type("type"),
    "optional_type": optional_of(DYN),
    "google.protobuf.Duration": Type("google.protobuf.Duration"),
    "google.protobuf.Timestamp": Type("google.protobuf.Timestamp"),
    "net.IP": Type("net.IP"),
    "net.CIDR": Type("net.CIDR"),
}


@dataclass(frozen=True, slots=True)
class Checked:
    """What the checker found out.

    Attributes:
        result: Type of the whole expression.
        types: Type of each node.
        names: For identifiers and selections that are one declared name: that name.
        functions: For calls with a dotted function name: that name.
        overloads: For each call: ids of the overloads that fit.
        variables: Names of the variables that are used.
    """

    result: Type
    types: dict[Expr, Type]
    names: dict[Expr, str]
    functions: dict[Expr, str]
    overloads: dict[Expr, tuple[str, ...]]
    variables: frozenset[str]


def check(
    expr: Expr,
    text: str,
    variables: Mapping[str, Type],
    functions: Functions,
    structs: Mapping[str, ObjectType],
    *,
    mixed: bool = False,
) -> Checked:
    """Find the type of every node.

    Args:
        expr: The tree.
        text: What it was parsed from.
        variables: Type of each variable.
        functions: What can be called.
        structs: Declared structs by name.
        mixed: Whether the elements of a list may differ in type.

    Raises:
        CelCompileError: The expression does not type-check; all mistakes at once.
    """
    checker = _Checker(text, variables, functions, structs, mixed=mixed)
    result = checker.type_of(expr)
    if checker.issues:
        raise CelCompileError(sorted(checker.issues, key=lambda issue: (issue.line, issue.column)), text)
    final = checker.substitution.final
    return Checked(
        final(result),
        {node: final(term) for node, term in checker.types.items()},
        checker.names,
        checker.functions,
        checker.overloads,
        frozenset(checker.used),
    )


class _Checker:
    def __init__(
        self,
        text: str,
        variables: Mapping[str, Type],
        functions: Functions,
        structs: Mapping[str, ObjectType],
        *,
        mixed: bool,
    ) -> None:
        self._text = text
        self._variables = variables
        self._known = functions
        self._structs = structs
        self._mixed = mixed
        self._scopes: list[dict[str, Type]] = []
        self.substitution = Substitution()
        self.issues: list[CelIssue] = []
        self.types: dict[Expr, Type] = {}
        self.names: dict[Expr, str] = {}
        self.functions: dict[Expr, str] = {}
        self.overloads: dict[Expr, tuple[str, ...]] = {}
        self.used: set[str] = set()

    def _report(self, at: int, message: str) -> Type:
        issue = CelIssue(*place(self._text, at), message)
        if issue not in self.issues:
            self.issues.append(issue)
        return ERROR

    def type_of(self, expr: Expr) -> Type:
        match expr:
            case Literal():
                found = self._literal(expr)
            case Ident():
                found = self._ident(expr)
            case Select():
                found = self._select(expr)
            case Call():
                found = self._call(expr)
            case CreateList():
                found = self._list(expr)
            case CreateMap():
                found = self._map(expr)
            case CreateStruct():
                found = self._report(expr.at, f"undeclared reference to '{expr.name}' (in container '')")
            case Comprehension():
                found = self._comprehension(expr)
        self.types[expr] = found
        return found

    @staticmethod
    def _literal(expr: Literal) -> Type:
        for kind, term in _CONSTANT_TYPES:
            if isinstance(expr.value, kind):
                return term
        return NULL

    def _lookup(self, name: str) -> Type | None:
        rooted = name.startswith(".")
        bare = name.removeprefix(".")
        if not rooted:
            for scope in reversed(self._scopes):
                if bare in scope:
                    return scope[bare]
        found = self._variables.get(bare)
        if found is not None:
            self.used.add(bare)
            return found
        known = TYPE_NAMES.get(bare)
        return None if known is None else type_of(known)

    def _ident(self, expr: Ident) -> Type:
        found = self._lookup(expr.name)
        if found is None:
            return self._undeclared(expr.at, expr.name.removeprefix("."))
        self.names[expr] = expr.name.removeprefix(".")
        return found

    def _undeclared(self, at: int, name: str) -> Type:
        return self._report(at, f"undeclared reference to '{name}' (in container '')")

    def _is_local(self, name: str) -> bool:
        return any(name in scope for scope in self._scopes)

    def _select(self, expr: Select) -> Type:
        if not expr.test:
            qualified = _qualified(expr)
            if qualified and not self._is_local(qualified.partition(".")[0]):
                found = self._lookup(qualified)
                if found is not None:
                    self.names[expr] = qualified.removeprefix(".")
                    return found
        operand = self.substitution.resolve(self.type_of(expr.operand))
        found = self._field(operand, expr.field, expr.at, optional=False)
        return BOOL if expr.test else found

    def _field(self, operand: Type, field: str, at: int, *, optional: bool) -> Type:
        unwrapped = operand
        if operand.name == "optional_type":
            unwrapped, optional = self.substitution.resolve(operand.args[0]), True
        if unwrapped.name == "map":
            found = unwrapped.args[1]
        elif unwrapped.name in self._structs:
            declared = self._structs[unwrapped.name].fields.get(field)
            if declared is None:
                return self._report(at, f"undefined field '{field}'")
            found = _struct_type(declared)
        elif unwrapped.name in ("dyn", "any", "!error!") or unwrapped.name.startswith("~"):
            if unwrapped.name.startswith("~"):
                self.substitution.assignable(DYN, unwrapped)
            found = ERROR if unwrapped == ERROR else DYN
        else:
            if unwrapped.name.startswith("kubernetes."):
                return self._report(at, f"unexpected failed resolution of '{unwrapped}'")
            return self._report(at, f"type '{self._show(unwrapped)}' does not support field selection")
        return optional_of(found) if optional else found

    def _call(self, expr: Call) -> Type:
        if expr.function == "_?._":
            operand = self.substitution.resolve(self.type_of(expr.args[0]))
            literal = expr.args[1]
            name = literal.value if isinstance(literal, Literal) and isinstance(literal.value, str) else ""
            return self._field(operand, name, expr.at, optional=True)
        name = expr.function.removeprefix(".")
        if expr.target is None:
            terms = [self.type_of(arg) for arg in expr.args]
            if name in ("_&&_", "_||_"):
                for arg, term in zip(expr.args, terms, strict=True):
                    self._want(arg.at, BOOL, term)
                self.overloads[expr] = ("logical",)
                return BOOL
            if name not in self._known:
                return self._undeclared(expr.at, name)
            if "." in name:
                self.functions[expr] = name
            return self._resolve(expr, name, terms, member=False)
        prefix = _qualified(expr.target)
        dotted = f"{prefix.removeprefix('.')}.{name}"
        if prefix and dotted in self._known and not self._is_local(prefix.partition(".")[0]):
            self.functions[expr] = dotted
            terms = [self.type_of(arg) for arg in expr.args]
            return self._resolve(expr, dotted, terms, member=False)
        terms = [self.type_of(expr.target), *(self.type_of(arg) for arg in expr.args)]
        if name not in self._known:
            return self._undeclared(expr.at, name)
        return self._resolve(expr, name, terms, member=True)

    def _resolve(self, expr: Call, name: str, terms: list[Type], *, member: bool) -> Type:
        fitting: list[str] = []
        result: Type | None = None
        for overload in self._known[name]:
            if overload.member != member or len(overload.params) != len(terms):
                continue
            params, found = self._instantiate(overload)
            if not self.substitution.all_assignable(terms, params):
                continue
            fitting.append(overload.id)
            found = self.substitution.apply(found)
            if result is None:
                result = found
            elif result not in (DYN, found):
                result = DYN
        if result is None:
            shown = [self._show(term) for term in terms]
            applied = f"{shown[0]}.({', '.join(shown[1:])})" if member else f"({', '.join(shown)})"
            if any(self.substitution.resolve(term) == ERROR for term in terms):
                return ERROR
            return self._report(expr.at, f"found no matching overload for '{name}' applied to '{applied}'")
        self.overloads[expr] = tuple(fitting)
        return result

    def _instantiate(self, overload: Signature) -> tuple[list[Type], Type]:
        if not overload.generic:
            return list(overload.params), overload.result
        fresh = self.substitution.fresh_names()
        return [fresh(param) for param in overload.params], fresh(overload.result)

    def _join(self, previous: Type | None, current: Type) -> Type:
        if previous is None:
            return current
        if ERROR in (previous, current):
            return previous
        if self.substitution.assignable(previous, current):
            return self.substitution.most_general(previous, current)
        # Mixed literals are for the validators to refuse: `format` may be given one.
        return DYN

    def _mismatch(self, at: int, expected: Type, actual: Type) -> Type:
        return self._report(at, f"expected type '{self._show(expected)}' but found '{self._show(actual)}'")

    def _show(self, term: Type) -> str:
        return shown(self.substitution.final(term))

    def _unwrapped(self, at: int, found: Type) -> Type:
        resolved = self.substitution.resolve(found)
        if resolved.name == "optional_type":
            return resolved.args[0]
        if resolved not in (DYN, ERROR):
            return self._mismatch(at, optional_of(resolved), resolved)
        return resolved

    def _list(self, expr: CreateList) -> Type:
        joined: Type | None = None
        for index, element in enumerate(expr.elements):
            found = self.type_of(element)
            if index in expr.optional:
                found = self._unwrapped(element.at, found)
            joined = self._join(joined, found)
        return list_of(self.substitution.fresh() if joined is None else joined)

    def _map(self, expr: CreateMap) -> Type:
        keys: Type | None = None
        values: Type | None = None
        for entry in expr.entries:
            keys = self._join(keys, self.type_of(entry.key))
            values = self._join(values, self._entry(entry))
        if keys is None or values is None:
            return map_of(self.substitution.fresh(), self.substitution.fresh())
        return map_of(keys, values)

    def _entry(self, entry: Entry) -> Type:
        found = self.type_of(entry.value)
        return self._unwrapped(entry.value.at, found) if entry.optional else found

    def _comprehension(self, expr: Comprehension) -> Type:
        over = self.substitution.resolve(self.type_of(expr.range))
        accumulated = self.type_of(expr.init)
        scope: dict[str, Type] = {}
        if over.name == "list":
            scope[expr.variable] = INT if expr.second else over.args[0]
            if expr.second:
                scope[expr.second] = over.args[0]
        elif over.name == "map":
            scope[expr.variable] = over.args[0]
            if expr.second:
                scope[expr.second] = over.args[1]
        elif over.name in ("dyn", "any", "!error!") or over.name.startswith("~"):
            if over.name.startswith("~"):
                self.substitution.assignable(DYN, over)
            scope[expr.variable] = DYN
            if expr.second:
                scope[expr.second] = DYN
        else:
            self._report(
                expr.range.at,
                f"expression of type '{over}' cannot be range of a comprehension"
                " (must be list, map, or dynamic)",
            )
            scope[expr.variable] = ERROR
            if expr.second:
                scope[expr.second] = ERROR
        self._scopes.append({expr.accumulator: accumulated})
        self._scopes.append(scope)
        condition = self.type_of(expr.condition)
        self._want(expr.condition.at, BOOL, condition)
        step = self.type_of(expr.step)
        self._want(expr.step.at, accumulated, step)
        self._scopes.pop()
        result = self.type_of(expr.result)
        self._scopes.pop()
        return self.substitution.apply(result)

    def _want(self, at: int, expected: Type, actual: Type) -> None:
        if not self.substitution.assignable(expected, actual):
            self._mismatch(at, expected, actual)


def _struct_type(declared: str | ObjectType) -> Type:
    if isinstance(declared, ObjectType):
        return Type(declared.name)
    return parse_type(declared)


def _qualified(expr: Expr) -> str:
    match expr:
        case Ident():
            return expr.name
        case Select() if not expr.test and (prefix := _qualified(expr.operand)):
            return f"{prefix}.{expr.field}"
        case _:
            return ""
