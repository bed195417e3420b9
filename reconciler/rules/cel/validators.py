"""What the API server checks of literals after the type check (since Kubernetes 1.29)."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

from reconciler.rules.cel import moments, operations
from reconciler.rules.cel.ast import Call, CreateList, CreateMap, Expr, Literal, children, walk
from reconciler.rules.cel.checker import Checked
from reconciler.rules.cel.errors import CelCompileError, CelEvaluationError, CelIssue
from reconciler.rules.cel.lexer import place
from reconciler.rules.cel.library import regex
from reconciler.rules.cel.types import Type, shown

__all__ = ["FITTING", "validate"]

_EXEMPT = "format"


def validate(expr: Expr, text: str, checked: Checked, *, literals: bool) -> None:
    """Check what can be known of literals before any evaluation.

    Args:
        expr: The tree.
        text: What it was parsed from.
        checked: What the type checker found.
        literals: Whether durations, timestamps, regular expressions, formats and the sameness of types in
            lists and maps are checked; conversions of constants always are.

    Raises:
        CelCompileError: A literal is wrong; all of them at once.
    """
    issues = [
        CelIssue(*place(text, at), message)
        for find in ((_arguments, _aggregates, _formats, _conversions) if literals else (_conversions,))
        for at, message in find(expr, checked)
    ]
    if issues:
        raise CelCompileError(sorted(issues, key=lambda issue: (issue.line, issue.column)), text)


_ARGUMENTS: dict[str, Callable[[str], object]] = {
    "duration": moments.parse_duration,
    "timestamp": moments.parse_timestamp,
    "matches": regex.compile_pattern,
}


def _arguments(expr: Expr, checked: Checked) -> Iterator[tuple[int, str]]:
    for node in _nodes(expr):
        if not isinstance(node, Call) or node.function not in _ARGUMENTS or node not in checked.overloads:
            continue
        argument = node.args[-1] if node.args else None
        if isinstance(argument, Literal) and isinstance(argument.value, str):
            try:
                _ARGUMENTS[node.function](argument.value)
            except CelEvaluationError as err:
                if err.code != "cel-unsupported":
                    yield argument.at, f"invalid {node.function} argument"


_CONVERSIONS = ("int", "uint", "double", "string", "bool", "bytes")


def _conversions(expr: Expr, checked: Checked) -> Iterator[tuple[int, str]]:
    for node in walk(expr):
        if isinstance(node, Call) and node.function in ("find", "findAll") and node in checked.overloads:
            pattern = node.args[0]
            if isinstance(pattern, Literal) and isinstance(pattern.value, str):
                try:
                    regex.compile_pattern(pattern.value)
                except CelEvaluationError as err:
                    if err.code != "cel-unsupported":
                        yield pattern.at, f"program instantiation failed: {err.message}"
        if isinstance(node, Call) and node.function in _CONVERSIONS and node.target is None:
            argument = node.args[0]
            if isinstance(argument, Literal) and node in checked.overloads:
                try:
                    operations.convert[node.function](argument.value)
                except CelEvaluationError as err:
                    if err.code != "cel-unsupported":
                        yield argument.at, f"program instantiation failed: {err.message}"


_CLAUSE = re.compile(r"%(?:%|(?P<precision>\.[0-9]*)?(?P<clause>.?))", re.DOTALL)
_INTEGERS = frozenset({"int", "uint", "dyn"})
_DOUBLES = frozenset({"double", "dyn"})
#: Types that a clause of `format` takes, and what is said of others.
FITTING: dict[str, tuple[frozenset[str], str]] = {
    "d": (_INTEGERS, "decimal clause can only be used on integers, was given"),
    "f": (_DOUBLES, "fixed-point clause can only be used on doubles, was given"),
    "e": (_DOUBLES, "scientific clause can only be used on doubles, was given"),
    "o": (_INTEGERS, "octal clause can only be used on integers, was given"),
    "b": (_INTEGERS | {"bool"}, "only integers and bools can be formatted as binary, was given"),
    "x": (
        _INTEGERS | {"string", "bytes"},
        "only integers, byte buffers, and strings can be formatted as hex, was given",
    ),
}


def _formats(expr: Expr, checked: Checked) -> Iterator[tuple[int, str]]:
    for node in walk(expr):
        if not isinstance(node, Call) or node.function != "format" or len(node.args) != 1:
            continue
        template, values = node.target, node.args[0]
        if (
            isinstance(template, Literal)
            and isinstance(template.value, str)
            and isinstance(values, CreateList)
        ):
            problem = _format_problem(template.value, values, checked, node.at)
            if problem is not None:
                yield problem


def _format_problem(template: str, values: CreateList, checked: Checked, at: int) -> tuple[int, str] | None:
    used = 0
    for match in _CLAUSE.finditer(template):
        clause = match["clause"]
        if clause is None:
            continue
        if not clause:
            return at, "unexpected end of string"
        if used >= len(values.elements):
            return at, f"index {used} out of range"
        element = values.elements[used]
        used += 1
        if clause == "s":
            continue
        if clause.lower() not in FITTING or clause in "DFEOB":
            return at, f'could not parse formatting clause: unrecognized formatting clause "{clause}"'
        fitting, words = FITTING[clause.lower()]
        found = checked.types[element].name
        if found not in fitting:
            return element.at, f"error during formatting: {words} {found}"
    if used < len(values.elements):
        given = len(values.elements)
        return at, f"too many arguments supplied to string.format (expected {used}, got {given})"
    return None


def _nodes(expr: Expr, *, exempt: bool = False) -> Iterator[Expr]:
    if not exempt or not isinstance(expr, (CreateList, CreateMap)):
        yield expr
    inside = exempt or (isinstance(expr, Call) and expr.function == _EXEMPT)
    for child in children(expr):
        yield from _nodes(child, exempt=inside)


def _aggregates(expr: Expr, checked: Checked) -> Iterator[tuple[int, str]]:
    for node in _nodes(expr):
        match node:
            case CreateList():
                yield from _same([(e, i in node.optional) for i, e in enumerate(node.elements)], checked)
            case CreateMap():
                yield from _same([(entry.key, False) for entry in node.entries], checked)
                yield from _same([(entry.value, entry.optional) for entry in node.entries], checked)
            case _:
                pass


def _same(elements: list[tuple[Expr, bool]], checked: Checked) -> Iterator[tuple[int, str]]:
    first: Type | None = None
    for element, optional in elements:
        found = checked.types[element]
        if optional and found.args:
            found = found.args[0]
        if first is None:
            first = found
        elif found != first:
            yield element.at, f"expected type '{shown(first)}' but found '{shown(found)}'"
            return
