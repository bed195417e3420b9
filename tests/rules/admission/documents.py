"""Small policies, bindings and objects for tests."""

from collections.abc import Mapping, Sequence
from typing import Any

from tests.rules.admission.cases import GROUP


def policy(
    *expressions: str, name: str = "small", resources: Sequence[str] = ("*",), **spec: Any
) -> dict[str, Any]:
    """Return a policy whose validations are these expressions."""
    rule = {"apiGroups": ["*"], "apiVersions": ["*"], "operations": ["*"], "resources": list(resources)}
    return {
        "apiVersion": GROUP,
        "kind": "ValidatingAdmissionPolicy",
        "metadata": {"name": name},
        "spec": {
            "matchConstraints": {"resourceRules": [rule]},
            "validations": [{"expression": expression} for expression in expressions],
            **spec,
        },
    }


def binding(
    name: str = "bound", policy_name: str = "small", *, actions: Sequence[str] = ("Deny",), **spec: Any
) -> dict[str, Any]:
    """Return a binding."""
    return {
        "apiVersion": GROUP,
        "kind": "ValidatingAdmissionPolicyBinding",
        "metadata": {"name": name},
        "spec": {"policyName": policy_name, "validationActions": list(actions), **spec},
    }


def config_map(
    name: str = "settings", data: Mapping[str, Any] | None = None, **metadata: Any
) -> dict[str, Any]:
    """Return a ConfigMap in the namespace `shop`."""
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": name, "namespace": "shop", **metadata},
        **({} if data is None else {"data": dict(data)}),
    }


def deployment(replicas: Any = 3) -> dict[str, Any]:
    """Return a Deployment; None leaves its replicas out."""
    spec: dict[str, Any] = {
        "selector": {"matchLabels": {"app": "web"}},
        "template": {
            "metadata": {"labels": {"app": "web"}},
            "spec": {"containers": [{"name": "web", "image": "registry.example/web:1"}]},
        },
    }
    if replicas is not None:
        spec["replicas"] = replicas
    metadata = {"name": "web", "namespace": "shop"}
    return {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": metadata, "spec": spec}
