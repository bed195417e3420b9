"""Selectors of resources: anchored regular expressions, label selectors, annotation selectors."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from reconciler.errors import RenderError
from reconciler.render.item import Gvk, Identity, Item, split_version
from reconciler.render.scalars import text_of

__all__ = ["Selector", "compile_pattern", "go_pattern", "label_selector", "select"]

_TOKEN = re.compile(r"\s*(?:(?P<symbol>==|!=|[=!(),<>])|(?P<word>[^=!(),<>\s]+))")
_LABEL_KEY = re.compile(
    r"(?:(?=.{1,253}/)[a-z0-9](?:[-a-z0-9]*[a-z0-9])?(?:\.[a-z0-9](?:[-a-z0-9]*[a-z0-9])?)*/)?"
    r"[A-Za-z0-9](?:[-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?\Z"
)
_FLAGS = re.compile(r"\(\?([ims]+)\)")
_POSIX_CLASS = re.compile(r"\[:([a-z]+):\]")
_POSIX = {
    "alnum": "0-9A-Za-z",
    "alpha": "A-Za-z",
    "digit": "0-9",
    "lower": "a-z",
    "space": r"\t\n\v\f\r ",
    "upper": "A-Z",
    "word": "0-9A-Za-z_",
    "xdigit": "0-9A-Fa-f",
}
_LABEL_VALUE = re.compile(r"(?:[A-Za-z0-9](?:[-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?)?\Z")


@dataclass(frozen=True, slots=True)
class Selector:
    """What a target names; an empty field matches anything."""

    group: str = ""
    version: str = ""
    kind: str = ""
    name: str = ""
    namespace: str = ""
    label_selector: str = ""
    annotation_selector: str = ""

    def matches_gvk(self, gvk: Gvk) -> bool:
        """Return whether the selector's patterns fit a kind."""
        return (
            _fits(self.group, gvk.group) and _fits(self.version, gvk.version) and _fits(self.kind, gvk.kind)
        )

    def matches_name(self, name: str) -> bool:
        """Return whether the selector's pattern fits a name."""
        return _fits(self.name, name)

    def matches_namespace(self, namespace: str) -> bool:
        """Return whether the selector's pattern fits a namespace."""
        return _fits(self.namespace, namespace)

    def matches_labels(self, item: Item) -> bool:
        """Return whether the label and annotation selectors fit a resource."""
        return (not self.label_selector or label_selector(self.label_selector).fits(item.labels)) and (
            not self.annotation_selector or label_selector(self.annotation_selector).fits(item.annotations)
        )

    def has_identity(self) -> bool:
        """Return whether the selector names more than labels and annotations."""
        return bool(self.group or self.version or self.kind or self.name or self.namespace)

    def check(self) -> None:
        """Compile every pattern.

        Raises:
            RenderError: One of them is broken.
        """
        for pattern in (self.group, self.version, self.kind, self.name, self.namespace):
            compile_pattern(pattern)
        for text in (self.label_selector, self.annotation_selector):
            label_selector(text)


def _fits(pattern: str, text: str) -> bool:
    return not pattern or pattern == text or compile_pattern(pattern).search(text) is not None


def go_pattern(pattern: str) -> str:
    r"""Return Python's spelling of a Go regular expression.

    Go's `$` is the end of the text, its `\z` is Python's `\Z`, `(?P<n>` and `(?i)` are the same.
    """
    result = []
    index = 0
    in_class = False
    while index < len(pattern):
        char = pattern[index]
        if char == "\\" and index + 1 < len(pattern):
            following = pattern[index + 1]
            result.append({"z": r"\Z", "Z": r"\z"}.get(following, char + following))
            index += 2
            continue
        if in_class:
            named = _POSIX_CLASS.match(pattern, index)
            if named is not None and named[1] in _POSIX:
                result.append(_POSIX[named[1]])
                index = named.end()
                continue
            in_class = char != "]" or pattern[index - 1] == "["
            if char in "[&~|" or (char == "-" and pattern[index + 1 : index + 2] == "-"):
                char = f"\\{char}"  # Python gives these a meaning in a class, or will
        elif char == "[":
            in_class = True
        elif char == "$":
            char = r"\Z"
        result.append(char)
        index += 1
    return "".join(result)


@lru_cache(maxsize=4096)
def compile_pattern(pattern: str) -> re.Pattern[str]:
    """Return an anchored pattern.

    Raises:
        RenderError: It is no regular expression.
    """
    for unknown in ("(?=", "(?!", "(?<=", "(?<!", "(?>"):
        if unknown in pattern:
            raise RenderError(
                f"expected a regular expression of Go, found {unknown} in {pattern!r}", code="bad-pattern"
            )
    try:
        flags = _FLAGS.match(pattern)
        begin, rest = (f"(?{flags[1]}:", pattern[flags.end() :]) if flags is not None else ("(?:", pattern)
        return re.compile(f"^{begin}{go_pattern(rest)})\\Z", re.ASCII)
    except re.error as err:
        raise RenderError(
            f"expected a regular expression, found {pattern!r}: {err}",
            code="bad-pattern",
            hint="a target's fields are regular expressions; a dot or bracket may need a backslash",
        ) from err


