"""Defaults are the API server's own: each object is sent there with dryRun, and the answers must be equal."""

from __future__ import annotations

import copy
import os
import random
from typing import Any

import pytest

from reconciler.documents import yaml
from reconciler.model.resource import Resource
from reconciler.rules.admission.shapes import as_written
from reconciler.rules.defaults import Defaulter
from tests.cluster.cluster import Cluster
from tests.rules.defaults.objects import OBJECTS
from tests.rules.types.corpus import corpus
from tests.rules.types.mutations import mutations
from tests.rules.types.resources import Server, plain

#: How many objects with a field left out are tried; WAYSIDE_DEFAULT_CASES=all tries all two thousand.
_CASES = os.environ.get("WAYSIDE_DEFAULT_CASES", "300")

#: What a cluster gives, and nobody can know before.
_GIVEN_METADATA = ("uid", "resourceVersion", "creationTimestamp", "generation", "managedFields")
_GIVEN_SERVICE = ("clusterIP", "clusterIPs", "ipFamilies", "ipFamilyPolicy")
_PATHS = {
    "Endpoints": "endpoints",
    "IngressClass": "ingressclasses",
    "NetworkPolicy": "networkpolicies",
    "PriorityClass": "priorityclasses",
    "StorageClass": "storageclasses",
    "Ingress": "ingresses",
    "ValidatingAdmissionPolicy": "validatingadmissionpolicies",
}


def collection(manifest: dict[str, Any], namespace: str) -> str:
    group, _, version = manifest["apiVersion"].rpartition("/")
    root = f"/apis/{group}/{version}" if group else f"/api/{version}"
    plural = _PATHS.get(manifest["kind"], manifest["kind"].lower() + "s")
    place = f"/namespaces/{namespace}" if namespace else ""
    return f"{root}{place}/{plural}"


def comparable(manifest: dict[str, Any], ours: dict[str, Any]) -> dict[str, Any]:
    """Return an object without what only the cluster can know."""
    plain: dict[str, Any] = copy.deepcopy(manifest)
    for name in _GIVEN_METADATA:
        plain["metadata"].pop(name, None)
    plain["metadata"].pop("namespace", None)
    if "status" not in ours:
        plain.pop("status", None)
    if plain["kind"] == "Service":
        for name in _GIVEN_SERVICE:
            plain["spec"].pop(name, None)
        for port in plain["spec"].get("ports", ()):
            port.pop("nodePort", None)
        plain["spec"].pop("healthCheckNodePort", None)
    if plain["kind"] == "Job":
        # The server labels the pods of a job with its uid.
        plain["spec"].pop("selector", None)
        labels = plain["spec"]["template"].get("metadata", {}).get("labels", {})
        for name in [name for name in labels if "controller-uid" in name or "job-name" in name]:
            del labels[name]
        plain["metadata"].pop("labels", None)
    if plain["kind"] == "DaemonSet":
        # Written from the object's generation, which the server counts.
        plain["metadata"].pop("annotations", None)
    if plain["kind"] == "Pod":
        # Service account admission mounts a token, and tolerations and priority come from plugins.
        for name in ("serviceAccount", "serviceAccountName", "tolerations", "priority", "preemptionPolicy"):
            plain["spec"].pop(name, None)
        _drop_token(plain["spec"])
    if plain["kind"] == "PersistentVolumeClaim":
        plain["spec"].pop("storageClassName", None)
        plain["metadata"].pop("finalizers", None)
    if plain["kind"] == "PersistentVolume":
        plain["metadata"].pop("finalizers", None)
    _without_empty_metadata(plain)
    return plain


def _drop_token(spec: dict[str, Any]) -> None:
    def is_token(item: dict[str, Any]) -> bool:
        return str(item.get("name", "")).startswith("kube-api-access-")

    for holder in (spec, *spec.get("containers", ()), *spec.get("initContainers", ())):
        for name in ("volumes", "volumeMounts"):
            if name in holder:
                holder[name] = [item for item in holder[name] if not is_token(item)]
                if not holder[name]:
                    del holder[name]


def _without_empty_metadata(value: Any) -> None:
    """Drop what Go writes for empty structs, and nulls, wherever they stand."""
    if isinstance(value, dict):
        for name in list(value):
            _without_empty_metadata(value[name])
            if value[name] is None or (name in {"metadata", "status"} and not value[name]):
                del value[name]
    elif isinstance(value, list):
        for item in value:
            _without_empty_metadata(item)


@pytest.mark.parametrize("text", [pytest.param(text, id=name) for name, text in OBJECTS.items()])
def test_an_object_is_defaulted_as_the_server_does_it(
    text: str, control_plane: Cluster, namespace: str
) -> None:
    (document,) = yaml.load(text.encode(), "object.yaml")
    manifest: dict[str, Any] = document.value
    scoped = "namespace" not in manifest["metadata"]
    place = namespace if scoped else ""
    if not scoped:
        del manifest["metadata"]["namespace"]
    ours = Defaulter((1, 36)).apply(Resource(copy.deepcopy(manifest))).manifest
    theirs = control_plane.request(
        "POST", collection(manifest, place), manifest, query={"dryRun": "All", "fieldValidation": "Strict"}
    )
    assert comparable(dict(ours), dict(ours)) == comparable(theirs, dict(ours))


def _thinned() -> list[tuple[str, dict[str, Any]]]:
    """Return the objects of the corpus of types as they are, and each with one field left out."""
    found = []
    for name, manifest in corpus().items():
        plain(manifest)
        found.append((name, manifest))
        found += [
            (f"{name}: {change}", changed)
            for change, changed in mutations(manifest)
            if change.endswith("deleted")
        ]
    return found


#: Kinds that admission plugins and storage write into beside the defaults: taints, finalizers, references.
_FILLED_BY_THE_CLUSTER = frozenset(
    {"Node", "PersistentVolume", "PersistentVolumeClaim", "VolumeAttributesClass"}
)
#: Defaults that are not here: they are of kinds and fields that hardly stand in a repository.
_KNOWN = frozenset(
    {
        "apiservice-v1.metrics.acme.dev: spec.service.port deleted",
        "horizontalpodautoscaler-old: spec.targetCPUUtilizationPercentage deleted",
    }
)


def _without_zeros(value: Any) -> Any:
    """Leave out what is empty: the server writes some fields that nobody has set, and some it does not."""
    if isinstance(value, dict):
        inner = {key: _without_zeros(item) for key, item in value.items()}
        return {key: item for key, item in inner.items() if item not in (0, "", [], {}) or item is False}
    return [_without_zeros(item) for item in value] if isinstance(value, list) else value


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_what_is_left_out_is_filled_in_as_the_server_does_it(control_plane: Cluster, namespace: str) -> None:
    server = Server(control_plane, namespace)
    cases = _thinned()
    if _CASES != "all":
        cases = random.Random(20261121).sample(cases, int(_CASES))  # noqa: S311 - a sample, no secret
    different, compared = [], 0
    for name, manifest in cases:
        theirs = server.answer(manifest)
        if theirs is None:
            continue
        compared += 1
        if manifest["kind"] in _FILLED_BY_THE_CLUSTER:
            continue
        ours = dict(as_written(Defaulter((1, 36)).apply(Resource(copy.deepcopy(manifest))).manifest))
        ours.pop("status", None)
        if _without_zeros(comparable(ours, ours)) != _without_zeros(comparable(theirs, ours)):
            different.append(name)
    assert set(different) <= _KNOWN
    assert compared > len(cases) // 2
