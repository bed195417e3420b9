"""Expressions made of parts of others, for both engines: no other exception than ours, no hang, one answer.

`WAYSIDE_FUZZ_SECONDS=600 python -m pytest tests/rules/cel/test_fuzz.py` runs for ten minutes, on expressions
that nobody has tried; without it, the same ones are tried each time.
"""

from __future__ import annotations

import faulthandler
import os
import random
import re
import time
from typing import Any

import pytest

from reconciler.rules.cel import CelCompileError, CelEvaluationError, Environment
from tests.rules.cel.record import DATA, HERE, VARIABLES, VERSION
from tests.rules.cel.test_recorded import NATIVE_DIFFERS, same

pytestmark = pytest.mark.slow

SECONDS = float(os.environ.get("WAYSIDE_FUZZ_SECONDS", "4"))
SEED = int(
    os.environ.get("WAYSIDE_FUZZ_SEED", time.time_ns() if "WAYSIDE_FUZZ_SECONDS" in os.environ else 20261121)
)
LONGEST = 5.0
LINES = [
    line
    for line in (HERE / "expressions.txt").read_text(encoding="utf-8").splitlines()
    if line not in NATIVE_DIFFERS
]
PART = re.compile(r"[\w.]+\([^()]*\)|'[^']*'|\[[^][]*\]|[\w.]+|\S")
NATIVE = Environment(VERSION, VARIABLES, engine="native")
PURE = Environment(VERSION, VARIABLES, engine="pure")
PLAIN = Environment(None, VARIABLES, engine="native")
#: What is known to differ between the engines: NaN, infinities, and unsigned integers of no declared type.
KNOWN = re.compile(r"/\s*-?0|0\.0|nan|inf|1e\d\d|string\(|dyn\(\d+u|u\b", re.IGNORECASE)


def made(choose: random.Random) -> str:
    """Return an expression in which a part of one stands in another."""
    text = choose.choice(LINES).replace("\\\\n", "\n")
    for _ in range(choose.choice((1, 1, 1, 2, 3))):
        parts = list(PART.finditer(text))
        if not parts:
            break
        part = choose.choice(parts)
        other = choose.choice(LINES)
        if choose.random() < 0.6 and (found := PART.findall(other)):
            other = choose.choice(found)
        text = text[: part.start()] + other + text[part.end() :]
    if choose.random() < 0.1:
        at = choose.randrange(len(text) + 1)
        text = text[:at] + choose.choice(list("()[]{}.,?:!-+*/%<>=&|'\"\\ \n\t0é\x00\ud800")) + text[at + 1 :]
    return text[:4000]


def answer(environment: Environment, text: str, *, check: bool = True) -> Any:
    """Return the value, or the error's code."""
    began = time.process_time()
    try:
        return environment.compile(text, check=check).evaluate(DATA)
    except CelCompileError:
        return CelCompileError
    except CelEvaluationError as err:
        return err.code if err.code == "cel-unsupported" else CelEvaluationError
    finally:
        assert time.process_time() - began < LONGEST, f"slow: {text!r}"


def test_spliced_expressions_have_one_answer_or_an_error() -> None:
    choose = random.Random(SEED)  # noqa: S311 - no secret
    faulthandler.dump_traceback_later(SECONDS + 120, exit=True)
    end = time.monotonic() + SECONDS
    differing: list[str] = []
    try:
        while time.monotonic() < end:
            text = made(choose)
            native, pure = answer(NATIVE, text), answer(PURE, text)
            answer(NATIVE, text, check=False)
            answer(PLAIN, text)
            if pure == "cel-unsupported" or KNOWN.search(text):
                continue
            if CelEvaluationError in (native, pure):
                continue  # an error denies; which of the two dialects has one is told by the recorded answers
            if not (native is pure or same(native, pure)):
                differing.append(f"{text!r}: native {native!r}, pure {pure!r}")
    finally:
        faulthandler.cancel_dump_traceback_later()
    assert differing == [], f"seed {SEED}: {len(differing)}\n" + "\n".join(differing[:50])
