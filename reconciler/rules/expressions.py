"""CEL expressions of site rules: compiled once, and known by what they read."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import cache, cached_property, partial
from typing import Literal

from reconciler.rules.cel import Environment, Program
from reconciler.rules.cel.errors import CelCompileError, CelEvaluationError

__all__ = ["KUBERNETES", "Compiled", "Compiler", "Engine", "Reads", "reads"]

#: Rules see the same CEL library at every site, whatever version of Kubernetes runs there.
KUBERNETES = "1.36"

_STRING = re.compile(
    r"""
    [bB]?[rR][bB]?(?:\"{3}.*?\"{3}|'{3}.*?'{3}|"[^"\n]*"|'[^'\n]*')  # raw: a backslash is itself
    |[bB]?(?:\"{3}(?:\\.|.)*?\"{3}|'{3}(?:\\.|.)*?'{3}|"(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])*')
    |//[^\n]*
    """,
    re.DOTALL | re.VERBOSE,
)
_CHAIN = re.compile(r"(?<![\w.])([A-Za-z_]\w*+)((?:\s*\.\s*[A-Za-z_]\w*+(?!\s*\())*)")
_PLAIN_CHAIN = re.compile(r"[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)*\Z")

#: `native`, `pure`, or None for the platform's best.
Engine = Literal["native", "pure"] | None

#: Name of a variable to the paths that are read of it; an empty path is the whole.
Reads = Mapping[str, frozenset[tuple[str, ...]]]


@cache
def reads(text: str) -> Reads:
    """Return what an expression may read: a superset, found in its words alone.

    Names of macro variables and of functions are among them, which does no harm: whoever asks looks only for
    the names that it knows.
    """
    found: dict[str, set[tuple[str, ...]]] = {}
    for match in _CHAIN.finditer(_STRING.sub(" '' ", text)):
        path = tuple(step.strip() for step in match[2].split(".")[1:])
        found.setdefault(match[1], set()).add(path)
    return {name: frozenset(paths) for name, paths in found.items()}


@dataclass(frozen=True)
class Compiled:
    """A compiled expression.

    Attributes:
        text: As written.
        reads: What it may read.
        chain: The steps, where it only names a field such as `workload.containers`; otherwise ().
    """

    text: str
    reads: Reads
    chain: tuple[str, ...]
    _compile: Callable[[], Program] = field(repr=False, compare=False)

    @cached_property
    def program(self) -> Program:
        """What evaluates it.

        Raises:
            CelEvaluationError: It was to be compiled when it is first needed, and is not CEL.
        """
        try:
            return self._compile()
        except CelCompileError as err:
            raise CelEvaluationError(str(err)) from err


class Compiler:
    """Compiles expressions over one set of variables.

    Args:
        engine: `native` or `pure`, or None for the platform's best.
        variables: Names of the variables; all are `dyn`.
    """

    def __init__(self, engine: Engine, variables: Iterable[str]) -> None:
        self._environment = Environment(
            kubernetes=KUBERNETES, variables=dict.fromkeys(variables, "dyn"), engine=engine, frozen=True
        )
        self._compiled: dict[str, Compiled] = {}

    def compile(self, text: str, *, later: bool = False) -> Compiled:
        """Compile an expression.

        Args:
            text: The expression.
            later: Whether it is known to compile, so that this can wait until it is evaluated: messages of
                rules that nobody breaks never are.

        Raises:
            CelCompileError: It is not CEL, or names what is not there.
        """
        found = self._compiled.get(text)
        if found is None:
            steps = text.strip()
            chain = tuple(steps.split(".")) if _PLAIN_CHAIN.match(steps) else ()
            found = Compiled(text, reads(text), chain, partial(self._environment.compile, text))
            if not later:
                program = self._environment.compile(text)
                found = Compiled(text, reads(text), chain, lambda: program)
            self._compiled[text] = found
        return found
