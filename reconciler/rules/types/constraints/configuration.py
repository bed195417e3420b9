"""Configuration, storage, quotas, roles and scheduling classes."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator, Mapping
from typing import Any

from reconciler.rules.types.constraints.access import items, mapping, text
from reconciler.rules.types.constraints.containers import amount
from reconciler.rules.types.constraints.names import (
    config_map_key,
    dns_subdomain,
    not_empty,
    path_segment,
    qualified_name,
    rule,
)
from reconciler.rules.types.constraints.shape import (
    REQUIRED,
    Complaint,
    Constraints,
    duplicate,
    invalid,
    unsupported,
)

__all__ = ["CONSTRAINTS"]

_LARGEST = 1024 * 1024
_RBAC = "rbac.authorization.k8s.io"


def _config_map(value: Mapping[str, Any], _: int) -> Iterator[Complaint]:
    texts, binaries = mapping(value, "data"), mapping(value, "binaryData")
    size = 0
    for section, content in (("data", texts), ("binaryData", binaries)):
        for key, item in content.items():
            if (wrong := config_map_key(key)) is not None:
                yield (section, key), invalid(key, wrong)
            if section == "data" and key in binaries:
                yield (section, key), invalid(key, "duplicate of key present in binaryData")
            size += len(item or "") if section == "data" else _decoded_size(item)
    if size > _LARGEST:
        yield (), f"Too long: may not be more than {_LARGEST} bytes"


def _decoded_size(item: Any) -> int:
    return len(item or "") * 3 // 4 - 2 if isinstance(item, str) else len(item or ())


def _secret(value: Mapping[str, Any], _: int) -> Iterator[Complaint]:
    encoded, plain = mapping(value, "data"), mapping(value, "stringData")
    size = 0
    for section, content in (("data", encoded), ("stringData", plain)):
        for key, item in content.items():
            if (wrong := config_map_key(key)) is not None:
                yield (section, key), invalid(key, wrong)
            size += len(item or "") if section == "stringData" else _decoded_size(item)
    if size > _LARGEST:
        yield ("data",), f"Too long: may not be more than {_LARGEST} bytes"
    keys = {*encoded, *plain}
    match text(value, "type"):
        case "kubernetes.io/tls":
            for key in ("tls.crt", "tls.key"):
                if key not in keys:
                    yield ("data", key), REQUIRED
        case "kubernetes.io/dockerconfigjson":
            yield from _docker(encoded, plain, ".dockerconfigjson")
        case "kubernetes.io/dockercfg":
            yield from _docker(encoded, plain, ".dockercfg")
        case "kubernetes.io/basic-auth":
            if not keys & {"username", "password"}:
                yield ("data", "username"), REQUIRED
        case "kubernetes.io/ssh-auth":
            if not (plain.get("ssh-privatekey") or encoded.get("ssh-privatekey")):
                yield ("data", "ssh-privatekey"), REQUIRED
        case "kubernetes.io/service-account-token":
            name = "kubernetes.io/service-account.name"
            if not mapping(mapping(value, "metadata"), "annotations").get(name):
                yield ("metadata", "annotations", name), REQUIRED


def _docker(encoded: Mapping[str, Any], plain: Mapping[str, Any], key: str) -> Iterator[Complaint]:
    if key not in encoded and key not in plain:
        yield ("data", key), REQUIRED
        return
    try:
        content = plain[key] or "" if key in plain else base64.b64decode(encoded[key] or "")
        parsed = json.loads(content)
    except (ValueError, RecursionError):
        parsed = False
    if parsed is not None and not isinstance(parsed, dict):
        yield ("data", key), 'Invalid value: "<secret contents redacted>": expected a JSON object'


def _aggregation(value: Mapping[str, Any], _: int) -> Iterator[Complaint]:
    if not value.get("clusterRoleSelectors"):
        yield (
            ("clusterRoleSelectors",),
            f"{REQUIRED}: at least one clusterRoleSelector required if aggregationRule is non-nil",
        )


def _quantities(value: Any, _: int) -> str | None:
    for key, item in value.items():
        if (wrong := qualified_name(key)) is not None:
            return invalid(key, wrong)
        if amount(item) < 0:
            return invalid(item, "must be greater than or equal to 0")
    return None


def _claim(value: Mapping[str, Any], _: int) -> Iterator[Complaint]:
    modes = value.get("accessModes") or ()
    if not modes:
        yield ("accessModes",), f"{REQUIRED}: at least 1 access mode is required"
    if "ReadWriteOncePod" in modes and set(modes) != {"ReadWriteOncePod"}:
        yield ("accessModes",), "Forbidden: may not use ReadWriteOncePod with other access modes"
    requests = mapping(mapping(value, "resources"), "requests")
    if "storage" not in requests:
        yield ("resources", "storage"), REQUIRED
    elif amount(requests["storage"]) <= 0:
        yield (
            ("resources", "requests", "storage"),
            invalid(requests["storage"], "must be greater than zero"),
        )


def _volume(value: Mapping[str, Any], _: int) -> Iterator[Complaint]:
    if not value.get("accessModes"):
        yield ("accessModes",), REQUIRED
    capacity = mapping(value, "capacity")
    if not capacity:
        yield ("capacity",), REQUIRED
    elif set(capacity) != {"storage"}:
        yield ("capacity",), unsupported(capacity, ("storage",))
    elif amount(capacity["storage"]) <= 0:
        yield ("capacity", "storage"), invalid(capacity["storage"], "must be greater than zero")
    given = [name for name in value if name in _SOURCES and value[name] is not None]
    if not given:
        yield (), f"{REQUIRED}: must specify a volume type"
    for name in given[1:]:
        yield (name,), "Forbidden: may not specify more than 1 volume type"


_SOURCES = frozenset(
    [
        "awsElasticBlockStore",
        "azureDisk",
        "azureFile",
        "cephfs",
        "cinder",
        "csi",
        "fc",
        "flexVolume",
        "flocker",
        "gcePersistentDisk",
        "glusterfs",
        "hostPath",
        "iscsi",
        "local",
        "nfs",
        "photonPersistentDisk",
        "portworxVolume",
        "quobyte",
        "rbd",
        "scaleIO",
        "storageos",
        "vsphereVolume",
    ]
)


def _limits(value: Mapping[str, Any], _: int) -> Iterator[Complaint]:
    seen: set[str] = set()
    for index, each in items(value, "limits"):
        kind = text(each, "type")
        if not kind:
            yield ("limits", index, "type"), unsupported("", ("Container", "PersistentVolumeClaim", "Pod"))
        elif kind in seen:
            yield ("limits", index, "type"), duplicate(kind)
        seen.add(kind)
        if kind == "Pod":
            for name in ("default", "defaultRequest"):
                if each.get(name):
                    yield (
                        ("limits", index, name),
                        "Forbidden: may not be specified when `type` is 'Pod'",
                    )
        low, high = mapping(each, "min"), mapping(each, "max")
        for key in sorted({*low} & {*high}):
            if amount(low[key]) > amount(high[key]):
                yield (
                    ("limits", index, "min", key),
                    invalid(low[key], f"min value {low[key]} is greater than max value {high[key]}"),
                )


def _role_rule(value: Mapping[str, Any], _: int) -> Iterator[Complaint]:
    if value.get("nonResourceURLs"):
        if value.get("apiGroups") or value.get("resources") or value.get("resourceNames"):
            yield (
                ("nonResourceURLs",),
                invalid(
                    value["nonResourceURLs"],
                    "rules cannot apply to both regular resources and non-resource URLs",
                ),
            )
        return
    if not value.get("apiGroups"):
        yield ("apiGroups",), f"{REQUIRED}: resource rules must supply at least one api group"
    if not value.get("resources"):
        yield ("resources",), f"{REQUIRED}: resource rules must supply at least one resource"


def _verbs(value: Any, _: int) -> str | None:
    return None if value else f"{REQUIRED}: verbs must contain at least one value"


def _namespaced_role(value: Mapping[str, Any], _: int) -> Iterator[Complaint]:
    for index, each in items(value, "rules"):
        if each.get("nonResourceURLs"):
            yield (
                ("rules", index, "nonResourceURLs"),
                invalid(each["nonResourceURLs"], "namespaced rules cannot apply to non-resource URLs"),
            )


def _binding(*kinds: str, needs_namespace: bool) -> Constraints:
    def judge(value: Mapping[str, Any], _: int) -> Iterator[Complaint]:
        reference = mapping(value, "roleRef")
        group, kind = text(reference, "apiGroup") or _RBAC, text(reference, "kind")
        if group != _RBAC:
            yield ("roleRef", "apiGroup"), unsupported(group, (_RBAC,))
        if kind not in kinds:
            yield ("roleRef", "kind"), unsupported(kind, kinds)
        for index, each in items(value, "subjects"):
            yield from _subject(each, index, needs_namespace=needs_namespace)

    return Constraints({}, (judge,))


def _subject(each: Mapping[str, Any], index: int, *, needs_namespace: bool) -> Iterator[Complaint]:
    kind, group = text(each, "kind"), text(each, "apiGroup")
    match kind:
        case "ServiceAccount":
            if group:
                yield ("subjects", index, "apiGroup"), unsupported(group, ("",))
            if needs_namespace and not text(each, "namespace"):
                yield ("subjects", index, "namespace"), REQUIRED
            if (wrong := dns_subdomain(text(each, "name"))) is not None and text(each, "name"):
                yield ("subjects", index, "name"), invalid(text(each, "name"), wrong)
        case "User" | "Group":
            if group not in ("", _RBAC):
                yield ("subjects", index, "apiGroup"), unsupported(group, (_RBAC,))
        case _:
            yield ("subjects", index, "kind"), unsupported(kind, ("Group", "ServiceAccount", "User"))


def _priority(value: Mapping[str, Any], _: int) -> Iterator[Complaint]:
    name = text(mapping(value, "metadata"), "name")
    if not name.startswith("system-") and (value.get("value") or 0) > 1_000_000_000:
        yield (
            ("value",),
            "Forbidden: maximum allowed value of a user defined priority is 1000000000",
        )


def _provisioner(value: Any, _: int) -> str | None:
    if not value:
        return REQUIRED
    wrong = qualified_name(value.lower())
    return None if wrong is None else invalid(value, wrong)


def _storage_class(value: Mapping[str, Any], _: int) -> Iterator[Complaint]:
    if value.get("reclaimPolicy") == "Recycle":
        yield ("reclaimPolicy",), unsupported("Recycle", ("Delete", "Retain"))


CONSTRAINTS: dict[str, Constraints] = {
    "core.v1.ConfigMap": Constraints({}, (_config_map,)),
    "core.v1.Secret": Constraints({}, (_secret,)),
    "core.v1.PersistentVolumeClaimSpec": Constraints({"storageClassName": rule(dns_subdomain)}, (_claim,)),
    "core.v1.PersistentVolumeSpec": Constraints({"storageClassName": rule(dns_subdomain)}, (_volume,)),
    "core.v1.ResourceQuotaSpec": Constraints({"hard": _quantities}),
    "core.v1.LimitRangeSpec": Constraints({}, (_limits,)),
    "core.v1.Taint": Constraints({"key": not_empty(qualified_name), "effect": not_empty()}),
    "rbac.v1.PolicyRule": Constraints({"verbs": _verbs}, (_role_rule,)),
    "rbac.v1.Role": Constraints({}, (_namespaced_role,)),
    "rbac.v1.AggregationRule": Constraints({}, (_aggregation,)),
    "rbac.v1.RoleRef": Constraints({"name": not_empty(path_segment)}),
    "rbac.v1.RoleBinding": _binding("Role", "ClusterRole", needs_namespace=False),
    "rbac.v1.ClusterRoleBinding": _binding("ClusterRole", needs_namespace=True),
    "rbac.v1.Subject": Constraints({"name": not_empty()}),
    "scheduling.v1.PriorityClass": Constraints({}, (_priority,)),
    "storage.v1.StorageClass": Constraints({"provisioner": _provisioner}, (_storage_class,)),
    "node.v1.RuntimeClass": Constraints({"handler": not_empty()}),
}
