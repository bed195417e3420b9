"""Policies in the style of public collections (`collection/*.yaml`), with objects that pass and that fail.

Every object is a pair of its own, so that a real API server can be asked about it: see `cases.py`.
"""

import copy
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any, Final

import yaml

from tests.rules.admission.cases import CASE_LABEL, CLUSTER_SCOPED, GROUP, NAMESPACE, Case

__all__ = ["collection", "policies"]

_DIRECTORY: Final = Path(__file__).with_name("collection")


@cache
def policies() -> tuple[Mapping[str, Any], ...]:
    """Return the policies as they are written, each with its objects."""
    return tuple(
        item
        for path in sorted(_DIRECTORY.glob("*.yaml"))
        for item in yaml.safe_load(path.read_text(encoding="utf-8"))
    )


@cache
def collection() -> tuple[Case, ...]:
    """Return a pair for every object of every policy."""
    return tuple(case for item in policies() for case in _pairs(item))


def _pairs(item: Mapping[str, Any]) -> Iterator[Case]:
    for passes, key in ((True, "pass"), (False, "fail")):
        for index, written in enumerate(item[key]):
            name = f"{item['name']}-{key}-{index}"
            old = written.get("old")
            yield Case(
                name,
                _policy(item, name),
                (_binding(item, name),),
                tuple(_param(param) for param in item.get("params", ())),
                _object(written, name),
                None if old is None else _object(old, name),
                "kubernetes-admin",
                passes=passes,
            )


def _policy(item: Mapping[str, Any], name: str) -> dict[str, Any]:
    match = copy.deepcopy(item["match"])
    # Narrowed to its own object, so that it disturbs no other pair.
    match["objectSelector"] = {"matchLabels": {CASE_LABEL: name}}
    spec = {
        "failurePolicy": item.get("failurePolicy", "Fail"),
        "matchConstraints": match,
        "matchConditions": item.get("conditions"),
        "variables": item.get("variables"),
        "validations": item["validations"],
    }
    if "params" in item:
        spec["paramKind"] = {"apiVersion": "v1", "kind": "ConfigMap"}
    return {
        "apiVersion": GROUP,
        "kind": "ValidatingAdmissionPolicy",
        "metadata": {"name": name},
        "spec": {key: value for key, value in spec.items() if value is not None},
    }


def _binding(item: Mapping[str, Any], name: str) -> dict[str, Any]:
    spec: dict[str, Any] = {"policyName": name, "validationActions": ["Deny"]}
    if "paramRef" in item:
        spec["paramRef"] = item["paramRef"]
    return {
        "apiVersion": GROUP,
        "kind": "ValidatingAdmissionPolicyBinding",
        "metadata": {"name": f"{name}-binding"},
        "spec": spec,
    }


def _param(param: Mapping[str, Any]) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": "ConfigMap", **param}


def _object(written: Mapping[str, Any], name: str) -> dict[str, Any]:
    manifest = _manifest(written)
    metadata = dict(manifest.get("metadata", {}))
    metadata["name"] = name
    if manifest["kind"] not in CLUSTER_SCOPED:
        metadata.setdefault("namespace", written.get("namespace", NAMESPACE))
    metadata["labels"] = {**metadata.get("labels", {}), **written.get("labels", {}), CASE_LABEL: name}
    if "annotations" in written:
        metadata["annotations"] = written["annotations"]
    return {**manifest, "metadata": metadata}


def _manifest(written: Mapping[str, Any]) -> dict[str, Any]:
    if "object" in written:
        return copy.deepcopy(dict(written["object"]))
    ((kind, spec),) = ((key, written[key]) for key in ("pod", "deployment", "cronjob") if key in written)
    spec = copy.deepcopy(spec)
    for container in (*spec["containers"], *spec.get("initContainers", ())):
        container.setdefault("image", "registry.example/app:1")
    labels = {"app": "a"}
    template = {"metadata": {"labels": labels}, "spec": spec}
    match kind:
        case "pod":
            return {"apiVersion": "v1", "kind": "Pod", "spec": spec}
        case "deployment":
            deployment: dict[str, Any] = {"selector": {"matchLabels": labels}, "template": template}
            if "replicas" in written:
                deployment["replicas"] = written["replicas"]
            return {"apiVersion": "apps/v1", "kind": "Deployment", "spec": deployment}
        case _:
            job = {"schedule": "0 * * * *", "jobTemplate": {"spec": {"template": {"spec": spec}}}}
            return {"apiVersion": "batch/v1", "kind": "CronJob", "spec": job}
