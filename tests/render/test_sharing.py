"""What overlays share is one object, and nothing else changes by it."""

from __future__ import annotations

import copy
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from reconciler.documents.tree import MemoryTree
from reconciler.render import Renderer, build
from reconciler.render.interning import Interner
from reconciler.render.scalars import LinkedText

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=8,
)

BASE = """\
apiVersion: apps/v1
kind: Deployment
metadata: {name: app}
spec:
  template:
    spec:
      containers: [{name: a, image: "acme/a:1"}, {name: b, image: "acme/b:1"}]
---
apiVersion: example.org/v1
kind: Thing
metadata: {name: thing}
parts:
  - containers: [{image: "acme/a:1"}]
"""


def fleet(*overlays: str) -> MemoryTree:
    files = {"base/kustomization.yaml": b"resources: [app.yaml]\n", "base/app.yaml": BASE.encode()}
    for number, text in enumerate(overlays):
        files[f"o{number}/kustomization.yaml"] = f"resources: [../base]\n{text}".encode()
    return MemoryTree(files)


def manifests(renderer: Renderer, overlay: str) -> list[Any]:
    return [resource.manifest for resource in renderer.build(overlay)]


@given(st.dictionaries(st.sampled_from(["spec", "data", "metadata", "kind"]), VALUES))
def test_sharing_changes_neither_values_nor_types(manifest: dict[str, Any]) -> None:
    interner = Interner()
    interner.share(copy.deepcopy(manifest))

    shared = interner.share(manifest)

    assert repr(shared) == repr(manifest)


def test_equal_parts_of_two_objects_become_one_and_metadata_stays() -> None:
    interner = Interner()

    one = interner.share({"metadata": {"name": "a"}, "spec": {"x": [1]}})
    other = interner.share({"metadata": {"name": "a"}, "spec": {"x": [1]}})

    assert other["spec"] is one["spec"]
    assert other["metadata"] is not one["metadata"]


def test_values_that_are_equal_and_of_other_types_stay_apart() -> None:
    interner = Interner()

    found = [interner.share({"spec": {"x": value}})["spec"]["x"] for value in (1, True, 1.0)]
    ordered = [list(interner.share({"spec": spec})["spec"]) for spec in ({"a": 1, "b": 2}, {"b": 2, "a": 1})]

    assert [type(value) for value in found] == [int, bool, float]
    assert ordered == [["a", "b"], ["b", "a"]]


def test_parts_with_texts_of_our_own_are_left_alone() -> None:
    part = {"x": LinkedText("a")}
    interner = Interner()

    assert interner.share({"spec": part})["spec"] is part


def test_overlays_that_change_a_base_alike_share_what_comes_out() -> None:
    patch = "patches: [{patch: '- {op: add, path: /spec/replicas, value: 2}', target: {kind: Deployment}}]\n"
    renderer = Renderer(fleet(patch, patch))

    one, other = manifests(renderer, "o0"), manifests(renderer, "o1")

    assert one[0]["spec"]["replicas"] == 2
    assert other[0]["spec"] is one[0]["spec"]


def test_images_are_changed_wherever_containers_stand_in_each_of_many_overlays() -> None:
    images = "images: [{name: acme/a, newTag: '%s'}, {name: acme/none, newTag: '9'}]\n"
    tree = fleet(*(images % tag for tag in ("2", "1", "3")))
    renderer = Renderer(tree)

    for number, tag in enumerate(("2", "1", "3")):
        deployment, thing = manifests(renderer, f"o{number}")
        containers = deployment["spec"]["template"]["spec"]["containers"]
        assert [container["image"] for container in containers] == [f"acme/a:{tag}", "acme/b:1"]
        assert thing["parts"][0]["containers"][0]["image"] == f"acme/a:{tag}"
        assert renderer.build(f"o{number}").to_yaml() == build(f"o{number}", tree).to_yaml()


def test_field_specs_of_images_may_name_metadata() -> None:
    tree = MemoryTree(
        {
            "o/kustomization.yaml": b"resources: [a.yaml]\nconfigurations: [c.yaml]\n"
            b"images: [{name: acme/a, newTag: '2'}]\n",
            "o/c.yaml": b"images: [{path: metadata/annotations/image}]\n",
            "o/a.yaml": b"{apiVersion: v1, kind: ConfigMap, "
            b"metadata: {name: a, annotations: {image: 'acme/a:1'}}}",
        }
    )

    assert manifests(Renderer(tree), "o")[0]["metadata"]["annotations"] == {"image": "acme/a:2"}
