"""Pods as a whole: containers beside each other, volumes and placement."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from reconciler.rules.types.constraints.access import items, mapping, text
from reconciler.rules.types.constraints.metadata import labels
from reconciler.rules.types.constraints.names import (
    dns_label,
    dns_subdomain,
    ip,
    not_empty,
    positive,
    qualified_name,
    ranged,
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

__all__ = ["CONSTRAINTS", "missing_volumes"]

_file_mode = ranged(0, 0o777, "must be a number between 0 and 0777 (octal), both inclusive")
_PROBES = ("lifecycle", "livenessProbe", "readinessProbe", "startupProbe")


def _containers(value: Mapping[str, Any], minor: int) -> Iterator[Complaint]:
    if not value.get("containers"):
        yield ("containers",), REQUIRED
    if value.get("ephemeralContainers"):
        yield ("ephemeralContainers",), "Forbidden: cannot be set on create"
    names: set[str] = set()
    host_ports: set[tuple[str, str, int]] = set()
    on_host = value.get("hostNetwork") is True
    for section in ("containers", "initContainers"):
        for index, each in items(value, section):
            name = text(each, "name")
            if name and name in names:
                yield (section, index, "name"), duplicate(name)
            names.add(name)
            if section == "initContainers":
                host_ports = set()
            yield from _host_ports(each, (section, index), host_ports, on_host=on_host)
    for index, each in items(value, "containers"):
        if each.get("restartPolicy") and minor < 34:
            yield (
                ("containers", index, "restartPolicy"),
                "Forbidden: may not be set for non-init containers",
            )
    for index, each in items(value, "initContainers"):
        if each.get("restartPolicy") == "Always":
            continue
        for field in _PROBES:
            if each.get(field) is not None:
                yield (
                    ("initContainers", index, field),
                    "Forbidden: may not be set for init containers without restartPolicy=Always",
                )


def _host_ports(
    container: Mapping[str, Any], at: tuple[str, int], seen: set[tuple[str, str, int]], *, on_host: bool
) -> Iterator[Complaint]:
    for index, each in items(container, "ports"):
        number = each.get("hostPort") or 0
        if on_host:
            number = number or each.get("containerPort") or 0
            if number != each.get("containerPort"):
                yield (
                    (*at, "ports", index, "containerPort"),
                    invalid(each.get("containerPort"), "must match `hostPort` when `hostNetwork` is true"),
                )
        if not number:
            continue
        key = (text(each, "protocol") or "TCP", text(each, "hostIP"), number)
        if key in seen:
            yield (*at, "ports", index, "hostPort"), duplicate("/".join(map(str, key)))
        seen.add(key)


def _volumes(value: Mapping[str, Any], _: int) -> Iterator[Complaint]:
    names: set[str] = set()
    for index, each in items(value, "volumes"):
        name = text(each, "name")
        if name and name in names:
            yield ("volumes", index, "name"), duplicate(name)
        names.add(name)


def missing_volumes(value: Mapping[str, Any], more: frozenset[str] = frozenset()) -> Iterator[Complaint]:
    """Complain of mounts whose volume is not there.

    Args:
        value: A pod's spec.
        more: Names of volumes that come from elsewhere, as from the claim templates of a StatefulSet.
    """
    names = {text(each, "name") for _, each in items(value, "volumes")} | more
    for section in ("containers", "initContainers"):
        for index, each in items(value, section):
            for field in ("volumeMounts", "volumeDevices"):
                for at, mount in items(each, field):
                    name = text(mount, "name")
                    if name and name not in names:
                        yield (section, index, field, at, "name"), f'Not found: "{name[:60]}"'


def _volume(value: Mapping[str, Any], _: int) -> Iterator[Complaint]:
    given = [name for name, item in value.items() if name != "name" and item is not None]
    for name in given[1:]:
        yield (name,), "Forbidden: may not specify more than 1 volume type"


def _pod(value: Mapping[str, Any], _: int) -> Iterator[Complaint]:
    if value.get("shareProcessNamespace") is True and value.get("hostPID") is True:
        yield (
            ("shareProcessNamespace",),
            "Forbidden: ShareProcessNamespace and HostPID cannot both be enabled",
        )
    if value.get("dnsPolicy") == "None" and not mapping(value, "dnsConfig").get("nameservers"):
        yield (
            ("dnsConfig", "nameservers"),
            f"{REQUIRED}: must provide at least one DNS nameserver when `dnsPolicy` is None",
        )
    if value.get("hostUsers") is False:
        for field in ("hostPID", "hostIPC"):
            if value.get(field) is True:
                yield (field,), "Forbidden: when `hostUsers` is false"
    seen: set[tuple[str, str]] = set()
    for index, each in items(value, "topologySpreadConstraints"):
        key = (text(each, "topologyKey"), text(each, "whenUnsatisfiable"))
        if key in seen:
            yield ("topologySpreadConstraints", index), f'Duplicate value: "{{{key[0]}, {key[1]}}}"'
        seen.add(key)


def _toleration(value: Mapping[str, Any], _: int) -> Iterator[Complaint]:
    key, operator = text(value, "key"), text(value, "operator") or "Equal"
    if key and (wrong := qualified_name(key)) is not None:
        yield ("key",), invalid(key, wrong)
    if not key and operator != "Exists":
        yield (
            ("operator",),
            invalid(
                operator,
                'operator must be Exists when `key` is empty, which means "match all values and all keys"',
            ),
        )
    if value.get("tolerationSeconds") is not None and value.get("effect") != "NoExecute":
        yield (
            ("effect",),
            invalid(text(value, "effect"), "effect must be 'NoExecute' when `tolerationSeconds` is set"),
        )
    if operator == "Exists" and text(value, "value"):
        yield (
            ("operator",),
            invalid(text(value, "value"), "value must be empty when `operator` is 'Exists'"),
        )


def _spread(value: Mapping[str, Any], _: int) -> Iterator[Complaint]:
    if not text(value, "whenUnsatisfiable"):
        yield ("whenUnsatisfiable",), REQUIRED
    if value.get("minDomains") is not None and value.get("whenUnsatisfiable") != "DoNotSchedule":
        yield (
            ("minDomains",),
            invalid(
                value["minDomains"],
                "can only use minDomains if whenUnsatisfiable=DoNotSchedule, not "
                + text(value, "whenUnsatisfiable"),
            ),
        )


def _projection(value: Mapping[str, Any], _: int) -> Iterator[Complaint]:
    for name in ("secret", "configMap"):
        if value.get(name) is not None and not text(value[name], "name"):
            yield (name, "name"), REQUIRED


def _token(value: Mapping[str, Any], _: int) -> Iterator[Complaint]:
    if not text(value, "path"):
        yield ("path",), REQUIRED
    seconds = value.get("expirationSeconds")
    if seconds is not None and seconds < 600:
        yield ("expirationSeconds",), invalid(seconds, "may not specify a duration less than 10 minutes")


def _downward_file(value: Mapping[str, Any], _: int) -> Iterator[Complaint]:
    of_field, of_resource = value.get("fieldRef"), value.get("resourceFieldRef")
    if of_field is None and of_resource is None:
        yield (), f"{REQUIRED}: one of fieldRef and resourceFieldRef is required"
    elif of_field is not None and of_resource is not None:
        yield (), invalid("resource", "fieldRef and resourceFieldRef can not be specified simultaneously")
    elif of_resource is not None:
        if not text(of_resource, "containerName"):
            yield ("resourceFieldRef", "containerName"), REQUIRED
    else:
        path = text(of_field or {}, "fieldPath")
        if path.partition("[")[0] not in _DOWNWARD_FIELDS:
            message = unsupported(path, _DOWNWARD_FIELDS) if path else REQUIRED
            yield ("fieldRef", "fieldPath"), message


_DOWNWARD_FIELDS = frozenset(
    ("metadata.name", "metadata.namespace", "metadata.labels", "metadata.annotations", "metadata.uid")
)


def _ephemeral(value: Mapping[str, Any], _: int) -> Iterator[Complaint]:
    if value.get("volumeClaimTemplate") is None:
        yield ("volumeClaimTemplate",), REQUIRED


def _no_backsteps(value: Any, _: int) -> str | None:
    return invalid(value, "must not contain '..'") if ".." in value.split("/") else None


def _host_path(value: Any, minor: int) -> str | None:
    return _no_backsteps(value, minor) if value else REQUIRED


def _relative(value: Any, minor: int) -> str | None:
    if not value:
        return REQUIRED
    if value.startswith("/"):
        return invalid(value, "must be a relative path")
    return _no_backsteps(value, minor)


def _positive_skew(value: Any, _: int) -> str | None:
    return None if value > 0 else invalid(value, "must be greater than zero")


def _absolute(value: Any, _: int) -> str | None:
    if not value:
        return REQUIRED
    return None if value.startswith("/") else invalid(value, "must be an absolute path")


def _named(name: str) -> Constraints:
    def judge(value: Mapping[str, Any], _: int) -> Iterator[Complaint]:
        if not text(value, name):
            yield (name,), REQUIRED

    return Constraints({"defaultMode": _file_mode}, (judge,))


CONSTRAINTS: dict[str, Constraints] = {
    "core.v1.PodSpec": Constraints(
        {
            "nodeSelector": labels,
            "activeDeadlineSeconds": ranged(1, 2**31 - 1, "must be between 1 and 2147483647, inclusive"),
            "serviceAccountName": rule(dns_subdomain),
            "nodeName": rule(dns_subdomain),
            "priorityClassName": rule(dns_subdomain),
            "runtimeClassName": not_empty(dns_subdomain),
        },
        (_containers, _volumes, _pod),
    ),
    "core.v1.Volume": Constraints({"name": not_empty(dns_label)}, (_volume,)),
    "core.v1.HostPathVolumeSource": Constraints({"path": _host_path}),
    "core.v1.SecretVolumeSource": _named("secretName"),
    "core.v1.ConfigMapVolumeSource": _named("name"),
    "core.v1.PersistentVolumeClaimVolumeSource": Constraints({"claimName": not_empty()}),
    "core.v1.NFSVolumeSource": Constraints({"server": not_empty(), "path": _absolute}),
    "core.v1.ProjectedVolumeSource": Constraints({"defaultMode": _file_mode}),
    "core.v1.DownwardAPIVolumeSource": Constraints({"defaultMode": _file_mode}),
    "core.v1.KeyToPath": Constraints({"key": not_empty(), "path": _relative, "mode": _file_mode}),
    "core.v1.DownwardAPIVolumeFile": Constraints({"path": _relative, "mode": _file_mode}, (_downward_file,)),
    "core.v1.VolumeProjection": Constraints({}, (_projection,)),
    "core.v1.ServiceAccountTokenProjection": Constraints({}, (_token,)),
    "core.v1.EphemeralVolumeSource": Constraints({}, (_ephemeral,)),
    "core.v1.ISCSIVolumeSource": Constraints(
        {"targetPortal": not_empty(), "lun": ranged(0, 255, "must be between 0 and 255, inclusive")}
    ),
    "core.v1.Toleration": Constraints({}, (_toleration,)),
    "core.v1.TopologySpreadConstraint": Constraints(
        {
            "maxSkew": _positive_skew,
            "topologyKey": not_empty(),
            "minDomains": positive,
        },
        (_spread,),
    ),
    "core.v1.HostAlias": Constraints(
        {"ip": lambda value, _: None if (wrong := ip(value)) is None else invalid(value, wrong)}
    ),
    "core.v1.PodReadinessGate": Constraints({"conditionType": not_empty(qualified_name)}),
    "core.v1.PodSchedulingGate": Constraints({"name": not_empty(qualified_name)}),
    "core.v1.Sysctl": Constraints({"name": not_empty()}),
}
