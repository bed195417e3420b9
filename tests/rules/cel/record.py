"""Ask the API server's own CEL libraries again, and write their answers to `recorded.jsonl`.

    python -m tests.rules.cel.record

Needs Go. Each line of `expressions.txt` is one expression; `\\n` in it stands for a new line.
"""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
TOOL = HERE.parents[1] / "benchmarks" / "go" / "cel"
VERSION = "1.36"
VARIABLES = {
    "object": "dyn",
    "s": "string",
    "i": "int",
    "u": "uint",
    "d": "double",
    "ls": "list(string)",
    "m": "map(string, dyn)",
}
DATA: dict[str, Any] = {
    "object": {
        "spec": {
            "replicas": 3,
            "q": "100Mi",
            "neg": -2,
            "f": 1.5,
            "b": True,
            "n": None,
            "l": [3, 1, 2],
            "ls": ["b", "a"],
            "m": {"a": 1, "b": 2},
            "e": [],
            "em": {},
            "s": "héllo",
            "containers": [
                {"name": "a", "image": "reg/x:1", "ports": [{"containerPort": 80}]},
                {"name": "b", "image": "reg/y@sha256:1"},
            ],
            "mixed": [1, "a", 2.5, None, True],
        },
        "metadata": {"name": "n", "labels": {"app": "x", "a/b": "c"}},
    },
    "s": "abc",
    "i": 5,
    "u": 7,
    "d": 2.5,
    "ls": ["x", "y"],
    "m": {"k": 1},
}


def main() -> None:
    """Write the answers."""
    lines = (HERE / "expressions.txt").read_text(encoding="utf-8").splitlines()
    expressions = [line.replace("\\\\n", "\n") for line in lines]
    asked = "\n".join(
        json.dumps({"version": VERSION, "expr": text, "variables": VARIABLES, "data": DATA})
        for text in expressions
    )
    found = subprocess.run(
        ["go", "run", ".", "record"], cwd=TOOL, input=asked, text=True, capture_output=True, check=True
    )
    (HERE / "recorded.jsonl").write_text(found.stdout, encoding="utf-8")


if __name__ == "__main__":
    main()
