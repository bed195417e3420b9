"""CEL expressions of site rules: compiled once, and known by what they read."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from typing import Any, Protocol

__all__ = ["KUBERNETES", "Compiled", "Compiler", "Reads", "reads"]

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


class Program(Protocol):
    """A compiled expression."""

    def evaluate(self, variables: Mapping[str, Any], /) -> Any:
        """Return the expression's value."""


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


@dataclass(frozen=True, slots=True)
class Compiled:
    """A compiled expression.

    Attributes:
        text: As written.
        program: What evaluates it.
        reads: What it may read.
    """

    text: str
    program: Program
    reads: Reads


class Compiler:
    """Compiles expressions over one set of variables.

    Args:
        engine: `native` or `pure`.
        variables: Names of the variables; all are `dyn`.
    """

    def __init__(self, engine: str, variables: Iterable[str]) -> None:
        self._environment = _environment(engine, tuple(variables))
        self._compiled: dict[str, Compiled] = {}

    def compile(self, text: str) -> Compiled:
        """Compile an expression.

        Raises:
            CelCompileError: It is not CEL, or names what is not there.
        """
        found = self._compiled.get(text)
        if found is None:
            found = Compiled(text, self._environment.compile(text), reads(text))
            self._compiled[text] = found
        return found


def _environment(engine: str, variables: tuple[str, ...]) -> Any:
    environment = getattr(import_module("reconciler.rules.cel"), "Environment", None)
    if environment is None:
        return _DevelopmentEnvironment(variables)
    return environment(kubernetes=KUBERNETES, variables=dict.fromkeys(variables, "dyn"), engine=engine)


class _DevelopmentEnvironment:
    def __init__(self, variables: tuple[str, ...]) -> None:
        from cel_expr_python import cel

        config = cel.NewEnvConfigFromYaml("extensions:\n- name: strings\n- name: sets\n- name: lists\n")
        self._env = cel.NewEnv(config=config, variables=dict.fromkeys(variables, cel.Type.DYN))

    def compile(self, text: str) -> Any:
        from reconciler.rules.cel.errors import CelCompileError, CelEvaluationError, CelIssue

        try:
            expression = self._env.compile(text)
        except Exception as err:
            at = re.search(r"<input>:(\d+):(\d+): (.*)", str(err))
            issue = CelIssue(int(at[1]), int(at[2]), at[3]) if at else CelIssue(1, 1, str(err))
            raise CelCompileError([issue], text) from err
        env = self._env

        class P:
            def evaluate(self, variables: Any) -> Any:
                value = expression.eval(env.Activation(dict(variables)))
                if value.type() == __import__("cel_expr_python").cel.Type.ERROR:
                    raise CelEvaluationError(str(value.plain_value()))
                return value.plain_value()

        return P()
