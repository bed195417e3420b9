"""Defaults of pods and pod templates (`pkg/apis/core/v1/defaults.go`)."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from decimal import Decimal
from typing import Any

from reconciler.model.image import ImageReference, ImageReferenceError
from reconciler.model.quantity import QuantityError, canonical_quantity, parse_quantity
from reconciler.rules.defaults.fields import child, each, fill_absent, fill_zero

__all__ = ["claim_spec", "pod_spec", "pod_template", "resource_list", "whole_pod_spec"]

_CONTAINER_LISTS = ("containers", "initContainers", "ephemeralContainers")
_POD_LEVEL = ("cpu", "memory")
_HUGEPAGES = "hugepages-"
#: Volume types whose files have a mode.
_MODE_0644 = 420
_SOURCE_FREE_FIELDS = frozenset({"name"})


def pod_template(template: Mapping[str, Any], version: tuple[int, int]) -> dict[str, Any]:
    """Default the template of a workload."""
    copy = dict(template)
    child(copy, "spec", lambda spec: pod_spec(spec, version))
    return copy


def pod_spec(spec: Mapping[str, Any], version: tuple[int, int]) -> dict[str, Any]:
    """Default what every pod spec gets, also inside templates."""
    copy = fill_zero(
        spec, dnsPolicy="ClusterFirst", restartPolicy="Always", schedulerName="default-scheduler"
    )
    copy = fill_absent(copy, securityContext={}, terminationGracePeriodSeconds=30)
    if copy.get("serviceAccountName") and not copy.get("serviceAccount"):
        # The deprecated twin is filled on conversion (`pkg/apis/core/v1/conversion.go`).
        copy["serviceAccount"] = copy["serviceAccountName"]
    for name in _CONTAINER_LISTS:
        each(copy, name, _container)
    each(copy, "volumes", lambda volume: _volume(volume, version))
    child(copy, "overhead", resource_list)
    child(copy, "resources", _resources)
    return copy


def whole_pod_spec(spec: Mapping[str, Any], version: tuple[int, int]) -> dict[str, Any]:
    """Default the spec of a Pod itself: requests follow limits, and the pod's own resources are completed."""
    copy = fill_absent(pod_spec(spec, version), enableServiceLinks=True)
    for name in ("containers", "initContainers"):
        each(copy, name, _requests_from_limits)
        if copy.get("hostNetwork"):
            each(copy, name, _host_ports)
    if version >= (1, 34) and isinstance(copy.get("resources"), Mapping):
        copy["resources"] = _pod_level(copy)
    return copy


def resource_list(amounts: Mapping[str, Any]) -> dict[str, Any]:
    """Write quantities as the API server does, rounded up to a thousandth."""
    return {name: _amount(amount) for name, amount in amounts.items()}


def claim_spec(spec: Mapping[str, Any]) -> dict[str, Any]:
    """Default the spec of a PersistentVolumeClaim."""
    copy = fill_absent(spec, volumeMode="Filesystem", resources={})
    child(copy, "resources", _resources)
    return copy


def _amount(amount: Any) -> Any:
    if not isinstance(amount, str | int | float) or isinstance(amount, bool):
        return amount
    try:
        return canonical_quantity(str(amount), smallest=Decimal("0.001"))
    except QuantityError:
        return amount


def _resources(resources: Mapping[str, Any]) -> dict[str, Any]:
    copy = dict(resources)
    child(copy, "limits", resource_list)
    child(copy, "requests", resource_list)
    return copy


def _container(container: Mapping[str, Any]) -> dict[str, Any]:
    copy = fill_zero(
        container,
        imagePullPolicy=_pull_policy(container.get("image")),
        terminationMessagePath="/dev/termination-log",
        terminationMessagePolicy="File",
    )
    copy = fill_absent(copy, resources={})
    child(copy, "resources", _resources)
    for name in ("livenessProbe", "readinessProbe", "startupProbe"):
        child(copy, name, _probe)
    child(copy, "lifecycle", _lifecycle)
    each(copy, "ports", lambda port: fill_zero(port, protocol="TCP"))
    each(copy, "env", _environment)
    return copy


def _pull_policy(image: Any) -> str:
    try:
        tag = ImageReference.parse(str(image or "")).effective_tag
    except ImageReferenceError:
        tag = ""
    return "Always" if tag == "latest" else "IfNotPresent"


def _probe(probe: Mapping[str, Any]) -> dict[str, Any]:
    copy = fill_zero(probe, timeoutSeconds=1, periodSeconds=10, successThreshold=1, failureThreshold=3)
    child(copy, "httpGet", _http_get)
    child(copy, "grpc", lambda grpc: fill_absent(grpc, service=""))
    return copy


def _http_get(action: Mapping[str, Any]) -> dict[str, Any]:
    return fill_zero(action, path="/", scheme="HTTP")


def _lifecycle(lifecycle: Mapping[str, Any]) -> dict[str, Any]:
    copy = dict(lifecycle)
    for name in ("postStart", "preStop"):
        child(copy, name, _handler)
    return copy


def _handler(handler: Mapping[str, Any]) -> dict[str, Any]:
    copy = dict(handler)
    child(copy, "httpGet", _http_get)
    return copy


def _field_ref(reference: Mapping[str, Any]) -> dict[str, Any]:
    return fill_zero(reference, apiVersion="v1")


def _resource_ref(reference: Mapping[str, Any]) -> dict[str, Any]:
    copy = fill_absent(reference, divisor="0")
    copy["divisor"] = _amount(copy["divisor"])
    return copy


