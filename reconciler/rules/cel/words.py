"""The native engine's error messages, in the words that cel-go and so the API server use."""

from __future__ import annotations

import re

__all__ = ["compile_message", "runtime_message"]

_STATUS = re.compile(r"\A[A-Z_]+: ")
_TRAILER = re.compile(r" \[[A-Z_]+\]\Z")
_REWRITES: tuple[tuple[re.Pattern[str], str], ...] = (
    (re.compile(r"\AKey not found in map : \"(?P<key>.*)\"\Z", re.DOTALL), r"no such key: \g<key>"),
    (re.compile(r"\AKey not found in map : (?P<key>.*)\Z", re.DOTALL), r"no such key: \g<key>"),
    (re.compile(r"\A[Nn]o_such_field : (?P<key>.*)\Z", re.DOTALL), r"no such key: \g<key>"),
    (re.compile(r"\A(?:No matching overloads found|No overload found).*\Z", re.DOTALL), "no such overload"),
    (re.compile(r"\AApplying SELECT to non-message type\Z"), "no such overload"),
    (re.compile(r"\AInvalid container type: .*\Z"), "no such overload"),
    (re.compile(r"\AIndex error: index=(?P<index>-?\d+) size=\d+\Z"), r"index out of bounds: \g<index>"),
    (
        re.compile(r"\Acannot convert (?P<from>\w+) to (?P<to>int|double|uint)\Z"),
        r"type conversion error from '\g<from>' to '\g<to>'",
    ),
    (
        re.compile(r"\AString to (?P<to>Timestamp|Duration) conversion failed\Z"),
        r"type conversion error from 'string' to 'google.protobuf.\g<to>'",
    ),
    (re.compile(r"\AType conversion error(?P<rest> .*)\Z"), r"type conversion error\g<rest>"),
    (
        re.compile(r"\A(?P<clause>\w+) clause can only be used on numbers, (?P<rest>.*)\Z"),
        r"error during formatting: \g<clause> clause can only be used on integers, \g<rest>",
    ),
    (
        re.compile(r"\Ainvalid regular expression: missing (?P<what>[)\]]): (?P<pattern>.*)\Z", re.DOTALL),
        r"error parsing regexp: missing closing \g<what>: `\g<pattern>`",
    ),
    (re.compile(r"\Aargument \d+: SystemError: .*\Z", re.DOTALL), "no such overload"),
    (re.compile(r"\Adivide by zero\Z"), "division by zero"),
    (re.compile(r"\Amodulus by zero\Z"), "modulus by zero"),
    (re.compile(r"\Ainteger overflow\Z"), "integer overflow"),
    (re.compile(r"\AIteration budget exceeded\Z"), "operation cancelled: actual cost limit exceeded"),
)


def runtime_message(text: str) -> str:
    """Return an engine's message in cel-go's words; what has no counterpart stays as it is."""
    bare = _TRAILER.sub("", _STATUS.sub("", text))
    for pattern, words in _REWRITES:
        match = pattern.match(bare)
        if match:
            return match.expand(words)
    return bare


def compile_message(text: str) -> str:
    """Return a message of the engine's own compiler without its status."""
    return _TRAILER.sub("", _STATUS.sub("", text))
