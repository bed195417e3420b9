"""Built-in plugins as documents: what `generators`, `transformers` and `validators` may name.

Plugins that are programs or containers are refused: nothing is run here.
"""

from __future__ import annotations

import posixpath
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Any

from reconciler.errors import RenderError
from reconciler.render.decoding import Decoder, FieldError, Fields
from reconciler.render.fieldspec import MISSING, FieldSpec, TransformerConfig, split_path
from reconciler.render.generators import content_hash, make_config_map, make_secret
from reconciler.render.item import Item
from reconciler.render.kustomization import GeneratorArgs, GeneratorOptions
from reconciler.render.plugin_fields import ValueTarget, decode_value_targets, plugin_fields
from reconciler.render.scalars import is_null, plain, text_of
from reconciler.render.selector import select
from reconciler.render.styles import Styles
from reconciler.render.transformers import (
    apply_images,
    apply_namespace,
    apply_prefix,
    apply_replicas,
    apply_suffix,
    namespace_item,
    set_entries,
    set_text,
)

__all__ = ["GENERATORS", "Plugin", "add_values", "generate", "hash_names", "read_plugin", "transform"]

GENERATORS = frozenset({"ConfigMapGenerator", "SecretGenerator", "IAMPolicyGenerator"})
_SUBJECTS = ("", "defaultOnly", "allServiceAccounts", "none")


@dataclass(frozen=True, slots=True)
class Plugin:
    """A plugin's document.

    Attributes:
        kind: Its kind.
        fields: Its fields, decoded.
        item: The document.
    """

    kind: str
    fields: dict[str, Any]
    item: Item


@cache
def _decoders() -> dict[str, Decoder]:
    return {kind: Fields(f"a {kind}", fields, strict=False) for kind, fields in plugin_fields().items()}


def read_plugin(item: Item, *, generator: bool) -> Plugin:
    """Return the plugin that a document configures.

    Raises:
        RenderError: It is none that is built in, or of the other sort.
    """
    kind = item.kind
    if item.api_version != "builtin":
        raise RenderError(
            f"expected a built-in plugin, found {item.api_version} {kind}: no other program is run here",
            code="plugin-not-supported",
            hint="run the plugin beforehand and keep what it makes in the repository",
        )
    if kind == "HelmChartInflationGenerator":
        raise RenderError(
            "expected plain resources, found a Helm chart: no other program is run here",
            code="helm-not-supported",
            hint="keep the output of `helm template` in the repository and list it in resources",
        )
    known = _decoders()
    if kind not in known:
        raise RenderError(f"expected a built-in plugin, found the unknown kind {kind!r}", code="plugin")
    if (kind in GENERATORS) is not generator:
        wanted = "a generator" if generator else "a transformer"
        raise RenderError(f"expected {wanted}, found {kind}", code="plugin")
    body = plain(item.body)
    fields = _decoded(known[kind], body)
    return Plugin(kind, fields, item)


def _decoded(decode: Decoder, body: dict[str, Any]) -> dict[str, Any]:
    """Return the decoded fields of a plugin, where unknown ones are ignored at every level."""
    while True:
        try:
            return decode(body, ())  # type: ignore[no-any-return] # the fields of a plugin are a map
        except FieldError as err:
            if err.code != "unknown-field":
                raise
            node: Any = body
            for step in err.field[:-1]:
                node = node[step]
            del node[err.field[-1]]


def generate(plugin: Plugin, load: Callable[[str], bytes]) -> Item:
    """Return what a generator makes.

    Raises:
        RenderError: Its fields are not valid.
    """
    if plugin.kind == "IAMPolicyGenerator":
        return _service_account(plugin.fields)
    fields = plugin.fields
    metadata = fields.get("metadata", {})
    args = GeneratorArgs(
        name=fields.get("name") or metadata.get("name", ""),
        namespace=fields.get("namespace") or metadata.get("namespace", ""),
        behavior=fields.get("behavior", ""),
        literals=fields.get("literals", ()),
        files=fields.get("files", ()),
        envs=fields.get("envs", ()),
        type=fields.get("type", ""),
        options=fields.get("options", GeneratorOptions()),
    )
    make = make_config_map if plugin.kind == "ConfigMapGenerator" else make_secret
    return make(args, load)