def _environment(variable: Mapping[str, Any]) -> dict[str, Any]:
    copy = dict(variable)

    def source(value: Mapping[str, Any]) -> dict[str, Any]:
        inner = dict(value)
        child(inner, "fieldRef", _field_ref)
        child(inner, "resourceFieldRef", _resource_ref)
        return inner

    child(copy, "valueFrom", source)
    return copy


def _host_ports(container: Mapping[str, Any]) -> dict[str, Any]:
    copy = dict(container)
    each(copy, "ports", lambda port: fill_zero(port, hostPort=port.get("containerPort")))
    return copy


def _requests_from_limits(container: Mapping[str, Any]) -> dict[str, Any]:
    copy = dict(container)
    resources = copy.get("resources")
    if isinstance(resources, Mapping) and isinstance(resources.get("limits"), Mapping):
        requests = {**resources["limits"], **(resources.get("requests") or {})}
        copy["resources"] = {**resources, "requests": requests}
    return copy


def _volume(volume: Mapping[str, Any], version: tuple[int, int]) -> dict[str, Any]:
    copy = dict(volume)
    if not any(copy[name] is not None for name in copy if name not in _SOURCE_FREE_FIELDS):
        copy["emptyDir"] = {}
    for name in ("secret", "configMap"):
        child(copy, name, lambda source: fill_absent(source, defaultMode=_MODE_0644))
    child(copy, "downwardAPI", lambda source: _downward(fill_absent(source, defaultMode=_MODE_0644)))
    child(copy, "projected", lambda source: _projected(fill_absent(source, defaultMode=_MODE_0644)))
    child(copy, "hostPath", lambda source: fill_absent(source, type=""))
    child(copy, "emptyDir", _empty_dir)
    child(copy, "ephemeral", _ephemeral)
    child(copy, "iscsi", lambda source: fill_zero(source, iscsiInterface="default"))
    child(
        copy,
        "rbd",
        lambda source: fill_zero(source, pool="rbd", user="admin", keyring="/etc/ceph/keyring"),
    )
    child(copy, "scaleIO", lambda source: fill_zero(source, storageMode="ThinProvisioned", fsType="xfs"))
    child(
        copy,
        "azureDisk",
        lambda source: fill_absent(
            source, cachingMode="ReadWrite", fsType="ext4", readOnly=False, kind="Shared"
        ),
    )
    if version >= (1, 35):
        child(
            copy,
            "image",
            lambda source: fill_zero(source, pullPolicy=_pull_policy(source.get("reference"))),
        )
    return copy


def _empty_dir(source: Mapping[str, Any]) -> dict[str, Any]:
    copy = dict(source)
    if copy.get("sizeLimit") is not None:
        with suppress(QuantityError):
            copy["sizeLimit"] = canonical_quantity(str(copy["sizeLimit"]))
    return copy


def _ephemeral(source: Mapping[str, Any]) -> dict[str, Any]:
    copy = dict(source)

    def template(value: Mapping[str, Any]) -> dict[str, Any]:
        inner = dict(value)
        child(inner, "spec", claim_spec)
        return inner

    child(copy, "volumeClaimTemplate", template)
    return copy


def _downward(source: Mapping[str, Any]) -> dict[str, Any]:
    copy = dict(source)

    def item(value: Mapping[str, Any]) -> dict[str, Any]:
        inner = dict(value)
        child(inner, "fieldRef", _field_ref)
        child(inner, "resourceFieldRef", _resource_ref)
        return inner

    each(copy, "items", item)
    return copy


def _projected(source: Mapping[str, Any]) -> dict[str, Any]:
    copy = dict(source)

    def one(value: Mapping[str, Any]) -> dict[str, Any]:
        inner = dict(value)
        child(inner, "downwardAPI", _downward)
        child(inner, "serviceAccountToken", lambda token: fill_absent(token, expirationSeconds=3600))
        return inner

    each(copy, "sources", one)
    return copy


def _pod_level(spec: Mapping[str, Any]) -> dict[str, Any]:
    """Complete the pod's own requests (KEP-2837): from its containers, else from its own limits."""
    resources = dict(spec["resources"])
    limits = resources.get("limits") or {}
    if not limits:
        return resources
    requests = dict(resources.get("requests") or {})
    for name, amount in _containers_request(spec).items():
        requests.setdefault(name, amount)
    for name, amount in limits.items():
        if name in _POD_LEVEL or name.startswith(_HUGEPAGES):
            requests.setdefault(name, amount)
    if requests:
        resources["requests"] = requests
    return resources


def _containers_request(spec: Mapping[str, Any]) -> dict[str, str]:
    """Return cpu and memory that the containers ask for together, by the scheduler's formula."""
    total: dict[str, Decimal] = {}
    for name in _POD_LEVEL:
        running = Decimal(0)
        peak = Decimal(0)
        found = False
        for container in spec.get("initContainers") or ():
            amount = _request(container, name)
            found = found or amount is not None
            amount = amount or Decimal(0)
            if container.get("restartPolicy") == "Always":
                running += amount
                peak = max(peak, running)
            else:
                peak = max(peak, running + amount)
        for container in spec.get("containers") or ():
            amount = _request(container, name)
            found = found or amount is not None
            running += amount or Decimal(0)
        if found:
            total[name] = max(peak, running)
    return {
        name: canonical_quantity(f"{amount:f}", binary=name == "memory") for name, amount in total.items()
    }


def _request(container: Any, name: str) -> Decimal | None:
    try:
        amount = container["resources"]["requests"][name]
        return parse_quantity(str(amount))
    except (KeyError, TypeError, QuantityError):
        return None
