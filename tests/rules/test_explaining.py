"""What a site's resources are used for is shown as budgets, nodes and pods without room."""

from __future__ import annotations

from typing import Any

from reconciler.model.fleet import Fleet
from reconciler.model.location import Location
from reconciler.model.resource import Resource
from reconciler.report.explanation import format_explanation
from reconciler.report.ink import Ink
from reconciler.rules.explaining import explain_site
from tests.rules.sites import make_site

SITE = make_site(
    {
        "metadata": {"name": "site-1"},
        "spec": {
            "platform": "k3s",
            "kubernetesVersion": "1.33",
            "nodes": [{"name": "box", "architecture": "linux/arm64", "allocatable": {"memory": "2Gi"}}],
            "budgets": {"memory": "1Gi"},
        },
    }
)


def deployment(name: str, memory: str, replicas: int = 1, **pod: Any) -> Resource:
    containers = [{"name": "c", "image": "i:1", "resources": {"requests": {"memory": memory}}}]
    return Resource(
        {
            "apiVersion": "apps/v1",
            "kind": "Deployment",
            "metadata": {"name": name, "namespace": "shop"},
            "spec": {"replicas": replicas, "template": {"spec": {"containers": containers, **pod}}},
        }
    )


def explain(*resources: Resource) -> str:
    fleet = Fleet(name="f", at=Location("fleet.yaml"), sites={}, manifest={})
    return format_explanation(explain_site(SITE, resources, fleet=fleet, lock=None), ink=Ink())


def test_budgets_name_who_asks_and_nodes_what_would_still_fit() -> None:
    assert explain(deployment("web", "128Mi", 2), deployment("db", "512Mi")) == (
        "site-1: every pod finds room, whatever the order\n"
        "\n"
        "cpu: 0, the site does not say how much there is\n"
        "  nothing\n"
        "\n"
        "memory: 768Mi of 1Gi (budget), 75%, 256Mi left\n"
        "  Deployment.apps/shop/db   1 x 512Mi  512Mi  50%\n"
        "  Deployment.apps/shop/web  2 x 128Mi  256Mi  25%\n"
        "\n"
        "ephemeral-storage: 0, the site does not say how much there is\n"
        "  nothing\n"
        "\n"
        "node box: still free: memory 1280Mi, pods 107\n"
        "  Deployment.apps/shop/web  2 pods\n"
        "  Deployment.apps/shop/db    1 pod\n"
        "\n"
        "what would still fit, of one workload alone:\n"
        "  Deployment.apps/shop/web  2 more  until memory of the budget ends\n"
        "  Deployment.apps/shop/db   0 more  until memory of the budget ends\n"
    )


def test_pods_without_room_are_named_with_the_reason() -> None:
    text = explain(deployment("big", "3Gi"), deployment("lost", "1Mi", nodeSelector={"disk": "ssd"}))

    assert text.startswith("site-1: some pods find no room\n")
    assert "no room for 1 of Deployment.apps/shop/big: box: memory 3Gi asked, 2Gi free\n" in text
    assert "no room for 1 of Deployment.apps/shop/lost: box: node selector wants disk=ssd" in text
