"""What annotations ask for: Wayside's own, and the common ones of Flux, Argo CD, Helm and cli-utils.

Wayside's own annotation wins where several speak of the same thing.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from reconciler.model.plan import Hold
from reconciler.model.resource import Manifest, ResourceId

__all__ = [
    "Reference",
    "adopts",
    "conflicts",
    "create_only",
    "dependencies",
    "drift",
    "ignored",
    "keeps",
    "recreates",
    "wave",
]

_WAVE = "wayside.dev/wave"
_ARGO_WAVE = "argocd.argoproj.io/sync-wave"
_ARGO_OPTIONS = "argocd.argoproj.io/sync-options"
_DEPENDS_ON = "wayside.dev/depends-on"
_CLI_UTILS_DEPENDS_ON = "config.kubernetes.io/depends-on"
_FLUX = "kustomize.toolkit.fluxcd.io"


class Reference(NamedTuple):
    """An object that an annotation names. `group` is None where it was not written."""

    group: str | None
    kind: str
    namespace: str
    name: str

    def matches(self, id_: ResourceId) -> bool:
        """Tell whether this names the object."""
        return (
            self.kind == id_.kind
            and self.namespace == id_.namespace
            and self.name == id_.name
            and self.group in (None, id_.group)
        )


def _annotations(manifest: Manifest) -> Mapping[str, str]:
    return (manifest.get("metadata") or {}).get("annotations") or {}


def _labels(manifest: Manifest) -> Mapping[str, str]:
    return (manifest.get("metadata") or {}).get("labels") or {}


def _argo_options(manifest: Manifest) -> frozenset[str]:
    return frozenset(part.strip() for part in str(_annotations(manifest).get(_ARGO_OPTIONS, "")).split(","))


def wave(manifest: Manifest) -> int:
    """Return the wave that an object asks for, 0 where it asks for none.

    Raises:
        ValueError: The annotation is not a whole number; the message is for people.
    """
    annotations = _annotations(manifest)
    for key in (_WAVE, _ARGO_WAVE):
        if (text := annotations.get(key)) is not None:
            try:
                return int(str(text), 10)
            except ValueError:
                raise ValueError(f"expected a whole number in {key}, found {str(text)[:40]!r}") from None
    return 0


def dependencies(manifest: Manifest) -> tuple[Reference, ...]:
    """Return the objects that must be healthy before this one is applied.

    `wayside.dev/depends-on` takes `Kind/namespace/name`, `Kind/name` and `Kind.group/...`, separated by
    commas; both annotations take the form of cli-utils: `group/namespaces/namespace/Kind/name` and, in its
    own annotation, `group/Kind/name`.

    Raises:
        ValueError: An entry has another form; the message is for people.
    """
    annotations = _annotations(manifest)
    found: list[Reference] = []
    for key in (_DEPENDS_ON, _CLI_UTILS_DEPENDS_ON):
        entries = (entry.strip() for entry in str(annotations.get(key) or "").split(","))
        found.extend(_reference(entry, key) for entry in entries if entry)
    return tuple(found)


def _reference(text: str, key: str) -> Reference:
    match text.split("/"):
        case [group, "namespaces", namespace, kind, name] if namespace and kind and name:
            return Reference(group, kind, namespace, name)
        case [group, kind, name] if key == _CLI_UTILS_DEPENDS_ON and kind and name:
            return Reference(group, kind, "", name)
        case [kind, namespace, name] if key == _DEPENDS_ON and kind and namespace and name:
            return Reference(*_split_kind(kind), namespace, name)
        case [kind, name] if key == _DEPENDS_ON and kind and name:
            return Reference(*_split_kind(kind), "", name)
        case _:
            wanted = (
                "Kind/namespace/name or Kind/name"
                if key == _DEPENDS_ON
                else "group/namespaces/namespace/Kind/name or group/Kind/name"
            )
            raise ValueError(f"expected {wanted} in {key}, found {text[:120]!r}")


def _split_kind(text: str) -> tuple[str | None, str]:
    kind, dot, group = text.partition(".")
    return (group if dot else None), kind


def keeps(manifest: Manifest) -> bool:
    """Tell whether pruning leaves the object where it is."""
    annotations, labels = _annotations(manifest), _labels(manifest)
    own = annotations.get("wayside.dev/prune")
    if own is not None:
        return str(own).lower() in ("disabled", "false")
    flux = f"{_FLUX}/prune"
    return (
        "disabled" in (annotations.get(flux), labels.get(flux))
        or bool(_argo_options(manifest) & {"Prune=false", "Delete=false"})
        or annotations.get("client.lifecycle.config.k8s.io/deletion") == "detach"
        or annotations.get("cli-utils.sigs.k8s.io/on-remove") == "keep"
        or annotations.get("helm.sh/resource-policy") == "keep"
    )


def ignored(manifest: Manifest) -> str:
    """Return the annotation by which the object is not to be applied at all, or ""."""
    annotations, labels = _annotations(manifest), _labels(manifest)
    if str(annotations.get("config.kubernetes.io/local-config", "false")).lower() not in ("false", ""):
        return "config.kubernetes.io/local-config"
    for key, value in ((f"{_FLUX}/reconcile", "disabled"), (f"{_FLUX}/ssa", "Ignore")):
        if value in (annotations.get(key), labels.get(key)):
            return f"{key}: {value}"
    return ""


def create_only(manifest: Manifest) -> bool:
    """Tell whether the object is made where it is missing and left alone where it is there."""
    key = f"{_FLUX}/ssa"
    return "IfNotPresent" in (_annotations(manifest).get(key), _labels(manifest).get(key))


def recreates(manifest: Manifest) -> bool:
    """Tell whether the object may be deleted and made anew where a field cannot be changed."""
    annotations = _annotations(manifest)
    own = annotations.get("wayside.dev/recreate")
    if own is not None:
        return str(own).lower() in ("enabled", "true")
    return annotations.get(f"{_FLUX}/force") == "enabled" or {"Force=true", "Replace=true"} <= _argo_options(
        manifest
    )


def adopts(manifest: Manifest) -> bool:
    """Tell whether the object may be taken over from another owner."""
    return str(_annotations(manifest).get("wayside.dev/adopt", "")).lower() in ("enabled", "true")


def conflicts(manifest: Manifest, default: str) -> str:
    """Return `force` or `report`: what happens to fields that another manager owns."""
    return str(_annotations(manifest).get("wayside.dev/conflicts") or default)


def drift(manifest: Manifest, default: str) -> str:
    """Return `correct`, `report` or `ignore`: what happens to changes made by others."""
    return str(_annotations(manifest).get("wayside.dev/drift") or default)


def bad_values(id_: ResourceId, manifest: Manifest) -> list[Hold]:
    """Return a hold for each annotation of Wayside whose value means nothing."""
    allowed = {
        "wayside.dev/conflicts": ("force", "report"),
        "wayside.dev/drift": ("correct", "report", "ignore"),
        "wayside.dev/prune": ("enabled", "disabled", "true", "false"),
        "wayside.dev/recreate": ("enabled", "disabled", "true", "false"),
        "wayside.dev/adopt": ("enabled", "disabled", "true", "false"),
    }
    annotations = _annotations(manifest)
    holds: list[Hold] = []
    for key, values in allowed.items():
        value = annotations.get(key)
        if value is not None and str(value) not in values:
            message = f"{id_}: expected {' or '.join(values)} in {key}, found {str(value)[:40]!r}"
            holds.append(Hold("annotation-invalid", message, subjects=(id_,)))
    for parse in (wave, dependencies):
        try:
            parse(manifest)
        except ValueError as err:
            holds.append(Hold("annotation-invalid", f"{id_}: {err}", subjects=(id_,)))
    return holds
