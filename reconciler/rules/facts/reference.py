"""What workloads and a few other objects refer to by name, and whether it is there."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from reconciler.model.fieldpath import FieldPath, format_field_path
from reconciler.model.resource import Resource, ResourceId
from reconciler.rules.facts.plain import as_list, as_mapping, dig
from reconciler.rules.facts.workload import WorkloadFacts

__all__ = ["reference_values"]

#: Objects that every namespace has by itself.
_ALWAYS = frozenset({("ConfigMap", "kube-root-ca.crt"), ("ServiceAccount", "default")})


@dataclass(frozen=True, slots=True)
class _Reference:
    kind: str
    name: str
    path: FieldPath
    key: str = ""
    optional: bool = False


#: Fields of ConfigMaps and Secrets that hold their keys.
_KEYED = ("data", "binaryData", "stringData")
#: One reference of a workload's pods: kind, name, place, key, and whether it may be missing.
_Found = tuple[str, str, str, str, bool]


def reference_values(
    workloads: Sequence[WorkloadFacts],
    resources: Sequence[Resource],
    *,
    share: Callable[[Hashable, Callable[[], Any]], Any] = lambda _, make: make(),
) -> list[dict[str, Any]]:
    """Return every reference by name, as rules see it.

    Args:
        workloads: The workloads of a site.
        resources: All its objects.
        share: Gives the value of a key, made once for all sites.

    Each has `id` (of the object that refers), `fieldPath`, `kind`, `namespace`, `name`, `key` ("" where the
    whole object is meant), `optional`, `found`, and `keyFound` (true where nothing can be said of keys).
    """
    index = {(r.kind, r.id.namespace, r.id.name): r.manifest for r in resources}
    made = set(_made_secrets(resources))
    found: list[tuple[ResourceId, _Found]] = []
    for workload in workloads:
        shared = share(("pod-references", workload.key), partial(_shown_of_pod, workload))
        found += [(workload.id, reference) for reference in shared]
    found += [(resource.id, _shown(each)) for resource in resources for each in _of_object(resource)]
    return [_value(str(rid), rid.namespace, reference, index, made) for rid, reference in found]


def _shown_of_pod(workload: WorkloadFacts) -> tuple[_Found, ...]:
    return tuple(_shown(each) for each in _of_pod(workload.pod.spec, workload.pod.path))


def _shown(reference: _Reference) -> _Found:
    path = format_field_path(reference.path)
    return reference.kind, reference.name, path, reference.key, reference.optional


def _value(
    referrer: str,
    namespace: str,
    reference: _Found,
    index: Mapping[tuple[str, str, str], Mapping[str, Any]],
    made: set[tuple[str, str]],
) -> dict[str, Any]:
    kind, name, path, key, optional = reference
    target = index.get((kind, namespace, name))
    is_made = kind == "Secret" and (namespace, name) in made
    always = (kind, name) in _ALWAYS
    found = target is not None or is_made or always
    key_found = True
    if target is not None and key and not is_made:
        key_found = any(key in as_mapping(target.get(field)) for field in _KEYED)
    return {
        "id": referrer,
        "fieldPath": path,
        "kind": kind,
        "namespace": namespace,
        "name": name,
        "key": key,
        "optional": optional,
        "found": found,
        "keyFound": key_found,
    }


def _made_secrets(resources: Sequence[Resource]) -> Iterator[tuple[str, str]]:
    """Yield (namespace, name) of Secrets that a controller makes from another object of the site."""
    for resource in resources:
        spec = as_mapping(resource.manifest.get("spec"))
        match resource.kind:
            case "SealedSecret":
                yield resource.id.namespace, resource.id.name
            case "ExternalSecret":
                yield resource.id.namespace, str(dig(spec, "target", "name") or resource.id.name)
            case "Certificate":
                yield resource.id.namespace, str(spec.get("secretName") or "")
            case _:
                continue


def _of_pod(spec: Mapping[str, Any], path: FieldPath) -> Iterator[_Reference]:
    account = spec.get("serviceAccountName") or spec.get("serviceAccount")
    if account:
        yield _Reference("ServiceAccount", str(account), (*path, "serviceAccountName"))
    for index, volume in enumerate(as_list(spec.get("volumes"))):
        at = (*path, "volumes", index)
        yield from _of_volume(as_mapping(volume), at)
        for number, source in enumerate(as_list(dig(volume, "projected", "sources"))):
            yield from _of_projection(as_mapping(source), (*at, "projected", "sources", number))
    for field in ("initContainers", "containers", "ephemeralContainers"):
        for index, container in enumerate(as_list(spec.get(field))):
            yield from _of_container(as_mapping(container), (*path, field, index))


def _of_volume(volume: Mapping[str, Any], at: FieldPath) -> Iterator[_Reference]:
    for field, key, kind in (
        ("configMap", "name", "ConfigMap"),
        ("secret", "secretName", "Secret"),
        ("persistentVolumeClaim", "claimName", "PersistentVolumeClaim"),
    ):
        source = as_mapping(volume.get(field))
        if source.get(key):
            optional = source.get("optional") is True
            keys = [str(as_mapping(item).get("key") or "") for item in as_list(source.get("items"))]
            for wanted in keys or [""]:
                yield _Reference(kind, str(source[key]), (*at, field, key), wanted, optional)


def _of_projection(source: Mapping[str, Any], at: FieldPath) -> Iterator[_Reference]:
    for field, kind in (("configMap", "ConfigMap"), ("secret", "Secret")):
        found = as_mapping(source.get(field))
        if found.get("name"):
            yield _Reference(
                kind, str(found["name"]), (*at, field, "name"), "", found.get("optional") is True
            )


def _of_container(container: Mapping[str, Any], at: FieldPath) -> Iterator[_Reference]:
    for index, source in enumerate(as_list(container.get("envFrom"))):
        for field, kind in (("configMapRef", "ConfigMap"), ("secretRef", "Secret")):
            found = as_mapping(as_mapping(source).get(field))
            if found.get("name"):
                path = (*at, "envFrom", index, field, "name")
                yield _Reference(kind, str(found["name"]), path, "", found.get("optional") is True)
    for index, variable in enumerate(as_list(container.get("env"))):
        for field, kind in (("configMapKeyRef", "ConfigMap"), ("secretKeyRef", "Secret")):
            found = as_mapping(dig(variable, "valueFrom", field))
            if found.get("name"):
                path = (*at, "env", index, "valueFrom", field, "name")
                yield _Reference(
                    kind, str(found["name"]), path, str(found.get("key") or ""), found.get("optional") is True
                )


def _of_object(resource: Resource) -> Iterator[_Reference]:
    """Yield what objects other than pods refer to."""
    spec = as_mapping(resource.manifest.get("spec"))
    match resource.kind, resource.id.group:
        case "StatefulSet", "apps":
            if spec.get("serviceName"):
                yield _Reference("Service", str(spec["serviceName"]), ("spec", "serviceName"))
        case "HorizontalPodAutoscaler", "autoscaling":
            target = as_mapping(spec.get("scaleTargetRef"))
            if target.get("kind") and target.get("name"):
                path = ("spec", "scaleTargetRef", "name")
                yield _Reference(str(target["kind"]), str(target["name"]), path)
        case "Ingress", "networking.k8s.io":
            yield from _of_ingress(spec)
        case _:
            return


def _of_ingress(spec: Mapping[str, Any]) -> Iterator[_Reference]:
    default = dig(spec, "defaultBackend", "service", "name")
    if default:
        yield _Reference("Service", str(default), ("spec", "defaultBackend", "service", "name"))
    for index, rule in enumerate(as_list(spec.get("rules"))):
        for number, path in enumerate(as_list(dig(rule, "http", "paths"))):
            name = dig(path, "backend", "service", "name")
            if name:
                at: FieldPath = (
                    "spec",
                    "rules",
                    index,
                    "http",
                    "paths",
                    number,
                    "backend",
                    "service",
                    "name",
                )
                yield _Reference("Service", str(name), at)
    for index, tls in enumerate(as_list(spec.get("tls"))):
        if as_mapping(tls).get("secretName"):
            yield _Reference("Secret", str(tls["secretName"]), ("spec", "tls", index, "secretName"))
