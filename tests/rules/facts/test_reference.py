"""Every field by which a pod or another object names an object is looked at."""

from __future__ import annotations

from typing import Any

import pytest

from reconciler.model.resource import Resource
from reconciler.rules.facts.reference import reference_values


def of(
    kind: str, spec: dict[str, Any], *others: dict[str, Any], group: str = "x/v1"
) -> list[tuple[str, str]]:
    manifest = {"apiVersion": group, "kind": kind, "metadata": {"name": "a", "namespace": "n"}, "spec": spec}
    found = reference_values([], [Resource(manifest), *(Resource(other) for other in others)])
    return [(f"{item['kind']}/{item['name']}", item["fieldPath"]) for item in found if not item["found"]]


@pytest.mark.parametrize(
    ("kind", "group", "spec", "missing"),
    [
        (
            "Ingress",
            "networking.k8s.io/v1",
            {"defaultBackend": {"service": {"name": "s"}}, "tls": [{"secretName": "t"}]},
            [("Service/s", "spec.defaultBackend.service.name"), ("Secret/t", "spec.tls[0].secretName")],
        ),
        ("StatefulSet", "apps/v1", {"serviceName": "s"}, [("Service/s", "spec.serviceName")]),
        (
            "HorizontalPodAutoscaler",
            "autoscaling/v2",
            {"scaleTargetRef": {"kind": "Deployment", "name": "d"}},
            [("Deployment/d", "spec.scaleTargetRef.name")],
        ),
        ("ConfigMap", "v1", {}, []),
    ],
)
def test_objects_name_what_they_need(
    kind: str, group: str, spec: dict[str, Any], missing: list[tuple[str, str]]
) -> None:
    assert of(kind, spec, group=group) == missing


@pytest.mark.parametrize(
    "maker",
    [
        {"kind": "SealedSecret", "metadata": {"name": "t", "namespace": "n"}},
        {"kind": "ExternalSecret", "metadata": {"name": "t", "namespace": "n"}},
        {
            "kind": "ExternalSecret",
            "metadata": {"name": "o", "namespace": "n"},
            "spec": {"target": {"name": "t"}},
        },
        {"kind": "Certificate", "metadata": {"name": "o", "namespace": "n"}, "spec": {"secretName": "t"}},
    ],
)
def test_a_secret_that_another_object_makes_is_there(maker: dict[str, Any]) -> None:
    ingress = {"tls": [{"secretName": "t"}]}

    assert of("Ingress", ingress, {"apiVersion": "x/v1", **maker}, group="networking.k8s.io/v1") == []
