"""Field specs from files: `configurations` and annotations of CRD schemas in `crds`."""

from __future__ import annotations

from typing import Any

from reconciler.errors import RenderError
from reconciler.render.decoding import Fields
from reconciler.render.fieldspec import FieldSpec, NameReference, TransformerConfig, sorted_config
from reconciler.render.item import Gvk
from reconciler.render.parsing import decode_field_specs, decode_name_references

__all__ = ["parse_configuration", "parse_crds"]

_FIELDS = {
    "namePrefix": "name_prefix",
    "nameSuffix": "name_suffix",
    "namespace": "namespace",
    "commonLabels": "common_labels",
    "labels": "labels",
    "templateLabels": "template_labels",
    "commonAnnotations": "common_annotations",
    "varReference": "var_reference",
    "images": "images",
    "replicas": "replicas",
}
_decode = Fields(
    "a configuration",
    {**dict.fromkeys(_FIELDS, decode_field_specs), "nameReference": decode_name_references},
)


def parse_configuration(document: Any) -> TransformerConfig:
    """Return the field specs of a file of `configurations`.

    Raises:
        RenderError: A field is unknown or has the wrong type.
    """
    found = _decode(document, ())
    values: dict[str, Any] = {_FIELDS[name]: specs for name, specs in found.items() if name in _FIELDS}
    return sorted_config(TransformerConfig(**values, name_reference=found.get("nameReference", ())))


def parse_crds(document: Any) -> TransformerConfig:
    """Return the field specs that the OpenAPI definitions of a file of `crds` carry.

    Raises:
        RenderError: The file is no map of definitions.
    """
    if not isinstance(document, dict):
        raise RenderError("expected a map of OpenAPI definitions, found something else", code="crds")
    config = TransformerConfig()
    for name in document:
        properties = _properties(document, name)
        if not {"kind", "apiVersion", "metadata"} <= properties.keys():
            continue
        gvk = Gvk("", "", name.rsplit(".", 1)[-1])
        config = config.merged(_walk(document, name, gvk, (), frozenset()))
    return config


def _properties(document: Any, name: str) -> dict[str, Any]:
    definition = document.get(name)
    schema = definition.get("Schema", definition.get("schema")) if isinstance(definition, dict) else None
    found = schema.get("properties") if isinstance(schema, dict) else None
    return found if isinstance(found, dict) else {}


def _walk(
    document: Any, name: str, gvk: Gvk, path: tuple[str, ...], seen: frozenset[str]
) -> TransformerConfig:
    if name in seen:
        raise RenderError(f"expected no cycle in the definitions, found one at {name!r}", code="crds")
    config = TransformerConfig()
    for field, schema in _properties(document, name).items():
        if not isinstance(schema, dict):
            continue
        spec = FieldSpec(gvk, "/".join((*path, field)), create=False)
        if isinstance(schema.get("x-kubernetes-annotation"), str):
            config = config.merged(TransformerConfig(common_annotations=(spec,)))
        if isinstance(schema.get("x-kubernetes-label-selector"), str):
            config = config.merged(TransformerConfig(common_labels=(spec,)))
        if isinstance(schema.get("x-kubernetes-identity"), str):
            config = config.merged(TransformerConfig(name_prefix=(spec,)))
        version, kind = (schema.get(f"x-kubernetes-object-ref-{part}") for part in ("api-version", "kind"))
        if isinstance(version, str) and isinstance(kind, str):
            key = schema.get("x-kubernetes-object-ref-name-key", "name")
            referrer = FieldSpec(gvk, "/".join((*path, field, key)), create=False)
            reference = NameReference(Gvk("", version, kind), (referrer,))
            config = config.merged(TransformerConfig(name_reference=(reference,)))
        target = schema.get("$ref")
        if isinstance(target, str) and target in document:
            config = config.merged(_walk(document, target, gvk, (*path, field), seen | {name}))
    return config
