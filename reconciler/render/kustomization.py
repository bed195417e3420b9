"""The kustomization file as a value."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from typing import Any, TypeAlias

from reconciler.errors import RenderError
from reconciler.render.fieldspec import FieldSpec, NameReference
from reconciler.render.item import Gvk
from reconciler.render.scalars import text_of
from reconciler.render.selector import Selector

__all__ = [
    "FieldOptions",
    "GeneratorArgs",
    "GeneratorOptions",
    "Image",
    "Kustomization",
    "Label",
    "PatchEntry",
    "Replacement",
    "ReplacementTarget",
    "Replica",
    "SortOptions",
    "Var",
    "decode_field_specs",
    "parse_kustomization",
]

Path: TypeAlias = tuple[str | int, ...]


class FieldError(RenderError):
    """A field of a configuration is not valid.

    Args:
        message: What is wrong.
        field: The field's path in the document.
    """

    def __init__(
        self, message: str, *, field: Path, code: str = "kustomization-field", hint: str = ""
    ) -> None:
        super().__init__(message, code=code, hint=hint)
        self.field = field


@dataclass(frozen=True, slots=True)
class GeneratorOptions:
    """What is added to generated objects."""

    labels: Mapping[str, str] = field(default_factory=dict)
    annotations: Mapping[str, str] = field(default_factory=dict)
    disable_hash: bool = False
    immutable: bool = False

    def under(self, common: GeneratorOptions) -> GeneratorOptions:
        """Return these options with those of the whole kustomization where they say nothing."""
        return GeneratorOptions(
            {**common.labels, **self.labels},
            {**common.annotations, **self.annotations},
            self.disable_hash or common.disable_hash,
            self.immutable or common.immutable,
        )


@dataclass(frozen=True, slots=True)
class GeneratorArgs:
    """One entry of `configMapGenerator` or `secretGenerator`."""

    name: str = ""
    namespace: str = ""
    behavior: str = ""
    literals: tuple[str, ...] = ()
    files: tuple[str, ...] = ()
    envs: tuple[str, ...] = ()
    type: str = ""
    options: GeneratorOptions = GeneratorOptions()
    at: Path = ()


@dataclass(frozen=True, slots=True)
class PatchEntry:
    """One entry of `patches` or `patchesJson6902`."""

    path: str = ""
    patch: str = ""
    target: Selector | None = None
    allow_name: bool = False
    allow_kind: bool = False
    at: Path = ()


@dataclass(frozen=True, slots=True)
class Label:
    """One entry of `labels`."""

    pairs: Mapping[str, str]
    include_selectors: bool
    include_templates: bool
    fields: tuple[FieldSpec, ...]
    at: Path = ()


@dataclass(frozen=True, slots=True)
class Image:
    """One entry of `images`."""

    name: str = ""
    new_name: str = ""
    new_tag: str = ""
    digest: str = ""
    tag_suffix: str = ""
    at: Path = ()


@dataclass(frozen=True, slots=True)
class Replica:
    """One entry of `replicas`."""

    name: str
    count: int
    at: Path = ()


@dataclass(frozen=True, slots=True)
class FieldOptions:
    """How a replacement reads or writes part of a field."""

    delimiter: str = ""
    index: int = 0
    encoding: str = ""
    create: bool = False


@dataclass(frozen=True, slots=True)
class ReplacementTarget:
    """Where a replacement writes."""

    select: Selector | None
    reject: tuple[Selector, ...]
    field_paths: tuple[str, ...]
    options: FieldOptions


@dataclass(frozen=True, slots=True)
class Replacement:
    """One replacement."""

    source: Selector | None
    source_path: str
    source_options: FieldOptions
    source_value: str | None
    targets: tuple[ReplacementTarget, ...] | None
    path: str = ""
    at: Path = ()


@dataclass(frozen=True, slots=True)
class Var:
    """One entry of `vars`."""

    name: str
    gvk: Gvk
    object_name: str
    namespace: str
    field_path: str
    at: Path = ()


@dataclass(frozen=True, slots=True)
class SortOptions:
    """`sortOptions`."""

    order: str
    first: tuple[str, ...] | None = None
    last: tuple[str, ...] | None = None


@dataclass(frozen=True, slots=True)
class Kustomization:
    """A kustomization or component."""

    kind: str
    path: str
    openapi: Mapping[str, str]
    name_prefix: str
    name_suffix: str
    namespace: str
    common_labels: Mapping[str, str]
    labels: tuple[Label, ...]
    common_annotations: Mapping[str, str]
    patches_strategic_merge: tuple[str, ...]
    patches_json: tuple[PatchEntry, ...]
    patches: tuple[PatchEntry, ...]
    images: tuple[Image, ...]
    replacements: tuple[Replacement, ...]
    replicas: tuple[Replica, ...]
    vars: tuple[Var, ...]
    sort_options: SortOptions | None
    resources: tuple[str, ...]
    bases: tuple[str, ...]
    components: tuple[str, ...]
    crds: tuple[str, ...]
    config_maps: tuple[GeneratorArgs, ...]
    secrets: tuple[GeneratorArgs, ...]
    configurations: tuple[str, ...]
    generators: tuple[str, ...]
    transformers: tuple[str, ...]
    validators: tuple[str, ...]
    build_metadata: tuple[str, ...]
    warnings: tuple[str, ...] = ()

    def resource_at(self, number: int) -> Path:
        """Return the field of an entry of resources, counted over `resources` and `bases`."""
        if number < len(self.resources) - len(self.bases):
            return ("resources", number)
        return ("bases", number - len(self.resources) + len(self.bases))


Decoder: TypeAlias = Callable[[Any, Path], Any]


def _shown(value: Any) -> str:
    if value is None:
        return "nothing"
    if isinstance(value, dict):
        return "a map"
    if isinstance(value, list):
        return "a list"
    return (
        f"{type(value).__name__} {text_of(value)[:60]!r}" if not isinstance(value, str) else repr(value[:60])
    )


def _string(value: Any, at: Path) -> str:
    if value is None:
        return ""
    if isinstance(value, str):
        return value
    hint = "put the value in quotes" if isinstance(value, bool | int | float) else ""
    raise FieldError(f"expected a string, found {_shown(value)}", field=at, hint=hint)


def _text(value: Any, at: Path) -> str:
    """Return a string; numbers and booleans are taken as they are written."""
    if isinstance(value, bool | int | float):
        return text_of(value)
    return _string(value, at)


def _boolean(value: Any, at: Path) -> bool:
    if value is None:
        return False
    if isinstance(value, bool):
        return value
    raise FieldError(f"expected true or false, found {_shown(value)}", field=at)


def _integer(value: Any, at: Path) -> int:
    if value is None:
        return 0
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if isinstance(value, int) and not isinstance(value, bool):
        return int(value)
    raise FieldError(f"expected a whole number, found {_shown(value)}", field=at)


def _list_of(decode: Decoder) -> Decoder:
    def decoder(value: Any, at: Path) -> tuple[Any, ...]:
        if value is None:
            return ()
        if not isinstance(value, list):
            raise FieldError(
                f"expected a list, found {_shown(value)}", field=at, hint="write each entry after a dash"
            )
        return tuple(decode(child, (*at, index)) for index, child in enumerate(value))

    return decoder


def _string_map(value: Any, at: Path) -> dict[str, str]:
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise FieldError(f"expected a map of strings, found {_shown(value)}", field=at)
    return {name: _string(child, (*at, name)) for name, child in value.items()}


def _text_map(value: Any, at: Path) -> dict[str, str]:
    if isinstance(value, dict):
        return {name: _text(child, (*at, name)) for name, child in value.items()}
    return _string_map(value, at)


def _any(value: Any, at: Path) -> Any:  # noqa: ARG001 - the signature of a decoder
    return value


class _Fields:
    """Decodes a map with known fields; letters' case is ignored, as Go's JSON decoder does."""

    def __init__(self, what: str, fields: Mapping[str, Decoder], *, strict: bool = True) -> None:
        self._strict = strict
        self._what = what
        self._fields = fields
        self._folded = {name.lower(): name for name in fields}

    def __call__(self, value: Any, at: Path) -> dict[str, Any]:
        if value is None:
            return {}
        if not isinstance(value, dict):
            raise FieldError(f"expected {self._what} as a map, found {_shown(value)}", field=at)
        result = {}
        for key, child in value.items():
            name = key if key in self._fields else self._folded.get(key.lower())
            if name is None:
                if not self._strict:
                    continue
                close = get_close_matches(key, self._fields, n=1)
                hint = f"did you mean {close[0]}?" if close else ""
                raise FieldError(
                    f"expected a field of {self._what}, found the unknown field {key!r}",
                    field=(*at, key),
                    code="unknown-field",
                    hint=hint,
                )
            result[name] = self._fields[name](child, (*at, key))
        return result


_strings = _list_of(_string)
_IDENTITY: dict[str, Decoder] = dict.fromkeys(("group", "version", "kind", "name", "namespace"), _string)
_selector_fields = _Fields(
    "a selector", {**_IDENTITY, "labelSelector": _string, "annotationSelector": _string}
)


def _selector(value: Any, at: Path) -> Selector | None:
    if value is None:
        return None
    found = _selector_fields(value, at)
    return Selector(
        found.get("group", ""),
        found.get("version", ""),
        found.get("kind", ""),
        found.get("name", ""),
        found.get("namespace", ""),
        found.get("labelSelector", ""),
        found.get("annotationSelector", ""),
    )


_spec_fields = _Fields(
    "a field spec",
    {"group": _string, "version": _string, "kind": _string, "path": _string, "create": _boolean},
)


def _field_spec(value: Any, at: Path) -> FieldSpec:
    found = _spec_fields(value, at)
    gvk = Gvk(found.get("group", ""), found.get("version", ""), found.get("kind", ""))
    return FieldSpec(gvk, found.get("path", ""), found.get("create", False))


decode_field_specs: Decoder = _list_of(_field_spec)


_reference_fields = _Fields(
    "a name reference",
    {"group": _string, "version": _string, "kind": _string, "fieldSpecs": decode_field_specs},
)


def _name_reference(value: Any, at: Path) -> NameReference:
    found = _reference_fields(value, at)
    gvk = Gvk(found.get("group", ""), found.get("version", ""), found.get("kind", ""))
    return NameReference(gvk, found.get("fieldSpecs", ()))


decode_name_references: Decoder = _list_of(_name_reference)


def known_fields(what: str, fields: Mapping[str, Decoder], *, strict: bool = True) -> Decoder:
    """Return a decoder of a map with known fields; others are errors, or ignored where it is not strict."""
    return _Fields(what, fields, strict=strict)


def plugin_fields() -> dict[str, dict[str, Decoder]]:
    """Return the fields of the built-in plugins, by kind."""
    specs: dict[str, Decoder] = {"fieldSpecs": decode_field_specs}
    metadata = _Fields("metadata", {"name": _text, "namespace": _text}, strict=False)
    generator: dict[str, Decoder] = {**_generator_fields, "metadata": metadata}
    return {
        "ConfigMapGenerator": generator,
        "SecretGenerator": {**generator, "type": _text},
        "AnnotationsTransformer": {**specs, "annotations": _text_map},
        "LabelTransformer": {**specs, "labels": _text_map},
        "NamespaceTransformer": {
            **specs,
            "metadata": metadata,
            "unsetOnly": _boolean,
            "setRoleBindingSubjects": _text,
        },
        "PrefixTransformer": {**specs, "prefix": _text},
        "SuffixTransformer": {**specs, "suffix": _text},
        "PrefixSuffixTransformer": {**specs, "prefix": _text, "suffix": _text},
        "ImageTagTransformer": {**specs, "imageTag": _image},
        "ReplicaCountTransformer": {**specs, "replica": _replica},
        "PatchTransformer": {
            "path": _text,
            "patch": _text,
            "target": _selector,
            "options": _patch_options,
        },
        "PatchJson6902Transformer": {"path": _text, "jsonOp": _text, "target": _selector},
        "PatchStrategicMergeTransformer": {"paths": _strings, "patches": _text},
        "ReplacementTransformer": {"replacements": _list_of(_replacement)},
        "ValueAddTransformer": {"value": _text, "targets": decode_value_targets, "targetFilePath": _text},
        "HashTransformer": {},
    }


_options_fields = _Fields(
    "generator options",
    {
        "labels": _string_map,
        "annotations": _string_map,
        "disableNameSuffixHash": _boolean,
        "immutable": _boolean,
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


_generator_fields: dict[str, Decoder] = {
    "namespace": _string,
    "name": _string,
    "behavior": _string,
    "literals": _strings,
    "files": _strings,
    "envs": _strings,
    "env": _string,
    "options": _options,
}
_config_map_fields = _Fields("a configMapGenerator", _generator_fields)
_secret_fields = _Fields("a secretGenerator", {**_generator_fields, "type": _string})


def _generator(fields: _Fields) -> Decoder:
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


_patch_options = _Fields("patch options", {"allowNameChange": _boolean, "allowKindChange": _boolean})
_patch_fields = _Fields(
    "a patch", {"path": _string, "patch": _string, "target": _selector, "options": _patch_options}
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


_label_fields = _Fields(
    "a labels entry",
    {
        "pairs": _string_map,
        "includeSelectors": _boolean,
        "includeTemplates": _boolean,
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


_image_fields = _Fields(
    "an image", dict.fromkeys(("name", "newName", "tagSuffix", "newTag", "digest"), _string)
)


def _image(value: Any, at: Path) -> Image:
    found = _image_fields(value, at)
    return Image(
        found.get("name", ""),
        found.get("newName", ""),
        found.get("newTag", ""),
        found.get("digest", ""),
        found.get("tagSuffix", ""),
        at,
    )


_replica_fields = _Fields("a replicas entry", {"name": _string, "count": _integer})


def _replica(value: Any, at: Path) -> Replica:
    found = _replica_fields(value, at)
    return Replica(found.get("name", ""), found.get("count", 0), at)


_field_options = _Fields(
    "field options", {"delimiter": _string, "index": _integer, "encoding": _string, "create": _boolean}
)


def _replacement_options(value: Any, at: Path) -> FieldOptions:
    found = _field_options(value, at)
    return FieldOptions(
        found.get("delimiter", ""),
        found.get("index", 0),
        found.get("encoding", ""),
        found.get("create", False),
    )


_target_fields = _Fields(
    "a replacement's target",
    {
        "select": _selector,
        "reject": _list_of(_selector),
        "fieldPaths": _strings,
        "options": _replacement_options,
    },
)


def _target(value: Any, at: Path) -> ReplacementTarget:
    found = _target_fields(value, at)
    return ReplacementTarget(
        found.get("select"),
        tuple(each or Selector() for each in found.get("reject", ())),
        found.get("fieldPaths", ()),
        found.get("options", FieldOptions()),
    )


_source_fields = _Fields(
    "a replacement's source", {**_IDENTITY, "fieldPath": _string, "options": _replacement_options}
)
_replacement_fields: dict[str, Decoder] = {
    "source": lambda value, at: None if value is None else _source_fields(value, at),
    "sourceValue": lambda value, at: None if value is None else _string(value, at),
    "targets": lambda value, at: None if value is None else _list_of(_target)(value, at),
}
_replacement_with_path = _Fields("a replacement", {**_replacement_fields, "path": _string})


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


def _replacement(value: Any, at: Path) -> Replacement:
    return _make_replacement(_replacement_with_path(value, at), at)


def decode_replacements(value: Any) -> tuple[Replacement, ...]:
    """Return the replacements of a file that holds one or a list of them; unknown fields are ignored."""
    known = {name.lower() for name in _replacement_fields}

    def one(child: Any, at: Path) -> Replacement:
        if not isinstance(child, dict):
            raise FieldError(f"expected a replacement as a map, found {_shown(child)}", field=at)
        kept = {name: each for name, each in child.items() if name.lower() in known}
        return _make_replacement(_replacement_with_path(kept, at), at)

    if isinstance(value, list):
        return tuple(one(child, (index,)) for index, child in enumerate(value))
    if isinstance(value, dict):
        return (one(value, ()),)
    raise FieldError(f"expected a replacement or a list of them, found {_shown(value)}", field=())


@dataclass(frozen=True, slots=True)
class ValueTarget:
    """One target of a ValueAddTransformer."""

    selector: Selector | None
    field_path: str
    position: int


_value_target_fields = _Fields(
    "a target",
    {"selector": _selector, "fieldPath": _text, "filePathPosition": _integer},
    strict=False,
)


def _value_target(value: Any, at: Path) -> ValueTarget:
    found = _value_target_fields(value, at)
    return ValueTarget(found.get("selector"), found.get("fieldPath", ""), found.get("filePathPosition", 0))


decode_value_targets: Decoder = _list_of(_value_target)

_object_fields = _Fields("an objref", {**_IDENTITY, "apiVersion": _string})
_var_fields = _Fields(
    "a var",
    {"name": _string, "objref": _object_fields, "fieldref": _Fields("a fieldref", {"fieldPath": _string})},
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


_legacy_sort = _Fields("legacySortOptions", {"orderFirst": _strings, "orderLast": _strings})
_sort_fields = _Fields(
    "sortOptions",
    {
        "order": _string,
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


_FIELDS = _Fields(
    "a kustomization",
    {
        "apiVersion": _string,
        "kind": _string,
        "metadata": _Fields(
            "metadata",
            {"name": _string, "namespace": _string, "labels": _string_map, "annotations": _string_map},
        ),
        "openapi": _string_map,
        "namePrefix": _string,
        "nameSuffix": _string,
        "namespace": _string,
        "commonLabels": _string_map,
        "labels": _list_of(_label),
        "commonAnnotations": _string_map,
        "patchesStrategicMerge": _strings,
        "patchesJson6902": _list_of(_patch),
        "patches": _list_of(_patch),
        "images": _list_of(_image),
        "imageTags": _list_of(_image),
        "replacements": _list_of(_replacement),
        "replicas": _list_of(_replica),
        "vars": _list_of(_var),
        "sortOptions": _sort,
        "resources": _strings,
        "components": _strings,
        "crds": _strings,
        "bases": _strings,
        "configMapGenerator": _list_of(_generator(_config_map_fields)),
        "secretGenerator": _list_of(_generator(_secret_fields)),
        "helmGlobals": _any,
        "helmCharts": _any,
        "helmChartInflationGenerator": _any,
        "generatorOptions": lambda value, at: None if value is None else _options(value, at),
        "configurations": _strings,
        "generators": _strings,
        "transformers": _strings,
        "validators": _strings,
        "buildMetadata": _strings,
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
        vars=found.get("vars", ()),
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
