"""From text to tokens, with literals already read."""

from __future__ import annotations

import re
from dataclasses import dataclass

from reconciler.rules.cel.errors import CelCompileError, CelIssue
from reconciler.rules.cel.values import Uint

__all__ = ["LONGEST", "Token", "place", "tokenize"]

#: The longest expression, in characters; the same limit as cel-go's parser.
LONGEST = 100_000

_TOKEN = re.compile(
    r"""
    (?P<space>[\t\n\f\r ]+|//[^\n]*)
  | (?P<string>(?:[bB]?[rR]?)(?:\"{3}|'{3}|\"|'))
  | (?P<float>[0-9]+\.[0-9]+(?:[eE][+-]?[0-9]+)?|[0-9]+[eE][+-]?[0-9]+|\.[0-9]+(?:[eE][+-]?[0-9]+)?)
  | (?P<int>0x[0-9a-fA-F]+|[0-9]+)(?P<unsigned>[uU])?
  | (?P<name>[A-Za-z_][A-Za-z0-9_]*)
  | (?P<op>==|!=|<=|>=|&&|\|\||[-+*/%<>!?:.,()\[\]{}])
    """,
    re.VERBOSE,
)
_ESCAPE = re.compile(
    r"""\\(?:(?P<simple>[abfnrtv\\?"'`])|[xX](?P<hex>[0-9a-fA-F]{2})|u(?P<short>[0-9a-fA-F]{4})"""
    r"""|U(?P<long>[0-9a-fA-F]{8})|(?P<octal>[0-3][0-7]{2}))"""
)
_SURROGATE = re.compile("[\ud800-\udfff]")
_SIMPLE = {"a": "\a", "b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v"}


@dataclass(frozen=True, slots=True)
class Token:
    """A token.

    Attributes:
        kind: `name`, `op`, `literal` or `end`.
        text: As it was written.
        at: Offset in characters.
        value: The value of a literal.
    """

    kind: str
    text: str
    at: int
    value: int | float | str | bytes | None = None


def place(text: str, at: int) -> tuple[int, int]:
    """Return line and column, both counted from 1, of an offset in characters."""
    line = text.count("\n", 0, at) + 1
    return line, at - (text.rfind("\n", 0, at) + 1) + 1


def _fail(text: str, at: int, message: str) -> CelCompileError:
    return CelCompileError([CelIssue(*place(text, at), message)], text)


def tokenize(text: str) -> list[Token]:
    """Return the tokens, ended by one of kind `end`.

    Raises:
        CelCompileError: Something is not a token of CEL.
    """
    if len(text) > LONGEST:
        raise CelCompileError(
            [
                CelIssue(
                    1,
                    1,
                    f"expression code point size exceeds limit: size: {len(text)}, limit {LONGEST}",
                )
            ],
            text[:80],
        )
    if surrogate := _SURROGATE.search(text):
        raise _fail(text, surrogate.start(), "expected Unicode text, found half a surrogate pair")
    tokens: list[Token] = []
    at = 0
    while at < len(text):
        match = _TOKEN.match(text, at)
        if match is None:
            raise _fail(text, at, f"Syntax error: token recognition error at: {text[at]!r}")
        kind = match.lastgroup
        end = match.end()
        if match["string"] is not None:
            value, end = _string(text, at, match["string"])
            tokens.append(Token("literal", text[at:end], at, value))
        elif match["float"] is not None:
            tokens.append(Token("literal", match["float"], at, float(match["float"])))
        elif match["int"] is not None:
            number = int(match["int"], 16 if match["int"].startswith("0x") else 10)
            tokens.append(Token("literal", match[0], at, Uint(number) if match["unsigned"] else number))
        elif kind != "space":
            tokens.append(Token("name" if match["name"] else "op", match[0], at))
        at = end
    tokens.append(Token("end", "<EOF>", len(text)))
    return tokens


def _string(text: str, at: int, opening: str) -> tuple[str | bytes, int]:
    prefix = opening.rstrip("\"'").lower()
    quote = opening[len(prefix) :]
    begin = cursor = at + len(opening)
    while True:
        if cursor >= len(text) or (len(quote) == 1 and text[cursor] in "\r\n"):
            raise _fail(text, at, f"Syntax error: token recognition error at: '{text[at : at + 20]}'")
        if text[cursor] == "\\" and "r" not in prefix:
            cursor += 2
        elif text.startswith(quote, cursor):
            break
        else:
            cursor += 1
    body = text[begin:cursor].replace("\r\n", "\n") if len(quote) == 3 else text[begin:cursor]
    end = cursor + len(quote)
    is_bytes = "b" in prefix
    if "r" in prefix:
        return (body.encode() if is_bytes else body), end
    return _unescape(text, at, body, is_bytes=is_bytes), end


def _unescape(text: str, at: int, body: str, *, is_bytes: bool) -> str | bytes:
    parts: list[bytes] = []
    cursor = 0
    while cursor < len(body):
        slash = body.find("\\", cursor)
        if slash < 0:
            parts.append(body[cursor:].encode("utf-8", "surrogatepass"))
            break
        parts.append(body[cursor:slash].encode("utf-8", "surrogatepass"))
        match = _ESCAPE.match(body, slash)
        if match is None or (is_bytes and (match["short"] or match["long"])):
            raise _fail(text, at, "unable to unescape string")
        if match["simple"]:
            parts.append(_SIMPLE.get(match["simple"], match["simple"]).encode())
        else:
            digits = match["hex"] or match["short"] or match["long"]
            point = int(digits, 16) if digits else int(match["octal"], 8)
            if is_bytes:
                parts.append(bytes([point]))
            elif point > 0x10FFFF or 0xD800 <= point < 0xE000:
                raise _fail(text, at, "invalid unicode code point")
            else:
                parts.append(chr(point).encode())
        cursor = match.end()
    joined = b"".join(parts)
    return joined if is_bytes else joined.decode("utf-8", "surrogatepass")
