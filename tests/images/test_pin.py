"""Locked tags become digests; everything else stays as it is."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from reconciler.images.pin import Pinner, pin_images
from reconciler.model.kinds import WorkloadKind
from reconciler.model.lock import ImagesLock, LockedImage
from reconciler.model.registry import KeptTag
from reconciler.model.resource import Resource

DIGEST = "sha256:" + "b" * 64
OTHER = "sha256:" + "c" * 64
LOCK = ImagesLock(
    {
        ("acme/pos", "1"): LockedImage("acme/pos", "1", DIGEST, ()),
        ("docker.io/library/nginx", "latest"): LockedImage("docker.io/library/nginx", "latest", OTHER, ()),
    }
)


def deployment(*images: str, **spec: Any) -> Resource:
    containers = [{"name": f"c{number}", "image": image} for number, image in enumerate(images)]
    return Resource(
        {
            "apiVersion": "apps/v1",
            "kind": "Deployment",
            "metadata": {"name": "d"},
            "spec": {"template": {"spec": {"containers": containers, **spec}}},
        }
    )


def images(resource: Resource) -> list[str]:
    containers = resource.manifest["spec"]["template"]["spec"]["containers"]
    return [container["image"] for container in containers]


def test_a_locked_tag_gets_its_digest_and_keeps_its_tag() -> None:
    assert images(pin_images(deployment("acme/pos:1"), LOCK)) == [f"acme/pos:1@{DIGEST}"]


def test_a_short_name_finds_the_normalised_entry() -> None:
    assert images(pin_images(deployment("nginx"), LOCK)) == [f"nginx@{OTHER}"]


def test_what_has_a_digest_or_is_unknown_stays() -> None:
    resource = deployment(f"acme/pos:1@{OTHER}", "acme/unknown:1", "NOT AN IMAGE")
    assert pin_images(resource, LOCK) is resource


def test_init_containers_and_image_volumes_are_pinned_too() -> None:
    resource = deployment(
        "acme/pos:1",
        initContainers=[{"name": "i", "image": "acme/pos:1"}],
        volumes=[{"name": "v", "image": {"reference": "acme/pos:1"}}, {"name": "e", "emptyDir": {}}],
    )
    spec = pin_images(resource, LOCK).manifest["spec"]["template"]["spec"]
    assert spec["initContainers"][0]["image"] == f"acme/pos:1@{DIGEST}"
    assert spec["volumes"][0]["image"]["reference"] == f"acme/pos:1@{DIGEST}"


def test_the_object_that_was_given_is_not_changed() -> None:
    resource = deployment("acme/pos:1", "acme/unknown:1")
    before = copy.deepcopy(resource.manifest)
    pinned = pin_images(resource, LOCK)
    assert resource.manifest == before
    assert (
        pinned.manifest["spec"]["template"]["spec"]["containers"][1]
        is resource.manifest["spec"]["template"]["spec"]["containers"][1]
    )


def test_a_malformed_pod_template_is_left_to_the_schema_check() -> None:
    templates: list[Any] = [
        None,
        [],
        {"spec": None},
        {"spec": {"containers": "x"}},
        {"spec": {"containers": ["x"]}},
    ]
    for template in templates:
        resource = Resource({"apiVersion": "apps/v1", "kind": "Deployment", "spec": {"template": template}})
        assert pin_images(resource, LOCK) is resource


@pytest.mark.parametrize("written", ["nginx", "docker.io/nginx:latest", "docker.io/library/nginx"])
def test_an_entry_is_found_however_its_repository_is_written(written: str) -> None:
    lock = ImagesLock({("nginx", "latest"): LockedImage("nginx", "latest", DIGEST, ())})
    assert images(pin_images(deployment(written), lock)) == [f"{written}@{DIGEST}"]


def test_an_image_keeps_its_tag_where_the_fleet_gives_a_reason() -> None:
    kept = [KeptTag("acme/*", "built on the box")]
    resource = deployment("acme/pos:1", "nginx")
    assert images(pin_images(resource, LOCK, keep_tags=kept)) == ["acme/pos:1", f"nginx@{OTHER}"]
    whole = [KeptTag("docker.io/library/*", "imported as files")]
    assert images(pin_images(resource, LOCK, keep_tags=whole)) == [f"acme/pos:1@{DIGEST}", "nginx"]


def test_images_of_kinds_that_the_fleet_names_are_pinned() -> None:
    app = Resource(
        {
            "apiVersion": "core.spinkube.dev/v1alpha1",
            "kind": "SpinApp",
            "metadata": {"name": "a"},
            "spec": {"image": "acme/pos:1", "containers": [{"image": "acme/pos:1"}]},
        }
    )
    kinds = {("core.spinkube.dev", "SpinApp"): WorkloadKind(image=("spec", "image"))}
    pinned = pin_images(app, LOCK, kinds=kinds).manifest["spec"]
    assert pinned["image"] == f"acme/pos:1@{DIGEST}"
    assert pinned["containers"] == [{"image": "acme/pos:1"}]


def test_pod_templates_in_custom_resources_that_nobody_named_are_pinned() -> None:
    spec = {"containers": [{"name": "c", "image": "acme/pos:1"}], "initContainers": [{"image": "nginx"}]}
    edge = Resource(
        {
            "apiVersion": "apps.kubeedge.io/v1alpha1",
            "kind": "EdgeApplication",
            "metadata": {"name": "a"},
            "spec": {"workloadTemplate": {"manifests": [{"spec": {"template": {"spec": spec}}}]}},
        }
    )
    found = pin_images(edge, LOCK).manifest["spec"]["workloadTemplate"]["manifests"][0]["spec"]["template"]
    assert found["spec"]["containers"][0]["image"] == f"acme/pos:1@{DIGEST}"
    assert found["spec"]["initContainers"][0]["image"] == f"nginx@{OTHER}"


def test_what_looks_like_a_container_in_a_built_in_kind_is_left_alone() -> None:
    config = Resource(
        {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": {"name": "c"},
            "data": {"containers": [{"image": "acme/pos:1"}]},
        }
    )
    assert pin_images(config, LOCK) is config


def test_a_spec_that_sites_share_is_pinned_once_and_each_keeps_its_metadata() -> None:
    one = deployment("acme/pos:1")
    other = Resource({**one.manifest, "metadata": {"name": "d", "labels": {"site": "b"}}})
    pinner = Pinner(LOCK)

    first, second = pinner.pin(one), pinner.pin(other)

    assert first == pin_images(one, LOCK)
    assert second == pin_images(other, LOCK)
    assert second.manifest["spec"] is first.manifest["spec"]


def test_one_spec_under_two_kinds_is_pinned_for_each_of_them() -> None:
    pod = Resource(
        {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {"name": "p"},
            "spec": {"containers": [{"image": "acme/pos:1"}]},
        }
    )
    config = Resource({**pod.manifest, "kind": "ConfigMap"})
    pinner = Pinner(LOCK)

    assert pinner.pin(config) is config
    assert pinner.pin(pod) == pin_images(pod, LOCK)
    assert pinner.pin(pod) != pod


def test_without_a_lock_nothing_is_pinned() -> None:
    resource = deployment("acme/pos:1")
    assert Pinner(None).pin(resource) is resource
