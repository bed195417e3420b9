"""Objects in the shape in which the API server writes them, as policies see them there.

A policy that asks `has(object.spec.template.spec.volumes)` gets another answer for `volumes: []` in a
manifest than for the same object in the server, which leaves empty lists out; and `object.status` is there in
every Deployment, though nobody wrote it. `shapes.json` says for every field of the built-in kinds how it is
written. It is made of the Go types by `tests/rules/admission/generate_shapes.py`.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Any

from reconciler.model.resource import Manifest

__all__ = ["as_written"]


@dataclass(frozen=True, slots=True)
class _Struct:
    """How one struct is written.

    Attributes:
        fields: Code and inner struct of each field; see `generate_shapes.py` for the codes.
        always: Fields that are there though nobody wrote them, with their inner struct; "" stands for null.
    """

    fields: Mapping[str, tuple[str, str]]
    always: Mapping[str, str]


def as_written(manifest: Manifest) -> Manifest:
    """Return an object as the API server writes it; one of a kind that is not built in stays as it is."""
    kinds, types = _table()
    kind = kinds.get(f"{manifest.get('apiVersion')} {manifest.get('kind')}")
    if kind is None:
        return manifest
    return {
        "apiVersion": manifest["apiVersion"],
        "kind": manifest["kind"],
        **_struct(manifest, types[kind], types),
    }


@cache
def _table() -> tuple[Mapping[str, str], Mapping[str, _Struct]]:
    text = resources.files(__package__).joinpath("shapes.json").read_text(encoding="utf-8")
    table = json.loads(text)
    types = {}
    for name, fields in table["types"].items():
        entries = {field: (entry[0], entry[1] if len(entry) > 1 else "") for field, entry in fields.items()}
        always = {field: inner for field, (code, inner) in entries.items() if code in {"s", "L", "M"}}
        types[name] = _Struct(entries, {f: i if entries[f][0] == "s" else "" for f, i in always.items()})
    return table["kinds"], types


def _struct(value: Mapping[str, Any], struct: _Struct, types: Mapping[str, _Struct]) -> dict[str, Any]:
    written: dict[str, Any] = {}
    for field, item in value.items():
        code, inner = struct.fields.get(field, ("?", ""))
        if item is None:
            continue
        match code:
            case "s" | "p" if isinstance(item, Mapping) and inner:
                written[field] = _struct(item, types[inner], types)
            case "l" | "L" if isinstance(item, list):
                if item or code == "L":
                    written[field] = _list(item, inner, types)
            case "m" | "M" if isinstance(item, Mapping):
                if item or code == "M":
                    written[field] = _map(item, inner, types)
            case "v" if item is False or item == "" or (item == 0 and not isinstance(item, bool)):
                pass
            case _:
                written[field] = item
    for field, inner in struct.always.items():
        if field not in written:
            written[field] = _struct({}, types[inner], types) if inner else None
    return written


def _list(items: list[Any], inner: str, types: Mapping[str, _Struct]) -> list[Any]:
    if not inner:
        return items
    struct = types[inner]
    return [_struct(item, struct, types) if isinstance(item, Mapping) else item for item in items]


def _map(items: Mapping[str, Any], inner: str, types: Mapping[str, _Struct]) -> Mapping[str, Any]:
    if not inner:
        return items
    struct = types[inner]
    return {
        k: _struct(item, struct, types) if isinstance(item, Mapping) else item for k, item in items.items()
    }
