"""Containers: ports, environment, probes, resources and what they mount."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import Any

from reconciler.model.quantity import parse_quantity
from reconciler.rules.types.constraints.access import items, mapping, text
from reconciler.rules.types.constraints.names import (
    config_map_key,
    dns_label,
    dns_subdomain,
    env_name,
    http_header_name,
    non_negative,
    not_empty,
    port,
    port_name,
    port_or_name,
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

__all__ = ["CONSTRAINTS", "amount", "requests_within_limits"]

_FIELD_PATHS = frozenset(
    (
        "metadata.name",
        "metadata.namespace",
        "metadata.uid",
        "spec.nodeName",
        "spec.serviceAccountName",
        "status.hostIP",
        "status.hostIPs",
        "status.podIP",
        "status.podIPs",
    )
)
_NATIVE = frozenset(("cpu", "memory", "ephemeral-storage"))


def amount(value: Any) -> Any:
    """Return a decoded quantity's number; a null is 0."""
    if isinstance(value, int | float):
        return Decimal(str(value))  # a number may be larger than a text that is one
    return parse_quantity(str(value if value is not None else 0).strip())


def _is_native(name: str) -> bool:
    return "/" not in name or "kubernetes.io/" in name


def _overcommits(name: str) -> bool:
    return _is_native(name) and not name.startswith("hugepages-")


def resource_name(name: str, *, of_container: bool = True) -> str | None:
    """Say why a text is no name of a resource."""
    if (wrong := qualified_name(name)) is not None:
        return wrong
    if "/" not in name and of_container and name not in _NATIVE and not name.startswith("hugepages-"):
        return "must be a standard resource for containers"
    return None


def requests_within_limits(value: Mapping[str, Any], _: int) -> Iterator[Complaint]:
    """Judge requests and limits together."""
    limits, requests = mapping(value, "limits"), mapping(value, "requests")
    for section in ("limits", "requests"):
        for name, quantity in mapping(value, section).items():
            if (wrong := resource_name(name)) is not None:
                yield (section, name), invalid(name, wrong)
            number = amount(quantity)
            if number < 0:
                yield (section, name), invalid(quantity, "must be greater than or equal to 0")
            elif not _is_native(name) and number != number.to_integral_value():
                yield (section, name), invalid(quantity, "must be an integer")
    for name, quantity in requests.items():
        if name in limits:
            wanted, limit = amount(quantity), amount(limits[name])
            if wanted != limit and not _overcommits(name):
                yield ("requests",), invalid(quantity, f"must be equal to {name} limit of {limits[name]}")
            elif wanted > limit:
                yield (
                    ("requests",),
                    invalid(quantity, f"must be less than or equal to {name} limit of {limits[name]}"),
                )
        elif not _overcommits(name):
            yield ("limits",), f"{REQUIRED}: Limit must be set for non overcommitable resources"
    named = {*limits, *requests}
    if any(name.startswith("hugepages-") for name in named) and not named & {"cpu", "memory"}:
        yield (), "Forbidden: HugePages require cpu or memory"


def _ports(value: Mapping[str, Any], _: int) -> Iterator[Complaint]:
    names: set[str] = set()
    for index, each in items(value, "ports"):
        name = text(each, "name")
        if name in names:
            yield ("ports", index, "name"), duplicate(name)
        if name:
            names.add(name)


def _mounts(value: Mapping[str, Any], _: int) -> Iterator[Complaint]:
    paths: set[str] = set()
    for index, each in items(value, "volumeMounts"):
        path = text(each, "mountPath")
        if path and path in paths:
            yield ("volumeMounts", index, "mountPath"), invalid(path, "must be unique")
        paths.add(path)


