"""What stays although a site goes back."""

from __future__ import annotations

from typing import Any

import pytest

from reconciler.model.resource import Resource, ResourceId
from reconciler.planning.lasting import lasting

_CLAIMED = {"volumes": [{"name": "d", "persistentVolumeClaim": {"claimName": "data"}}, {"name": "e"}]}


def thing(kind: str, spec: dict[str, Any], group: str = "apps") -> Resource:
    version = f"{group}/v1" if group else "v1"
    metadata = {"name": "x", "namespace": "shop"}
    return Resource({"apiVersion": version, "kind": kind, "metadata": metadata, "spec": spec})


@pytest.mark.parametrize(
    ("resource", "said"),
    [
        pytest.param(
            thing("Job", {"template": {"spec": {}}}, "batch"),
            ["Job.batch/shop/x: what it has done stays done"],
            id="a Job",
        ),
        pytest.param(
            thing("Deployment", {"template": {"spec": _CLAIMED}}),
            ["PersistentVolumeClaim/shop/data: what Deployment.apps/shop/x may have written to it stays"],
            id="a claim",
        ),
        pytest.param(
            thing("CronJob", {"jobTemplate": {"spec": {"template": {"spec": _CLAIMED}}}}, "batch"),
            ["PersistentVolumeClaim/shop/data: what CronJob.batch/shop/x may have written to it stays"],
            id="a CronJob",
        ),
        pytest.param(
            thing("Pod", _CLAIMED, ""),
            ["PersistentVolumeClaim/shop/data: what Pod/shop/x may have written to it stays"],
            id="a Pod",
        ),
        pytest.param(
            thing(
                "StatefulSet",
                {"template": {"spec": {}}, "volumeClaimTemplates": [{"metadata": {"name": "d"}}]},
            ),
            ["PersistentVolumeClaim/shop/d-x-*: what StatefulSet.apps/shop/x may have written to it stays"],
            id="a template of claims",
        ),
        pytest.param(thing("Deployment", {"template": {"spec": {"volumes": None}}}), [], id="no volumes"),
        pytest.param(thing("Thing", {"template": [1], "volumeClaimTemplates": "x"}), [], id="any other kind"),
    ],
)
def test_work_that_was_done_and_data_that_was_written_stay(resource: Resource, said: list[str]) -> None:
    assert list(lasting([resource], {})) == said


def test_what_is_kept_comes_first_with_its_reason() -> None:
    id_ = ResourceId("", "PersistentVolumeClaim", "shop", "data")
    found = lasting([thing("Job", {}, "batch")], {id_: "kept: it may hold data"})
    assert found[0] == "PersistentVolumeClaim/shop/data: kept: it may hold data"
    assert len(found) == 2
