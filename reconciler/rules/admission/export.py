"""A fleet's admission policies as the cluster takes them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

from reconciler.model.resource import Manifest
from reconciler.rules.admission.documents import BINDING_KIND, GROUP, POLICY_KIND, is_admission

__all__ = ["exported_policies", "needs_site_definition"]

_SITE = "wayside.dev"
_KEPT = ("apiVersion", "kind", "metadata", "spec")
_UNSAFE = re.compile(r"[^A-Za-z0-9.-]")


def exported_policies(manifests: Iterable[Any]) -> dict[str, Manifest]:
    """Return policies and bindings by the names of their files, each policy before its bindings.

    A policy without a binding gets the one that is assumed here, so that the cluster enforces what the check
    enforced: it denies everywhere.
    """
    chosen = [one for one in manifests if is_admission(one)]
    policies = [one for one in chosen if one["kind"] == POLICY_KIND]
    bindings = [one for one in chosen if one["kind"] == BINDING_KIND]
    found: dict[str, Manifest] = {}
    for policy in policies:
        name = _name(policy)
        own = [binding for binding in bindings if _field(binding, "spec", "policyName") == name]
        found[f"{_UNSAFE.sub('-', name)}.yaml"] = _plain(policy)
        for binding in own or [_assumed(name, policy)]:
            found[f"{_UNSAFE.sub('-', _name(binding))}.binding.yaml"] = _plain(binding)
    return found


def needs_site_definition(manifests: Iterable[Manifest]) -> bool:
    """Tell whether a policy has the Site as its parameter, so that the cluster must know that kind."""
    return any(
        str(_field(one, "spec", "paramKind", "apiVersion") or "").startswith(f"{_SITE}/") for one in manifests
    )


def _assumed(name: str, policy: Manifest) -> Manifest:
    spec: dict[str, Any] = {"policyName": name, "validationActions": ["Deny"]}
    if _field(policy, "spec", "paramKind") is not None:
        spec["paramRef"] = {"selector": {}, "parameterNotFoundAction": "Deny"}
        if needs_site_definition([policy]):
            spec["paramRef"]["namespace"] = "wayside-system"
    return {
        "apiVersion": f"{GROUP}/v1",
        "kind": BINDING_KIND,
        "metadata": {"name": name},
        "spec": spec,
    }


def _plain(manifest: Manifest) -> Manifest:
    return {key: manifest[key] for key in _KEPT if key in manifest}


def _name(manifest: Manifest) -> str:
    return str(_field(manifest, "metadata", "name") or "")


def _field(value: Any, *path: str) -> Any:
    for step in path:
        value = value.get(step) if isinstance(value, Mapping) else None
    return value