def _service_account(fields: dict[str, Any]) -> Item:
    cloud = fields.get("cloud")
    if cloud != "gke":
        raise RenderError(f"expected cloud to be gke, found {cloud!r}", code="plugin")
    service, account = fields.get("kubernetesService") or {}, fields.get("serviceAccount") or {}
    if not account.get("name"):
        raise RenderError(
            "expected serviceAccount.name, found none", code="plugin", hint="add the name of the account"
        )
    email = f"{account.get('name', '')}@{account.get('projectId', '')}.iam.gserviceaccount.com"
    metadata = {
        "annotations": {"iam.gke.io/gcp-service-account": email},
        "name": service.get("name", ""),
    }
    if service.get("namespace"):
        metadata["namespace"] = service["namespace"]
    return Item({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": metadata})


def transform(plugin: Plugin, items: list[Item], styles: Styles) -> bool:
    """Apply a transformer that needs nothing but the resources.

    Returns:
        False where the plugin is of another sort.

    Raises:
        RenderError: It does not fit the resources.
    """
    fields = plugin.fields
    specs: tuple[FieldSpec, ...] = fields.get("fieldSpecs", ())
    match plugin.kind:
        case "AnnotationsTransformer" | "LabelTransformer":
            _entries(items, fields.get("annotations") or fields.get("labels") or {}, specs)
        case "NamespaceTransformer":
            subjects = fields.get("setRoleBindingSubjects", "")
            if subjects not in _SUBJECTS:
                raise RenderError(
                    f"expected setRoleBindingSubjects in {', '.join(_SUBJECTS[1:])}, found {subjects!r}",
                    code="plugin",
                )
            apply_namespace(
                items,
                fields.get("metadata", {}).get("namespace", ""),
                TransformerConfig(namespace=specs),
                unset_only=fields.get("unsetOnly", False),
                subjects=subjects or "defaultOnly",
            )
        case "PrefixTransformer" | "SuffixTransformer" | "PrefixSuffixTransformer":
            if "fieldSpecs" not in fields:
                raise RenderError("expected fieldSpecs, found none", code="plugin", hint="add metadata/name")
            if plugin.kind != "SuffixTransformer":
                apply_prefix(items, fields.get("prefix", ""), specs, styles)
            if plugin.kind != "PrefixTransformer":
                apply_suffix(items, fields.get("suffix", ""), specs, styles)
        case "ImageTagTransformer":
            if "imageTag" in fields:
                apply_images(items, fields["imageTag"], specs, styles)
        case "ReplicaCountTransformer":
            if "replica" in fields:
                apply_replicas(items, fields["replica"], specs, styles)
        case "HashTransformer":
            hash_names(items)
        case _:
            return False
    return True


def hash_names(items: list[Item]) -> None:
    """Add the hash of its content to the name of every resource that wants it."""
    for item in items:
        if item.needs_hash:
            item.remember()
            item.set_metadata("name", f"{item.name}-{content_hash(item)}")


def _entries(items: list[Item], entries: dict[str, str], specs: tuple[FieldSpec, ...]) -> None:
    if not entries:
        return
    for item in items:
        paths = [(split_path(spec.path), spec.create) for spec in specs if item.gvk.selected_by(spec.gvk)]
        set_entries(item, entries, paths)


def add_values(
    plugin: Plugin, items: list[Item], styles: Styles, root: str, load: Callable[[str], Any]
) -> None:
    """Apply a ValueAddTransformer.

    Raises:
        RenderError: A target is not valid.
    """
    fields = plugin.fields
    value = fields.get("value", "").strip() or posixpath.basename(root)
    targets: tuple[ValueTarget, ...] = fields.get("targets", ())
    if fields.get("targetFilePath"):
        document = load(fields["targetFilePath"])
        more = document.get("targets") if isinstance(document, dict) else None
        targets += decode_value_targets(more, ("targets",))
    if not targets:
        raise RenderError("expected at least one target, found none", code="plugin")
    for target in targets:
        if not target.field_path or target.position < 0:
            raise RenderError("expected a fieldPath and no negative position in a target", code="plugin")
        for item in items if target.selector is None else select(items, target.selector):
            if target.field_path == "metadata/namespace":
                namespace_item(item, (), lambda _, value=value: value, "defaultOnly")
                continue
            path = split_path(target.field_path)
            item.body = _with_value(item.body, path, value, target.position, styles)


def _with_value(node: Any, path: tuple[str, ...], value: str, position: int, styles: Styles) -> Any:
    if not path:
        if isinstance(node, dict | list):
            raise RenderError("expected a scalar at the fieldPath, found a map or list", code="field-kind")
        old = "" if node is MISSING or is_null(node) else text_of(node)
        new = _insert(old, position - 1, value) if position > 0 else styles.forget(value)
        return set_text(node, new, styles)
    if node is MISSING or is_null(node):
        node = {}
    if not isinstance(node, dict):
        raise RenderError(f"expected a map with the field {path[0]!r}, found none", code="field-kind")
    return {**node, path[0]: _with_value(node.get(path[0], MISSING), path[1:], value, position, styles)}


def _insert(path: str, position: int, part: str) -> str:
    """Insert a step into a path, and clean it; an absolute path stays absolute."""
    rooted = path.startswith("/")
    steps = path.removeprefix("/").split("/")
    given = "/".join(step for step in (*steps[:position], part, *steps[position:]) if step)
    cleaned = posixpath.normpath(given) if given else ""
    if cleaned.startswith("//"):
        cleaned = cleaned[1:]
    return f"/{cleaned}" if rooted else cleaned
