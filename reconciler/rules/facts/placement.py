"""Which nodes the scheduler may put a pod on, and why not the others.

Sources: `k8s.io/component-helpers/scheduling/corev1` (node selector terms, taints and tolerations) and the
DaemonSet controller's `AddOrUpdateDaemonPodTolerations`. Preferences do not decide and are left out.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from reconciler.model.site import Taint
from reconciler.rules.facts.node import NodeFacts
from reconciler.rules.facts.plain import as_list, as_mapping, dig

__all__ = ["mismatch", "refusal", "tolerated", "tolerates"]

_HOSTNAME = "kubernetes.io/hostname"  # every node has it, also one of a group
_HARD = frozenset({"NoSchedule", "NoExecute"})
_DAEMON_TOLERATIONS: tuple[Mapping[str, str], ...] = tuple(
    {"key": f"node.kubernetes.io/{key}", "operator": "Exists", "effect": effect}
    for key, effect in (
        ("not-ready", "NoExecute"),
        ("unreachable", "NoExecute"),
        ("disk-pressure", "NoSchedule"),
        ("memory-pressure", "NoSchedule"),
        ("pid-pressure", "NoSchedule"),
        ("unschedulable", "NoSchedule"),
    )
)
_DAEMON_NETWORK: Mapping[str, str] = {
    "key": "node.kubernetes.io/network-unavailable",
    "operator": "Exists",
    "effect": "NoSchedule",
}


def refusal(pod: Mapping[str, Any], node: NodeFacts, *, daemon: bool = False, spread: bool = True) -> str:
    """Say why a pod cannot be placed on a node, leaving resources aside; "" where it can.

    Args:
        pod: A pod spec, after admission.
        node: The node.
        daemon: Whether a DaemonSet makes the pod, which tolerates some taints by itself.
        spread: Whether topology spread counts; a DaemonSet's controller does not look at it.
    """
    named = pod.get("nodeName")
    if named:
        return "" if named == node.name else f"the pod names the node {named}"
    unwanted = mismatch(pod, node)
    if unwanted:
        return unwanted
    for constraint in as_list(pod.get("topologySpreadConstraints")):
        over = str(as_mapping(constraint).get("topologyKey"))
        hard = as_mapping(constraint).get("whenUnsatisfiable", "DoNotSchedule") == "DoNotSchedule"
        if hard and spread and over != _HOSTNAME and over not in node.labels:
            return f"the pods are to be spread over {over}, the node has no such label"
    tolerations = [*as_list(pod.get("tolerations"))]
    if daemon:
        tolerations += _DAEMON_TOLERATIONS
        if pod.get("hostNetwork"):
            tolerations.append(_DAEMON_NETWORK)
    for taint in node.taints:
        if taint.effect in _HARD and not any(tolerates(t, taint) for t in tolerations):
            value = f"={taint.value}" if taint.value else ""
            return f"taint {taint.key}{value}:{taint.effect} is not tolerated"
    return ""


def mismatch(pod: Mapping[str, Any], node: NodeFacts) -> str:
    """Say why a pod's node selector or node affinity does not want a node; "" where they do."""
    for key, value in as_mapping(pod.get("nodeSelector")).items():
        if node.labels.get(key) != value:
            found = f"has {key}={node.labels[key]}" if key in node.labels else f"has no label {key}"
            return f"node selector wants {key}={value}, the node {found}"
    required = as_mapping(
        dig(pod, "affinity", "nodeAffinity", "requiredDuringSchedulingIgnoredDuringExecution")
    )
    if required and not any(_term(term, node) for term in as_list(required.get("nodeSelectorTerms"))):
        return "node affinity does not match the node's labels"
    return ""


def tolerated(pod: Mapping[str, Any], node: NodeFacts) -> bool:
    """Tell whether a pod tolerates all taints that keep pods off a node."""
    tolerations = as_list(pod.get("tolerations"))
    return all(
        taint.effect not in _HARD or any(tolerates(t, taint) for t in tolerations) for taint in node.taints
    )


def tolerates(toleration: Any, taint: Taint) -> bool:
    """Tell whether a toleration tolerates a taint (`Toleration.ToleratesTaint`)."""
    t = as_mapping(toleration)
    if t.get("effect") and t["effect"] != taint.effect:
        return False
    if t.get("key") and t["key"] != taint.key:
        return False
    match t.get("operator") or "Equal":
        case "Exists":
            return True
        case "Equal":
            return bool(t.get("key")) and (t.get("value") or "") == taint.value
        case "Gt" | "Lt" as operator:
            have, want = _number(taint.value), _number(t.get("value"))
            if have is None or want is None:
                return False
            return have > want if operator == "Gt" else have < want
        case _:
            return False


def _term(term: Any, node: NodeFacts) -> bool:
    """Tell whether one node selector term matches; an empty one matches nothing."""
    expressions = as_list(as_mapping(term).get("matchExpressions"))
    fields = as_list(as_mapping(term).get("matchFields"))
    if not expressions and not fields:
        return False
    return all(_requirement(e, node.labels) for e in expressions) and all(
        _requirement(f, {"metadata.name": node.name}) for f in fields
    )


def _requirement(requirement: Any, labels: Mapping[str, str]) -> bool:
    """Tell whether one requirement matches (`labels.Requirement.Matches`)."""
    r = as_mapping(requirement)
    key, values = str(r.get("key", "")), [str(value) for value in as_list(r.get("values"))]
    present, value = key in labels, labels.get(key, "")
    match r.get("operator"):
        case "In":
            return present and value in values
        case "NotIn":
            return not present or value not in values
        case "Exists":
            return present
        case "DoesNotExist":
            return not present
        case "Gt" | "Lt" as operator:
            have, want = _number(value), _number(values[0] if len(values) == 1 else None)
            if not present or have is None or want is None:
                return False
            return have > want if operator == "Gt" else have < want
        case _:
            return False


def _number(text: Any) -> int | None:
    try:
        return int(str(text), 10)
    except ValueError:
        return None
