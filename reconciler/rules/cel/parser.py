"""From tokens to a tree: CEL's grammar by precedence climbing, with limits on size and depth."""

from __future__ import annotations

from reconciler.rules.cel.ast import (
    Call,
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
from reconciler.rules.cel.errors import CelCompileError, CelIssue
from reconciler.rules.cel.lexer import Token, place, tokenize
from reconciler.rules.cel.macros import MacroError, Macros
from reconciler.rules.cel.values import Uint

__all__ = ["DEEPEST", "parse"]

#: How deep an expression may nest, brackets and chained operators alike.
DEEPEST = 90
_RESERVED = frozenset(
    (
        *("as", "break", "const", "continue", "else", "for", "function", "if", "import", "let", "loop"),
        *("package", "namespace", "return", "var", "void", "while"),
    )
)
_KEYWORDS = frozenset({"true", "false", "null", "in"})
_BINARY = {
    "<": 3,
    "<=": 3,
    ">": 3,
    ">=": 3,
    "==": 3,
    "!=": 3,
    "in": 3,
    "+": 4,
    "-": 4,
    "*": 5,
    "/": 5,
    "%": 5,
}
_FUNCTIONS = {"in": "@in"}


def parse(text: str, macros: Macros) -> Expr:
    """Parse an expression and expand its macros.

    Raises:
        CelCompileError: It is no expression, or too long or too deep.
    """
    parser = _Parser(text, macros)
    expr = parser.expression()
    parser.expect_end()
    _measure(expr, text)
    return expr


def _measure(expr: Expr, text: str) -> None:
    level = [expr]
    for _ in range(3 * DEEPEST):
        level = [child for node in level for child in children(node)]
        if not level:
            return
    raise CelCompileError([CelIssue(1, 1, _TOO_DEEP)], text)


_TOO_DEEP = f"expression recursion limit exceeded: {DEEPEST}"


class _Parser:
    def __init__(self, text: str, macros: Macros) -> None:
        self._text = text
        self._tokens = tokenize(text)
        self._next = 0
        self._depth = 0
        self._macros = macros

    def _fail(self, at: int, message: str) -> CelCompileError:
        return CelCompileError([CelIssue(*place(self._text, at), message)], self._text)

    @property
    def _token(self) -> Token:
        return self._tokens[self._next]

    def _is(self, *texts: str) -> bool:
        token = self._tokens[self._next]
        return token.kind == "op" and token.text in texts

    def _take(self) -> Token:
        token = self._tokens[self._next]
        self._next += 1
        return token

    def _skip(self, text: str) -> bool:
        found = self._is(text)
        self._next += found
        return found

    def _expect(self, text: str) -> Token:
        if not self._is(text):
            found = self._token
            raise self._fail(found.at, f"Syntax error: mismatched input '{found.text}' expecting '{text}'")
        return self._take()

    def expect_end(self) -> None:
        found = self._token
        if found.kind != "end":
            raise self._fail(found.at, f"Syntax error: extraneous input '{found.text}' expecting <EOF>")

    def expression(self) -> Expr:
        self._depth += 1
        if self._depth > DEEPEST:
            raise self._fail(self._token.at, _TOO_DEEP)
        condition = self._logical("||", "_||_")
        if self._is("?"):
            at = self._take().at
            yes = self._logical("||", "_||_")
            self._expect(":")
            condition = Call("_?_:_", None, [condition, yes, self.expression()], at)
        self._depth -= 1
        return condition

    def _logical(self, operator: str, function: str) -> Expr:
        terms = [self._operand(operator)]
        places: list[int] = []
        while self._is(operator):
            places.append(self._take().at)
            terms.append(self._operand(operator))
        return _balance(function, terms, places)

    def _operand(self, operator: str) -> Expr:
        return self._logical("&&", "_&&_") if operator == "||" else self._binary(3)

    def _binary(self, least: int) -> Expr:
        left = self._unary()
        while True:
            token = self._token
            rank = _BINARY.get(token.text, 0) if token.kind in ("op", "name") else 0
            if rank < least:
                return left
            self._take()
            right = self._binary(rank + 1)
            left = Call(_FUNCTIONS.get(token.text, f"_{token.text}_"), None, [left, right], token.at)

    def _unary(self) -> Expr:
        if not self._is("!", "-"):
            return self._member()
        first = self._take()
        count = 1
        while self._is(first.text):
            self._take()
            count += 1
        token = self._token
        if first.text == "-" and token.kind == "literal" and type(token.value) in (int, float):
            # the sign belongs to the number, or the least integer could not be written
            inner = self._member(sign=first)
            count -= 1
        else:
            inner = self._member()
        function = "!_" if first.text == "!" else "-_"
        return Call(function, None, [inner], first.at) if count % 2 else inner

    def _member(self, sign: Token | None = None) -> Expr:
        expr = self._primary(sign)
        while True:
            if self._is("."):
                dot = self._take()
                optional = self._skip("?")
                token = self._take()
                if token.kind != "name" or token.text in _KEYWORDS:
                    raise self._fail(
                        token.at, f"Syntax error: no viable alternative at input '.{token.text}'"
                    )
                if not optional and self._is("("):
                    opening, args = self._arguments()
                    expr = self._call(token.text, expr, args, opening.at)
                elif optional:
                    expr = Call("_?._", None, [expr, Literal(token.text, token.at)], dot.at)
                else:
                    expr = Select(expr, token.text, dot.at)
            elif self._is("["):
                at = self._take().at
                function = "_[?_]" if self._skip("?") else "_[_]"
                expr = Call(function, None, [expr, self.expression()], at)
                self._expect("]")
            elif self._is("{") and (name := _qualified(expr)):
                expr = self._struct(name)
            else:
                return expr

    def _primary(self, sign: Token | None) -> Expr:
        token = self._take()
        if token.kind == "literal":
            return self._literal(token, sign)
        if token.kind == "name":
            return self._name(token, "")
        match token.text if token.kind == "op" else "":
            case "(":
                inner = self.expression()
                self._expect(")")
                return inner
            case "[":
                return self._list(token)
            case "{":
                return self._map(token)
            case "." if self._token.kind == "name":
                return self._name(self._take(), ".")
        raise self._fail(
            token.at,
            f"Syntax error: mismatched input '{token.text}' expecting {{'[', '{{', '(', '.', '-', '!', "
            "'true', 'false', 'null', NUM_FLOAT, NUM_INT, NUM_UINT, STRING, BYTES, IDENTIFIER}",
        )

    def _literal(self, token: Token, sign: Token | None) -> Expr:
        value = token.value
        at = token.at if sign is None else sign.at
        if sign is not None and isinstance(value, (int, float)):
            value = -value
        if isinstance(value, Uint):
            if value >= 2**64:
                raise self._fail(at, "invalid uint literal")
        elif isinstance(value, int) and not -(2**63) <= value < 2**63:
            raise self._fail(at, "invalid int literal")
        elif isinstance(value, float) and value in (float("inf"), float("-inf")):
            raise self._fail(at, "invalid double literal")
        return Literal(value, at)

    def _name(self, token: Token, dot: str) -> Expr:
        if not dot and token.text in ("true", "false", "null"):
            return Literal({"true": True, "false": False, "null": None}[token.text], token.at)
        if token.text in _KEYWORDS:
            raise self._fail(token.at, f"Syntax error: mismatched input '{token.text}' expecting IDENTIFIER")
        if token.text in _RESERVED:
            raise self._fail(token.at, f"reserved identifier: {token.text}")
        if self._is("("):
            opening, args = self._arguments()
            return self._call(dot + token.text, None, args, opening.at)
        return Ident(dot + token.text, token.at)

    def _call(self, function: str, target: Expr | None, args: list[Expr], at: int) -> Expr:
        try:
            expanded = self._macros.expand(function, target, args, at)
        except MacroError as err:
            raise self._fail(err.at, err.message) from err
        return Call(function, target, args, at) if expanded is None else expanded

    def _arguments(self) -> tuple[Token, list[Expr]]:
        opening = self._expect("(")
        args: list[Expr] = []
        if not self._is(")"):
            args.append(self.expression())
            while self._is(","):
                self._take()
                args.append(self.expression())
        self._expect(")")
        return opening, args

    def _list(self, opening: Token) -> Expr:
        elements: list[Expr] = []
        optional: set[int] = set()
        while not self._is("]"):
            if self._skip("?"):
                optional.add(len(elements))
            elements.append(self.expression())
            if not self._is(","):
                break
            self._take()
        self._expect("]")
        return CreateList(elements, opening.at, frozenset(optional))

    def _map(self, opening: Token) -> Expr:
        entries: list[Entry] = []
        while not self._is("}"):
            optional = self._skip("?")
            key = self.expression()
            at = self._expect(":").at
            entries.append(Entry(key, self.expression(), optional, at))
            if not self._is(","):
                break
            self._take()
        self._expect("}")
        return CreateMap(entries, opening.at)

    def _struct(self, name: str) -> Expr:
        opening = self._take()
        entries: list[Entry] = []
        while not self._is("}"):
            optional = self._skip("?")
            field = self._take()
            if field.kind != "name":
                raise self._fail(
                    field.at, f"Syntax error: mismatched input '{field.text}' expecting IDENTIFIER"
                )
            at = self._expect(":").at
            entries.append(Entry(Literal(field.text, field.at), self.expression(), optional, at))
            if not self._is(","):
                break
            self._take()
        self._expect("}")
        return CreateStruct(name, entries, opening.at)


def _qualified(expr: Expr) -> str:
    match expr:
        case Ident():
            return expr.name
        case Select() if not expr.test and (prefix := _qualified(expr.operand)):
            return f"{prefix}.{expr.field}"
        case _:
            return ""


def _balance(function: str, terms: list[Expr], places: list[int]) -> Expr:
    """Join terms of `&&` or `||` as a balanced tree, so that long conditions do not nest deep."""
    if len(terms) == 1:
        return terms[0]
    middle = (len(terms) + 1) // 2
    left = _balance(function, terms[:middle], places[: middle - 1])
    right = _balance(function, terms[middle:], places[middle:])
    return Call(function, None, [left, right], places[middle - 1])
