"""In which order objects come."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconciler.model.resource import Resource, ResourceId
from reconciler.planning.ordering import deletion_key, order


def obj(kind: str, name: str, namespace: str = "", **annotations: str) -> Resource:
    versions = {
        "CustomResourceDefinition": "apiextensions.k8s.io/v1",
        "Deployment": "apps/v1",
        "Gadget": "g.io/v1",
    }
    metadata: dict[str, object] = {"name": name, "annotations": annotations}
    if namespace:
        metadata["namespace"] = namespace
    manifest = {"apiVersion": versions.get(kind, "v1"), "kind": kind, "metadata": metadata}
    if kind == "CustomResourceDefinition":
        manifest["spec"] = {"group": "g.io", "names": {"kind": "Gadget"}, "scope": "Namespaced"}
    return Resource(manifest)


def positions(*resources: Resource) -> dict[str, tuple[int, int]]:
    found = order(resources)
    assert found.holds == ()
    return {id_.name: position for id_, position in found.positions.items()}


def test_a_namespace_and_a_kind_come_before_what_needs_them() -> None:
    found = positions(
        obj("Gadget", "mine", "shop"),
        obj("CustomResourceDefinition", "gadgets.g.io"),
        obj("Namespace", "shop"),
        obj("ConfigMap", "other", "elsewhere"),
    )
    assert found == {"mine": (0, 1), "gadgets.g.io": (0, 0), "shop": (0, 0), "other": (0, 0)}


def test_a_namespace_that_an_earlier_wave_needs_is_pulled_forward() -> None:
    found = positions(
        obj("ConfigMap", "early", "shop", **{"wayside.dev/wave": "-5"}),
        obj("Namespace", "shop", **{"wayside.dev/wave": "3"}),
    )
    assert found == {"shop": (-5, 0), "early": (-5, 1)}


def test_a_dependent_of_a_later_wave_is_pushed_back() -> None:
    found = positions(
        obj("ConfigMap", "first", "a", **{"wayside.dev/depends-on": "ConfigMap/a/second"}),
        obj("ConfigMap", "second", "a", **{"wayside.dev/wave": "2"}),
    )
    assert found == {"second": (2, 0), "first": (2, 1)}


@pytest.mark.parametrize(
    ("key", "value"),
    [
        pytest.param("wayside.dev/depends-on", "Deployment/a/db", id="kind"),
        pytest.param("wayside.dev/depends-on", "Deployment.apps/a/db", id="kind-and-group"),
        pytest.param("wayside.dev/depends-on", "apps/namespaces/a/Deployment/db", id="long-form"),
        pytest.param("config.kubernetes.io/depends-on", "apps/namespaces/a/Deployment/db", id="cli-utils"),
    ],
)
def test_a_dependency_may_be_written_in_each_of_the_common_forms(key: str, value: str) -> None:
    found = positions(obj("Deployment", "web", "a", **{key: value}), obj("Deployment", "db", "a"))
    assert found == {"db": (0, 0), "web": (0, 1)}


def test_a_wave_may_be_written_as_argo_cd_has_it_and_ours_wins() -> None:
    argo = "argocd.argoproj.io/sync-wave"
    found = positions(
        obj("ConfigMap", "theirs", "a", **{argo: "-2"}),
        obj("ConfigMap", "both", "a", **{argo: "-2", "wayside.dev/wave": "7"}),
    )
    assert found == {"theirs": (-2, 0), "both": (7, 0)}


@pytest.mark.parametrize(
    ("annotations", "code", "words"),
    [
        pytest.param({"wayside.dev/wave": "soon"}, "annotation-invalid", "whole number", id="wave"),
        pytest.param(
            {"wayside.dev/depends-on": "db"}, "annotation-invalid", "Kind/namespace/name", id="form"
        ),
        pytest.param({"wayside.dev/prune": "off"}, "annotation-invalid", "'off'", id="prune"),
        pytest.param({"wayside.dev/depends-on": "Pod/a/x"}, "dependency-missing", "Pod/a/x", id="missing"),
        pytest.param(
            {"wayside.dev/depends-on": "ConfigMap/a/one"}, "dependency-cycle", "circle", id="itself"
        ),
    ],
)
def test_an_annotation_that_means_nothing_holds_the_sync(
    annotations: dict[str, str], code: str, words: str
) -> None:
    holds = order([obj("ConfigMap", "one", "a", **annotations)]).holds
    assert [hold.code for hold in holds] == [code]
    assert words in holds[0].message


def test_a_circle_of_dependencies_is_refused_and_named() -> None:
    ring = [
        obj("ConfigMap", name, "a", **{"wayside.dev/depends-on": f"ConfigMap/a/{following}"})
        for name, following in (("one", "two"), ("two", "three"), ("three", "one"), ("four", "one"))
    ]
    (hold,) = order(ring).holds
    assert hold.code == "dependency-cycle"
    assert {id_.name for id_ in hold.subjects} == {"one", "two", "three"}


@st.composite
def graphs(draw: st.DrawFn) -> list[Resource]:
    """Objects that depend only on ones made before them."""
    resources: list[Resource] = []
    for number in range(draw(st.integers(1, 12))):
        needed = draw(st.lists(st.integers(0, number - 1), max_size=3, unique=True)) if number else []
        annotations = {"wayside.dev/wave": str(draw(st.integers(-3, 3)))}
        if needed:
            annotations["wayside.dev/depends-on"] = ",".join(f"ConfigMap/a/n{other}" for other in needed)
        resources.append(obj("ConfigMap", f"n{number}", "a", **annotations))
    resources.append(obj("Namespace", "a", **{"wayside.dev/wave": str(draw(st.integers(-9, 9)))}))
    return draw(st.permutations(resources))


@given(graphs())
def test_nothing_ever_comes_before_what_it_needs_or_before_its_wave(resources: list[Resource]) -> None:
    found = order(resources)
    assert found.holds == ()
    by_name = {id_.name: position for id_, position in found.positions.items()}
    for resource in resources:
        here = by_name[resource.id.name]
        for entry in resource.annotations.get("wayside.dev/depends-on", "").split(","):
            if entry:
                assert by_name[entry.rpartition("/")[2]] < here
        if resource.kind != "Namespace":
            assert by_name["a"] < here
            assert here[0] >= int(resource.annotations["wayside.dev/wave"])


def test_deletions_go_in_reverse_and_namespaces_and_kinds_go_last() -> None:
    def id_(kind: str, name: str) -> ResourceId:
        return obj(kind, name, "" if kind in ("Namespace", "CustomResourceDefinition") else "a").id

    waves = {
        id_("Namespace", "a"): 9,
        id_("ConfigMap", "base"): -1,
        id_("Deployment", "db"): 0,
        id_("Deployment", "web"): 1,
        id_("CustomResourceDefinition", "gadgets.g.io"): 0,
        id_("Gadget", "mine"): 0,
    }
    found = sorted(waves, key=lambda entry: deletion_key(entry, waves[entry]))
    assert [entry.name for entry in found] == ["web", "db", "mine", "base", "gadgets.g.io", "a"]