@dataclass(frozen=True, slots=True)
class _Requirement:
    key: str
    operator: str
    values: frozenset[str]

    def fits(self, labels: Mapping[str, Any]) -> bool:
        there = self.key in labels
        value = text_of(labels[self.key]) if there else ""
        match self.operator:
            case "exists":
                return there
            case "!":
                return not there
            case "in":
                return there and value in self.values
            case "notin":
                return not there or value not in self.values
            case _:
                if not there or not re.fullmatch(r"[+-]?[0-9]+", value):
                    return False
                bound = int(next(iter(self.values)))
                return int(value) > bound if self.operator == ">" else int(value) < bound


@dataclass(frozen=True, slots=True)
class _LabelSelector:
    requirements: tuple[_Requirement, ...]

    def fits(self, labels: Mapping[str, Any]) -> bool:
        return all(requirement.fits(labels) for requirement in self.requirements)


def _bad(text: str, found: str) -> RenderError:
    return RenderError(
        f"expected a label selector, found {found!r} in {text!r}",
        code="bad-selector",
        hint="write it as kubectl -l takes it, for example app=web,tier in (front,back)",
    )


def _tokens(text: str) -> list[str]:
    tokens = []
    at = 0
    while text[at:].strip():
        match = _TOKEN.match(text, at)
        if match is None:
            raise _bad(text, text[at:])
        tokens.append(match["symbol"] or match["word"])
        at = match.end()
    return tokens


@lru_cache(maxsize=4096)
def label_selector(text: str) -> _LabelSelector:
    """Return a parsed label selector.

    Raises:
        RenderError: It is not one.
    """
    tokens = [*_tokens(text), ""]
    requirements = []
    at = 0
    while tokens[at]:
        negated = tokens[at] == "!"
        at += negated
        key = tokens[at]
        if not _LABEL_KEY.match(key):
            raise _bad(text, key)
        at += 1
        operator, values, at = ("!", frozenset[str](), at) if negated else _operator(text, tokens, at)
        requirements.append(_Requirement(key, operator, values))
        if tokens[at] == ",":
            at += 1
            if not tokens[at] or tokens[at] == ",":
                raise _bad(text, ",")
        elif tokens[at]:
            raise _bad(text, tokens[at])
    return _LabelSelector(tuple(requirements))


def _operator(text: str, tokens: list[str], at: int) -> tuple[str, frozenset[str], int]:
    sign = tokens[at]
    if sign in ("", ","):
        return "exists", frozenset(), at
    at += 1
    if sign in ("=", "==", "!=", ">", "<"):
        value = ""
        if tokens[at] not in ("", ","):
            value = tokens[at]
            at += 1
        if not _LABEL_VALUE.match(value) or (sign in ("<", ">") and not re.fullmatch(r"[+-]?[0-9]+", value)):
            raise _bad(text, value)
        name = {"=": "in", "==": "in", "!=": "notin"}.get(sign, sign)
        return name, frozenset((value,)), at
    if sign not in ("in", "notin") or tokens[at] != "(":
        raise _bad(text, sign)
    at += 1
    values = []
    current = ""
    while tokens[at] != ")":
        if tokens[at] == ",":
            values.append(current)
            current = ""
        elif not tokens[at] or current or not _LABEL_VALUE.match(tokens[at]):
            raise _bad(text, tokens[at])
        else:
            current = tokens[at]
        at += 1
    return sign, frozenset((*values, current)), at + 1


def select(items: Iterable[Item], selector: Selector) -> list[Item]:
    """Return the resources that a target names, by their first or their present identity."""
    selector.check()
    result = []
    for item in items:
        now, first = item.identity(), item.original()
        if (
            _either(selector.matches_namespace, first.namespace, now.namespace)
            and _either(selector.matches_name, first.name, now.name)
            and selector.matches_gvk(item.gvk)
            and selector.matches_labels(item)
        ):
            result.append(item)
    return result


def _either(matches: Any, one: str, other: str) -> bool:
    return bool(matches(one)) or (one != other and bool(matches(other)))


def identities(item: Item) -> list[tuple[Gvk, Identity]]:
    """Return the present and all previous identities, as replacements compare them."""
    group, version = split_version(item.api_version)
    result = [(item.gvk, Identity(item.namespace, item.name, item.kind))]
    result.extend((Gvk(group, version, each.kind), each) for each in item.previous)
    return result
