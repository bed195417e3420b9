"""What the API server checks of literals after the type check (since Kubernetes 1.29)."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from reconciler.rules.cel import moments
from reconciler.rules.cel.ast import Call, CreateList, CreateMap, Expr, Literal, children
from reconciler.rules.cel.checker import Checked
from reconciler.rules.cel.errors import CelCompileError, CelEvaluationError, CelIssue
from reconciler.rules.cel.lexer import place
from reconciler.rules.cel.library import regex
from reconciler.rules.cel.types import Type

__all__ = ["validate"]

_EXEMPT = "format"


def validate(expr: Expr, text: str, checked: Checked) -> None:
    """Check durations, timestamps, regular expressions and the sameness of types in literals.

    Raises:
        CelCompileError: A literal is wrong; all of them at once.
    """
    issues = [
        CelIssue(*place(text, at), message)
        for find in (_arguments, _aggregates)
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
            yield element.at, f"expected type '{first}' but found '{found}'"
            return
