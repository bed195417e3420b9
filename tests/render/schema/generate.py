"""Write `reconciler/render/data/schema.json`: list merge keys and scopes of built-in kinds.

Usage: `go run . | python generate.py` in this folder, in a Go module that requires
`sigs.k8s.io/kustomize/kyaml` at the version that kustomize uses.

Only what a strategic merge needs is kept: the way from a kind to each of its lists that are merged by keys.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

TARGET = Path(__file__).resolve().parents[3] / "reconciler" / "render" / "data" / "schema.json"


def _reference(schema: dict[str, Any]) -> str | None:
    ref = schema.get("$ref")
    return ref.removeprefix("#/definitions/") if ref else None


def _edges(definition: dict[str, Any]) -> dict[str, tuple[list[str] | None, str | None]]:
    """Return field -> (merge keys or None, name of the definition that follows or None)."""
    result: dict[str, tuple[list[str] | None, str | None]] = {}
    for field, schema in definition.get("properties", {}).items():
        values = schema.get("additionalProperties")
        if isinstance(values, dict) and _reference(values):
            result[field] = (None, f"map:{_reference(values)}")
            continue
        if schema.get("type") != "array":
            result[field] = (None, _reference(schema))
            continue
        strategy = schema.get("x-kubernetes-patch-strategy", "")
        if "merge" not in strategy.split(","):
            continue
        keys = schema.get("x-kubernetes-list-map-keys")
        if keys is None:
            key = schema.get("x-kubernetes-patch-merge-key")
            keys = [key] if key else []
        result[field] = (keys, _reference(schema.get("items", {})))
    return result


def main() -> None:
    """Read the definitions from standard input and write the table."""
    source = json.load(sys.stdin)
    edges = {name: _edges(definition) for name, definition in source["definitions"].items()}
    if any((next_ or "").startswith("map:") for fields in edges.values() for _, next_ in fields.values()):
        edges = {
            name: {field: edge for field, edge in fields.items() if not (edge[1] or "").startswith("map:")}
            for name, fields in edges.items()
        }
    useful: set[str] = set()
    while True:
        more = {
            name
            for name, fields in edges.items()
            if name not in useful
            and any(keys is not None or next_ in useful for keys, next_ in fields.values())
        }
        if not more:
            break
        useful |= more
    kinds: dict[str, str] = {}
    for name, definition in source["definitions"].items():
        for entry in definition.get("x-kubernetes-group-version-kind", []):
            group = f"{entry['group']}/" if entry.get("group") else ""
            if name in useful:
                kinds[f"{group}{entry['version']}/{entry['kind']}"] = name
    reached: set[str] = set()
    waiting = sorted(set(kinds.values()))
    while waiting:
        name = waiting.pop()
        if name in reached:
            continue
        reached.add(name)
        waiting.extend(next_ for _, next_ in edges[name].values() if next_ in useful and next_ not in reached)
    numbers = {name: number for number, name in enumerate(sorted(reached))}
    definitions = []
    for name in sorted(reached):
        fields: dict[str, Any] = {}
        for field, (keys, next_) in sorted(edges[name].items()):
            number = numbers.get(next_ or "")
            if keys is not None:
                fields[field] = [keys, number]
            elif number is not None:
                fields[field] = number
        definitions.append(fields)
    table = {
        "definitions": definitions,
        "kinds": {kind: numbers[name] for kind, name in sorted(kinds.items())},
        "clusterScoped": sorted(set(source["clusterScoped"])),
    }
    TARGET.parent.mkdir(exist_ok=True)
    TARGET.write_text(json.dumps(table, separators=(",", ":"), sort_keys=True) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