def _env(value: Mapping[str, Any], _: int) -> Iterator[Complaint]:
    source = value.get("valueFrom")
    if source is None:
        return
    given = [name for name, item in source.items() if item is not None]
    if not given:
        yield (
            ("valueFrom",),
            invalid(
                "",
                "must specify one of: `fieldRef`, `resourceFieldRef`, `configMapKeyRef` or `secretKeyRef`",
            ),
        )
    elif text(value, "value"):
        yield ("valueFrom",), invalid("", "may not be specified when `value` is not empty")
    elif len(given) > 1:
        yield ("valueFrom",), invalid("", "may not have more than one field specified at a time")
    if (reference := source.get("fieldRef")) is not None:
        path = text(reference, "fieldPath")
        plain = path.partition("[")[0]
        if not path:
            yield ("valueFrom", "fieldRef", "fieldPath"), REQUIRED
        elif plain not in {"metadata.labels", "metadata.annotations"} and path not in _FIELD_PATHS:
            message = (
                unsupported(path, _FIELD_PATHS)
                if path.startswith(("metadata.", "spec.", "status."))
                else invalid(path, "error converting fieldPath: field label not supported: " + path)
            )
            yield ("valueFrom", "fieldRef", "fieldPath"), message


def _env_from(value: Mapping[str, Any], _: int) -> Iterator[Complaint]:
    given = [name for name in ("configMapRef", "secretRef") if value.get(name) is not None]
    if not given:
        yield (), invalid("", "must specify one of: `configMapRef` or `secretRef`")
    elif len(given) > 1:
        yield (), invalid("", "may not have more than one field specified at a time")
    for name in given:
        of = text(value[name], "name")
        if not of:
            yield (name, "name"), REQUIRED
        elif (wrong := dns_subdomain(of)) is not None:
            yield (name, "name"), invalid(of, wrong)


_PROBE_HANDLERS = ("exec", "httpGet", "tcpSocket", "grpc")
_LIFECYCLE_HANDLERS = ("exec", "httpGet", "tcpSocket", "sleep")


def _one_handler(names: tuple[str, ...], value: Mapping[str, Any]) -> Iterator[Complaint]:
    given = [name for name in names if value.get(name) is not None]
    if not given:
        yield (), f"{REQUIRED}: must specify a handler type"
    for name in given[1:]:
        yield (name,), "Forbidden: may not specify more than 1 handler type"


def _probe(value: Mapping[str, Any], _: int) -> Iterator[Complaint]:
    yield from _one_handler(_PROBE_HANDLERS, value)


def _lifecycle(value: Mapping[str, Any], _: int) -> Iterator[Complaint]:
    yield from _one_handler(_LIFECYCLE_HANDLERS, value)


def _action(value: Mapping[str, Any], _: int) -> Iterator[Complaint]:
    if value.get("port") is None:
        yield ("port",), invalid(0, "must be between 1 and 65535, inclusive")


def _exec(value: Mapping[str, Any], _: int) -> Iterator[Complaint]:
    if not value.get("command"):
        yield ("command",), REQUIRED


def _container(value: Mapping[str, Any], _: int) -> Iterator[Complaint]:
    if not text(value, "image"):
        yield ("image",), REQUIRED
    for name in ("livenessProbe", "startupProbe"):
        probe = value.get(name)
        if probe is not None and (probe.get("successThreshold") or 1) != 1:
            yield (name, "successThreshold"), invalid(probe["successThreshold"], "must be 1")
    probe = value.get("readinessProbe")
    if probe is not None and probe.get("terminationGracePeriodSeconds") is not None:
        yield (
            ("readinessProbe", "terminationGracePeriodSeconds"),
            invalid(probe["terminationGracePeriodSeconds"], "must not be set for readinessProbes"),
        )


def _security(value: Mapping[str, Any], _: int) -> Iterator[Complaint]:
    if value.get("allowPrivilegeEscalation") is False:
        if value.get("privileged") is True:
            yield (
                (),
                invalid(value, "cannot set `allowPrivilegeEscalation` to false and `privileged` to true"),
            )
        added = mapping(value, "capabilities").get("add") or ()
        if "CAP_SYS_ADMIN" in added:
            yield (
                (),
                invalid(
                    value,
                    "cannot set `allowPrivilegeEscalation` to false and `capabilities.Add` CAP_SYS_ADMIN",
                ),
            )


