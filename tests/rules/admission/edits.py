"""Edits that make a policy or a binding one that the API server takes, or does not.

`accepted.json` holds what a real one said to each; see `cases.py` for how it is kept true.
"""

import copy
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import yaml

from tests.rules.admission.cases import GROUP

ACCEPTED: Final = Path(__file__).with_name("accepted.json")
_POLICY: Final[Mapping[str, Any]] = {
    "apiVersion": GROUP,
    "kind": "ValidatingAdmissionPolicy",
    "metadata": {"name": "edited"},
    "spec": {
        "paramKind": {"apiVersion": "v1", "kind": "ConfigMap"},
        "matchConstraints": {
            "resourceRules": [
                {
                    "apiGroups": ["apps"],
                    "apiVersions": ["v1"],
                    "operations": ["CREATE"],
                    "resources": ["deployments"],
                }
            ]
        },
        "matchConditions": [{"name": "always", "expression": "true"}],
        "variables": [
            {"name": "replicas", "expression": "object.spec.replicas"},
            {"name": "names", "expression": "object.spec.containers.map(c, c.name)"},
            {"name": "two", "expression": "1 + 1"},
        ],
        "validations": [{"expression": "variables.replicas < 5", "messageExpression": "'no ' + 'more'"}],
        "auditAnnotations": [{"key": "note", "valueExpression": "'seen'"}],
    },
}
_BINDING: Final[Mapping[str, Any]] = {
    "apiVersion": GROUP,
    "kind": "ValidatingAdmissionPolicyBinding",
    "metadata": {"name": "edited"},
    "spec": {
        "policyName": "edited",
        "validationActions": ["Deny"],
        "paramRef": {"name": "p", "namespace": "n", "parameterNotFoundAction": "Deny"},
        "matchResources": {"namespaceSelector": {"matchLabels": {"a": "b"}}},
    },
}


@dataclass(frozen=True)
class Edit:
    """A policy or a binding after an edit."""

    name: str
    document: Mapping[str, Any]

    @property
    def is_binding(self) -> bool:
        """Whether it is a binding."""
        return bool(self.document["kind"] == "ValidatingAdmissionPolicyBinding")


def policy() -> dict[str, Any]:
    """Return the policy before any edit."""
    return copy.deepcopy(dict(_POLICY))


def edits() -> tuple[Edit, ...]:
    """Return every edit of `edits.yaml`, with the documents as they were."""
    found = [Edit("policy", _POLICY), Edit("binding", _BINDING)]
    lists = yaml.safe_load(Path(__file__).with_name("edits.yaml").read_text(encoding="utf-8"))
    for base, lines in ((_POLICY, lists["policy"]), (_BINDING, lists["binding"])):
        for line in lines:
            document = copy.deepcopy(dict(base))
            for path, value in line.items():
                _set(document, path.split("."), value)
            kind = "policy" if base is _POLICY else "binding"
            found.append(Edit(f"{kind} {json.dumps(line, ensure_ascii=False)[:120]}", document))
    assert len({edit.name for edit in found}) == len(found), "each edit needs a name of its own"
    return tuple(found)


def accepted() -> Mapping[str, bool]:
    """Return what a real API server said: whether it takes each."""
    found: Mapping[str, bool] = json.loads(ACCEPTED.read_text(encoding="utf-8"))
    return found


def record_accepted(found: Mapping[str, bool]) -> None:
    """Write down what a real API server said."""
    ACCEPTED.write_text(json.dumps(found, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def _set(document: Any, path: list[str], value: Any) -> None:
    """Set the field at a path, or with `DELETE` take it away; an index at the end of a list appends."""
    for step in path[:-1]:
        document = document[int(step) if isinstance(document, list) else step]
    key: Any = int(path[-1]) if isinstance(document, list) else path[-1]
    if value == "DELETE":
        del document[key]
    elif isinstance(document, list) and key == len(document):
        document.append(value)
    else:
        document[key] = value
