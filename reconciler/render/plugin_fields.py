"""The fields of built-in plugins."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from reconciler.render.decoding import (
    Decoder,
    Fields,
    Path,
    boolean,
    integer,
    list_of,
    string,
    strings,
    text,
    text_map,
)
from reconciler.render.parsing import (
    GENERATOR_FIELDS,
    decode_field_specs,
    decode_image,
    decode_patch_options,
    decode_replacement,
    decode_replica,
    decode_selector,
)
from reconciler.render.selector import Selector

__all__ = ["ValueTarget", "decode_value_targets", "plugin_fields"]


@dataclass(frozen=True, slots=True)
class ValueTarget:
    """One target of a ValueAddTransformer."""

    selector: Selector | None
    field_path: str
    position: int


_value_target_fields = Fields(
    "a target",
    {"selector": decode_selector, "fieldPath": text, "filePathPosition": integer},
    strict=False,
)


def _value_target(value: Any, at: Path) -> ValueTarget:
    found = _value_target_fields(value, at)
    return ValueTarget(found.get("selector"), found.get("fieldPath", ""), found.get("filePathPosition", 0))


decode_value_targets: Decoder = list_of(_value_target)


def plugin_fields() -> dict[str, dict[str, Decoder]]:
    """Return the fields of the built-in plugins, by kind."""
    specs: dict[str, Decoder] = {"fieldSpecs": decode_field_specs}
    metadata = Fields("metadata", {"name": text, "namespace": text}, strict=False)
    generator: dict[str, Decoder] = {**GENERATOR_FIELDS, "metadata": metadata}
    return {
        "ConfigMapGenerator": generator,
        "SecretGenerator": {**generator, "type": string},
        "AnnotationsTransformer": {**specs, "annotations": text_map},
        "LabelTransformer": {**specs, "labels": text_map},
        "NamespaceTransformer": {
            **specs,
            "metadata": metadata,
            "unsetOnly": boolean,
            "setRoleBindingSubjects": text,
        },
        "PrefixTransformer": {**specs, "prefix": text},
        "SuffixTransformer": {**specs, "suffix": text},
        "PrefixSuffixTransformer": {**specs, "prefix": text, "suffix": text},
        "ImageTagTransformer": {**specs, "imageTag": decode_image},
        "ReplicaCountTransformer": {**specs, "replica": decode_replica},
        "PatchTransformer": {
            "path": text,
            "patch": text,
            "target": decode_selector,
            "options": decode_patch_options,
        },
        "PatchJson6902Transformer": {"path": text, "jsonOp": text, "target": decode_selector},
        "PatchStrategicMergeTransformer": {"paths": strings, "patches": text},
        "ReplacementTransformer": {"replacements": list_of(decode_replacement)},
        "ValueAddTransformer": {"value": text, "targets": decode_value_targets, "targetFilePath": text},
        "HashTransformer": {},
        "IAMPolicyGenerator": {
            "cloud": string,
            "kubernetesService": Fields(
                "a kubernetesService", {"name": string, "namespace": string}, strict=False
            ),
            "serviceAccount": Fields("a serviceAccount", {"name": string, "projectId": string}, strict=False),
        },
    }
