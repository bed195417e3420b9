"""Kustomization files, and the parts of them that stand in files of their own, to values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from reconciler.render.decoding import (
    Decoder,
    FieldError,
    Fields,
    Path,
    anything,
    boolean,
    integer,
    list_of,
    shown,
    string,
    string_map,
    strings,
)
from reconciler.render.fieldspec import FieldSpec, NameReference
from reconciler.render.item import Gvk
from reconciler.render.kustomization import (
    FieldOptions,
    GeneratorArgs,
    GeneratorOptions,
    Image,
    Kustomization,
    Label,
    PatchEntry,
    Replacement,
    ReplacementTarget,
    Replica,
    SortOptions,
    Var,
)
from reconciler.render.scalars import text_of
from reconciler.render.selector import Selector

__all__ = [
    "GENERATOR_FIELDS",
    "decode_field_specs",
    "decode_image",
    "decode_name_references",
    "decode_patch_options",
    "decode_replacement",
    "decode_replacements",
    "decode_replica",
    "decode_selector",
    "parse_kustomization",
]

_IDENTITY: dict[str, Decoder] = dict.fromkeys(("group", "version", "kind", "name", "namespace"), string)
_SELECTOR: dict[str, Decoder] = {**_IDENTITY, "labelSelector": string, "annotationSelector": string}
_selector_fields = Fields("a selector", _SELECTOR)


def decode_selector(value: Any, at: Path) -> Selector | None:
    """Return a selector, or None for null."""
    return None if value is None else _as_selector(_selector_fields(value, at))


def _as_selector(found: Mapping[str, Any]) -> Selector:
    return Selector(
        found.get("group", ""),
        found.get("version", ""),
        found.get("kind", ""),
        found.get("name", ""),
        found.get("namespace", ""),
        found.get("labelSelector", ""),
        found.get("annotationSelector", ""),
    )


_spec_fields = Fields(
    "a field spec",
    {"group": string, "version": string, "kind": string, "path": string, "create": boolean},
)


def _field_spec(value: Any, at: Path) -> FieldSpec:
    found = _spec_fields(value, at)
    gvk = Gvk(found.get("group", ""), found.get("version", ""), found.get("kind", ""))
    return FieldSpec(gvk, found.get("path", ""), found.get("create", False))


decode_field_specs: Decoder = list_of(_field_spec)


_reference_fields = Fields(
    "a name reference",
    {"group": string, "version": string, "kind": string, "fieldSpecs": decode_field_specs},
)


def _name_reference(value: Any, at: Path) -> NameReference:
    found = _reference_fields(value, at)
    gvk = Gvk(found.get("group", ""), found.get("version", ""), found.get("kind", ""))
    return NameReference(gvk, found.get("fieldSpecs", ()))


decode_name_references: Decoder = list_of(_name_reference)


_options_fields = Fields(
    "generator options",
    {
        "labels": string_map,
        "annotations": string_map,
        "disableNameSuffixHash": boolean,
        "immutable": boolean,
    },
)


def _options(value: Any, at: Path) -> GeneratorOptions:
    found = _options_fields(value, at)
    return GeneratorOptions(
        found.get("labels", {}),
        found.get("annotations", {}),
        found.get("disableNameSuffixHash", False),
        found.get("immutable", False),
    )


GENERATOR_FIELDS: dict[str, Decoder] = {
    "namespace": string,
    "name": string,
    "behavior": string,
    "literals": strings,
    "files": strings,
    "envs": strings,
    "env": string,
    "options": _options,
}
_config_map_fields = Fields("a configMapGenerator", GENERATOR_FIELDS)
_secret_fields = Fields("a secretGenerator", {**GENERATOR_FIELDS, "type": string})


def _generator(fields: Fields) -> Decoder:
    def decoder(value: Any, at: Path) -> GeneratorArgs:
        found = fields(value, at)
        env = found.get("env", "")
        return GeneratorArgs(
            name=found.get("name", ""),
            namespace=found.get("namespace", ""),
            behavior=found.get("behavior", ""),
            literals=found.get("literals", ()),
            files=found.get("files", ()),
            envs=found.get("envs", ()) + ((env,) if env else ()),
            type=found.get("type", ""),
            options=found.get("options", GeneratorOptions()),
            at=at,
        )

    return decoder


decode_patch_options = Fields("patch options", {"allowNameChange": boolean, "allowKindChange": boolean})
_patch_fields = Fields(
    "a patch", {"path": string, "patch": string, "target": decode_selector, "options": decode_patch_options}
)


def _patch(value: Any, at: Path) -> PatchEntry:
    found = _patch_fields(value, at)
    options = found.get("options", {})
    return PatchEntry(
        path=found.get("path", ""),
        patch=found.get("patch", ""),
        target=found.get("target"),
        allow_name=options.get("allowNameChange", False),
        allow_kind=options.get("allowKindChange", False),
        at=at,
    )


_label_fields = Fields(
    "a labels entry",
    {
        "pairs": string_map,
        "includeSelectors": boolean,
        "includeTemplates": boolean,
        "fields": decode_field_specs,
    },
)


def _label(value: Any, at: Path) -> Label:
    found = _label_fields(value, at)
    return Label(
        found.get("pairs", {}),
        found.get("includeSelectors", False),
        found.get("includeTemplates", False),
        found.get("fields", ()),
        at,
    )


_image_fields = Fields(
    "an image", dict.fromkeys(("name", "newName", "tagSuffix", "newTag", "digest"), string)
)


def decode_image(value: Any, at: Path) -> Image:
    """Return an entry of `images`."""
    found = _image_fields(value, at)
    return Image(
        found.get("name", ""),
        found.get("newName", ""),
        found.get("newTag", ""),
        found.get("digest", ""),
        found.get("tagSuffix", ""),
        at,
    )


_replica_fields = Fields("a replicas entry", {"name": string, "count": integer})


def decode_replica(value: Any, at: Path) -> Replica:
    """Return an entry of `replicas`."""
    found = _replica_fields(value, at)
    return Replica(found.get("name", ""), found.get("count", 0), at)


def _replacement_options(fields: Fields) -> Decoder:
    def decoder(value: Any, at: Path) -> FieldOptions:
        found = fields(value, at)
        return FieldOptions(
            found.get("delimiter", ""),
            found.get("index", 0),
            found.get("encoding", ""),
            found.get("create", False),
        )

    return decoder


def _selector(fields: Fields) -> Decoder:
    return lambda value, at: None if value is None else _as_selector(fields(value, at))


def _target(fields: Fields) -> Decoder:
    def decoder(value: Any, at: Path) -> ReplacementTarget:
        found = fields(value, at)
        return ReplacementTarget(
            found.get("select"),
            tuple(each or Selector() for each in found.get("reject", ())),
            found.get("fieldPaths", ()),
            found.get("options", FieldOptions()),
        )

    return decoder


def _replacement_fields(*, strict: bool) -> Fields:
    """Return the fields of a replacement: strict in a kustomization, not so in a file of replacements."""
    options = _replacement_options(
        Fields(
            "field options",
            {"delimiter": string, "index": integer, "encoding": string, "create": boolean},
            strict=strict,
        )
    )
    selector = _selector(Fields("a selector", _SELECTOR, strict=strict))
    target = _target(
        Fields(
            "a replacement's target",
            {"select": selector, "reject": list_of(selector), "fieldPaths": strings, "options": options},
            strict=strict,
        )
    )
    source = Fields(
        "a replacement's source", {**_IDENTITY, "fieldPath": string, "options": options}, strict=strict
    )
    fields: dict[str, Decoder] = {
        "source": lambda value, at: None if value is None else source(value, at),
        "sourceValue": lambda value, at: None if value is None else string(value, at),
        "targets": lambda value, at: None if value is None else list_of(target)(value, at),
    }
    return Fields("a replacement", {**fields, "path": string} if strict else fields, strict=strict)


_replacement_with_path = _replacement_fields(strict=True)
_replacement_in_file = _replacement_fields(strict=False)


def _make_replacement(found: dict[str, Any], at: Path) -> Replacement:
    source = found.get("source")
    selector = None
    if source is not None:
        selector = Selector(
            *(source.get(name, "") for name in ("group", "version", "kind", "name", "namespace"))
        )
    return Replacement(
        selector,
        (source or {}).get("fieldPath", ""),
        (source or {}).get("options", FieldOptions()),
        found.get("sourceValue"),
        found.get("targets"),
        found.get("path", ""),
        at,
    )


def decode_replacement(value: Any, at: Path) -> Replacement:
    """Return an entry of `replacements`."""
    return _make_replacement(_replacement_with_path(value, at), at)


def decode_replacements(value: Any) -> tuple[Replacement, ...]:
    """Return the replacements of a file that holds one or a list of them; unknown fields are ignored."""

    def one(child: Any, at: Path) -> Replacement:
        if not isinstance(child, dict):
            raise FieldError(f"expected a replacement as a map, found {shown(child)}", field=at)
        # Here, but not in a kustomization, kustomize takes a word or number for the text.
        if isinstance(child.get("sourceValue"), bool | int):
            child = {**child, "sourceValue": text_of(child["sourceValue"])}
        return _make_replacement(_replacement_in_file(child, at), at)

    if isinstance(value, list):
        return tuple(one(child, (index,)) for index, child in enumerate(value))
    if isinstance(value, dict):
        return (one(value, ()),)
    raise FieldError(f"expected a replacement or a list of them, found {shown(value)}", field=())


_object_fields = Fields("an objref", {**_IDENTITY, "apiVersion": string})
_var_fields = Fields(
    "a var",
    {"name": string, "objref": _object_fields, "fieldref": Fields("a fieldref", {"fieldPath": string})},
)


def _var(value: Any, at: Path) -> Var:
    found = _var_fields(value, at)
    target = found.get("objref", {})
    group, version = target.get("group", ""), target.get("version", "")
    steps = target.get("apiVersion", "").split("/")
    if steps != [""]:
        if len(steps) == 2:
            group, version = steps
        elif len(steps) == 1:
            version = steps[0]
    return Var(
        found.get("name", ""),
        Gvk(group, version, target.get("kind", "")),
        target.get("name", ""),
        target.get("namespace", ""),
        found.get("fieldref", {}).get("fieldPath", "") or "metadata.name",
        at,
    )


_legacy_sort = Fields("legacySortOptions", {"orderFirst": strings, "orderLast": strings})
_sort_fields = Fields(
    "sortOptions",
    {
        "order": string,
        "legacySortOptions": lambda value, at: None if value is None else _legacy_sort(value, at),
    },
)


def _sort(value: Any, at: Path) -> SortOptions | None:
    if value is None:
        return None
    found = _sort_fields(value, at)
    legacy = found.get("legacySortOptions")
    if legacy is None:
        return SortOptions(found.get("order", ""))
    return SortOptions(found.get("order", ""), legacy.get("orderFirst", ()), legacy.get("orderLast", ()))


_FIELDS = Fields(
    "a kustomization",
    {
        "apiVersion": string,
        "kind": string,
        "metadata": Fields(
            "metadata",
            {"name": string, "namespace": string, "labels": string_map, "annotations": string_map},
        ),
        "openapi": string_map,
        "namePrefix": string,
        "nameSuffix": string,
        "namespace": string,
        "commonLabels": string_map,
        "labels": list_of(_label),
        "commonAnnotations": string_map,
        "patchesStrategicMerge": strings,
        "patchesJson6902": list_of(_patch),
        "patches": list_of(_patch),
        "images": list_of(decode_image),
        "imageTags": list_of(decode_image),
        "replacements": list_of(decode_replacement),
        "replicas": list_of(decode_replica),
        "vars": list_of(_var),
        "sortOptions": _sort,
        "resources": strings,
        "components": strings,
        "crds": strings,
        "bases": strings,
        "configMapGenerator": list_of(_generator(_config_map_fields)),
        "secretGenerator": list_of(_generator(_secret_fields)),
        "helmGlobals": anything,
        "helmCharts": anything,
        "helmChartInflationGenerator": anything,
        "generatorOptions": lambda value, at: None if value is None else _options(value, at),
        "configurations": strings,
        "generators": strings,
        "transformers": strings,
        "validators": strings,
        "buildMetadata": strings,
    },
)
_DEPRECATED = {
    "bases": "resources",
    "commonLabels": "labels",
    "imageTags": "images",
    "patchesJson6902": "patches",
    "patchesStrategicMerge": "patches",
    "vars": "replacements",
}
_API_VERSIONS = {
    "Kustomization": "kustomize.config.k8s.io/v1beta1",
    "Component": "kustomize.config.k8s.io/v1alpha1",
}


def parse_kustomization(document: Any, path: str) -> Kustomization:
    """Return the kustomization that a document describes.

    Args:
        document: The file's value.
        path: The file's path.

    Raises:
        FieldError: A field is unknown, has the wrong type, or is not supported.
    """
    found = _FIELDS(document, ())
    for name in ("helmCharts", "helmChartInflationGenerator"):
        if found.get(name):
            raise FieldError(
                f"expected plain resources, found {name}: no other program is run here",
                field=(name,),
                code="helm-not-supported",
                hint="keep the output of `helm template` in the repository and list it in resources",
            )
    kind = found.get("kind") or "Kustomization"
    if kind not in _API_VERSIONS:
        raise FieldError(f"expected kind Kustomization or Component, found {kind!r}", field=("kind",))
    version = found.get("apiVersion") or _API_VERSIONS[kind]
    if version != _API_VERSIONS[kind]:
        raise FieldError(
            f"expected apiVersion {_API_VERSIONS[kind]} for a {kind}, found {version!r}",
            field=("apiVersion",),
        )
    given = {
        name for name, value in (document or {}).items() if value is not None and value not in ("", False)
    }
    if not {name for name in given if name.lower() not in ("kind", "apiversion")}:
        raise FieldError(
            "expected at least one field, found an empty kustomization",
            field=(),
            code="empty-kustomization",
            hint="list files or folders under resources",
        )
    common = found.get("generatorOptions") or GeneratorOptions()

    def generated(name: str) -> tuple[GeneratorArgs, ...]:
        return tuple(_with_options(args, common) for args in found.get(name, ()))

    return Kustomization(
        kind=kind,
        path=path,
        openapi=found.get("openapi", {}),
        name_prefix=found.get("namePrefix", ""),
        name_suffix=found.get("nameSuffix", ""),
        namespace=found.get("namespace", ""),
        common_labels=found.get("commonLabels", {}),
        labels=found.get("labels", ()),
        common_annotations=found.get("commonAnnotations", {}),
        patches_strategic_merge=found.get("patchesStrategicMerge", ()),
        patches_json=found.get("patchesJson6902", ()),
        patches=found.get("patches", ()),
        images=found.get("images", ()) + found.get("imageTags", ()),
        replacements=found.get("replacements", ()),
        replicas=found.get("replicas", ()),
        vars=tuple(replace(var, path=path) for var in found.get("vars", ())),
        sort_options=found.get("sortOptions"),
        resources=found.get("resources", ()) + found.get("bases", ()),
        bases=found.get("bases", ()),
        components=found.get("components", ()),
        crds=found.get("crds", ()),
        config_maps=generated("configMapGenerator"),
        secrets=generated("secretGenerator"),
        configurations=found.get("configurations", ()),
        generators=found.get("generators", ()),
        transformers=found.get("transformers", ()),
        validators=found.get("validators", ()),
        build_metadata=found.get("buildMetadata", ()),
        warnings=tuple(
            f"{old} is deprecated: use {new} instead" for old, new in _DEPRECATED.items() if old in found
        ),
    )


def _with_options(args: GeneratorArgs, common: GeneratorOptions) -> GeneratorArgs:
    return GeneratorArgs(
        args.name,
        args.namespace,
        args.behavior,
        args.literals,
        args.files,
        args.envs,
        args.type,
        args.options.under(common),
        args.at,
    )