def _profile(value: Mapping[str, Any], _: int) -> Iterator[Complaint]:
    kind, local = text(value, "type"), value.get("localhostProfile")
    if not kind:
        yield ("type",), REQUIRED
    elif kind == "Localhost" and local is None:
        yield ("localhostProfile",), f"{REQUIRED}: must be set when seccomp type is Localhost"
    elif kind != "Localhost" and local is not None:
        yield (
            ("localhostProfile",),
            invalid(local, "can only be set when seccomp type is Localhost"),
        )


def _sub_path(value: Any, _: int) -> str | None:
    if value.startswith("/"):
        return invalid(value, "must be a relative path")
    return invalid(value, "must not contain '..'") if ".." in value.split("/") else None


_RESOURCES = frozenset(f"{kind}.{name}" for kind in ("limits", "requests") for name in _NATIVE)


def _resource_field(value: Any, _: int) -> str | None:
    if not value:
        return REQUIRED
    known = value in _RESOURCES or value.startswith(("limits.hugepages-", "requests.hugepages-"))
    return None if known else unsupported(value, _RESOURCES)


def _host_port(value: Any, minor: int) -> str | None:
    return port(value, minor) if value else None


def _container_port(value: Any, minor: int) -> str | None:
    return port(value, minor) if value else REQUIRED


_user_id = ranged(0, 2**31 - 1, "must be between 0 and 2147483647, inclusive")
_CONTAINER = Constraints({"name": not_empty(dns_label)}, (_container, _ports, _mounts))

CONSTRAINTS: dict[str, Constraints] = {
    "core.v1.Container": _CONTAINER,
    "core.v1.ContainerPort": Constraints(
        {"name": rule(port_name), "containerPort": _container_port, "hostPort": _host_port}
    ),
    "core.v1.EnvVar": Constraints(
        {"name": lambda value, minor: REQUIRED if not value else _env_message(value, minor)}, (_env,)
    ),
    "core.v1.EnvFromSource": Constraints(
        {"prefix": lambda value, minor: _env_message(value, minor) if value else None}, (_env_from,)
    ),
    "core.v1.ConfigMapKeySelector": Constraints(
        {"key": not_empty(config_map_key), "name": not_empty(dns_subdomain)}
    ),
    "core.v1.SecretKeySelector": Constraints(
        {"key": not_empty(config_map_key), "name": not_empty(dns_subdomain)}
    ),
    "core.v1.ResourceFieldSelector": Constraints({"resource": _resource_field}),
    "core.v1.VolumeMount": Constraints(
        {
            "name": not_empty(),
            "mountPath": not_empty(),
            "subPath": _sub_path,
            "subPathExpr": _sub_path,
        }
    ),
    "core.v1.VolumeDevice": Constraints({"name": not_empty(), "devicePath": not_empty()}),
    "core.v1.ResourceRequirements": Constraints({}, (requests_within_limits,)),
    "core.v1.Probe": Constraints(
        {
            "initialDelaySeconds": non_negative,
            "timeoutSeconds": non_negative,
            "periodSeconds": non_negative,
            "successThreshold": non_negative,
            "failureThreshold": non_negative,
            "terminationGracePeriodSeconds": positive,
        },
        (_probe,),
    ),
    "core.v1.LifecycleHandler": Constraints({}, (_lifecycle,)),
    "core.v1.HTTPGetAction": Constraints({"port": port_or_name}, (_action,)),
    "core.v1.TCPSocketAction": Constraints({"port": port_or_name}, (_action,)),
    "core.v1.GRPCAction": Constraints({"port": port}, (_action,)),
    "core.v1.ExecAction": Constraints({}, (_exec,)),
    "core.v1.HTTPHeader": Constraints(
        {"name": lambda value, _: None if (w := http_header_name(value)) is None else invalid(value, w)}
    ),
    "core.v1.SecurityContext": Constraints({"runAsUser": _user_id, "runAsGroup": _user_id}, (_security,)),
    "core.v1.SeccompProfile": Constraints({}, (_profile,)),
    "core.v1.PodSecurityContext": Constraints(
        {"runAsUser": _user_id, "runAsGroup": _user_id, "fsGroup": _user_id}
    ),
}


def _env_message(value: str, minor: int) -> str | None:
    wrong = env_name(value, minor)
    return None if wrong is None else invalid(value, wrong)
