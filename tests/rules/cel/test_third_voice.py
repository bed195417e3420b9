"""A third implementation, cel-python, agrees with the pure engine wherever it has an answer of its own.

It knows neither the Kubernetes libraries nor static types, and answers some things wrongly (`FAULTS`), so it
is no engine here; but nobody who wrote it knew ours.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import celpy
import pytest
from celpy import celtypes
from celpy.adapter import json_to_cel

from reconciler.rules.cel import CelCompileError, CelEvaluationError, CelUnsupportedError, Environment, Uint
from tests.rules.cel.record import DATA, HERE, VARIABLES, VERSION
from tests.rules.cel.test_recorded import same

TEXTS = (HERE / "expressions.txt").read_text(encoding="utf-8").splitlines()
#: Where cel-python is wrong, by the API server's own libraries, and how.
FAULTS = {
    "-1.0 / 0.0": "it forgets the sign of an infinity",
    "0.0 / 0.0": "it takes it for an infinity",
    "0.0 / 0.0 == 0.0 / 0.0": "it takes it for an infinity",
    "0.0/0.0 == 0.0/0.0": "it takes it for an infinity",
    "'''multi\\nline'''": "it drops the line's end",
    "string(1.0)": "it writes doubles as Python does",
    "string(123456789.0)": "it writes doubles as Python does",
    "string(0.0/0.0)": "it takes it for an infinity",
    "string(1.0/0.0)": "it writes doubles as Python does",
    "string(-1.0/0.0)": "it forgets the sign of an infinity",
    "string(true)": "it writes truth as Python does",
    "string(duration('1.5s'))": "it drops fractions",
    "string(duration('1ms'))": "it drops fractions",
    "string(timestamp('2024-01-02T03:04:05.678Z'))": "it drops fractions",
    "int(timestamp('1969-12-31T23:59:59.5Z'))": "it rounds to zero",
    "timestamp('2024-01-01T00:00:00.123456789Z')": "it drops fractions",
}


def plain(value: Any) -> Any:
    """Return a value of cel-python as ours are."""
    match value:
        case celtypes.BoolType():
            return bool(value)
        case celtypes.UintType():
            return Uint(value)
        case celtypes.IntType():
            return int(value)
        case celtypes.DoubleType():
            return float(value)
        case celtypes.StringType():
            return str(value)
        case celtypes.BytesType():
            return bytes(value)
        case celtypes.DurationType():
            return timedelta(seconds=value.total_seconds())
        case celtypes.TimestampType():
            return datetime.fromtimestamp(value.timestamp(), tz=UTC)
        case list():
            return [plain(item) for item in value]
        case dict():
            return {plain(key): plain(item) for key, item in value.items()}
        case _:
            return value


def third_answers() -> dict[str, Any]:
    environment = celpy.Environment()
    activation = {name: json_to_cel(json.loads(json.dumps(DATA[name]))) for name in ("object", "s", "i")}
    found = {}
    for text in TEXTS:
        try:
            found[text] = plain(environment.program(environment.compile(text)).evaluate(activation))
        except Exception:  # noqa: BLE001, S112 - whatever it cannot do, it has no answer to
            continue
    return found


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_cel_python_agrees_wherever_it_has_an_answer() -> None:
    environment = Environment(kubernetes=VERSION, variables=VARIABLES, engine="pure")
    compared, different = 0, {}
    for text, theirs in third_answers().items():
        try:
            ours = environment.compile(text).evaluate(DATA)
        except (CelCompileError, CelEvaluationError, CelUnsupportedError):
            continue
        if "class" in repr(theirs):
            continue  # types are values of their own kind in each
        compared += 1
        if not same(theirs, ours):
            different[text] = (theirs, ours)
    assert {text: pair for text, pair in different.items() if text not in FAULTS} == {}
    assert compared >= 350
