"""What the Kubernetes libraries declare: each function's overloads, its types, and since which version.

The versions are those of `k8s.io/apiserver/pkg/cel/environment`. Types are written as CEL writes them; the
functions take and give plain Python values and the frozen classes of this package.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

from reconciler.rules.cel.library import lists, naming, network, quantity, regex, semver, url

__all__ = ["CATALOG", "OPAQUE", "Format", "Overload", "available"]


@dataclass(frozen=True, slots=True)
class Format:
    """A named format of Kubernetes."""

    name: str


@dataclass(frozen=True, slots=True)
class Overload:
    """One signature of a function.

    Attributes:
        function: The function's name.
        id: The overload's id, as the API server names it.
        params: Types of the arguments; a member function's receiver is the first.
        result: Type of the result.
        member: Whether it is called as `receiver.function(...)`.
        since: First Kubernetes minor version that has it.
        call: What computes it, or None where only a cluster can.
    """

    function: str
    id: str
    params: tuple[str, ...]
    result: str
    member: bool
    since: int
    call: Callable[..., Any] | None


#: Opaque types: CEL name, and the class of their values.
OPAQUE: dict[str, type] = {
    "kubernetes.Quantity": quantity.Quantity,
    "kubernetes.URL": url.Url,
    "kubernetes.Semver": semver.Semver,
    "kubernetes.NamedFormat": Format,
    "net.IP": network.Ip,
    "net.CIDR": network.Cidr,
}

_Q, _URL, _SEMVER, _FORMAT = (
    "kubernetes.Quantity",
    "kubernetes.URL",
    "kubernetes.Semver",
    "kubernetes.NamedFormat",
)
_IP, _CIDR = "net.IP", "net.CIDR"
#: Since when there is what no Kubernetes version has.
_NEVER = 10_000
_AUTHORIZER, _PATH = "kubernetes.authorization.Authorizer", "kubernetes.authorization.PathCheck"
_GROUP, _RESOURCE = "kubernetes.authorization.GroupCheck", "kubernetes.authorization.ResourceCheck"
_DECISION = "kubernetes.authorization.Decision"


def _quantity() -> list[Overload]:
    new, method = partial(_function, since=28), partial(_member, since=28)
    q = quantity.Quantity
    return [
        new("quantity", "string_to_quantity", ("string",), _Q, quantity.parse),
        new("isQuantity", "is_quantity_string", ("string",), "bool", quantity.is_quantity),
        new("sign", "quantity_sign", (_Q,), "int", q.sign),
        method("isGreaterThan", "quantity_is_greater_than", (_Q, _Q), "bool", lambda a, b: a.compare(b) > 0),
        method("isLessThan", "quantity_is_less_than", (_Q, _Q), "bool", lambda a, b: a.compare(b) < 0),
        method("compareTo", "quantity_compare_to", (_Q, _Q), "int", q.compare),
        method("asApproximateFloat", "quantity_get_float", (_Q,), "double", q.as_float),
        method("asInteger", "quantity_get_int", (_Q,), "int", q.as_integer),
        method("isInteger", "quantity_is_integer", (_Q,), "bool", q.is_integer),
        method("add", "quantity_add", (_Q, _Q), _Q, q.add),
        method("add", "quantity_add_int", (_Q, "int"), _Q, lambda a, b: a.add(quantity.Quantity(b, 0, True))),
        method("sub", "quantity_sub", (_Q, _Q), _Q, q.sub),
        method("sub", "quantity_sub_int", (_Q, "int"), _Q, lambda a, b: a.sub(quantity.Quantity(b, 0, True))),
    ]


def _network() -> list[Overload]:
    new, method = partial(_function, since=30), partial(_member, since=30)
    ip, cidr = network.Ip, network.Cidr
    return [
        new("ip", "string_to_ip", ("string",), _IP, network.parse_ip),
        new("ip.isCanonical", "ip_is_canonical", ("string",), "bool", network.is_canonical_ip),
        new("isIP", "is_ip", ("string",), "bool", network.is_ip),
        new("string", "ip_to_string", (_IP,), "string", str),
        method("family", "ip_family", (_IP,), "int", ip.family),
        method("isUnspecified", "ip_is_unspecified", (_IP,), "bool", ip.is_unspecified),
        method("isLoopback", "ip_is_loopback", (_IP,), "bool", ip.is_loopback),
        method(
            "isLinkLocalMulticast", "ip_is_link_local_multicast", (_IP,), "bool", ip.is_link_local_multicast
        ),
        method("isLinkLocalUnicast", "ip_is_link_local_unicast", (_IP,), "bool", ip.is_link_local_unicast),
        method("isGlobalUnicast", "ip_is_global_unicast", (_IP,), "bool", ip.is_global_unicast),
        new("cidr", "string_to_cidr", ("string",), _CIDR, network.parse_cidr),
        new("isCIDR", "is_cidr", ("string",), "bool", network.is_cidr),
        new("string", "cidr_to_string", (_CIDR,), "string", str),
        method(
            "containsIP",
            "cidr_contains_ip_string",
            (_CIDR, "string"),
            "bool",
            lambda a, b: a.contains_ip(network.parse_ip(b)),
        ),
        method("containsIP", "cidr_contains_ip_ip", (_CIDR, _IP), "bool", cidr.contains_ip),
        method(
            "containsCIDR",
            "cidr_contains_cidr_string",
            (_CIDR, "string"),
            "bool",
            lambda a, b: a.contains_cidr(network.parse_cidr(b)),
        ),
        method("containsCIDR", "cidr_contains_cidr", (_CIDR, _CIDR), "bool", cidr.contains_cidr),
        method("ip", "cidr_ip", (_CIDR,), _IP, cidr.ip),
        method("prefixLength", "cidr_prefix_length", (_CIDR,), "int", lambda a: a.bits),
        method("masked", "cidr_masked", (_CIDR,), _CIDR, cidr.masked),
    ]


def _url() -> list[Overload]:
    new, method = partial(_function, since=0), partial(_member, since=0)
    u = url.Url
    return [
        new("url", "string_to_url", ("string",), _URL, url.parse),
        new("isURL", "is_url_string", ("string",), "bool", url.is_url),
        method("getScheme", "url_get_scheme", (_URL,), "string", lambda a: a.scheme),
        method("getHost", "url_get_host", (_URL,), "string", lambda a: a.host),
        method("getHostname", "url_get_hostname", (_URL,), "string", u.hostname),
        method("getPort", "url_get_port", (_URL,), "string", u.port),
        method("getEscapedPath", "url_get_escaped_path", (_URL,), "string", u.escaped_path),
        method("getQuery", "url_get_query", (_URL,), "map(string, list(string))", u.parameters),
    ]


def _regex() -> list[Overload]:
    method = partial(_member, since=0)
    return [
        method("find", "string_find_string", ("string", "string"), "string", regex.find),
        method("findAll", "string_find_all_string", ("string", "string"), "list(string)", regex.find_all),
        method(
            "findAll",
            "string_find_all_string_int",
            ("string", "string", "int"),
            "list(string)",
            regex.find_all,
        ),
    ]


def _regex_extension() -> list[Overload]:
    new = partial(_function, since=_NEVER)
    pair = ("string", "string")
    return [
        new("regex.extract", "regex_extract_string_string", pair, "optional_type(string)", regex.extract),
        new("regex.extractAll", "regex_extractAll_string_string", pair, "list(string)", regex.extract_all),
        new(
            "regex.replace",
            "regex_replaceAll_string_string_string",
            (*pair, "string"),
            "string",
            regex.replace,
        ),
        new(
            "regex.replace",
            "regex_replaceCount_string_string_string_int",
            (*pair, "string", "int"),
            "string",
            regex.replace,
        ),
    ]


_COMPARABLE = ("int", "uint", "double", "bool", "duration", "timestamp", "string", "bytes")
_SUMS: dict[str, Callable[..., Any]] = {
    "int": lists.sum_ints,
    "uint": lists.sum_uints,
    "double": lists.sum_floats,
    "duration": lists.sum_durations,
}


def _index_of(values: list[Any], item: object) -> int:
    return next((index for index, value in enumerate(values) if lists.equal(value, item)), -1)


def _last_index_of(values: list[Any], item: object) -> int:
    return next((i for i in range(len(values) - 1, -1, -1) if lists.equal(values[i], item)), -1)


def _lists() -> list[Overload]:
    method = partial(_member, since=0)
    found = []
    for name in _COMPARABLE:
        of = (f"list({name})",)
        found.append(method("isSorted", f"list_{name}_is_sorted_bool", of, "bool", lists.is_sorted))
        found.append(method("max", f"list_{name}_max_{name}", of, name, lists.list_max))
        found.append(method("min", f"list_{name}_min_{name}", of, name, lists.list_min))
    for name, total in _SUMS.items():
        found.append(method("sum", f"list_{name}_sum_{name}", (f"list({name})",), name, total))
    found.append(method("indexOf", "list_a_index_of_int", ("list(A)", "A"), "int", _index_of))
    found.append(method("lastIndexOf", "list_a_last_index_of_int", ("list(A)", "A"), "int", _last_index_of))
    return found


def _named(name: str) -> Format | None:
    return Format(name) if name in naming.FORMATS else None


def _format() -> list[Overload]:
    new, method = partial(_function, since=31), partial(_member, since=31)
    found = [
        new(f"format.{name}", f"format.{name}", (), _FORMAT, partial(Format, name)) for name in naming.FORMATS
    ]
    found.append(new("format.named", "format-named", ("string",), f"optional_type({_FORMAT})", _named))
    found.append(
        method(
            "validate",
            "format-validate",
            (_FORMAT, "string"),
            "optional_type(list(string))",
            lambda a, b: naming.validate(a.name, b) or None,
        )
    )
    return found


def _semver() -> list[Overload]:
    new, method = partial(_function, since=33), partial(_member, since=33)
    return [
        new("semver", "string_to_semver", ("string",), _SEMVER, semver.parse),
        new("semver", "string_bool_to_semver", ("string", "bool"), _SEMVER, semver.parse),
        new("isSemver", "is_semver_string", ("string",), "bool", semver.is_semver),
        new("isSemver", "is_semver_string_bool", ("string", "bool"), "bool", semver.is_semver),
        method(
            "isGreaterThan",
            "semver_is_greater_than",
            (_SEMVER, _SEMVER),
            "bool",
            lambda a, b: a.compare(b) > 0,
        ),
        method(
            "isLessThan", "semver_is_less_than", (_SEMVER, _SEMVER), "bool", lambda a, b: a.compare(b) < 0
        ),
        method("compareTo", "semver_compare_to", (_SEMVER, _SEMVER), "int", semver.Semver.compare),
        method("major", "semver_major", (_SEMVER,), "int", lambda a: a.major),
        method("minor", "semver_minor", (_SEMVER,), "int", lambda a: a.minor),
        method("patch", "semver_patch", (_SEMVER,), "int", lambda a: a.patch),
    ]


def _authorizer() -> list[Overload]:
    method = partial(_member, since=27, call=None)
    return [
        method("path", "authorizer_path", (_AUTHORIZER, "string"), _PATH),
        method("group", "authorizer_group", (_AUTHORIZER, "string"), _GROUP),
        method("serviceAccount", "authorizer_serviceaccount", (_AUTHORIZER, "string", "string"), _AUTHORIZER),
        method("resource", "groupcheck_resource", (_GROUP, "string"), _RESOURCE),
        method("subresource", "resourcecheck_subresource", (_RESOURCE, "string"), _RESOURCE),
        method("namespace", "resourcecheck_namespace", (_RESOURCE, "string"), _RESOURCE),
        method("name", "resourcecheck_name", (_RESOURCE, "string"), _RESOURCE),
        method("check", "pathcheck_check", (_PATH, "string"), _DECISION),
        method("check", "resourcecheck_check", (_RESOURCE, "string"), _DECISION),
        method("errored", "decision_errored", (_DECISION,), "bool"),
        method("error", "decision_error", (_DECISION,), "string"),
        method("allowed", "decision_allowed", (_DECISION,), "bool"),
        method("reason", "decision_reason", (_DECISION,), "string"),
        method("fieldSelector", "authorizer_fieldselector", (_RESOURCE, "string"), _RESOURCE, since=31),
        method("labelSelector", "authorizer_labelselector", (_RESOURCE, "string"), _RESOURCE, since=31),
    ]


def _function(
    name: str, id_: str, params: tuple[str, ...], result: str, call: Callable[..., Any] | None, *, since: int
) -> Overload:
    return Overload(name, id_, params, result, False, since, call)


def _member(
    name: str, id_: str, params: tuple[str, ...], result: str, call: Callable[..., Any] | None, *, since: int
) -> Overload:
    return Overload(name, id_, params, result, True, since, call)


#: Every overload of the Kubernetes libraries.
CATALOG: tuple[Overload, ...] = (
    *_quantity(),
    *_network(),
    *_url(),
    *_regex(),
    *_regex_extension(),
    *_lists(),
    *_format(),
    *_semver(),
    *_authorizer(),
)


_PLAIN = frozenset(overload.id for overload in (*_network(), *_regex_extension()))


def available(minor: int | None) -> tuple[Overload, ...]:
    """Return the overloads of a Kubernetes version, or for None those that plain CEL has as an extension."""
    if minor is None:
        return tuple(overload for overload in CATALOG if overload.id in _PLAIN)
    return tuple(overload for overload in CATALOG if overload.since <= minor)
