"""Services, ingresses, network policies and endpoint slices."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator, Mapping
from typing import Any

from reconciler.rules.types.constraints.access import items, mapping, text
from reconciler.rules.types.constraints.metadata import labels
from reconciler.rules.types.constraints.names import (
    cidr,
    dns_1035_label,
    dns_label,
    dns_subdomain,
    ip,
    not_empty,
    port,
    port_name,
    port_or_name,
    qualified_name,
    rule,
    wildcard_or_subdomain,
)
from reconciler.rules.types.constraints.shape import REQUIRED, Complaint, Constraints, duplicate, invalid

__all__ = ["CONSTRAINTS", "service_name"]


def service_name(name: str, minor: int) -> str | None:
    """Say why a text is no name of a Service; from 1.36 on it may start with a digit."""
    return dns_label(name) if minor >= 36 else dns_1035_label(name)


def _service(value: Mapping[str, Any], _: int) -> Iterator[Complaint]:
    kind = text(value, "type") or "ClusterIP"
    headless = value.get("clusterIP") == "None"
    ports = list(items(value, "ports"))
    if not ports and not headless and kind != "ExternalName":
        yield ("ports",), REQUIRED
    if headless and kind in {"LoadBalancer", "NodePort"}:
        yield ("clusterIP",), invalid("None", f"may not be set to 'None' for {kind} services")
    if kind == "ExternalName":
        for name in ("clusterIPs", "clusterIP", "ipFamilies", "ipFamilyPolicy"):
            if value.get(name):
                yield (name,), "Forbidden: may not be set for ExternalName services"
        external = text(value, "externalName").removesuffix(".")
        if not external:
            yield ("externalName",), REQUIRED
        elif (wrong := dns_subdomain(external)) is not None:
            yield ("externalName",), invalid(external, wrong)
    yield from _service_ports(ports, kind)
    if kind != "LoadBalancer":
        for name, is_set in (
            ("loadBalancerSourceRanges", bool(value.get("loadBalancerSourceRanges"))),
            ("allocateLoadBalancerNodePorts", value.get("allocateLoadBalancerNodePorts") is not None),
            ("loadBalancerClass", value.get("loadBalancerClass") is not None),
        ):
            if is_set:
                yield (name,), "Forbidden: may only be used when `type` is 'LoadBalancer'"
    outside = kind in {"LoadBalancer", "NodePort"} or (kind == "ClusterIP" and value.get("externalIPs"))
    if text(value, "externalTrafficPolicy") and not outside:
        yield (
            ("externalTrafficPolicy",),
            invalid(value["externalTrafficPolicy"], "may only be set for externally-accessible services"),
        )


def _service_ports(ports: list[tuple[int, Mapping[str, Any]]], kind: str) -> Iterator[Complaint]:
    names: set[str] = set()
    numbers: set[tuple[str, int]] = set()
    node_ports: set[tuple[str, int]] = set()
    for index, each in ports:
        name, protocol = text(each, "name"), text(each, "protocol") or "TCP"
        if len(ports) > 1 and not name:
            yield ("ports", index, "name"), REQUIRED
        if name and name in names:
            yield ("ports", index, "name"), duplicate(name)
        names.add(name)
        number, node_port = each.get("port") or 0, each.get("nodePort") or 0
        if (protocol, number) in numbers:
            yield ("ports", index), duplicate(f"{protocol} {number}")
        numbers.add((protocol, number))
        if node_port:
            if kind == "ClusterIP":
                yield (
                    ("ports", index, "nodePort"),
                    "Forbidden: may not be used when `type` is 'ClusterIP'",
                )
            if (protocol, node_port) in node_ports:
                yield ("ports", index, "nodePort"), duplicate(node_port)
            node_ports.add((protocol, node_port))


def _target_port(value: Any, minor: int) -> str | None:
    return None if value in (0, "") else port_or_name(value, minor)


def _addresses(value: Any, _: int) -> str | None:
    for item in value:
        if (wrong := ip(item or "")) is not None:
            return invalid(item, wrong)
    return None


def _ranges(value: Any, _: int) -> str | None:
    for item in value:
        if (wrong := cidr((item or "").strip())) is not None:
            return invalid(item, wrong)
    return None


def _affinity_seconds(value: Any, _: int) -> str | None:
    return None if 0 < value <= 86400 else invalid(value, "must be greater than 0 and less than 86400")


def _ingress(value: Mapping[str, Any], _: int) -> Iterator[Complaint]:
    if not value.get("rules") and value.get("defaultBackend") is None:
        yield (), invalid([], "either `defaultBackend` or `rules` must be specified")
    for index, each in items(value, "tls"):
        for at, host in enumerate(each.get("hosts") or ()):
            if (wrong := wildcard_or_subdomain(host or "")) is not None:
                yield ("tls", index, "hosts", at), invalid(host, wrong)


def _host(value: Any, _: int) -> str | None:
    if not value:
        return None
    if ip(value) is None:
        return invalid(value, "must be a DNS name, not an IP address")
    wrong = wildcard_or_subdomain(value)
    return None if wrong is None else invalid(value, wrong)


_BAD_SEQUENCES = ("//", "/./", "/../", "%2f", "%2F")
_BAD_SUFFIXES = ("/..", "/.")


def _ingress_path(value: Mapping[str, Any], _: int) -> Iterator[Complaint]:
    kind, path = text(value, "pathType"), text(value, "path")
    if kind in {"Exact", "Prefix"}:
        if not path.startswith("/"):
            yield ("path",), invalid(path, "must be an absolute path")
        for bad in _BAD_SEQUENCES:
            if bad in path:
                yield ("path",), invalid(path, f"must not contain '{bad}'")
        for bad in _BAD_SUFFIXES:
            if path.endswith(bad):
                yield ("path",), invalid(path, f"cannot end with '{bad}'")
    elif kind == "ImplementationSpecific" and path and not path.startswith("/"):
        yield ("path",), invalid(path, "must be an absolute path")


def _backend(value: Mapping[str, Any], minor: int) -> Iterator[Complaint]:
    service, resource = value.get("service"), value.get("resource")
    if service is not None and resource is not None:
        yield (), invalid("", "cannot set both resource and service backends")
    elif service is None and resource is None:
        yield (), invalid("", "resource or service backend is required")
    elif service is not None:
        name = text(service, "name")
        if name and (wrong := service_name(name, minor)) is not None:
            yield ("service", "name"), invalid(name, wrong)
        target = mapping(service, "port")
        if text(target, "name") and target.get("number"):
            yield (), invalid("", "cannot set both port name & port number")
        elif not text(target, "name") and not target.get("number"):
            yield (), f"{REQUIRED}: port name or number is required"


def _policy_port(value: Mapping[str, Any], _: int) -> Iterator[Complaint]:
    number, end = value.get("port"), value.get("endPort")
    if end is None:
        return
    if number is None:
        yield ("endPort",), invalid(end, "may not be specified when `port` is not specified")
    elif isinstance(number, str):
        yield ("endPort",), invalid(end, "may not be specified when `port` is non-numeric")
    elif end < number:
        yield ("endPort",), invalid(number, "must be greater than or equal to `port`")


def _peer(value: Mapping[str, Any], _: int) -> Iterator[Complaint]:
    given = [name for name in ("podSelector", "namespaceSelector", "ipBlock") if value.get(name) is not None]
    if not given:
        yield (), f"{REQUIRED}: must specify a peer"
    elif len(given) > 1 and "ipBlock" in given:
        yield (), "Forbidden: may not specify both ipBlock and another peer"


def _block(value: Mapping[str, Any], _: int) -> Iterator[Complaint]:
    whole = text(value, "cidr")
    if not whole or cidr(whole) is not None:
        return
    network = ipaddress.ip_network(whole, strict=False)
    for index, item in enumerate(value.get("except") or ()):
        if (wrong := cidr(item or "")) is not None:
            yield ("except", index), invalid(item, wrong)
            continue
        part = ipaddress.ip_network(item, strict=False)
        inside = part.version == network.version and part.network_address in network
        if not inside or network.prefixlen >= part.prefixlen:
            yield ("except", index), invalid(item, "must be a strict subset of `cidr`")


def _slice(value: Mapping[str, Any], _: int) -> Iterator[Complaint]:
    family = text(value, "addressType")
    for index, each in items(value, "endpoints"):
        for at, address in enumerate(each.get("addresses") or ()):
            if family in {"IPv4", "IPv6"}:
                wrong = ip(address or "")
                if wrong is None and (":" in address) != (family == "IPv6"):
                    wrong = f"must be an {family} address"
                if wrong is not None:
                    yield ("endpoints", index, "addresses", at), invalid(address, wrong)


def _ingress_class(value: Mapping[str, Any], _: int) -> Iterator[Complaint]:
    controller = text(value, "controller")
    domain, slash, path = controller.partition("/")
    if not controller:
        yield ("controller",), REQUIRED
    elif not (slash and path and dns_subdomain(domain) is None):
        yield ("controller",), invalid(controller, 'must be a domain-prefixed path (such as "acme.io/foo")')


def _ip_family(value: Any, _: int) -> str | None:
    wrong = ip(value) if value not in ("", "None") else None
    return None if wrong is None else invalid(value, wrong)


CONSTRAINTS: dict[str, Constraints] = {
    "core.v1.ServiceSpec": Constraints(
        {
            "selector": labels,
            "externalIPs": _addresses,
            "clusterIP": _ip_family,
            "loadBalancerSourceRanges": _ranges,
        },
        (_service,),
    ),
    "core.v1.ServicePort": Constraints(
        {
            "name": rule(dns_label),
            "port": port,
            "targetPort": _target_port,
            "appProtocol": not_empty(qualified_name),
        }
    ),
    "core.v1.ClientIPConfig": Constraints({"timeoutSeconds": _affinity_seconds}),
    "networking.v1.IngressSpec": Constraints({"ingressClassName": not_empty(dns_subdomain)}, (_ingress,)),
    "networking.v1.IngressTLS": Constraints({"secretName": rule(dns_subdomain)}),
    "networking.v1.IngressRule": Constraints({"host": _host}),
    "networking.v1.HTTPIngressRuleValue": Constraints({"paths": not_empty()}),
    "networking.v1.HTTPIngressPath": Constraints({"pathType": not_empty()}, (_ingress_path,)),
    "networking.v1.IngressBackend": Constraints({}, (_backend,)),
    "networking.v1.IngressServiceBackend": Constraints({"name": not_empty()}),
    "networking.v1.ServiceBackendPort": Constraints(
        {
            "name": rule(port_name),
            "number": lambda value, minor: port(value, minor) if value else None,
        }
    ),
    "networking.v1.NetworkPolicyPort": Constraints({"port": port_or_name, "endPort": port}, (_policy_port,)),
    "networking.v1.NetworkPolicyPeer": Constraints({}, (_peer,)),
    "networking.v1.IPBlock": Constraints({"cidr": not_empty(cidr)}, (_block,)),
    "discovery.v1.EndpointSlice": Constraints({"addressType": not_empty()}, (_slice,)),
    "discovery.v1.Endpoint": Constraints(
        {
            "addresses": not_empty(),
            "hostname": not_empty(dns_label),
            "nodeName": not_empty(dns_subdomain),
        }
    ),
    "discovery.v1.EndpointPort": Constraints({"name": rule(dns_label)}),
    "networking.v1.IngressClassSpec": Constraints({}, (_ingress_class,)),
    "networking.v1.IngressClassParametersReference": Constraints({"kind": not_empty(), "name": not_empty()}),
}
