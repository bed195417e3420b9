"""Compares YAML loaders on a site's worth of manifests (docs/adr/0002-yaml-loader.md).

Loaders that are not installed are left out; rapidyaml and py-yaml12 are worth a look.

    python -m tests.benchmarks.yaml_loaders
"""

import importlib
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import yaml

from reconciler.documents.yaml import Positions, load
from tests.documents.manifests import MANIFESTS

#: What kustomize makes of these, and what the loaders do.
DIALECT = {
    "yes": "yes",
    "1:20": "1:20",
    "0644": 420,
    "0o17": 15,
    "1_000": 1000,
    "1e3": 1000,
    "2001-01-01": "2001-01-01T00:00:00Z",
}


def ruamel(kind: str, *, pure: bool) -> Callable[[bytes], Any]:
    module = importlib.import_module("ruamel.yaml")

    def read(data: bytes) -> Any:
        return list(module.YAML(typ=kind, pure=pure).load_all(data))

    return read


def loaders() -> Iterator[tuple[str, str, Callable[[bytes], Any]]]:
    """Yield (name, module to import, function)."""
    yield (
        "documents.yaml.load",
        "reconciler.documents.yaml",
        lambda data: [each.value for each in load(data, "x")],
    )
    yield "documents.yaml.Positions", "reconciler.documents.yaml", lambda data: Positions(data, "x")
    yield "PyYAML CSafeLoader", "yaml", lambda data: list(yaml.load_all(data, Loader=yaml.CSafeLoader))
    yield "PyYAML SafeLoader", "yaml", lambda data: list(yaml.load_all(data, Loader=yaml.SafeLoader))
    yield "ruamel.yaml safe, C", "ruamel.yaml", ruamel("safe", pure=False)
    yield "ruamel.yaml safe, pure", "ruamel.yaml", ruamel("safe", pure=True)
    yield "ruamel.yaml round trip", "ruamel.yaml", ruamel("rt", pure=True)
    for name, function in (("yaml12", "parse_yaml"), ("ryml", "parse_in_arena")):
        try:
            call = getattr(importlib.import_module(name), function)
        except ImportError:
            continue
        if name == "yaml12":
            yield name, name, partial(_yaml12, call)
        else:
            yield f"{name} (its tree only)", name, call


def _yaml12(call: Callable[..., Any], data: bytes) -> Any:
    return call(data.decode(), multi=True)


def milliseconds(read: Callable[[bytes], Any], data: bytes) -> float:
    best = float("inf")
    until = time.perf_counter() + 0.5
    while time.perf_counter() < until:
        began = time.perf_counter()
        read(data)
        best = min(best, time.perf_counter() - began)
    return best * 1000


def import_milliseconds(module: str) -> float:
    code = f"import time; began = time.perf_counter(); import {module}; print(time.perf_counter() - began)"
    runs = [float(subprocess.check_output([sys.executable, "-c", code])) for _ in range(5)]
    return min(runs) * 1000


def right(read: Callable[[bytes], Any]) -> str:
    """Return how many values of the dialect a loader reads as kustomize does."""
    count = 0
    for text, expected in DIALECT.items():
        try:
            found = read(f"a: {text}\n".encode())
            value = found[0]["a"]
        except Exception:  # noqa: BLE001, S112 - a loader may raise anything, and is then wrong
            continue
        count += value == expected and type(value) is type(expected)
    return f"{count}/{len(DIALECT)}"


def main() -> None:
    lines = MANIFESTS.count(b"\n")
    print(f"{len(MANIFESTS)} bytes, {lines} lines")  # noqa: T201 - a program
    for name, module, read in loaders():
        cost = milliseconds(read, MANIFESTS)
        print(f"{name:26}{cost:9.2f} ms{import_milliseconds(module):9.1f} ms import   {right(read)}")  # noqa: T201


if __name__ == "__main__":
    main()
