"""Pairs of a policy and a request, written short in `cases/*.yaml`, and what a real API server said to each.

`answers.json` holds the server's words. `test_answers.py` compares the engine with them, without a cluster;
`test_api_server.py` asks a real server again, and writes the file anew where `WAYSIDE_RECORD` is set.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any, Final

import yaml

NAMESPACE: Final = "admission"
ANSWERS: Final = Path(__file__).with_name("answers.json")
GROUP: Final = "admissionregistration.k8s.io/v1"
CASE_LABEL: Final = "case"
CLUSTER_SCOPED: Final = frozenset(
    {
        "ClusterRole",
        "ClusterRoleBinding",
        "Limit",
        "Namespace",
        "ValidatingAdmissionPolicyBinding",
    }
)
USERS: Final[Mapping[str, Mapping[str, Any]]] = {
    "kubernetes-admin": {
        "username": "kubernetes-admin",
        "groups": ["system:masters", "system:authenticated"],
    },
    "alice": {
        "username": "alice",
        "uid": "alice-uid",
        "groups": ["dev", "ops", "system:authenticated"],
    },
}
NAMESPACES: Final[tuple[Mapping[str, Any], ...]] = tuple(
    {
        "apiVersion": "v1",
        "kind": "Namespace",
        "metadata": {"name": name, "labels": {"kubernetes.io/metadata.name": name, **labels}},
        "spec": {"finalizers": ["kubernetes"]},
        "status": {"phase": "Active"},
    }
    for name, labels in ((NAMESPACE, {"tier": "edge"}), ("default", {}))
)


def definition(kind: str, plural: str, scope: str, *versions: str) -> Mapping[str, Any]:
    """Return a CustomResourceDefinition whose objects may hold anything in `spec`."""
    schema = {
        "type": "object",
        "properties": {"spec": {"type": "object", "x-kubernetes-preserve-unknown-fields": True}},
    }
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{plural}.tests.wayside.dev"},
        "spec": {
            "group": "tests.wayside.dev",
            "scope": scope,
            "names": {"kind": kind, "plural": plural},
            "versions": [
                {
                    "name": version,
                    "served": True,
                    "storage": version == versions[0],
                    "schema": {"openAPIV3Schema": schema},
                }
                for version in versions
            ],
        },
    }


DEFINITIONS: Final = (
    definition("Box", "boxes", "Namespaced", "v1", "v2"),
    definition("Limit", "limits", "Cluster", "v1"),
)


@dataclass(frozen=True)
class Case:
    """One policy with its bindings and parameters, and one request.

    Attributes:
        name: Unique; also the name of the policy and of the object.
        policy: The ValidatingAdmissionPolicy.
        bindings: Its bindings.
        params: All objects of the kind of its parameters that this case makes.
        object: The object as it will be, or None for a deletion.
        old: The object as it is, or None for a creation.
        user: Who asks.
        passes: Whether the object is meant to pass, where that is known beforehand.
    """

    name: str
    policy: Mapping[str, Any]
    bindings: tuple[Mapping[str, Any], ...]
    params: tuple[Mapping[str, Any], ...]
    object: Mapping[str, Any] | None
    old: Mapping[str, Any] | None
    user: str
    passes: bool | None = None

    @property
    def operation(self) -> str:
        """What the request does."""
        return "DELETE" if self.object is None else "CREATE" if self.old is None else "UPDATE"

    @property
    def subject(self) -> Mapping[str, Any]:
        """The object that the request names."""
        subject = self.object if self.object is not None else self.old
        assert subject is not None
        return subject

    @property
    def namespace(self) -> Mapping[str, Any] | None:
        """The Namespace that the object is in."""
        name = self.subject["metadata"].get("namespace")
        return next((one for one in NAMESPACES if one["metadata"]["name"] == name), None)


@dataclass(frozen=True)
class Answer:
    """What was said to a request.

    Attributes:
        allowed: Whether it was let through.
        message: The refusal, from the name of the policy on.
        reason: The refusal's reason.
        warnings: In the order of the policy's validations.
    """

    allowed: bool
    message: str = ""
    reason: str = ""
    warnings: tuple[str, ...] = field(default=())


@cache
def cases() -> tuple[Case, ...]:
    """Return every case of `cases/*.yaml`, in order."""
    found = []
    for path in sorted(Path(__file__).with_name("cases").glob("*.yaml")):
        for index, item in enumerate(yaml.safe_load(path.read_text(encoding="utf-8"))):
            found.append(_case(item if isinstance(item, dict) else _expression(index, item)))
    names = [case.name for case in found]
    assert len(names) == len(set(names)), "each case needs a name of its own"
    return tuple(found)


def answers() -> Mapping[str, Answer]:
    """Return what a real API server said, by the name of the case."""
    recorded = json.loads(ANSWERS.read_text(encoding="utf-8"))
    return {
        name: Answer(**{**answer, "warnings": tuple(answer.get("warnings", ()))})
        for name, answer in recorded.items()
    }


def record(found: Mapping[str, Answer]) -> None:
    """Write down what a real API server said."""
    shown = {
        name: {key: value for key, value in vars(answer).items() if value not in ("", ())}
        for name, answer in found.items()
    }
    ANSWERS.write_text(json.dumps(shown, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def _expression(index: int, text: str) -> dict[str, Any]:
    item: dict[str, Any] = {
        "name": f"expression-{index}",
        "user": "alice",
        "variables": [{"name": "bad", "expression": "object.data.one + 1 + object.zz"}],
        "validations": [{"expression": text}],
        "object": {"data": {"a": "abc", "zero": "0", "one": "1", "paren": "(", "neg": "-1"}},
    }
    if "params" in text:
        item["needs"] = "ConfigMap"
    return item


def _case(item: dict[str, Any]) -> Case:
    name = item["name"]
    object_ = None if item.get("object", {}) is None else _object(item.get("object", {}), name)
    old = _object(item["old"], name) if "old" in item else None
    params = tuple(_object(param, name, label=False) for param in item.get("params", ()))
    spec: dict[str, Any] = {
        "matchConstraints": _isolated(item, name),
        "validations": [{"expression": "false"}] if item.get("deny") else item["validations"],
        "variables": item.get("variables", []),
        "auditAnnotations": item.get("annotations", []),
        "matchConditions": [
            {"name": f"condition-{index}", "expression": expression}
            for index, expression in enumerate(item.get("conditions", ()))
        ],
        **item.get("spec", {}),
    }
    if params:
        spec["paramKind"] = {"apiVersion": params[0]["apiVersion"], "kind": params[0]["kind"]}
    elif item.get("needs"):
        spec["paramKind"] = {"apiVersion": "v1", "kind": item["needs"]}
    bindings = [
        {
            "apiVersion": GROUP,
            "kind": "ValidatingAdmissionPolicyBinding",
            "metadata": {"name": f"{name}-{index}"},
            "spec": {"policyName": name, "validationActions": ["Deny"], **binding},
        }
        for index, binding in enumerate(item.get("bindings", [{}]))
    ]
    policy = {
        "apiVersion": GROUP,
        "kind": "ValidatingAdmissionPolicy",
        "metadata": {"name": name},
        "spec": {key: value for key, value in spec.items() if value != []},
    }
    return Case(name, policy, tuple(bindings), params, object_, old, item.get("user", "kubernetes-admin"))


def _object(item: Mapping[str, Any], name: str, *, label: bool = True) -> dict[str, Any]:
    manifest: dict[str, Any] = {"apiVersion": "v1", "kind": "ConfigMap", **item}
    metadata = {"name": name, **manifest.get("metadata", {})}
    if manifest["kind"] not in CLUSTER_SCOPED:
        metadata.setdefault("namespace", NAMESPACE)
    if label:
        metadata["labels"] = {**metadata.get("labels", {}), CASE_LABEL: name}
        if manifest["kind"] == "Namespace":
            metadata["labels"]["kubernetes.io/metadata.name"] = name
    manifest["metadata"] = metadata
    if manifest.get("data"):
        manifest["data"] = {
            key: "x" * 3000 if value == "LONG" else value for key, value in manifest["data"].items()
        }
    return manifest


def _isolated(item: Mapping[str, Any], name: str) -> dict[str, Any]:
    """Return the case's constraints, narrowed to its own object so that it disturbs no other case."""
    match = dict(item.get("match", {}))
    rule = {
        "apiGroups": [""],
        "apiVersions": ["*"],
        "operations": ["CREATE", "UPDATE", "DELETE"],
        "resources": ["configmaps"],
    }
    match["resourceRules"] = [{**rule, **given} for given in item.get("rules", [{}])]
    if "excluded" in item:
        match["excludeResourceRules"] = [{**rule, **given} for given in item["excluded"]]
    selector = dict(match.get("objectSelector", {}))
    selector["matchLabels"] = {**selector.get("matchLabels", {}), CASE_LABEL: name}
    match["objectSelector"] = selector
    return match
