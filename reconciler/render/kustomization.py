"""The kustomization file as a value."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from reconciler.render.decoding import Path
from reconciler.render.fieldspec import FieldSpec
from reconciler.render.item import Gvk
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
]


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
    path: str = ""


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
